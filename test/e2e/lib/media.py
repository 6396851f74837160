# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings that are not FLV: copied into FLV by ffmpeg, and judged as those are."""

import glob
import os
import subprocess

from lib import flv
from lib.process import PATIENCE_S, eventually

# What a transport stream adds to each picture: delimiters, and parameter sets before key frames.
TS_EXTRAS = ["-bsf:v", "filter_units=remove_types=7|8|9"]


def as_flv(stage, path, live_seconds=None):
    """A flv.Recording of a file or of a URL, without a frame changed."""
    copy = stage.path(os.path.basename(path).split("?")[0].replace(":", "-") + ".copy.flv")
    is_ts = not path.endswith((".mkv", ".mp4"))
    limit = ["-t", str(live_seconds)] if live_seconds else []
    run = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-copyts", *limit, "-i", path, "-map", "0",
         "-c", "copy", *(TS_EXTRAS if is_ts else []), "-flvflags", "no_duration_filesize",
         copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_S, check=False)
    if run.returncode != 0:
        raise AssertionError(f"ffmpeg on {path}: {run.stdout.decode(errors='replace')[:600]}")
    return flv.read(copy)


def copy_flv(stage, name, path, *options):
    """The path of a copy as FLV, without a frame changed; options leave a track out."""
    to = stage.path(name)
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", path, "-c", "copy", *options,
                    "-flvflags", "no_duration_filesize", to], check=True)
    return to


def verdict(stage, path, clips, is_torn=False):
    """A flv.Verdict that holds the recording to the clips. A stream that was torn off may end
    with half a frame of each kind."""
    recording = as_flv(stage, path)
    if is_torn:
        last = [recording.of(kind)[-1] for kind in (flv.VIDEO, flv.AUDIO)]
        recording.frames = [f for f in recording.frames if f not in last]
    judged = flv.Verdict(recording, clips)
    if path.endswith(".ts"): # ADTS has no room for all that AAC's codec header says
        judged.faults = [f for f in judged.faults if not f.startswith("a frame of ")
                         or not f.endswith("(type 8)") or "of no feed" in f]
    return judged


def assert_decodes(path):
    """ffmpeg finds nothing to complain about, frame by frame."""
    run = subprocess.run(
        ["nice", "ffmpeg", "-nostdin", "-v", "error", "-i", path, "-fps_mode", "passthrough",
         "-enc_time_base", "-1", "-f", "null", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = run.stdout.decode(errors="replace").strip()
    if run.returncode != 0 or said:
        raise AssertionError(f"ffmpeg on {path}: status {run.returncode}: {said[:800]}")


def assert_follow_on(recordings, clip):
    """Nothing is lost and nothing doubled from one file to the next."""
    for kind in (flv.VIDEO, flv.AUDIO):
        places = [clip.places[f.digest] for r in recordings for f in r.of(kind)
                  if f.digest in clip.places]
        total = sum(len(r.of(kind)) for r in recordings)
        if len(places) != total:
            raise AssertionError(f"{total - len(places)} frames of kind {kind} are not the clip's")
        for left, right in zip(places, places[1:]):
            if right != left + 1:
                raise AssertionError(f"frame {left} is followed by {right} (type {kind})")


def wait_size(path, size, timeout_s=PATIENCE_S):
    """A file (by pattern, the newest) of at least that size."""
    def grown():
        found = sorted(glob.glob(path), key=os.path.getmtime)
        return found[-1] if found and os.path.getsize(found[-1]) >= size else None
    return eventually(grown, f"{size} bytes in {path}", timeout_s)


def wait_more(path, more_bytes):
    """So much more in the file than there is now."""
    return wait_size(path, os.path.getsize(path) + more_bytes)
