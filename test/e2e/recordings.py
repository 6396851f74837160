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

from lib import encoders, flv, media
from lib.process import eventually
from lib.relay import AMPLE_MS, KEYS, Relay, recording
from lib.show import Show, expect
from lib.stage import Skip, case, main


def record(stage, *names, clip=None, watchdog_s=None, **more):
    """A relay on air with one feed that records to each of these; (relay, clip)."""
    clip = clip or encoders.clip(stage, "primary", b_frames=2)
    files = [{**recording(ending(name), stage.path(name)), **more} for name in names]
    relay = Relay(stage, files, delay_ms=AMPLE_MS, watchdog_s=watchdog_s)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    for file in files:
        relay.wait_destination(file["name"], "live")
    return relay, clip


def ending(name):
    return name.rpartition(".")[2]


def judge(stage, path, clip):
    verdict = media.verdict(stage, path, {"primary": clip})
    verdict.assert_unbroken()
    expect(verdict, "primary")
    media.assert_decodes(path)


@case
def recordings_are_what_the_encoder_sent(stage):
    names = ["show.mkv", "show.mp4", "show.ts"]
    relay, clip = record(stage, *names)
    for name in names:
        media.wait_size(stage.path(name), 200000)
    if relay.process.stop() != 0:
        raise AssertionError("the relay did not end well")
    for name in names:
        judge(stage, stage.path(name), clip)


@case
def recordings_are_unbroken_over_a_failover(stage):
    names = ["show.mkv", "show.mp4", "show.ts"]
    show = Show(stage, destinations=[recording(n[5:], stage.path(n)) for n in names])
    for name in names:
        show.relay.wait_destination(name[5:], "live")
    show.primary.kill()
    show.fail_over()
    for name in names: # of the backup, too
        media.wait_more(stage.path(name), 120000)
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
    for name in names: # of the backup, too
        media.wait_more(stage.path(name), 120000)
    show.relay.process.stop()
    for name in names:
        if len(glob.glob(stage.path(name.replace(".", "*.")))) != 1:
            raise AssertionError(f"a second file was begun beside {name}")
        media.assert_decodes(stage.path(name))


@case
def cutting_by_time_loses_and_doubles_nothing(stage):
    names = [f"{e}-%H%M%S.{e}" for e in ("mkv", "mp4", "ts")]
    relay, clip = record(stage, *names, segment_s=4)
    patterns = [stage.path(name.replace("%H%M%S", "*")) for name in names]
    for pattern in patterns:
        eventually(lambda p=pattern: len(glob.glob(p)) >= 3, f"three files {pattern}")
        media.wait_size(pattern, 60000)
    relay.process.stop()
    for pattern in patterns:
        paths = sorted(glob.glob(pattern))
        files = [media.as_flv(stage, path) for path in paths]
        media.assert_follow_on(files, clip)
        for path, file in zip(paths[:-1], files):
            seconds = len(file.of(flv.VIDEO)) / clip.fps
            if not 3.9 < seconds < 4.1:
                raise AssertionError(f"{path} runs {seconds} s")
            media.assert_decodes(path)


@case
def cutting_by_size_loses_and_doubles_nothing(stage):
    relay, clip = record(stage, "part-%H%M%S.mkv", segment_mb=1,
                         clip=encoders.heavy_clip(stage, "primary"))
    eventually(lambda: len(glob.glob(stage.path("part-*.mkv"))) >= 2, "two files")
    media.wait_size(stage.path("part-*.mkv"), 50000)
    relay.process.stop()
    paths = sorted(glob.glob(stage.path("part-*.mkv")), key=os.path.getmtime)
    # It is cut at a key frame: every two seconds, which here are a megabyte.
    if not 1000000 <= os.path.getsize(paths[0]) < 2200000:
        raise AssertionError(f"the first part has {os.path.getsize(paths[0])} bytes")
    media.assert_follow_on([media.as_flv(stage, path) for path in paths], clip)


@case
def killed_workers_leave_playable_files_and_others_go_on(stage):
    names = ["mkv-%H%M%S.mkv", "mp4-%H%M%S.mp4"]
    relay, clip = record(stage, *names)
    patterns = [stage.path(name.replace("%H%M%S", "*")) for name in names]
    firsts = [media.wait_size(pattern, 250000) for pattern in patterns]
    killed = relay.workers("relay-file")
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for pattern in patterns:
        eventually(lambda p=pattern: len(glob.glob(p)) > 1, f"a second file {pattern}")
    eventually(lambda: len(set(relay.workers("relay-file")) - set(killed)) == 2, "other workers")
    for name in names:
        relay.wait_destination(ending(name), "live")
    relay.process.stop()
    # The last fragment may be torn; all before it is whole.
    for first in firsts:
        file = media.as_flv(stage, first)
        media.assert_follow_on([file], clip)
        if len(file.of(flv.VIDEO)) < 2 * clip.fps:
            raise AssertionError(f"{len(file.of(flv.VIDEO))} frames are left of {first}")


@case
def worker_that_hangs_is_replaced(stage):
    relay, _ = record(stage, "hung-%H%M%S.mkv", watchdog_s=3)
    media.wait_size(stage.path("hung-*.mkv"), 50000)
    hung = relay.workers("relay-file")[0]
    os.kill(hung, signal.SIGSTOP)
    relay.wait_status(lambda s: relay.destination("mkv", s)["restarts"] > 0,
                      "the hanging worker to be killed")
    relay.wait_worker("relay-file", other_than=[hung])
    eventually(lambda: len(glob.glob(stage.path("hung-*.mkv"))) > 1, "a second file")
    relay.wait_destination("mkv", "live")


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
                          recording("other", stage.path("other.mkv"))], delay_ms=AMPLE_MS)
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
    before = set(glob.glob(os.path.join(disk, "full-*.mkv")))
    os.unlink(ballast)
    relay.wait_destination("full", "live")
    eventually(lambda: set(glob.glob(os.path.join(disk, "full-*.mkv"))) - before, "a new file")
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
                          recording("mkv", stage.path("other.mkv"))], delay_ms=AMPLE_MS,
                  feeds=feeds)
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
    eventually(lambda: not os.path.exists(stage.path("hls", first)), "the oldest segment to go")

    def seen():
        """What the playlist names, and what of that is there; nothing if it changed meanwhile."""
        named = names()
        there = [n for n in named if os.path.exists(stage.path("hls", n))]
        return (named, there) if names() == named else None
    named, there = eventually(seen, "a playlist that stays for a moment")
    if len(named) != 3 or there != named:
        raise AssertionError(f"the playlist names {named}, there are {there}")
    relay.command("end", "main")

    def text():
        with open(playlist, encoding="utf-8") as file:
            return file.read()
    eventually(lambda: text().endswith("\n#EXT-X-ENDLIST\n"), "players to be told of the end")
    relay.process.stop()


if __name__ == "__main__":
    main()
