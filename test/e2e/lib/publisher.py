# SPDX-License-Identifier: GPL-3.0-or-later
"""An RTMP encoder of our own: publishes messages exactly as they are given, over and over.

For what the ffmpeg of this system cannot send (Enhanced RTMP), and for what no encoder should.
The messages come from recorded byte streams of real encoders (test/data/rtmp), with other
sound in place of theirs where a test wants that. It shares no code with the relay.
"""

import os
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
from dataclasses import dataclass

from lib.peer import chunk, command, number, string
from lib.process import PATIENCE_S

AUDIO, VIDEO, DATA = 8, 9, 18
DATA_DIRECTORY = os.path.join(os.path.dirname(__file__), "..", "..", "data", "rtmp")


@dataclass
class Message:
    kind: int
    at_ms: float
    body: bytes

    def is_header(self):
        """What decoders need beforehand: sent once."""
        if self.kind == AUDIO and self.body[0] >> 4 == 10:
            return self.body[1] == 0
        if self.kind == AUDIO:
            return self.body[0] & 15 in (0, 4) or self.body[:2] == b"\x95\0"
        if self.kind == VIDEO and self.body[0] & 0x80:
            return self.body[0] & 15 in (0, 4)
        return self.kind == DATA or self.body[1] == 0

    def is_end(self):
        return self.kind == VIDEO and (self.body[1] if self.body[0] < 0x80
                                       else self.body[0] & 15) == 2


def _chunks(data):
    """Takes a publisher's bytes behind the handshake apart."""
    at, size_max, states, parts = 0, 128, {}, {}
    try:
        while at < len(data):
            form, csid = data[at] >> 6, data[at] & 63
            at += 1
            kind, size, delta, clock = states.get(csid, (0, 0, 0, 0))
            if form < 3:
                time_field = int.from_bytes(data[at:at + 3], "big")
                if form < 2:
                    size, kind = int.from_bytes(data[at + 3:at + 6], "big"), data[at + 6]
                at += (11, 7, 3)[form]
                clock, delta = (time_field, 0) if form == 0 else (clock, time_field)
            if csid not in parts:
                parts[csid] = b""
                clock += delta
            states[csid] = kind, size, delta, clock
            take = min(size_max, size - len(parts[csid]))
            if at + take > len(data):
                return # the recording ends here
            parts[csid] += data[at:at + take]
            at += take
            if len(parts[csid]) == size:
                body = parts.pop(csid)
                if kind == 1:
                    size_max = struct.unpack(">I", body)[0]
                yield Message(kind, clock, body)
    except IndexError:
        return


def recorded(name):
    """The media messages of a recorded byte stream."""
    with open(os.path.join(DATA_DIRECTORY, name), "rb") as file:
        data = file.read()
    return [m for m in _chunks(data[1 + 2 * 1536:]) if m.kind in (AUDIO, VIDEO, DATA)]


class Loop:
    """Headers, and frames that repeat without a seam."""

    def __init__(self, messages, fps=30):
        self.headers = [m for m in messages if m.is_header()]
        video = [m for m in messages if m.kind == VIDEO and not m.is_header()
                 and not m.is_end()]
        audio = [m for m in messages if m.kind == AUDIO and not m.is_header()]
        for i, m in enumerate(video):
            m.at_ms = i * 1000 / fps
        self.period_ms = len(video) * 1000 / fps
        self.frames = sorted(video + self._paced(audio, 1024 / 48), key=lambda m: m.at_ms)

    def _paced(self, audio, step_ms):
        count = round(self.period_ms / step_ms)
        if len(audio) < count:
            raise AssertionError(f"{len(audio)} frames of sound, {count} are needed")
        return [Message(AUDIO, i * step_ms, m.body) for i, m in enumerate(audio[:count])]

    def replace_sound(self, headers, bodies, step_ms):
        self.headers = [h for h in self.headers if h.kind != AUDIO] + [
            Message(AUDIO, 0, body) for body in headers]
        self._set([m for m in self.frames if m.kind == VIDEO]
                  + self._paced([Message(AUDIO, 0, body) for body in bodies], step_ms))

    def _set(self, frames):
        self.frames = sorted(frames, key=lambda m: m.at_ms)

    def add_track(self, track):
        """A second sound, as OBS sends its VOD track: other frames of the same AAC."""
        prefix = b"mp4a" + bytes([track])
        config = next(h.body[2:] for h in self.headers if h.kind == AUDIO)
        sound = [m for m in self.frames if m.kind == AUDIO]
        self.headers.append(Message(AUDIO, 0, b"\x95\0" + prefix + config))
        self._set(self.frames + [
            Message(AUDIO, m.at_ms, b"\x95\1" + prefix + sound[i - 7].body[2:])
            for i, m in enumerate(sound)])

    def add_nanoseconds(self, nano):
        """Every picture behind a ModEx that moves it by so much."""
        for m in self.frames:
            if m.kind == VIDEO:
                kind = m.body[0] & 15
                m.body = (bytes([m.body[0] & 0xf0 | 7, 2]) + nano.to_bytes(3, "big")
                          + bytes([kind]) + m.body[1:])

    def track(self, kind, track=0):
        """Bodies of one track, in order."""
        return [m.body for m in self.frames if m.kind == kind and track_of(m.kind, m.body) == track]

    def assert_holds(self, bodies, kind, track=0, least=30):
        """The bodies are frames of this track, each followed by the next, byte for byte."""
        own = self.track(kind, track)
        if len(bodies) < least:
            raise AssertionError(f"{len(bodies)} frames (type {kind}, track {track})")
        if not any(all(body == own[(start + i) % len(own)] for i, body in enumerate(bodies))
                   for start in range(len(own)) if own[start] == bodies[0]):
            places = [own.index(body) if body in own else body[:12].hex() for body in bodies]
            raise AssertionError(f"frames (type {kind}, track {track}) are not what was sent, or "
                                 f"not in that order: {places}")


def track_of(kind, body):
    is_multitrack = body[0] == 0x95 if kind == AUDIO else body[0] & 0x8f == 0x86
    return body[6] if is_multitrack else 0


def sound_of(stage, codec, seconds=4):
    """(headers, frames, ms a frame) as Enhanced RTMP bodies, encoded by ffmpeg. MP4 because it
    is the container whose packets ffprobe can point at in the file."""
    path, fourcc = stage.path(f"{codec}.mp4"), {"libopus": b"Opus", "flac": b"fLaC",
                                                "ac3": b"ac-3"}[codec]
    encode = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
              "anoisesrc=amplitude=0.1:sample_rate=48000", "-t", str(seconds), "-ac", "2",
              "-c:a", codec, "-b:a", "128k", "-strict", "-2"]
    subprocess.run([*encode, path], check=True)
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=pos,size,duration_time", "-of",
         "csv=p=0", path], stdout=subprocess.PIPE, check=True, text=True)
    rows = [line.split(",") for line in probe.stdout.split()]
    with open(path, "rb") as file:
        data = file.read()
    frames = [b"\x91" + fourcc + data[int(pos):int(pos) + int(size)] for _, size, pos, *_ in rows]
    headers = []
    if codec == "libopus":
        headers = [b"OpusHead\1\2" + struct.pack("<HIhB", 312, 48000, 0, 0)]
    elif codec == "flac":
        subprocess.run([*encode, stage.path("head.flac")], check=True)
        with open(stage.path("head.flac"), "rb") as file:
            head = file.read(42) # "fLaC", a block's head, STREAMINFO
        headers = [head[:4] + b"\x80" + head[5:]]
    return [b"\x90" + fourcc + h for h in headers], frames, float(rows[1][0]) * 1000


class Refused(Exception):
    pass


class Publisher:
    """Publishes a Loop in real time, in a thread, until it is stopped or thrown out."""

    def __init__(self, stage, url, loop):
        where = urllib.parse.urlsplit(url)
        self.loop = loop
        self.app, _, self.key = where.path[1:].partition("/")
        self.socket = socket.create_connection((where.hostname, where.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stage.on_close(self.stop)
        self._is_over = threading.Event()
        self.introduce()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def introduce(self):
        """Handshake, connect, publish; the answers need not be understood, only come."""
        self.socket.settimeout(PATIENCE_S)
        self.socket.sendall(b"\3" + bytes(8) + os.urandom(1528))
        self._read(1 + 1536)
        echo = self._read(1536)
        codecs = [b"hvc1", b"av01", b"vp09"]
        listed = b"\x0a" + struct.pack(">I", len(codecs)) + b"".join(
            string(c.decode()) for c in codecs)
        self.socket.sendall(
            echo + chunk(1, struct.pack(">I", 1 << 20), csid=2)
            + chunk(20, command("connect", 1, b"\3" + b"".join((
                b"\0\3app" + string(self.app), b"\0\5tcUrl" + string("rtmp://test/" + self.app),
                b"\0\x0afourCcList" + listed, b"\0\6capsEx" + number(6), b"\0\0\t"))))
            + chunk(20, command("createStream", 2, b"\5"))
            + chunk(20, command("publish", 3, b"\5", string(self.key), string("live")), stream=1))
        answer = b""
        while b"NetStream.Publish.Start" not in answer:
            got = self.socket.recv(65536)
            if not got or b"BadName" in answer + got:
                raise Refused(answer + got)
            answer += got

    def _read(self, size):
        data = b""
        while len(data) < size:
            got = self.socket.recv(size - len(data))
            if not got:
                raise Refused("closed")
            data += got
        return data

    def send(self, message, at_ms):
        head = (bytes([4]) + round(at_ms).to_bytes(3, "big") + len(message.body).to_bytes(3, "big")
                + bytes([message.kind]) + struct.pack("<I", 1))
        self.socket.sendall(head + message.body)

    def _run(self):
        start, base_ms = time.monotonic(), 0
        try:
            for header in self.loop.headers:
                self.send(header, 0)
            while not self._is_over.is_set():
                for m in self.loop.frames:
                    due = start + (base_ms + m.at_ms) / 1000 - time.monotonic()
                    if self._is_over.wait(max(due, 0)):
                        return
                    self.send(m, base_ms + m.at_ms)
                base_ms += self.loop.period_ms
        except OSError:
            pass

    def stop(self):
        """Hangs up without a word."""
        self._is_over.set()
        self._thread.join()
        self.socket.close()
