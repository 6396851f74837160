#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enhanced RTMP from end to end: every codec byte for byte to whoever can take it, and in plain
words what cannot go where. The feeds are the byte streams of real encoders, played by a publisher
of our own, as the ffmpeg of this system can neither send nor record them."""

import json
import subprocess

from lib import media
from lib.peer import Peer
from lib.process import eventually
from lib.publisher import AUDIO, VIDEO, Loop, Message, Publisher, recorded, sound_of, track_of
from lib.relay import AMPLE_MS, Relay, destination, recording
from lib.stage import case, main, need

MULTITRACK_AND_MODEX = 6


def loop_of(codec):
    return Loop(recorded(f"ffmpeg71-{codec}-aac.bin"))


def with_sound(stage, loop, codec):
    loop.replace_sound(*sound_of(stage, codec))
    return loop


def frames_of(messages, kind, track=0):
    """Bodies of the frames of a track among (kind, timestamp, body)."""
    return [body for k, at, body in messages if k == kind and track_of(k, body) == track
            and not (m := Message(k, at, body)).is_header() and not m.is_end()]


def read_flv(path):
    """(kind, timestamp, body) of every tag that was written to its end."""
    with open(path, "rb") as file:
        data = file.read()
    at, messages = 13, []
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1:at + 4], "big")
        when = int.from_bytes(data[at + 4:at + 7], "big") | data[at + 7] << 24
        if at + 15 + size > len(data):
            break
        messages.append((data[at], when, data[at + 11:at + 11 + size]))
        at += 15 + size
    return messages


def codecs_in(path):
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "json", path],
        stdout=subprocess.PIPE, text=True, check=True)
    return sorted(stream["codec_name"] for stream in json.loads(run.stdout)["streams"])


def headers_of(messages, kind):
    return {body for k, at, body in messages if k == kind and Message(k, at, body).is_header()}


class Proof:
    """One feed to an RTMP server that takes everything, and into every kind of file."""

    def __init__(self, stage, loop, codecs, tracks=1):
        need("ffmpeg", "ffprobe")
        self.stage, self.loop, self.tracks = stage, loop, tracks
        self.peer = Peer(stage, codecs=["*"], caps=MULTITRACK_AND_MODEX, keeps=True)
        self.files = {kind: stage.path(f"show.{kind}") for kind in ("flv", "mkv", "mp4", "ts")}
        self.codecs = codecs # kind of file: what it shall hold
        self.relay = Relay(stage, [destination("peer", self.peer.url)] + [
            recording(kind, path) for kind, path in self.files.items()], delay_ms=AMPLE_MS)
        Publisher(stage, self.relay.url("primary"), loop)
        eventually(lambda: self.peer.sessions and self.kept(VIDEO) >= 90, "90 pictures")
        for kind in ("flv", *codecs):
            media.wait_size(self.files[kind], 100000)
        self.status = self.relay.status()
        self.relay.process.stop()

    def kept(self, kind):
        return sum(1 for k, _, _ in self.peer.sessions[-1].media if k == kind)

    def remark(self, name):
        return self.relay.destination(name, self.status)["remark"] or ""

    def judge(self):
        for messages in (self.peer.sessions[-1].media, read_flv(self.files["flv"])):
            for kind in (VIDEO, AUDIO):
                for track in range(self.tracks if kind == AUDIO else 1):
                    self.loop.assert_holds(frames_of(messages, kind, track), kind, track)
                sent = {h.body for h in self.loop.headers if h.kind == kind}
                if headers_of(messages, kind) != sent:
                    raise AssertionError(f"headers (type {kind}): {headers_of(messages, kind)}, "
                                         f"not {sent}")
        for kind, codecs in self.codecs.items():
            if codecs_in(self.files[kind]) != sorted(codecs):
                raise AssertionError(f"{kind} has {codecs_in(self.files[kind])}, not {codecs}")
            media.assert_decodes(self.files[kind])
        if self.remark("peer"):
            raise AssertionError(f"of the peer: {self.remark('peer')}")


def expect_remark(proof, name, *words):
    if not all(word in proof.remark(name) for word in words):
        raise AssertionError(f"remark on {name}: {proof.remark(name)!r}")


@case
def hevc_and_ac3_go_everywhere(stage):
    proof = Proof(stage, with_sound(stage, loop_of("hevc"), "ac3"), {
        kind: ["hevc", "ac3"] for kind in ("mkv", "mp4", "ts")})
    proof.judge()


@case
def av1_and_opus_go_everywhere_but_into_a_transport_stream(stage):
    proof = Proof(stage, with_sound(stage, loop_of("av1"), "libopus"), {
        "mkv": ["av1", "opus"], "mp4": ["av1", "opus"], "ts": ["opus"]})
    proof.judge()
    expect_remark(proof, "ts", "video", "left out")


@case
def vp9_and_flac_leave_nothing_for_a_transport_stream(stage):
    proof = Proof(stage, with_sound(stage, loop_of("vp9"), "flac"), {
        "mkv": ["vp9", "flac"], "mp4": ["vp9", "flac"]})
    proof.judge()
    error = proof.relay.destination("ts", proof.status)["last_error"] or ""
    if "vp09" not in error.lower() and "vp9" not in error.lower():
        raise AssertionError(f"of the transport stream: {error!r}")


@case
def second_sound_and_nanoseconds_go_to_whoever_announces_them(stage):
    loop = loop_of("hevc")
    loop.add_track(1)
    loop.add_nanoseconds(123456)
    Proof(stage, loop, {kind: ["hevc", "aac", "aac"] for kind in ("mkv", "mp4", "ts")},
          tracks=2).judge()


@case
def older_platforms_get_what_they_know_and_their_remark_says_so(stage):
    """Three servers: one says nothing, one lists codecs but not this one, one is told `all`."""
    whole, plain = loop_of("hevc"), loop_of("hevc")
    whole.add_track(1)
    whole.add_nanoseconds(123456)
    silent = Peer(stage, keeps=True)
    other = Peer(stage, codecs=["av01"], keeps=True)
    asked = Peer(stage, keeps=True)
    relay = Relay(stage, [destination("silent", silent.url), destination("other", other.url),
                          {**destination("asked", asked.url), "tracks": "all"}],
                  delay_ms=AMPLE_MS)
    Publisher(stage, relay.url("primary"), whole)
    for peer in (silent, asked):
        eventually(lambda peer=peer: peer.sessions and len(frames_of(
            peer.sessions[-1].media, VIDEO)) >= 60, "60 pictures")
    status = relay.wait_destination("other", "refused")
    error = relay.destination("other", status)["last_error"]
    if "hvc1" not in error or "av01" not in error:
        raise AssertionError(f"said: {error}")
    for name, words in (("silent", "left out: audio track 1"),
                        ("silent", "not said that it takes hvc1"),
                        ("asked", "not said that it takes hvc1")):
        remark = relay.destination(name)["remark"] or ""
        if words not in remark:
            raise AssertionError(f"remark on {name}: {remark!r}")
    if words not in relay.command("status"):
        raise AssertionError(relay.command("status"))
    relay.process.stop()
    # No ModEx for those who have not announced that they know it.
    plain.assert_holds(frames_of(silent.sessions[-1].media, VIDEO), VIDEO)
    plain.assert_holds(frames_of(asked.sessions[-1].media, VIDEO), VIDEO)
    whole.assert_holds(frames_of(asked.sessions[-1].media, AUDIO, 1), AUDIO, 1)
    if frames_of(silent.sessions[-1].media, AUDIO, 1):
        raise AssertionError("a second sound went to a platform that does not know of it")


@case
def av1_backup_takes_over_from_an_hevc_primary(stage):
    loops = {"primary": loop_of("hevc"), "backup": loop_of("av1")}
    peer = Peer(stage, codecs=["*"], caps=MULTITRACK_AND_MODEX, keeps=True)
    relay = Relay(stage, [destination("peer", peer.url)], delay_ms=2500)
    encoders = {}
    for name, loop in loops.items():
        encoders[name] = Publisher(stage, relay.url(name), loop)
        relay.wait_feed(name, "live", "standby", "degraded")
    relay.wait_live("primary")
    eventually(lambda: peer.sessions and len(peer.sessions[-1].video) + len(
        frames_of(peer.sessions[-1].media, VIDEO)) > 60, "pictures")
    encoders["primary"].stop()
    relay.wait_live("backup")
    session = peer.sessions[-1]
    count = len(session.media)
    eventually(lambda: len(session.media) > count + 100, "the backup's media")
    status = relay.destination("peer")
    relay.process.stop()
    if len(peer.sessions) != 1 or status["restarts"] or status["dropped"]:
        raise AssertionError(f"{len(peer.sessions)} connections: {status}")
    video = [(at, body) for kind, at, body in session.media
             if kind == VIDEO and frames_of([(kind, at, body)], VIDEO)]
    at = next(i for i, (_, body) in enumerate(video) if body[1:5] == b"av01")
    loops["primary"].assert_holds([body for _, body in video[:at]], VIDEO)
    loops["backup"].assert_holds([body for _, body in video[at:]], VIDEO, least=15)
    steps = [b[0] - a[0] for a, b in zip(video, video[1:])]
    stage.note(f"steps {min(steps)} to {max(steps)} ms, {steps[at - 1]} ms at the splice")
    if max(steps) > 51 or min(steps) < 16:
        raise AssertionError(f"steps of the picture: {steps}")
    sound = [when for kind, when, body in session.media
             if kind == AUDIO and frames_of([(kind, when, body)], AUDIO)]
    steps = [b - a for a, b in zip(sound, sound[1:])]
    if max(steps) > 33 or min(steps) < 10:
        raise AssertionError(f"steps of the sound: {steps}")


if __name__ == "__main__":
    main()
