#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no encoder should send, and a network that goes away without a word.

Whatever comes in, it is refused with a reason, nothing grows, and the show does not notice.
"""

import os
import random
import socket
import struct

from lib import encoders, flv
from lib.network import Network
from lib.platforms import Nginx
from lib.process import children_of, eventually
from lib.publisher import DATA, Loop, Message, Publisher, recorded
from lib.relay import AMPLE_MS, BACKUP_KEY, Relay, destination
from lib.show import DELAY_MS, expect
from lib.stage import case, main

FLOOD = 60
UNPROVEN_MOST = 8 # connections of one address that have shown no key


class Air:
    """A primary that is on air, and a relay to be troubled."""

    def __init__(self, stage, **more):
        self.stage = stage
        self.clip, self.backup = (encoders.clip(stage, name) for name in ("primary", "backup"))
        self.platform = Nginx(stage)
        self.relay = Relay(stage, [destination("platform", self.platform.url)],
                           delay_ms=AMPLE_MS, **more)
        self.primary = encoders.ffmpeg(stage, "primary", self.clip, self.relay.url("primary"))
        self.relay.wait_destination("platform", "live")
        self.platform.wait_media()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.relay.process.pid}/fd"))

    def judge(self):
        """The show did not notice."""
        self.platform.wait_media()
        if self.relay.destination("platform")["restarts"]:
            raise AssertionError("the platform lost its connection")
        self.relay.process.stop()
        self.platform.stop()
        verdict = flv.Verdict(flv.read(self.platform.the_recording()), {"primary": self.clip})
        verdict.assert_unbroken()
        expect(verdict, "primary")


@case
def a_flood_of_handshakes_takes_nothing_from_anybody(stage):
    air = Air(stage)
    workers, descriptors = len(children_of(air.relay.process.pid)), air.descriptors()
    flood = [socket.create_connection(("127.0.0.1", air.relay.ports["rtmp"]))
             for _ in range(FLOOD)]
    for i, connection in enumerate(flood):
        connection.sendall(b"\3" + os.urandom(i * 20)) # cut anywhere in the handshake
    eventually(lambda: len(air.relay.workers("ingest-rtmp")) >= UNPROVEN_MOST, "workers for some")
    if len(air.relay.workers("ingest-rtmp")) > 1 + UNPROVEN_MOST:
        raise AssertionError(f"{len(air.relay.workers('ingest-rtmp'))} workers for one address")
    for connection in flood:
        connection.close()
    eventually(lambda: len(children_of(air.relay.process.pid)) <= workers, "the flood to be gone")
    eventually(lambda: air.descriptors() <= descriptors + 1, # one is being looked at
               f"no more than {descriptors} descriptors")
    encoders.ffmpeg(stage, "backup", air.backup, air.relay.url("backup"))
    air.relay.wait_feed("backup", "standby") # whoever has a key is let in again
    air.judge()


@case
def garbage_behind_a_publish_ends_that_connection_alone(stage):
    air = Air(stage)
    loop = Loop(recorded("ffmpeg71-h264-aac.bin"))
    for what, send in (
            ("noise", lambda p: p.socket.sendall(random.Random(1).randbytes(200000))),
            ("a message of 16 MiB", lambda p: p.send(Message(DATA, 0, b"\2" * 0xffffff), 0)),
            ("a chunk size of nothing", lambda p: p.socket.sendall(
                b"\2\0\0\0\0\0\4\1\0\0\0\0" + struct.pack(">I", 0)))):
        lines = len(air.relay.process.stderr)
        backup = Publisher(stage, air.relay.url("backup"), loop)
        air.relay.wait_feed("backup", "standby", "live", "degraded", "stalled")
        try:
            send(backup)
        except OSError:
            pass # thrown out before the last byte
        line = air.relay.process.wait_line(
            lambda line: "feed_lost" in line and "feed backup: " in line,
            f"the end of {what}", since=lines, lines=air.relay.process.stderr)
        stage.note(f"{what}: {line.partition('feed backup: ')[2]}")
        if "killed by signal" in line or "exit code" in line:
            raise AssertionError(f"{what}: {line}")
        backup.stop()
    air.judge()


@case
def noise_at_the_srt_port_takes_nothing_from_anybody(stage):
    air = Air(stage, srt={})
    chance = random.Random(2)
    noise = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    noise.connect(("127.0.0.1", air.relay.ports["srt"]))
    before = air.relay.workers("ingest-srt")
    for i in range(3000):
        size = chance.choice((1, 16, 48, 64, 512, 1400))
        head = b"\x80\0\0\0" if i % 2 else b"" # every second one is called a handshake
        try:
            noise.send(head + chance.randbytes(size))
        except OSError:
            pass
    url = f"srt://127.0.0.1:{air.relay.ports['srt']}?streamid="
    long_one = encoders.srt(stage, "long", air.clip, url + "x" * 512)
    if long_one.wait() == 0:
        raise AssertionError("a streamid of 512 bytes was taken")
    encoders.srt(stage, "backup", air.backup, url + BACKUP_KEY)
    air.relay.wait_feed("backup", "standby", "live")
    if air.relay.workers("ingest-srt") != before:
        raise AssertionError("the port's process was replaced")
    air.judge()


def cut(stage, scheme):
    """The primary's network is gone: no FIN, no reset, just nothing."""
    network = Network(stage)
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=DELAY_MS,
                  srt={"listen": f"{network.here}:0"}, listen="0.0.0.0:0")
    url = relay.url("primary", scheme).replace("127.0.0.1", network.here)
    primary = encoders.srt if scheme == "srt" else encoders.ffmpeg
    primary(stage, "primary", clips["primary"], url, inside=network)
    relay.wait_live("primary")
    encoders.ffmpeg(stage, "backup", clips["backup"], relay.url("backup"))
    relay.wait_feed("backup", "standby")
    relay.wait_destination("platform", "live")
    platform.wait_media()
    network.cut()
    relay.wait_live("backup")
    platform.wait_media()
    relay.process.stop()
    platform.stop()
    verdict = flv.Verdict(flv.read(platform.the_recording()), clips)
    verdict.assert_unbroken()
    expect(verdict, "primary", "backup")


@case
def backup_takes_over_when_the_network_is_gone_without_a_word(stage):
    cut(stage, "rtmp")


@case
def backup_takes_over_when_the_network_of_srt_is_gone(stage):
    cut(stage, "srt")


if __name__ == "__main__":
    main()
