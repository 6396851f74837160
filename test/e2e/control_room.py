#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's side: take and auto, start and end, status, and what is said about errors."""

import json
import os
import subprocess

from lib import encoders, flv
from lib.platforms import Nginx
from lib.process import PATIENCE_S, eventually
from lib.relay import AMPLE_MS, KEYS, Relay, destination
from lib.show import Show, expect
from lib.stage import case, main


@case
def take_and_auto_switch_without_a_gap(stage):
    show = Show(stage)
    show.relay.command("take", "main", "backup")
    show.relay.wait_live("backup")
    status = show.relay.status()
    if status["admin"] == "auto":
        raise AssertionError(f"a take is not shown: {status}")
    show.platform.wait_media()
    show.relay.command("auto", "main")
    show.relay.wait_status(lambda s: s["admin"] == "auto", "auto to be shown")
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")


@case
def taken_feed_that_dies_is_a_failover_and_the_status_says_whose_fault(stage):
    show = Show(stage)
    show.relay.command("take", "main", "backup")
    show.relay.wait_live("backup")
    show.backup.kill()
    status = show.relay.wait_live("primary")
    if not status["why"].startswith("after backup: connection "):
        raise AssertionError(f"why {status['why']!r}")
    events = [json.loads(line) for line in show.relay.command("events", "--json").splitlines()]
    changes = [(e["kind"], e["from"], e["to"]) for e in events
               if e["kind"] in ("take", "failover", "failback")]
    if changes != [("take", "primary", "backup"), ("failover", "backup", "primary")]:
        raise AssertionError(f"told were {changes}")


@case
def take_of_an_unknown_feed_or_show_is_refused(stage):
    relay = Relay(stage, [], delay_ms=500)
    for arguments in (("take", "main", "nobody"), ("take", "nothing", "primary"),
                      ("auto", "nothing"), ("end", "nothing"), ("start", "nothing"),
                      ("explain", "nothing")):
        run = relay.run(*arguments)
        is_named = "nobody" in run.stderr or "nothing" in run.stderr
        if run.returncode != 1 or not is_named or "\n" in run.stderr.strip():
            raise AssertionError(f"{arguments}: status {run.returncode}: {run.stderr}")


# What differs from encoders.clip(), as the status names it.
OTHERS = {
    "resolution": ("resolutionMismatch", "incompatible", "480x270", "320x180"),
    "audio codec": ("audioCodecMismatch", "incompatible", "MP3", "AAC"),
    "video profile": ("videoProfileMismatch", "warning", "Main", "Constrained Baseline"),
    "frame rate": ("framerateMismatch", "warning", "15", "30"),
    "key frame interval": ("gopMismatch", "warning", "1000 ms", "2000 ms"),
}


def other_encoder(stage, url):
    """An encoder set up otherwise; its sound says what it is in its frames alone."""
    return stage.start("backup", [
        "ffmpeg", "-nostdin", "-v", "warning", "-re",
        "-f", "lavfi", "-i", "testsrc2=size=480x270:rate=15",
        "-f", "lavfi", "-i", "anoisesrc=amplitude=0.1:sample_rate=44100",
        "-vf", "format=yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "main",
        "-x264-params", "cabac=1", "-tune", "zerolatency", "-g", "15", "-b:v", "300k",
        "-c:a", "libmp3lame", "-ac", "2", "-b:a", "64k", "-f", "flv", url])


@case
def feed_of_another_format_is_named_and_one_that_is_stuck_cannot_be_taken(stage):
    relay = Relay(stage, [], delay_ms=500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    other = other_encoder(stage, relay.url("backup"))

    def found(status):
        feed = relay.feed("backup", status)
        return {m["field"]: (m["name"], m["severity"], m["this"], m["reference"])
                for m in feed["mismatch"]}
    status = relay.wait_status(
        lambda s: OTHERS.items() <= found(s).items(), "the mismatch to be named")
    if relay.feed("primary", status)["mismatch"] or status["reference"]["feed"] != "primary":
        raise AssertionError(f"{status}")
    if relay.feed("backup", status)["audio"]["sample_rate"] != 44100:
        raise AssertionError("the frames of the sound were not looked at")
    relay.process.wait_line(
        lambda line: "feed backup: H.264 Main" in line
        and "resolution 480x270 instead of 320x180 (resolutionMismatch, incompatible)" in line,
        "a line of the format", lines=relay.process.stderr)
    switch = relay.workers("switch")
    relay.show["failover"]["health"] = {"low_bitrate": {"enter_kbps": 90000}}
    relay.reload_and_wait()
    relay.wait_status(
        lambda s: "low_bitrate" in [h["signal"] for h in relay.feed("primary", s)["health"]],
        "the new threshold to be in force")
    if relay.workers("switch") != switch:
        raise AssertionError("the switch was replaced for a threshold")
    other.freeze()
    relay.wait_feed("backup", "stalled")
    run = relay.run("take", "main", "backup")
    if run.returncode != 1 or "nothing comes from it" not in run.stderr:
        raise AssertionError(f"status {run.returncode}: {run.stderr}")
    other.thaw()


@case
def manual_return_waits_for_the_word_auto(stage):
    show = Show(stage, failover={"return": "manual"})
    show.primary.kill()
    show.fail_over()
    show.start("primary")
    show.relay.wait_feed("primary", "standby")
    show.relay.command("auto", "main")
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")


@case
def show_is_ended_and_started_again(stage):
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=AMPLE_MS)
    clip = encoders.clip(stage, "primary")
    encoder = encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.wait_media()
    relay.command("end", "main")
    relay.wait_status(lambda s: not s["on_air"], "the show to be off air")
    eventually(lambda: platform.ends() > 0, "the platform to see the end")
    if not encoder.is_running():
        raise AssertionError("the encoder was thrown out")
    relay.command("start", "main")
    eventually(lambda: platform.publishes() > 1, "a second publish")
    relay.wait_destination("platform", "live")
    platform.wait_media()
    relay.process.stop()
    platform.stop()
    for path in platform.recordings():
        verdict = flv.Verdict(flv.read(path), {"primary": clip})
        verdict.assert_unbroken()
        expect(verdict, "primary")


@case
def show_without_autostart_waits_for_the_operator(stage):
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=500,
                  autostart=False)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_feed("primary", "live", "standby")
    if platform.publishes():
        raise AssertionError("on air before anybody said so")
    relay.command("start", "main")
    relay.wait_destination("platform", "live")
    platform.wait_media()


STATUS_KEYS = {"name", "on_air", "live", "why", "admin", "timeline_90k", "delay_ms", "feeds",
               "destinations"}
FEED_KEYS = {"name", "state", "health", "peer", "video", "audio", "kbps", "gop_ms", "lag_ms",
             "twin_of", "filled", "mismatch"}
DESTINATION_KEYS = {"name", "state", "since", "restarts", "last_error", "kbps", "backlog_ms",
                    "dropped"}


@case
def status_says_what_is_true(stage):
    show = Show(stage)
    status = show.relay.wait_status(
        lambda s: show.relay.feed("primary", s)["gop_ms"] == 2000
        and show.relay.feed("primary", s)["kbps"] > 0, "the feed to be measured")
    feed = show.relay.feed("primary", status)
    target = show.relay.destination("platform", status)
    missing = (STATUS_KEYS - set(status) | FEED_KEYS - set(feed)
               | DESTINATION_KEYS - set(target))
    if missing:
        raise AssertionError(f"not in the status: {sorted(missing)}")
    if status["delay_ms"] != show.relay.show["delay_ms"] or not status["why"]:
        raise AssertionError(f"{status}")
    if not feed["peer"].startswith("127.0.0.1") or "320" not in str(feed["video"]):
        raise AssertionError(f"{feed}")
    human = show.relay.command("status")
    for word in ("main", "primary", "backup", "platform"):
        if word not in human:
            raise AssertionError(f"{word} is not in: {human}")


@case
def explain_says_what_the_audience_will_see(stage):
    show = Show(stage, backup=encoders.clip(stage, "backup", b_frames=2))
    show.relay.wait_status(
        lambda s: all(show.relay.feed(f, s)["gop_ms"] == 2000 for f in ("primary", "backup")),
        "the feeds to be measured")
    said = json.loads(show.relay.command("explain", "main", "--json"))
    cases = {i["key"]: i for i in said["items"] if i["section"] == "case"}
    if said["needed_delay_ms"] != 2750 or not said["measured"] or said["live"] != "primary":
        raise AssertionError(f"{said}")
    if not cases["killed"]["promised"] or cases["frozen"]["picture_ms"] != 0:
        raise AssertionError(f"{cases}")
    human = show.relay.command("explain", "main")
    for part in ("key frames of backup are 2.0 s apart and the delay is 3.5 s", "no B-frames",
                 "B-frames (2 held back)", " frames a second, key frames 2.0 s apart"):
        if part not in " ".join(human.split()):
            raise AssertionError(f"{part} is not in: {human}")
    show.backup.kill()
    show.relay.wait_feed("backup", "offline")
    human = " ".join(show.relay.command("explain", "main").split())
    if "no other feed could take over from primary" not in human:
        raise AssertionError(human)


@case
def explain_needs_no_relay_with_a_config(stage):
    relay = Relay(stage, [], delay_ms=0)
    relay.process.stop()
    human = " ".join(relay.command("explain", "main", "-c", relay.config_path).split())
    if "within 50 ms, if the formats match" not in human:
        raise AssertionError(human)
    for arguments, status in ((("main",), 3), (("other", "-c", relay.config_path), 2)):
        run = relay.run("explain", *arguments)
        if run.returncode != status or len(run.stderr.splitlines()) != 1 or run.stdout:
            raise AssertionError(f"{arguments}: status {run.returncode}: {run.stderr}")


@case
def without_a_relay_the_command_says_so(stage):
    run = subprocess.run([stage.program("understudy"), "status", "--socket", stage.path("none")],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                         timeout=PATIENCE_S)
    if run.returncode != 3 or not run.stderr.strip():
        raise AssertionError(f"status {run.returncode}: {run.stderr}")


@case
def second_relay_on_the_same_socket_is_refused(stage):
    relay = Relay(stage, [], delay_ms=500)
    second = stage.start("second", [stage.program("understudy"), "run", "-c", relay.config_path],
                         environment=relay.environment)
    status = second.wait()
    second.drain()
    if status == 0 or not second.stderr:
        raise AssertionError(f"status {status}: {second.stderr}")
    relay.status()


@case
def all_errors_of_a_config_are_told_at_once(stage):
    path = stage.path("broken.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("shows:\n"
                   "  - name: main\n"
                   "    feeds:\n"
                   "      - { name: primary, key: \"${E2E_NOT_SET}\" }\n"
                   f"      - {{ name: primary, key: {KEYS['backup']} }}\n"
                   "    destinations:\n"
                   "      - { name: x, url: \"rtmq://host/live\", colour: red }\n")
    run = subprocess.run([stage.program("understudy"), "check", "-c", path], check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         timeout=PATIENCE_S)
    if run.returncode != 2:
        raise AssertionError(f"status {run.returncode}: {run.stdout}")
    for line, word in ((4, "E2E_NOT_SET"), (5, "same name"), (7, "scheme"), (7, "colour")):
        if not any(f":{line}:" in said and word in said for said in run.stdout.splitlines()):
            raise AssertionError(f"line {line}, {word}: not in {run.stdout}")
    if KEYS["backup"] in run.stdout:
        raise AssertionError("a key is shown")
    if os.path.exists(stage.path("state")):
        raise AssertionError("check has made a directory")



if __name__ == "__main__":
    main()
