#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Afterwards: the witness judges real recordings; history and ledger outlive the relay."""

import datetime
import json
import os
import signal
import subprocess
import time

from lib import encoders
from lib.platforms import Nginx
from lib.process import eventually
from lib.relay import AMPLE_MS, Relay, destination, recording
from lib.stage import case, main, need


def witness(stage, path, *options):
    return subprocess.run([stage.program("understudy"), "witness", path, *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def expect_status(run, status):
    if run.returncode != status:
        raise AssertionError(f"status {run.returncode}: {run.stdout} {run.stderr}")


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments], check=True)


@case
def whole_recordings_are_unbroken_in_every_container(stage):
    of = encoders.clip(stage, "primary", b_frames=2)
    for ending in ("flv", "mkv", "mp4", "ts"):
        path = stage.path(f"whole.{ending}")
        ffmpeg("-i", of.path, "-t", "20", "-c", "copy", path)
        run = witness(stage, path, "--json")
        expect_status(run, 0)
        verdict = json.loads(run.stdout)
        video = next(t for t in verdict["tracks"] if t["kind"] == "video")
        if not verdict["unbroken"] or not 19 < verdict["duration_s"] < 21 or \
                video["missing"] or abs(video["frames_per_s"] - 30) > 0.2:
            raise AssertionError(f"{ending}: {verdict}")


@case
def missing_and_doubled_frames_are_found_in_their_place(stage):
    need("ffmpeg")
    # seven pictures are left out behind the 200th; the 400th is shown twice
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25", "-f", "lavfi", "-i",
           "sine=sample_rate=48000", "-t", "20", "-vf",
           "select='not(between(n,200,206))',setpts='PTS+if(eq(N,400),-0.032/TB,0)'",
           "-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-c:v", "libx264", "-preset",
           "ultrafast", "-tune", "zerolatency", "-c:a", "aac", stage.path("broken.mkv"))
    run = witness(stage, stage.path("broken.mkv"), "--json")
    expect_status(run, 1)
    found = [(f["kind"], f["frames"], round(f["at_s"], 1))
             for f in json.loads(run.stdout)["findings"]]
    if ("missing", 7, 8.0) not in found or not any(k == "doubled" for k, _, _ in found):
        raise AssertionError(f"found: {found}")
    said = witness(stage, stage.path("broken.mkv")).stdout
    if "7 frames missing" not in said or "\nbroken" not in said:
        raise AssertionError(said)


@case
def what_is_no_recording_is_said_to_be_none(stage):
    with open(stage.path("notes.txt"), "w", encoding="utf-8") as file:
        file.write("no recording\n" * 1000)
    expect_status(witness(stage, stage.path("notes.txt")), 2)
    expect_status(witness(stage, stage.path("nowhere.mkv")), 2)


def accounts(relay, *options):
    return {a["destination"]: a
            for a in map(json.loads, relay.command("ledger", "--json", *options).splitlines())}


def seconds(time_text):
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def expect_whole(account):
    period = seconds(account["to"]) - seconds(account["from"])
    total = sum(account[k] for k in ("on_s", "off_s", "rest_s", "unknown_s"))
    if abs(total - period) > 0.002:
        raise AssertionError(f"{total} s of {period} s are accounted for: {account}")


def cause_of(account, text):
    return sum(c["s"] for c in account["causes"] if text in c["cause"])


def on_air(stage, **more):
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=AMPLE_MS,
                  **more)
    encoder = encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"),
                              relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.wait_media()
    return platform, relay, encoder


@case
def time_without_a_relay_is_in_the_ledger(stage):
    _, relay, _ = on_air(stage)
    relay.listen = f"127.0.0.1:{relay.ports['rtmp']}"
    relay.write_config()
    before = time.time()
    os.kill(relay.process.pid, signal.SIGKILL)
    relay.process.wait()
    killed = time.time()
    offline = subprocess.run(
        [stage.program("understudy"), "ledger", "--json", "--state", stage.path("state")],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    show = json.loads(offline.splitlines()[0])
    expect_whole(show)
    if show["now"] != "off" or show["on_s"] <= 0:
        raise AssertionError(f"without a relay: {show}")
    started = time.time()
    relay.start()
    ready = time.time()
    encoders.ffmpeg(stage, "again", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_destination("platform", "live")
    ledger = accounts(relay)
    for account in ledger.values():
        expect_whole(account)
        not_running = cause_of(account, "not running")
        if not started - killed - 1.5 < not_running < ready - before + 1.5 or \
                account["interruptions"] != 1:
            raise AssertionError(f"killed at {killed:.1f}, started at {started:.1f}: {account}")
    kinds = [json.loads(line)["kind"] for line in relay.command("events", "--json").splitlines()]
    if kinds.count("on_air") < 2 or kinds.count("destination_up") < 2:
        raise AssertionError(f"events of both runs: {kinds}")
    sums = relay.destination("platform")["ledger"]
    if sums["interruptions"] or not sums["on_s"] > 0: # of this run alone
        raise AssertionError(f"status: {sums}")
    if not relay.command("ledger", "main", "--csv").startswith("show,destination,from,"):
        raise AssertionError("no CSV")


@case
def lost_platform_is_off_air_for_as_long_as_it_was_away(stage):
    platform, relay, _ = on_air(stage)
    platform.stop()
    relay.wait_destination("platform", "backing_off", "dialing")
    asked = time.monotonic()
    before_s = accounts(relay)["platform"]["off_s"] # until the first key frame
    answered = time.monotonic()
    time.sleep(2) # what is measured
    least = time.monotonic() - answered
    platform.start()
    relay.wait_destination("platform", "live")
    most = time.monotonic() - asked
    account = accounts(relay)["platform"]
    expect_whole(account)
    later = account["off_s"] - before_s
    stage.note(f"away for {least:.2f} to {most:.2f} s, in the ledger {later:.2f} s")
    if account["interruptions"] != 1 or not least - 0.1 < later < most + 0.1:
        raise AssertionError(f"away for {least} to {most} s: {account}")
    relay.command("pause", "main", "platform")
    relay.wait_destination("platform", "stopped")
    if accounts(relay)["platform"]["now"] != "rest":
        raise AssertionError("a paused destination is not at rest")
    events = [json.loads(line) for line in relay.command("events", "--json").splitlines()]
    paused = [e["uid"] for e in events if e["kind"] == "destination_paused"]
    if paused != [os.getuid()]:
        raise AssertionError(f"who paused it: {paused}")


@case
def killed_history_is_replaced_and_the_show_goes_on(stage):
    platform, relay, _ = on_air(stage)
    old = relay.kill_worker("history")
    relay.wait_worker("history", other_than=[old])
    relay.reexecute()
    platform.wait_media()
    relay.wait_live("primary")
    relay.command("take", "main", "primary")
    eventually(lambda: "take_ordered" in relay.command("events", "--json", "--state",
                                                       stage.path("state")),
               "the event to be written")
    ledger = accounts(relay)
    for account in ledger.values():
        expect_whole(account)
        if account["interruptions"] or account["now"] != "on":
            raise AssertionError(f"{account}")


@case
def history_that_cannot_be_written_costs_the_show_nothing(stage):
    os.makedirs(stage.path("state"), mode=0o755)
    with open(stage.path("state", "history"), "w", encoding="utf-8") as file:
        file.write("in the way\n")
    relay = Relay(stage, [recording("record", stage.path("show-%H%M%S.flv"))], delay_ms=500)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_destination("record", "live")
    relay.wait_log("no history is kept")
    if relay.log().count("no history is kept") != 1:
        raise AssertionError("it is said once")
    status = json.loads(relay.command("status", "--json"))
    if status["history"]["kept"] or not status["history"]["lost"]:
        raise AssertionError(f"{status['history']}")
    events = relay.run("events", "--json") # those in memory
    if "on_air" not in events.stdout:
        raise AssertionError(f"{events}")


if __name__ == "__main__":
    main()
