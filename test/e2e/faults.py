#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults made on purpose inside the relay: what they do, and that they are always undone."""

from lib import encoders
from lib.process import eventually
from lib.rehearsal import Rehearsal
from lib.relay import Relay, destination
from lib.platforms import Nginx
from lib.show import Show, expect
from lib.stage import case, main


@case
def pulled_primary_comes_back_when_the_rehearsal_ends(stage):
    show = Show(stage)
    encoders_before = show.relay.workers("ingest-rtmp")
    rehearsal = Rehearsal(show.relay)
    rehearsal.watch()
    rehearsal.fault("pull", "primary")
    show.relay.wait_feed("primary", "offline")
    show.fail_over()
    seen = rehearsal.count()
    for track in ("video", "audio"):
        if seen[track]["packets"] < 30 or seen[track]["missing"] or seen[track]["doubled"]:
            raise AssertionError(f"the witness saw a broken show: {seen}")
    rehearsal.close()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    if show.relay.workers("ingest-rtmp") != encoders_before:
        raise AssertionError("an encoder lost its connection")
    expect(show.verdict(), "primary", "backup", "primary")


@case
def stalled_primary_goes_on_when_its_time_is_over(stage):
    show = Show(stage)
    rehearsal = Rehearsal(show.relay)
    lines = len(show.relay.process.stderr)
    rehearsal.fault("stall", "primary", seconds=5)
    show.relay.wait_there_and_back(lines)
    show.platform.wait_media()
    rehearsal.close()
    expect(show.verdict(), "primary", "backup", "primary")


@case
def an_encoder_that_dials_again_stays_pulled(stage):
    show = Show(stage)
    rehearsal = Rehearsal(show.relay)
    rehearsal.fault("pull", "primary")
    show.fail_over()
    before = show.relay.workers("ingest-rtmp")
    show.primary.kill()
    show.start("primary")
    show.relay.wait_worker("ingest-rtmp", before)
    # Let in, its encoder known, and yet nothing of it counts.
    status = show.relay.wait_status(lambda s: show.relay.feed("primary", s)["peer"],
                                    "the encoder to be let in")
    if show.relay.feed("primary", status)["state"] != "offline":
        raise AssertionError("the newcomer is not pulled")
    rehearsal.close()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")


@case
def lost_destination_comes_back_and_the_public_is_asked_for(stage):
    public, rehearsed = Nginx(stage, "public"), Nginx(stage, "rehearsed")
    relay = Relay(stage, [{**destination("public", public.url), "rehearsal": True},
                          destination("rehearsed", rehearsed.url)], delay_ms=500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    for name in ("public", "rehearsed"):
        relay.wait_destination(name, "live")
    rehearsal = Rehearsal(relay)
    answer = rehearsal.ask(command="fault", kind="pull", target="primary", seconds=5)
    if answer["ok"] or "--live" not in answer["error"] or "rehearsed" not in answer["error"]:
        raise AssertionError(f"nobody asked whether it is meant: {answer}")
    lines = len(relay.process.stderr)
    rehearsal.fault("lose", "rehearsed", seconds=3)
    relay.wait_log("name=rehearsed state=backing_off", lines)
    relay.wait_log("name=rehearsed state=live", lines)
    if relay.destination("public")["restarts"]:
        raise AssertionError("the other destination was disturbed")


@case
def the_witness_sees_the_hole_that_a_feed_without_a_backup_leaves(stage):
    relay = Relay(stage, [], delay_ms=500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_live("primary")
    rehearsal = Rehearsal(relay)
    rehearsal.watch()
    eventually(lambda: rehearsal.count()["video"]["packets"] >= 20, "the witness to see pictures")
    lines = len(relay.process.stderr)
    rehearsal.fault("stall", "primary", seconds=4)
    relay.wait_log("off_air show=main", lines)
    relay.wait_live("primary")
    eventually(lambda: rehearsal.count()["video"]["missing"] >= 30,
               "the witness to count the missing frames", interval_s=0.3)


@case
def a_rehearsal_ends_when_the_relay_is_executed_anew(stage):
    relay = Relay(stage, [], delay_ms=500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_live("primary")
    rehearsal = Rehearsal(relay)
    rehearsal.watch()
    rehearsal.fault("pull", "primary")
    relay.wait_feed("primary", "offline")
    relay.reexecute()
    relay.wait_live("primary")
    eventually(lambda: not relay.workers("witness"), "the witness to go, which nobody listens to")


@case
def killed_worker_is_replaced(stage):
    show = Show(stage)
    before = show.relay.workers("switch")
    Rehearsal(show.relay).fault("kill", "switch")
    show.relay.wait_worker("switch", before)
    show.platform.wait_media()
    expect(show.verdict(), "primary")


if __name__ == "__main__":
    main()
