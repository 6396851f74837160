# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoders as people have them: ffmpeg, GStreamer's rtmp2sink, librtmp.

Pictures are encoded once for a run of tests and then published in real time as they are, so
that many encoders fit on a small machine and every frame can be known again by its bytes.
"""

import fcntl
import hashlib
import os
import subprocess

from lib import flv
from lib.stage import Skip, need

CLIP_SECONDS = 90
GOP_SECONDS = 2

# Four cameras: other pictures, other sounds, so that no frame of one equals one of the other.
PICTURES = {
    "primary": ("testsrc2", "", 1),
    "backup": ("testsrc2", ",hue=h=150,hflip", 2),
    "slate": ("testsrc2", ",hue=h=60,vflip", 3),
    "third": ("testsrc2", ",hue=h=240,hflip,vflip", 4),
}


def _recipe(camera, fps, b_frames, seconds, gop_seconds, size):
    source, effect, seed = PICTURES[camera]
    # Reordering needs a look ahead; without it the encoder is as simple as it gets.
    order = ["-b_strategy", "0", "-rc-lookahead", "5"] if b_frames else ["-tune", "zerolatency"]
    return [
        "ffmpeg", "-nostdin", "-v", "error",
        "-f", "lavfi", "-i", f"{source}=size={size}:rate={fps}",
        "-f", "lavfi", "-i", f"anoisesrc=seed={seed}:amplitude=0.1:sample_rate=48000",
        "-t", str(seconds), "-vf", f"format=yuv420p{effect}",
        "-c:v", "libx264", "-preset", "ultrafast", "-bf", str(b_frames), *order,
        "-g", str(int(fps * gop_seconds)), "-keyint_min", str(int(fps * gop_seconds)),
        "-sc_threshold", "0", "-b:v", "300k", "-maxrate", "400k", "-bufsize", "400k",
        "-threads", "1", "-c:a", "aac", "-ac", "2", "-b:a", "64k", "-f", "flv"]


def _encode_once(path, command):
    """Of all programs that want the file at the same time, one encodes it."""
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            # Others are in the middle of a show: whoever has to keep pace comes first.
            subprocess.run(["nice", *command, "-y", f"{path}.part"], check=True)
            os.rename(f"{path}.part", path)


def clip(stage, camera, fps=30, b_frames=0, seconds=CLIP_SECONDS, gop_seconds=GOP_SECONDS,
         size="320x180"):
    """A Clip of the camera; encoded the first time anyone asks for it in this build."""
    need("ffmpeg")
    recipe = _recipe(camera, fps, b_frames, seconds, gop_seconds, size)
    mark = hashlib.blake2b(repr(recipe).encode(), digest_size=6).hexdigest()
    path = os.path.join(stage.shared, f"{camera}-{fps}fps-{mark}.flv")
    _encode_once(path, recipe)
    return flv.Clip(path, fps)


def heavy_clip(stage, camera, kbps=4000, seconds=45):
    """A Clip of some megabits a second: for what depends on sizes."""
    need("ffmpeg")
    path = os.path.join(stage.shared, f"{camera}-{kbps}kbps.flv")
    rate = [f"{kbps}k"]
    _encode_once(path, [
        "ffmpeg", "-nostdin", "-v", "error",
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30",
        "-f", "lavfi", "-i", "anoisesrc=amplitude=0.1:sample_rate=48000", "-t", str(seconds),
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "60",
        "-b:v", *rate, "-minrate", *rate, "-maxrate", *rate, "-bufsize", *rate,
        "-x264-params", "nal-hrd=cbr", "-threads", "1", "-c:a", "aac", "-f", "flv"])
    return flv.Clip(path, 30)


def _start(stage, name, command, inside):
    return stage.start(name, inside.command(command) if inside else command)


def ffmpeg(stage, name, of, url, inside=None):
    """ffmpeg publishes the clip, from inside another network if one is given."""
    return _start(stage, name, [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", of.path, "-c", "copy",
        "-flvflags", "no_duration_filesize", "-f", "flv", url], inside)


def srt(stage, name, of, url, inside=None):
    """Likewise by SRT, in MPEG-TS."""
    return _start(stage, name, [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", of.path, "-c", "copy",
        "-f", "mpegts", url], inside)


def _gstreamer(stage, name, of, sink):
    need("gst-launch-1.0", "gst-inspect-1.0")
    element = sink.split()[0]
    for wanted in (element, "flvdemux", "flvmux", "clocksync"):
        if subprocess.run(["gst-inspect-1.0", "--exists", wanted], check=False).returncode:
            raise Skip(f"not on this machine: GStreamer's {wanted}")
    return stage.start(name, [
        "gst-launch-1.0", "-e", "filesrc", f"location={of.path}", "!", "flvdemux", "name=d",
        "d.video", "!", "queue", "!", "clocksync", "!", "m.video",
        "d.audio", "!", "queue", "!", "clocksync", "!", "m.audio",
        # Its latency is for the muxer to see both tracks: else it clamps what came late at first.
        "flvmux", "name=m", "streamable=true", "latency=300000000", "!", *sink.split()])


def rtmp2sink(stage, name, of, url):
    """GStreamer's own RTMP client publishes the clip."""
    return _gstreamer(stage, name, of, f"rtmp2sink location={url}")


def librtmp(stage, name, of, url):
    """librtmp publishes the clip (GStreamer's rtmpsink is a thin coat over it)."""
    return _gstreamer(stage, name, of, f"rtmpsink location={url}")
