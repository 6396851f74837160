#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings and HLS: what is in the files, whatever happens to the feeds, the worker, the disk."""

import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from lib import encoders, flv, media
from lib.process import eventually
from lib.relay import KEYS, Relay, recording
from lib.show import Show, expect
from lib.stage import Skip, case, main


def record(stage, name, **more):
    """A relay on air with one feed and one recording; (relay, clip)."""
    clip = encoders.clip(stage, "primary", b_frames=2)
    relay = Relay(stage, [{**recording("record", stage.path(name)), **more}], delay_ms=500)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("record", "live")
    return relay, clip


def judge(stage, path, clip):
    verdict = media.verdict(stage, path, {"primary": clip})
    verdict.assert_unbroken()
    expect(verdict, "primary")
    media.assert_decodes(path)


def recorded(stage, name):
    relay, clip = record(stage, name)
    path = media.wait_size(stage.path(name), 200000)
    if relay.process.stop() != 0:
        raise AssertionError("the relay did not end well")
    judge(stage, path, clip)


@case
def matroska_recording_is_what_the_encoder_sent(stage):
    recorded(stage, "show.mkv")


@case
def mp4_recording_is_what_the_encoder_sent(stage):
    recorded(stage, "show.mp4")


@case
def transport_stream_recording_is_what_the_encoder_sent(stage):
    recorded(stage, "show.ts")


@case
def recordings_are_unbroken_over_a_failover(stage):
    names = ["show.mkv", "show.mp4", "show.ts"]
    show = Show(stage, destinations=[recording(n[5:], stage.path(n)) for n in names])
    for name in names:
        show.relay.wait_destination(name[5:], "live")
    show.primary.kill()
    show.fail_over()
    time.sleep(3) # of the backup, for the files
    show.verdict()
    for name in names:
        verdict = media.verdict(stage, stage.path(name), show.clips)
        verdict.assert_unbroken()
        expect(verdict, "primary", "backup")
        media.assert_decodes(stage.path(name))


@case
def backup_with_other_parameter_sets_goes_on_in_the_same_file(stage):
    names = ["show.mkv", "show.mp4", "show.ts"]
    # B-frames make another sequence parameter set of the same picture.
    show = Show(stage, backup=encoders.clip(stage, "backup", b_frames=2),
                destinations=[recording(n[5:], stage.path(n)) for n in names])
    headers = [clip.headers[flv.VIDEO] for clip in show.clips.values()]
    if headers[0] == headers[1]:
        raise AssertionError("both encoders have the same codec header: nothing is tested")
    show.primary.kill()
    show.fail_over()
    time.sleep(3) # of the backup, for the files
    show.relay.process.stop()
    for name in names:
        if len(glob.glob(stage.path(name.replace(".", "*.")))) != 1:
            raise AssertionError(f"a second file was begun beside {name}")
        media.assert_decodes(stage.path(name))


@case
def cutting_by_time_loses_and_doubles_nothing(stage):
    for ending in ("mkv", "mp4", "ts"):
        relay, clip = record(stage, f"{ending}-%H%M%S.{ending}", segment_s=4)
        eventually(lambda e=ending: len(glob.glob(stage.path(f"{e}-*.{e}"))) >= 3, "three files")
        media.wait_size(stage.path(f"{ending}-*.{ending}"), 60000)
        relay.process.stop()
        paths = sorted(glob.glob(stage.path(f"{ending}-*.{ending}")))
        files = [media.as_flv(stage, path) for path in paths]
        media.assert_follow_on(files, clip)
        for path, file in zip(paths[:-1], files):
            seconds = len(file.of(flv.VIDEO)) / clip.fps
            if not 3.9 < seconds < 4.1:
                raise AssertionError(f"{path} runs {seconds} s")
            media.assert_decodes(path)
        os.rename(stage.path("run"), stage.path(f"run-{ending}"))
        os.rename(stage.path("state"), stage.path(f"state-{ending}"))


@case
def cutting_by_size_loses_and_doubles_nothing(stage):
    relay, clip = record(stage, "part-%H%M%S.mkv", segment_mb=1)
    eventually(lambda: len(glob.glob(stage.path("part-*.mkv"))) >= 2, "two files", 60)
    media.wait_size(stage.path("part-*.mkv"), 50000)
    relay.process.stop()
    paths = sorted(glob.glob(stage.path("part-*.mkv")), key=os.path.getmtime)
    if not 1000000 <= os.path.getsize(paths[0]) < 1500000:
        raise AssertionError(f"the first part has {os.path.getsize(paths[0])} bytes")
    media.assert_follow_on([media.as_flv(stage, path) for path in paths], clip)


@case
def killed_worker_leaves_a_playable_file_and_another_goes_on(stage):
    for ending in ("mkv", "mp4"):
        relay, clip = record(stage, f"{ending}-%H%M%S.{ending}")
        first = media.wait_size(stage.path(f"{ending}-*.{ending}"), 250000)
        killed = relay.kill_worker("relay-file")
        relay.wait_worker("relay-file", other_than=[killed])
        eventually(lambda e=ending: len(glob.glob(stage.path(f"{e}-*.{e}"))) == 2, "a second file")
        relay.wait_destination("record", "live")
        relay.process.stop()
        # The last fragment may be torn; all before it is whole.
        file = media.as_flv(stage, first)
        media.assert_follow_on([file], clip)
        if len(file.of(flv.VIDEO)) < 2 * clip.fps:
            raise AssertionError(f"{len(file.of(flv.VIDEO))} frames are left of {first}")
        os.rename(stage.path("run"), stage.path(f"run-{ending}"))
        os.rename(stage.path("state"), stage.path(f"state-{ending}"))


@case
def worker_that_hangs_is_replaced(stage):
    relay, _ = record(stage, "hung-%H%M%S.mkv")
    media.wait_size(stage.path("hung-*.mkv"), 50000)
    hung = relay.workers("relay-file")[0]
    os.kill(hung, signal.SIGSTOP)
    relay.wait_status(lambda s: relay.destination("record", s)["restarts"] > 0,
                      "the hanging worker to be killed", 60)
    relay.wait_worker("relay-file", other_than=[hung])
    eventually(lambda: len(glob.glob(stage.path("hung-*.mkv"))) == 2, "a second file")
    relay.wait_destination("record", "live")


@case
def full_disk_is_that_recordings_affair_and_it_resumes(stage):
    disk = stage.path("disk")
    os.mkdir(disk)
    if os.getuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], check=False).returncode:
        raise Skip("no small file system can be mounted here")
    stage.on_close(subprocess.run, ["umount", "-l", disk])
    clip = encoders.clip(stage, "primary")
    relay = Relay(stage, [recording("full", os.path.join(disk, "full-%H%M%S.mkv")),
                          recording("other", stage.path("other.mkv"))], delay_ms=500)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_destination("full", "live")
    relay.wait_destination("other", "live")
    media.wait_size(os.path.join(disk, "full-*.mkv"), 100000)
    ballast = os.path.join(disk, "ballast")
    with open(ballast, "wb") as file:
        try:
            while True:
                file.write(bytes(65536))
                file.flush()
        except OSError:
            pass
    status = relay.wait_destination("full", "backing_off")
    if "No space left" not in relay.destination("full", status)["last_error"]:
        raise AssertionError(f"said: {relay.destination('full', status)}")
    before = len(glob.glob(os.path.join(disk, "full-*.mkv")))
    os.unlink(ballast)
    relay.wait_destination("full", "live")
    eventually(lambda: len(glob.glob(os.path.join(disk, "full-*.mkv"))) == before + 1, "a new file")
    if relay.destination("other")["restarts"] or relay.destination("other")["state"] != "live":
        raise AssertionError(f"the other recording was touched: {relay.destination('other')}")
    relay.process.stop()
    judge(stage, stage.path("other.mkv"), clip)
    for path in glob.glob(os.path.join(disk, "full-*.mkv")):
        media.assert_follow_on([media.as_flv(stage, path)], clip)


# A lease keeps whoever opens the file in open(2), as a server that is gone does.
HOLD = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
for path in sys.argv[1:]:
    fcntl.fcntl(os.open(path, os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
signal.pause()
"""


@case
def file_system_that_hangs_holds_up_nobody_else(stage):
    slate = stage.path("away", "slate.flv")
    part = stage.path("hls", ".live.m3u8.part")
    for path in (slate, part):
        os.makedirs(os.path.dirname(path))
    shutil.copy(encoders.clip(stage, "backup", seconds=2).path, slate)
    open(part, "wb").close()
    holder = stage.start("holder", [sys.executable, "-c", HOLD, slate, part])
    holder.wait_line(lambda line: line == "held", "the files to be held")
    clip = encoders.clip(stage, "primary")
    feeds = [{"name": "primary", "key": KEYS["primary"]}, {"name": "slate", "file": slate}]
    relay = Relay(stage, [{**recording("hls", stage.path("hls", "live.m3u8")), "segment_s": 2},
                          recording("flv", stage.path("other.flv")),
                          recording("mkv", stage.path("other.mkv"))], delay_ms=500, feeds=feeds)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    for name in ("hls", "flv", "mkv"):
        relay.wait_destination(name, "live")
    words = "the file system does not answer"
    said = relay.wait_status(lambda s: words in str(relay.feed("slate", s)["health"])
                             and words in str(relay.destination("hls", s)["last_error"]),
                             "that to be said of the slate and of HLS")
    for name in ("flv", "mkv"):
        if relay.destination(name, said)["restarts"]:
            raise AssertionError(f"that was touched: {relay.destination(name, said)}")
    holder.kill()
    relay.wait_feed("slate", "standby")
    relay.wait_destination("hls", "live")
    eventually(lambda: os.path.exists(stage.path("hls", "live.m3u8")), "a playlist")
    relay.process.stop()
    for name in ("other.flv", "other.mkv"):
        judge(stage, stage.path(name), clip)


@case
def hls_plays_and_old_segments_go(stage):
    relay, clip = record(stage, "hls/live.m3u8", segment_s=2, keep_segments=3)
    playlist = stage.path("hls", "live.m3u8")

    def names():
        if not os.path.exists(playlist):
            return []
        with open(playlist, encoding="utf-8") as file:
            return re.findall(r"^live-\d+\.ts$", file.read(), re.M)
    first = eventually(names, "a playlist")[0]
    file = media.as_flv(stage, playlist, live_seconds=7)
    media.assert_follow_on([file], clip)
    if len(file.of(flv.VIDEO)) < 6 * clip.fps:
        raise AssertionError(f"{len(file.of(flv.VIDEO))} frames in seven seconds of HLS")
    eventually(lambda: not os.path.exists(stage.path("hls", first)), "the oldest segment to go", 40)
    if len(names()) != 3 or not all(os.path.exists(stage.path("hls", n)) for n in names()):
        raise AssertionError(f"the playlist names {names()}")
    relay.command("end", "main")

    def text():
        with open(playlist, encoding="utf-8") as file:
            return file.read()
    eventually(lambda: text().endswith("\n#EXT-X-ENDLIST\n"), "players to be told of the end")
    relay.process.stop()


if __name__ == "__main__":
    main()
