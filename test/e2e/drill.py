#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`understudy drill`: rehearsals that hold, and such that have to fail."""

import json
import re
import signal
from xml.etree import ElementTree

from lib import encoders
from lib.platforms import Nginx
from lib.process import eventually
from lib.rehearsal import drill, findings
from lib.relay import Relay, destination
from lib.show import Show, expect
from lib.stage import case, main


def look_at(path, *texts):
    """The page is sound XML but for its first line, draws something, and says these."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    tree = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>|<meta[^>]*>|<br>", "", page))
    if not tree.findall(".//svg/rect") or not tree.findall(".//svg/g"):
        raise AssertionError("nothing is drawn")
    for text in texts:
        if text not in page:
            raise AssertionError(f"{text!r} is not in the page")


@case
def pulled_and_stalled_primary_hold(stage):
    show = Show(stage, delay_ms=5000) # two seconds more than it takes, for a busy machine
    page = stage.path("rehearsal.html")
    for scenario in ("pull-primary", "stall-primary"):
        report = drill(show.relay, "--scenario", scenario, "--live", "--seconds", "3",
                       "--report", page)
        step = report["steps"][0]
        stage.note(f"{scenario}: {json.dumps({k: v for k, v in step.items() if k != 'events'})}")
        if not report["passed"] or step["from"] != "primary" or step["to"] != "backup":
            raise AssertionError(f"not as it must be: {step}")
        if step["video"]["missing"] or step["audio"]["missing"] or step["gap_ms"]:
            raise AssertionError(f"a gap: {step}")
        if not 0 <= step["noticed_ms"] <= step["left_ms"] or step["returned_ms"] is None:
            raise AssertionError(f"times make no sense: {step}")
        if [d["kept"] for d in step["destinations"]] != [True]:
            raise AssertionError(f"the platform lost its connection: {step}")
        if not 0 < step["destinations"][0]["longest_silence_ms"] < 3000:
            raise AssertionError(f"nobody looked at what was written: {step}")
    look_at(page, "The show held.", "stall-primary", "backup took over")
    show.relay.command("report", "main", "--since", "10m", "--report", page)
    look_at(page, "what happened", "Time on air", "platform")
    expect(show.verdict(), "primary", "backup", "primary", "backup", "primary")


@case
def an_absent_backup_fails_the_rehearsal_and_nothing_is_done(stage):
    relay = Relay(stage, [], delay_ms=1000)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_live("primary")
    report = drill(relay, status=1)
    if report["passed"] or "no other feed" not in " ".join(findings(report["steps"][0], "bad")):
        raise AssertionError(f"not reported: {report}")
    if not relay.status()["on_air"] or '"fault"' in json.dumps(report["events"]):
        raise AssertionError("it was done all the same")


@case
def key_frames_too_far_apart_fail_the_rehearsal_with_advice(stage):
    show = Show(stage, backup=encoders.clip(stage, "backup", gop_seconds=12), delay_ms=1000,
                destinations=[])
    known = show.relay.wait_status(lambda s: show.relay.feed("backup", s)["gop_ms"],
                                   "its key frames' pace")
    # Right behind a key frame the show would hold: it has to be on air before the stall, and the
    # next is far away then.
    show.relay.wait_status(lambda s: s["timeline_90k"] > known["timeline_90k"] + 3 * 90000,
                           "that key frame to be past")
    report = drill(show.relay, "--scenario", "stall-primary", "--live", "--seconds", "2", status=1)
    step = report["steps"][0]
    if not findings(step, "bad") or "delay_ms" not in " ".join(findings(step, "note")):
        raise AssertionError(f"no advice: {step}")


@case
def a_mismatched_backup_fails_the_rehearsal(stage):
    show = Show(stage, backup=encoders.clip(stage, "backup", size="256x144"))
    report = drill(show.relay, "--live", "--seconds", "2", status=1)
    step = report["steps"][0]
    if not any("256x144" in f for f in findings(step, "bad")):
        raise AssertionError(f"the other size is not reported: {step}")


@case
def a_rehearsal_that_is_killed_leaves_nothing_behind(stage):
    show = Show(stage)
    process = stage.start("drill", [stage.program("understudy"), "drill", "main", "--live",
                                    "--seconds", "60", "--socket", show.relay.socket])
    show.relay.wait_feed("primary", "offline")
    process.send(signal.SIGKILL)
    show.relay.wait_live("primary")
    show.platform.wait_media()
    verdict = show.verdict()
    if verdict.feeds()[-1] != "primary":
        raise AssertionError(f"on air were {verdict.feeds()}")


@case
def the_public_is_asked_for_and_what_there_is_not_is_named(stage):
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=500)
    for feed in ("primary", "backup"):
        encoders.ffmpeg(stage, feed, encoders.clip(stage, feed), relay.url(feed))
    relay.wait_live("primary")
    relay.wait_feed("backup", "standby")
    relay.wait_destination("platform", "live")
    for arguments, status, words in (((), 1, "--live"),
                                     (("--scenario", "juggle"), 2, "pull-primary"),
                                     (("--scenario", "lose-destination nobody"), 2, "status"),
                                     (("--seconds", "never"), 2, "--seconds")):
        said = drill(relay, *arguments, status=status).get("error", "")
        if words not in said:
            raise AssertionError(f"drill {arguments} says {said!r}")
    relay.command("take", "main", "backup")
    if "auto" not in drill(relay, status=1)["error"]:
        raise AssertionError("a take is not respected")


@case
def a_lost_destination_and_a_killed_switch_hold(stage):
    platform = Nginx(stage)
    relay = Relay(stage, [{**destination("platform", platform.url), "rehearsal": True}],
                  delay_ms=2500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_destination("platform", "live")
    eventually(lambda: platform.recorded_bytes() > 50000, "media at the platform")
    for scenario in ("lose-destination platform", "kill-worker switch"):
        drill(relay, "--scenario", scenario)


if __name__ == "__main__":
    main()
