# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads FLV recordings and judges whether they are one unbroken show.

The yardstick: within a track dts rises strictly, across tracks it never falls. Missing is a
presentation step of more than 1.5 frame times, doubled one of less than 0.5; audio likewise
in audio frames. Times are milliseconds, as in the file.
"""

import hashlib
import subprocess
from dataclasses import dataclass, field

AUDIO, VIDEO, DATA = 8, 9, 18
AAC_FRAME_SAMPLES = 1024


@dataclass
class Header:
    """A codec header (AVC or AAC sequence header) and when it came."""
    kind: int
    dts: int
    body: bytes


@dataclass
class Frame:
    kind: int
    dts: int
    pts: int
    is_key: bool
    digest: bytes
    header: Header # in force when it came; None if there was none


@dataclass
class Recording:
    frames: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    in_force: dict = field(default_factory=dict)
    metadata_count: int = 0
    is_truncated: bool = False

    def of(self, kind):
        return [f for f in self.frames if f.kind == kind]


def _signed24(value):
    return value - (1 << 24) if value & 0x800000 else value


def _take_header(recording, kind, dts, body):
    header = Header(kind, dts, body)
    recording.headers.append(header)
    recording.in_force[kind] = header


def _take_frame(recording, kind, dts, cts, is_key, payload):
    recording.frames.append(Frame(kind, dts, dts + cts, is_key, digest_of(payload),
                                  recording.in_force.get(kind)))


def _take_tag(recording, kind, dts, body):
    if kind == DATA:
        recording.metadata_count += 1
    elif kind == VIDEO and len(body) > 5 and body[0] & 0x0F == 7:
        if body[1] == 0:
            _take_header(recording, VIDEO, dts, body[5:])
        elif body[1] == 1:
            cts = _signed24(int.from_bytes(body[2:5], "big"))
            _take_frame(recording, VIDEO, dts, cts, body[0] >> 4 == 1, body[5:])
    elif kind == AUDIO and len(body) > 2 and body[0] >> 4 == 10:
        if body[1] == 0:
            _take_header(recording, AUDIO, dts, body[2:])
        else:
            _take_frame(recording, AUDIO, dts, 0, True, body[2:])


def is_same_header(kind, one, other):
    """Of an AudioSpecificConfig the first two bytes: what may follow only says that there is no
    SBR, which MPEG-TS has no way to say."""
    return one[:2] == other[:2] if kind == AUDIO else one == other


def digest_of(payload):
    return hashlib.blake2b(payload, digest_size=12).digest()


def read(path):
    """A Recording; a last tag that was not written to its end is left out."""
    with open(path, "rb") as file:
        data = file.read()
    recording = Recording()
    if data[:3] != b"FLV":
        raise AssertionError(f"{path} is no FLV file ({len(data)} bytes)")
    at = int.from_bytes(data[5:9], "big") + 4
    while at + 11 <= len(data):
        kind = data[at] & 0x1F
        size = int.from_bytes(data[at + 1:at + 4], "big")
        dts = int.from_bytes(data[at + 4:at + 7], "big") | data[at + 7] << 24
        body = data[at + 11:at + 11 + size]
        if len(body) < size:
            recording.is_truncated = True
            break
        _take_tag(recording, kind, dts, body)
        at += 11 + size + 4
    return recording


class Clip:
    """What an encoder plays: knows its frames again in a recording."""

    def __init__(self, path, fps, sample_rate=48000):
        self.path = path
        self.fps = fps
        self.sample_rate = sample_rate
        self.recording = read(path)
        self.places = {} # frame: its number in its track
        for kind in (VIDEO, AUDIO):
            for number, frame in enumerate(self.recording.of(kind)):
                self.places[frame.digest] = number
        self.headers = {h.kind: h.body for h in self.recording.headers}

    def frame_ms(self, kind):
        return 1000 / self.fps if kind == VIDEO else AAC_FRAME_SAMPLES * 1000 / self.sample_rate

    def reorder_ms(self):
        """How long a decoder holds frames back: what a splice may add."""
        video = self.recording.of(VIDEO)
        return max((f.pts - f.dts for f in video if f.is_key), default=0)


def shown(frames):
    """In order of presentation. Of a recording that was cut off, the last frames go before
    ones that never came (B-frames): only what was due by then is judged."""
    end = max((f.dts for f in frames), default=0)
    return sorted((f for f in frames if f.pts <= end), key=lambda f: f.pts)


class Verdict:
    """What a recording of a show looks like beside the clips it should be made of."""

    def __init__(self, recording, clips):
        """clips: {feed name: Clip}"""
        self.recording = recording
        self.clips = clips
        self.faults = []
        self.splices = [] # (kind, from, to, pts, step in ms)
        self._judge_order()
        for kind in (VIDEO, AUDIO):
            self._judge_steps(kind)
            self._judge_sequence(kind)

    def feed_of(self, frame):
        for name, clip in self.clips.items():
            if frame.digest in clip.places:
                return name
        return None

    def feeds(self, kind=VIDEO):
        """Names in the order in which they were on air."""
        order = []
        for frame in self.recording.of(kind):
            name = self.feed_of(frame)
            if not order or order[-1] != name:
                order.append(name)
        return order

    def _judge_order(self):
        last, last_of = None, {}
        for frame in self.recording.frames:
            if last is not None and frame.dts < last:
                self.faults.append(f"dts falls from {last} to {frame.dts} across tracks")
            if frame.kind in last_of and frame.dts <= last_of[frame.kind]:
                self.faults.append(
                    f"dts does not rise: {last_of[frame.kind]} -> {frame.dts} (type {frame.kind})")
            self._judge_origin(frame)
            last = last_of[frame.kind] = frame.dts

    def _judge_origin(self, frame):
        feed = self.feed_of(frame)
        if feed is None:
            self.faults.append(f"a frame of no feed at {frame.dts} (type {frame.kind})")
        elif not frame.header or not is_same_header(
                frame.kind, frame.header.body, self.clips[feed].headers[frame.kind]):
            self.faults.append(
                f"a frame of {feed} under another codec header at {frame.dts} (type {frame.kind})")

    def _judge_sequence(self, kind):
        """Within a feed each frame is followed by the next, whatever the timestamps say; an
        encoder that was started again begins anew."""
        frames = self.recording.of(kind)
        for left, right in zip(frames, frames[1:]):
            feed = self.feed_of(left)
            if feed is None or self.feed_of(right) != feed:
                continue
            places = self.clips[feed].places
            if places[right.digest] > places[left.digest] + 1:
                self.faults.append(
                    f"{places[right.digest] - places[left.digest] - 1} frames of {feed} are lost "
                    f"before {right.dts} (type {kind})")

    def bounds_ms(self, left, right):
        """(least, most, frame time) of the step between two frames that are shown one after the
        other; None if one of them is of no feed."""
        names = self.feed_of(left), self.feed_of(right)
        if None in names:
            return None
        clips = [self.clips[n] for n in names]
        times = [c.frame_ms(left.kind) for c in clips]
        most = 1.5 * max(times) + 1
        if left.kind == VIDEO and names[0] != names[1]:
            most += clips[0].reorder_ms()
        return 0.5 * min(times) - 1, most, max(times)

    def _judge_steps(self, kind):
        frames = shown(self.recording.of(kind))
        label = "video" if kind == VIDEO else "audio"
        for left, right in zip(frames, frames[1:]):
            bounds = self.bounds_ms(left, right)
            if bounds is None:
                continue
            names = self.feed_of(left), self.feed_of(right)
            step = right.pts - left.pts
            if names[0] != names[1]:
                self.splices.append((kind, *names, right.pts, step))
            if step > bounds[1]:
                self.faults.append(
                    f"missing {label}: {step} ms between {left.pts} ({names[0]}) and "
                    f"{right.pts} ({names[1]})")
            elif step < bounds[0]:
                self.faults.append(
                    f"doubled {label}: {step} ms between {left.pts} ({names[0]}) and "
                    f"{right.pts} ({names[1]})")

    def assert_unbroken(self):
        if self.faults:
            more = f" and {len(self.faults) - 12} more" if len(self.faults) > 12 else ""
            raise AssertionError("; ".join(self.faults[:12]) + more)

    def gaps_ms(self, kind):
        """Presentation steps beyond one frame, largest first: (ms, at pts)."""
        frames = shown(self.recording.of(kind))
        steps = ((b.pts - a.pts, a.pts) for a, b in zip(frames, frames[1:]))
        return sorted(steps, reverse=True)[:5]


def assert_decodes(path):
    """ffmpeg finds nothing to complain about, frame by frame."""
    headers = {h.body for h in read(path).headers if h.kind == VIDEO}
    # ffmpeg's FLV demuxer lets its parser read all frames by the first codec header; where
    # there are several, only the decoder (which is given each in its place) can be right.
    by_header = [] if len(headers) == 1 else ["-fflags", "+nofillin+noparse"]
    run = subprocess.run(
        ["nice", "ffmpeg", "-nostdin", "-v", "error", *by_header, "-i", path, "-fps_mode",
         "passthrough", "-enc_time_base", "-1", "-f", "null", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = run.stdout.decode(errors="replace").strip()
    if run.returncode != 0 or said:
        raise AssertionError(f"ffmpeg on {path}: status {run.returncode}: {said[:800]}")
