#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on air when no encoder is left."""

import glob
import json
import os
import shutil
import subprocess

from lib import encoders, flv, media
from lib.platforms import Nginx
from lib.relay import KEYS, Relay, destination
from lib.show import DELAY_MS, Show, expect
from lib.stage import case, main

SLATE_SECONDS = 2 # several seams in the time it is on air

FIELDS = ["codec_name", "profile", "level", "width", "height", "pix_fmt", "has_b_frames",
          "r_frame_rate", "sample_rate", "channels", "channel_layout"]


def feeds(**slate):
    return [{"name": name, "key": key} for name, key in KEYS.items()] + [{"name": "slate", **slate}]


def looks(path):
    """What a platform sees of it."""
    said = subprocess.run(["ffprobe", "-v", "error", "-of", "json", "-show_entries",
                           "stream=" + ",".join(FIELDS), path], check=True,
                          stdout=subprocess.PIPE).stdout
    return [{key: s[key] for key in FIELDS if key in s and (s.get("width") or "frame" not in key)}
            for s in json.loads(said)["streams"]]


@case
def slate_goes_on_when_both_encoders_are_gone_and_the_primary_returns(stage):
    slate = encoders.clip(stage, "slate", seconds=SLATE_SECONDS)
    show = Show(stage, feeds=feeds(file=slate.path))
    show.clips["slate"] = slate
    show.relay.wait_feed("slate", "standby")
    show.backup.kill()
    show.primary.kill()
    at = show.relay.wait_live("slate")["timeline_90k"]
    show.relay.wait_status(lambda s: s["timeline_90k"] > at + 3.2 * SLATE_SECONDS * 90000,
                           "some seams of the slate")
    show.start("primary")
    show.relay.wait_live("primary")
    show.platform.wait_media()
    verdict = show.verdict()
    names = verdict.feeds()
    if names[0] != "primary" or names[-2:] != ["slate", "primary"]:
        raise AssertionError(f"on air were {names}")
    places = slate.places
    seams = sum(places[b.digest] < places[a.digest] for a, b in zip(
        verdict.recording.of(flv.VIDEO), verdict.recording.of(flv.VIDEO)[1:])
                if a.digest in places and b.digest in places)
    stage.note(f"seams of the slate on air: {seams}")
    if seams < 2:
        raise AssertionError(f"{seams} seams were judged")


@case
def slate_that_is_made_matches_the_live_feed_and_is_kept(stage):
    clip = encoders.clip(stage, "primary", b_frames=2)
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=DELAY_MS,
                  feeds=feeds(file="auto", text="We’ll be\nright back"))
    if relay.feed("slate")["state"] != "offline":
        raise AssertionError("there is a slate of no format")
    primary = encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_live("primary")
    relay.wait_destination("platform", "live")
    status = relay.wait_feed("slate", "standby")
    made = glob.glob(stage.path("state", "slates", "*"))
    if len(made) != 1 or not made[0].endswith(".mp4"):
        raise AssertionError(f"in the state directory: {made}")
    if looks(made[0]) != looks(clip.path):
        raise AssertionError(f"{looks(made[0])} is no match for {looks(clip.path)}")
    if relay.feed("slate", status)["mismatch"]:
        raise AssertionError(f"the relay says: {relay.feed('slate', status)['mismatch']}")
    primary.kill()
    relay.wait_live("slate")
    platform.wait_media()
    if relay.destination("platform")["restarts"]:
        raise AssertionError("the connection did not last")
    relay.process.stop()
    platform.stop()
    path = platform.the_recording()
    slate = flv.Clip(media.copy_flv(stage, "made.flv", made[0]), clip.fps)
    verdict = flv.Verdict(flv.read(path), {"primary": clip, "slate": slate})
    expect(verdict, "primary", "slate")
    # The frames of a still repeat: their order proves nothing, their times do.
    verdict.faults = [f for f in verdict.faults if "frames of slate are lost" not in f]
    verdict.assert_unbroken()
    flv.assert_decodes(path)
    platform.start()
    relay.start() # it is there at once, and nobody encodes it again
    relay.wait_live("slate")
    if relay.workers("slate") or glob.glob(stage.path("state", "slates", "*")) != made:
        raise AssertionError("the slate was made again")


def check(stage, relay):
    return subprocess.run([stage.program("understudy"), "check", "-c", relay.config_path],
                          stdout=subprocess.PIPE, text=True, check=False)


@case
def missing_broken_replaced_and_removed_files_cost_the_show_nothing(stage):
    path = stage.path("late.flv")
    show = Show(stage, feeds=feeds(file=path))
    relay = show.relay
    said = relay.wait_status(lambda s: relay.feed("slate", s)["health"], "a word of the file")
    if "No such file" not in str(relay.feed("slate", said)["health"]):
        raise AssertionError(f"said: {relay.feed('slate', said)}")
    with open(path, "w", encoding="utf-8") as file:
        file.write("no recording")
    relay.wait_status(lambda s: "no recording that can be read" in str(
        relay.feed("slate", s)["health"]), "a word of what is in the file")
    run = check(stage, relay)
    if run.returncode != 2 or "no recording" not in run.stdout:
        raise AssertionError(f"check: {run.returncode}: {run.stdout}")
    os.unlink(path)
    shutil.copy(encoders.clip(stage, "slate", seconds=SLATE_SECONDS).path, path)
    relay.wait_feed("slate", "standby")
    run = check(stage, relay)
    if run.returncode != 0 or "320x180" not in run.stdout:
        raise AssertionError(f"check: {run.returncode}: {run.stdout}")
    again = stage.path("again.flv")
    shutil.copy(encoders.clip(stage, "backup", seconds=SLATE_SECONDS).path, again)
    os.rename(again, path)
    worker = relay.workers("ingest-file")
    relay.reload_and_wait()
    relay.wait_worker("ingest-file", other_than=worker)
    relay.wait_feed("slate", "standby")
    if relay.process.is_running() and len(relay.workers("ingest-file")) != 1:
        raise AssertionError(f"workers: {relay.workers('ingest-file')}")
    relay.show["feeds"].pop()
    relay.reload_and_wait()
    relay.wait_status(lambda s: "slate" not in [f["name"] for f in s["feeds"]],
                      "the removed slate to be gone")
    expect(show.verdict(), "primary")


if __name__ == "__main__":
    main()
