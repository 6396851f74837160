#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGHUP: what changed in the config changes, and the connections of the rest stay."""

import os
import signal
import time

from lib import encoders, flv
from lib.platforms import Nginx
from lib.ports import free_port
from lib.process import eventually
from lib.relay import PRIMARY_KEY, Relay, destination, recording
from lib.show import Show, expect
from lib.stage import case, main

NEW_KEY = "e2e-another-93be41"


@case
def changed_key_disconnects_its_encoder_and_nobody_else(stage):
    show = Show(stage)
    show.relay.show["feeds"][1]["key"] = NEW_KEY
    show.relay.reload_and_wait()
    eventually(lambda: not show.backup.is_running(), "the encoder with the old key to be ended")
    late = show.start("backup") # with the old key still
    eventually(lambda: not late.is_running(), "the old key to be refused")
    encoders.ffmpeg(stage, "new", show.clips["backup"], show.relay.url(NEW_KEY))
    show.relay.wait_feed("backup", "standby")
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def added_feed_takes_over_when_its_turn_comes(stage):
    show = Show(stage)
    show.relay.show["feeds"].append({"name": "spare", "key": NEW_KEY})
    show.relay.reload_and_wait()
    show.backup.kill()
    encoders.ffmpeg(stage, "spare", show.clips["backup"], show.relay.url(NEW_KEY))
    show.relay.wait_feed("spare", "standby")
    show.primary.kill()
    show.relay.wait_live("spare")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup") # the spare shows the backup's pictures


@case
def removed_feed_is_disconnected_and_said_to_be(stage):
    show = Show(stage)
    del show.relay.show["feeds"][1]
    show.relay.reload_and_wait()
    eventually(lambda: not show.backup.is_running(), "the feed's encoder to be ended")
    show.relay.wait_log("feed_left show=main: feed backup: its feed was removed")
    show.platform.wait_media(60000)
    expect(show.verdict(), "primary")


def take_the_live_feed_away(stage, spares=()):
    """Nobody else can carry the show, so it stays with the feed that is not in the config."""
    show = Show(stage)
    show.backup.kill()
    show.relay.wait_feed("backup", "offline")
    removed = show.relay.show["feeds"].pop(0)
    show.relay.show["feeds"] += spares
    switches = show.relay.workers("switch")
    show.relay.reload_and_wait()
    show.relay.wait_worker("switch", other_than=switches)
    show.relay.wait_status(lambda s: show.relay.feed("primary", s)["admin"] == "leaving"
                           and show.relay.feed("primary", s)["state"] == "live",
                           "the feed to be shown as leaving, and live")
    if "leaving: its feed was removed" not in show.relay.command("status"):
        raise AssertionError("the status does not say so to people")
    return show, removed


@case
def removed_live_feed_is_left_when_another_can_carry_the_show(stage):
    show, _ = take_the_live_feed_away(stage)
    late = show.start("primary") # nobody may publish to it any more
    eventually(lambda: not late.is_running(), "the removed feed's key to be refused")
    lines = len(show.relay.process.stderr)
    os.kill(show.relay.process.pid, signal.SIGUSR2)
    show.relay.process.wait_line(lambda line: "re-execution waits" in line, "that to wait",
                                 since=lines, lines=show.relay.process.stderr)
    show.start("backup")
    show.fail_over()
    eventually(lambda: not show.primary.is_running(), "the removed feed's encoder to be ended")
    show.relay.process.wait_line(lambda line: "re-executed" in line, "it to come after all",
                                 since=lines, lines=show.relay.process.stderr)
    show.relay.wait_log("leave show=main: primary -> backup: its feed was removed")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup")


@case
def removed_live_feed_that_is_given_back_was_never_away(stage):
    # as many as a show may have: the one that is leaving comes on top
    spares = [{"name": f"spare{i}", "key": f"{NEW_KEY}-{i}"} for i in range(15)]
    show, removed = take_the_live_feed_away(stage, spares)
    old = show.relay.kill_worker("switch")
    show.relay.wait_worker("switch", other_than=[old])
    show.relay.show["feeds"] = [removed] + show.relay.show["feeds"][:-1]
    show.relay.reload_and_wait()
    show.relay.wait_status(lambda s: show.relay.feed("primary", s)["admin"] == "auto"
                           and show.relay.feed("primary", s)["state"] == "live",
                           "the feed to be as before")
    show.platform.wait_media(60000)
    if not show.primary.is_running():
        raise AssertionError("its encoder was ended")
    expect(show.verdict(), "primary")


@case
def longer_delay_loses_nothing(stage):
    """Rings that were made for the shorter delay have to grow for it: else, with an encoder of
    some megabits, whatever is due has been overwritten, and the show is over."""
    clip = encoders.heavy_clip(stage, "primary")
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=500)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.wait_media()
    relay.show["delay_ms"] = 10000
    relay.reload_and_wait()
    platform.wait_media(3000000) # the first of it has waited all of the delay
    relay.process.stop()
    platform.stop()
    verdict = flv.Verdict(flv.read(platform.the_recording()), {"primary": clip})
    verdict.assert_unbroken()


@case
def without_its_delay_media_comes_as_it_is_sent(stage):
    """Sources that were opened while there was a delay have no wake-up."""
    show = Show(stage, delay_ms=500, batch_ms=0)
    show.relay.show["delay_ms"] = 0
    show.relay.reload_and_wait()
    show.platform.wait_media(60000)
    grown = []
    for _ in range(40):
        before, started = show.platform.recorded_bytes(), time.monotonic()
        while show.platform.recorded_bytes() <= before and time.monotonic() - started < 5:
            time.sleep(0.002)
        grown.append(time.monotonic() - started)
    usual = sorted(grown)[len(grown) // 2] # the machine may be busy now and then
    stage.note(f"the platform's file grew every {usual:.3f} s")
    if usual > 0.07: # two frames
        raise AssertionError(f"media comes in heaps: {[round(s, 2) for s in grown]}")
    show.platform.the_recording()


@case
def relays_go_on_when_batch_ms_and_the_switch_are_changed(stage):
    show = Show(stage, batch_ms=0)
    show.relay.show["batch_ms"] = 20
    show.relay.reload_and_wait()
    old = show.relay.kill_worker("switch")
    show.relay.wait_worker("switch", other_than=[old])
    show.platform.wait_media(100000) # more than the delay held when it died
    expect(show.verdict(), "primary")


@case
def added_show_goes_on_air_and_off_again(stage):
    show = Show(stage)
    record = stage.path("second.flv")
    show.relay.more_shows = [{"name": "second", "delay_ms": 500,
                              "feeds": [{"name": "camera", "key": NEW_KEY}],
                              "destinations": [recording("record", record)]}]
    show.relay.reload_and_wait()
    camera = encoders.ffmpeg(stage, "camera", show.clips["backup"], show.relay.url(NEW_KEY))
    eventually(lambda: os.path.exists(record) and os.path.getsize(record) > 100000,
               "the second show to be recorded")
    show.relay.reexecute() # with two shows
    show.relay.more_shows = []
    show.relay.reload_and_wait()
    eventually(lambda: not camera.is_running(), "the removed show's encoder to be ended")
    if [s["name"] for s in show.relay.shows()] != ["main"]:
        raise AssertionError("the removed show is still there")
    eventually(lambda: len(show.relay.workers("switch")) == 1
               and not show.relay.workers("relay-flv"), "the removed show's workers to end")
    verdict = flv.Verdict(flv.read(record), show.clips)
    verdict.assert_unbroken()
    show.platform.wait_media()
    expect(show.verdict(), "primary")


@case
def moved_listener_keeps_those_who_are_in(stage):
    show = Show(stage)
    port = free_port()
    for listen in (f"0.0.0.0:{port}", f"127.0.0.1:{port}"): # the same port twice, too
        show.relay.listen = listen
        show.relay.reload_and_wait()
    if "cannot listen" in show.relay.log():
        raise AssertionError("the listener did not move")
    late = show.start("backup") # at the old port
    eventually(lambda: not late.is_running(), "the old port to be closed")
    show.backup.kill()
    show.relay.wait_feed("backup", "offline")
    encoders.ffmpeg(stage, "moved", show.clips["backup"],
                    show.relay.url("backup").replace(str(show.relay.ports["rtmp"]), str(port)))
    show.relay.wait_feed("backup", "standby")
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def changed_destination_is_left_and_the_other_stays(stage):
    third = Nginx(stage, "third")
    show = Show(stage, destinations=[destination("other", third.url)])
    show.relay.wait_destination("other", "live")
    show.relay.show["destinations"][1]["key"] = NEW_KEY
    show.relay.reload_and_wait()
    eventually(lambda: NEW_KEY in third.published(),
               "the changed destination to be published with its new key")
    eventually(lambda: third.ends() > 0, "the old broadcast to be ended")
    show.platform.wait_media()
    expect(show.verdict(), "primary")
    if PRIMARY_KEY in show.relay.log() or NEW_KEY in show.relay.log():
        raise AssertionError("a key is in the log")


if __name__ == "__main__":
    main()
