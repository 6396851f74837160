#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's side: keys, take and auto, start and end, status, and that secrets stay secret."""

import os
import subprocess
import time

from lib import encoders, flv
from lib.platforms import Nginx
from lib.process import children_of, eventually
from lib.relay import BACKUP_KEY, KEYS, PRIMARY_KEY, Relay, destination
from lib.show import Show, expect
from lib.stage import case, main


@case
def wrong_key_is_refused_and_never_shown(stage):
    relay = Relay(stage, [], delay_ms=500)
    wrong = "wrong-key-90b1d7"
    encoder = encoders.ffmpeg(stage, "intruder", encoders.clip(stage, "primary"),
                              relay.url(wrong))
    if encoder.wait() == 0:
        raise AssertionError("the encoder believes that it published")
    eventually(lambda: not relay.workers("ingest-rtmp"), "its worker to end")
    if relay.feed("primary")["state"] != "offline":
        raise AssertionError(f"status: {relay.status()}")
    if wrong in relay.log():
        raise AssertionError("the key that was tried is in the log")


@case
def same_key_takes_over_from_a_frozen_connection(stage):
    show = Show(stage, encoders.clip(stage, "primary"), encoders.clip(stage, "backup"))
    show.primary.freeze() # half-dead: connected, silent
    started = time.monotonic()
    again = show.start("primary")
    # At once: without waiting for the first connection to be given up.
    show.relay.wait_status(lambda s: show.relay.feed("primary", s)["state"] in ("live", "standby")
                           and len(show.relay.workers("ingest-rtmp")) == 2,
                           "the newcomer to be taken", 10)
    stage.note(f"taken over {time.monotonic() - started:.1f} s after the newcomer was started")
    show.platform.wait_media()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    if not again.is_running():
        raise AssertionError(f"the newcomer ended: {again.stderr[-3:]}")
    show.verdict()


@case
def take_and_auto_switch_without_a_gap(stage):
    show = Show(stage, encoders.clip(stage, "primary"), encoders.clip(stage, "backup"))
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
def take_of_an_unknown_feed_or_show_is_refused(stage):
    relay = Relay(stage, [], delay_ms=500)
    for arguments in (("take", "main", "nobody"), ("take", "nothing", "primary"),
                      ("auto", "nothing"), ("end", "nothing"), ("start", "nothing")):
        run = relay.run(*arguments)
        if run.returncode != 1 or not run.stderr.strip() or "\n" in run.stderr.strip():
            raise AssertionError(f"{arguments}: status {run.returncode}: {run.stderr}")


@case
def show_is_ended_and_started_again(stage):
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url, "show")], delay_ms=500)
    clip = encoders.clip(stage, "primary")
    encoder = encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.wait_media()
    relay.command("end", "main")
    relay.wait_status(lambda s: not s["on_air"], "the show to be off air")
    eventually(lambda: len(platform.calls.done) == 1, "the platform to see the end")
    if not encoder.is_running():
        raise AssertionError("the encoder was thrown out")
    relay.command("start", "main")
    eventually(lambda: platform.publishes() == 2, "a second publish")
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
    relay = Relay(stage, [destination("platform", platform.url, "show")], delay_ms=500,
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
             "twin_of", "mismatch"}
DESTINATION_KEYS = {"name", "state", "since", "restarts", "last_error", "kbps", "backlog_ms",
                    "dropped"}


@case
def status_says_what_is_true(stage):
    show = Show(stage, encoders.clip(stage, "primary"), encoders.clip(stage, "backup"))
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
def without_a_relay_the_command_says_so(stage):
    run = subprocess.run([stage.program("understudy"), "status", "--socket", stage.path("none")],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                         timeout=15)
    if run.returncode != 3 or not run.stderr.strip():
        raise AssertionError(f"status {run.returncode}: {run.stderr}")


@case
def secrets_are_nowhere_to_be_seen(stage):
    secret = "platform-secret-4e8b2a"
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url, secret)], delay_ms=500,
                  environment={"E2E_UNUSED": "x"})
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.stop() # failures are what tempts a program to show URLs
    relay.wait_destination("platform", "backing_off", "dialing")
    seen = {"log": relay.log(), "status": relay.command("status"),
            "status --json": relay.command("status", "--json")}
    for pid in [relay.process.pid, *children_of(relay.process.pid)]:
        for name in ("cmdline", "environ", "comm"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    seen[f"{name} of {pid}"] = file.read().decode(errors="replace")
            except OSError:
                pass # not even we may look: fine
    for place, text in seen.items():
        for hidden in (secret, PRIMARY_KEY, BACKUP_KEY):
            if hidden in text:
                raise AssertionError(f"{hidden} is in {place}")


@case
def keys_come_from_the_environment_and_from_files(stage):
    relay = Relay(stage, [], delay_ms=500, environment={"E2E_KEY": "from-the-environment-1"})
    relay.process.stop()
    with open(stage.path("key"), "w", encoding="utf-8") as file:
        file.write("from-a-file-2\n")
    relay.show["feeds"] = [{"name": "primary", "key": "${E2E_KEY}"},
                           {"name": "backup", "key_file": stage.path("key")}]
    relay.write_config()
    relay.start()
    clip = encoders.clip(stage, "primary")
    for feed, key in (("primary", "from-the-environment-1"), ("backup", "from-a-file-2")):
        encoders.ffmpeg(stage, feed, clip, relay.url(key))
        relay.wait_feed(feed, "live", "standby")
    for pid in [relay.process.pid, *children_of(relay.process.pid)]:
        if "from-the-environment-1" in environment_of(pid):
            raise AssertionError(f"the key is in the environment of {pid}")


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


@case
def second_relay_on_the_same_socket_is_refused(stage):
    relay = Relay(stage, [], delay_ms=500)
    second = stage.start("second", [stage.program("understudy"), "run", "-c", relay.config_path],
                         environment=relay.environment)
    if second.wait() == 0 or not second.stderr:
        raise AssertionError(f"status {second.status()}: {second.stderr}")
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
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=15)
    if run.returncode != 2:
        raise AssertionError(f"status {run.returncode}: {run.stdout}")
    for line, word in ((4, "E2E_NOT_SET"), (5, "primary"), (7, "rtmq"), (7, "colour")):
        if not any(f":{line}:" in said and word in said for said in run.stdout.splitlines()):
            raise AssertionError(f"line {line}, {word}: not in {run.stdout}")
    if KEYS["backup"] in run.stdout:
        raise AssertionError("a key is shown")
    if os.path.exists(stage.path("state")):
        raise AssertionError("check has made a directory")


if __name__ == "__main__":
    main()
