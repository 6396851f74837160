#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds that the relay fetches: SRT listeners, web servers, UDP; and what servers do wrong.

The clips are those that encoders publish elsewhere; what is recorded of the show must be the same
frames, byte for byte.
"""

import os
import signal

from lib import encoders, flv, media
from lib.origins import Origin, free_udp_port, remux, srt_listener
from lib.process import eventually
from lib.relay import BACKUP_KEY, Relay, recording
from lib.show import expect
from lib.stage import case, main


def pulling(stage, url, delay_ms=1000, backup=False, **feed):
    """A relay that pulls its primary and records the show."""
    feeds = [{"name": "primary", "pull": url, **feed}]
    if backup:
        feeds.append({"name": "backup", "key": BACKUP_KEY})
    return Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=delay_ms,
                 feeds=feeds)


def judge(stage, relay, clips, *feeds):
    if relay.process.stop() != 0:
        raise AssertionError("the relay did not end well")
    verdict = media.verdict(stage, stage.path("record.mkv"), clips)
    verdict.assert_unbroken()
    expect(verdict, *feeds)
    seconds = len(verdict.recording.of(flv.VIDEO)) / clips["primary"].fps
    if seconds < 1.5:
        raise AssertionError(f"only {seconds} s came")


def said(relay, status):
    """What the status says is wrong with the primary."""
    return " ".join(signal["text"] for signal in relay.feed("primary", status)["health"])


def trouble(relay, *words):
    """Until the status says so of the primary."""
    status = relay.wait_status(
        lambda s: all(w in said(relay, s) for w in words),
        f"the primary's health to say {words}")
    return relay.feed("primary", status)


@case
def srt_listener_is_called(stage):
    clip = encoders.clip(stage, "primary", b_frames=2)
    port = free_udp_port()
    srt_listener(stage, "origin", clip, port)
    relay = pulling(stage, f"srt://127.0.0.1:{port}?latency=120")
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 150000)
    feed = relay.feed("primary")
    if feed["peer"] != f"srt://127.0.0.1:{port}" or feed["ts"]["packets"] == 0:
        raise AssertionError(f"status: {feed}")
    judge(stage, relay, {"primary": clip}, "primary")


@case
def transport_stream_of_a_web_server_is_pulled_again_when_it_ends(stage):
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    origin = Origin(stage)
    origin.live("/live.ts", remux(clips["primary"], "mpegts"))
    relay = pulling(stage, origin.url("/live.ts", "localhost"), delay_ms=3500, backup=True)
    encoders.ffmpeg(stage, "backup", clips["backup"], relay.url("backup"))
    relay.wait_live("primary")
    relay.wait_feed("backup", "standby")
    media.wait_size(stage.path("record.mkv"), 50000)
    relay.kill_worker("ingest-av-pull")
    relay.wait_live("backup")
    relay.wait_live("primary") # by itself: the pull begins again at once
    if len(origin.asked_for("/live.ts")) != 2:
        raise AssertionError(f"asked: {origin.asked}")
    media.wait_size(stage.path("record.mkv"), 300000)
    judge(stage, relay, clips, "primary", "backup", "primary")


@case
def nothing_is_pulled_while_the_show_is_stopped(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    origin.live("/live.ts", remux(clip, "mpegts"))
    relay = Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=1000,
                  feeds=[{"name": "primary", "pull": origin.url("/live.ts")}], autostart=False)
    if relay.workers("ingest-av-pull") or origin.asked:
        raise AssertionError("pulled before the show was started")
    relay.command("start", "main")
    relay.wait_live("primary")
    relay.command("end", "main")
    eventually(lambda: not relay.workers("ingest-av-pull"), "the worker to be gone")
    relay.command("start", "main")
    relay.wait_live("primary")


@case
def pulled_feed_goes_on_through_a_re_execution_and_a_reload(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    origin.live("/live.ts", remux(clip, "mpegts"))
    origin.live("/other.ts", remux(clip, "mpegts"))
    relay = pulling(stage, origin.url("/live.ts"))
    relay.wait_live("primary")
    worker = relay.workers("ingest-av-pull")
    relay.reexecute()
    relay.show["destinations"].append(recording("more", stage.path("more.ts")))
    relay.reload_and_wait()
    media.wait_size(stage.path("more.ts"), 100000)
    if relay.workers("ingest-av-pull") != worker or len(origin.asked) != 1:
        raise AssertionError(f"the worker was touched: {worker}, {origin.asked}")
    relay.show["feeds"][0]["pull"] = origin.url("/other.ts")
    relay.reload_and_wait()
    relay.wait_worker("ingest-av-pull", other_than=worker)
    eventually(lambda: origin.asked_for("/other.ts"), "the other URL to be asked for")
    relay.show["feeds"][0] = {"name": "primary", "key": BACKUP_KEY}
    relay.reload_and_wait()
    eventually(lambda: not relay.workers("ingest-av-pull"), "the worker to be gone")


@case
def unreachable_server_is_named_and_tried_again(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    relay = pulling(stage, origin.url("/later.ts?token=e2e-token-5511"))
    feed = trouble(relay, "does not know that path")
    if feed["state"] != "offline":
        raise AssertionError(f"status: {feed}")
    relay.reexecute()
    trouble(relay, "does not know that path")
    origin.live("/later.ts", remux(clip, "mpegts"))
    relay.wait_live("primary")
    if relay.feed("primary")["health"]:
        raise AssertionError(f"status: {relay.feed('primary')}")
    if "e2e-token" in relay.log() + relay.command("status", "--json") + relay.command("events"):
        raise AssertionError("the token is to be seen")
    if relay.log().count("does not know that path") != 1:
        raise AssertionError("a trouble that lasts is said once")


if __name__ == "__main__":
    main()
