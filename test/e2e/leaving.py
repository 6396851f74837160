#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How destinations are left, and what a changed config touches."""

import os

from lib import encoders, flv
from lib.pair import Pair
from lib.platforms import Nginx, Wire
from lib.process import eventually
from lib.relay import AMPLE_MS, Relay, destination, recording
from lib.show import expect
from lib.stage import case, main


def leave(stage, how):
    """The last bytes we said to a platform that we left so."""
    platform = Nginx(stage)
    wire = Wire(stage, platform.port)
    relay = Relay(stage, [destination("platform", wire.url)], delay_ms=500)
    clip = encoders.clip(stage, "primary")
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.wait_media()
    how(relay)
    eventually(lambda: wire.ended == wire.accepted, "the connection to the platform to end")
    return wire.tail


@case
def shutdown_leaves_uncleanly_so_that_the_platform_waits(stage):
    tail = leave(stage, lambda relay: relay.process.stop())
    if b"deleteStream" in tail or b"FCUnpublish" in tail:
        raise AssertionError("the platform was told that the show is over")


@case
def end_of_the_show_is_told_to_the_platform(stage):
    tail = leave(stage, lambda relay: relay.command("end", "main"))
    if b"deleteStream" not in tail:
        raise AssertionError("the platform was not told that the show is over")


@case
def destination_that_is_removed_is_told_and_the_others_go_on(stage):
    pair = Pair(stage)
    removed = pair.relay.show["destinations"].pop()
    pair.relay.reload()
    eventually(lambda: pair.wire.ended == pair.wire.accepted, "the removed destination to be left")
    if b"deleteStream" not in pair.wire.tail:
        raise AssertionError("the platform was not told that the show is over")
    before = pair.bad.publishes()
    pair.relay.show["destinations"].append({**removed, "name": "third"})
    pair.relay.reload()
    pair.relay.wait_status(lambda s: [d["name"] for d in s["destinations"]] == ["good", "third"],
                           "the new destination")
    pair.relay.wait_destination("third", "live")
    eventually(lambda: pair.bad.publishes() > before, "the new destination to publish")
    pair.good.wait_media()
    pair.finish()


@case
def config_with_an_error_is_not_taken(stage):
    pair = Pair(stage)
    pair.relay.show["feeds"][0]["kee"] = "x"
    lines = len(pair.relay.process.stderr)
    pair.relay.reload()
    pair.relay.process.wait_line(lambda line: "kee" in line, "the error to be told", since=lines,
                                 lines=pair.relay.process.stderr)
    pair.good.wait_media()
    pair.finish()


@case
def recording_of_the_show_is_byte_for_byte_what_the_encoder_sent(stage):
    record = stage.path("record.flv")
    relay = Relay(stage, [recording("record", record)], delay_ms=AMPLE_MS)
    clip = encoders.clip(stage, "primary", b_frames=2)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("record", "live")
    eventually(lambda: os.path.exists(record) and os.path.getsize(record) > 200000, "a recording")
    relay.process.stop()
    verdict = flv.Verdict(flv.read(record), {"primary": clip})
    verdict.assert_unbroken()
    expect(verdict, "primary")
    flv.assert_decodes(record)



if __name__ == "__main__":
    main()
