#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds by SRT: beside RTMP in one show, encrypted, refused, lost.

The clips are the same as over RTMP, wrapped into MPEG-TS by ffmpeg; what the platform gets must
be the same frames, byte for byte.
"""

import os
import signal
import subprocess
import time

from lib import encoders, flv, media
from lib.platforms import Nginx
from lib.ports import free_udp_port
from lib.process import eventually
from lib.pulling import judge
from lib.relay import BACKUP_KEY, KEYS, PRIMARY_KEY, Relay, destination, recording
from lib.show import DELAY_MS, expect
from lib.stage import case, main, need

PASSPHRASE = "e2e-passphrase-4410"


class SrtShow:
    """One feed by SRT and one by RTMP, on air."""

    def __init__(self, stage, srt_feed, b_frames=0, latency_ms=120):
        need("ffmpeg")
        self.stage = stage
        self.clips = {name: encoders.clip(stage, name, b_frames=b_frames) for name in KEYS}
        self.platform = Nginx(stage)
        self.relay = Relay(stage, [destination("platform", self.platform.url)],
                           delay_ms=DELAY_MS, srt={"latency_ms": latency_ms})
        self.encoders = {}
        for name in KEYS:
            self.start(name, is_srt=name == srt_feed)
            self.relay.wait_feed(name, "live", "standby")
        self.relay.wait_live("primary")
        self.relay.wait_destination("platform", "live")
        self.platform.wait_media()

    def start(self, name, is_srt):
        publish = encoders.srt if is_srt else encoders.ffmpeg
        url = self.relay.url(name, "srt" if is_srt else "rtmp")
        self.encoders[name] = publish(self.stage, name, self.clips[name], url)

    def judge(self, *feeds):
        status = self.relay.destination("platform")
        if status["restarts"] or status["dropped"]:
            raise AssertionError(f"the connection did not last: {status}")
        if self.relay.process.stop() != 0:
            raise AssertionError("the relay failed")
        self.platform.stop()
        path = self.platform.the_recording()
        verdict = flv.Verdict(flv.read(path), self.clips)
        self.stage.note(f"feeds on air: {verdict.feeds()}; splices: {verdict.splices}")
        verdict.assert_unbroken()
        flv.assert_decodes(path)
        expect(verdict, *feeds)


@case
def srt_backup_takes_over_from_an_rtmp_primary_that_is_killed(stage):
    show = SrtShow(stage, "backup")
    show.encoders["primary"].kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.judge("primary", "backup")


@case
def rtmp_primary_that_froze_is_returned_to_from_an_srt_backup_with_b_frames(stage):
    show = SrtShow(stage, "backup", 2)
    show.encoders["primary"].freeze()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.encoders["primary"].thaw()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    show.judge("primary", "backup", "primary")


@case
def rtmp_backup_takes_over_from_an_srt_primary_that_is_killed(stage):
    show = SrtShow(stage, "primary")
    show.encoders["primary"].kill()
    show.relay.wait_live("backup")
    # libsrt alone would not notice for five seconds.
    show.relay.wait_feed("primary", "offline")
    show.start("primary", is_srt=True)
    show.relay.wait_live("primary")
    show.platform.wait_media()
    show.judge("primary", "backup", "primary")


@case
def rtmp_backup_takes_over_from_an_srt_primary_that_freezes(stage):
    show = SrtShow(stage, "primary", b_frames=2)
    show.encoders["primary"].freeze()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.judge("primary", "backup")


@case
def death_of_the_srt_process_costs_its_connections_and_not_the_port(stage):
    show = SrtShow(stage, "primary")
    old = show.relay.kill_worker("ingest-srt")
    show.relay.wait_live("backup")
    show.relay.wait_worker("ingest-srt", other_than=[old])
    show.encoders["primary"].kill()
    show.start("primary", is_srt=True)
    show.relay.wait_live("primary")
    show.platform.wait_media()
    show.judge("primary", "backup", "primary")


@case
def death_of_a_demultiplexer_disconnects_its_encoder(stage):
    show = SrtShow(stage, "backup")
    show.relay.kill_worker("ingest-av")
    show.relay.wait_feed("backup", "offline")
    show.encoders["backup"].wait()
    show.platform.wait_media()
    show.judge("primary")


@case
def srt_feed_goes_on_through_a_re_execution(stage):
    show = SrtShow(stage, "primary")
    show.relay.reexecute()
    show.platform.wait_media(60000)
    if show.relay.feed("primary", show.relay.wait_live("primary"))["srt"]["packets"] == 0:
        raise AssertionError(f"the feed was lost: {show.relay.status()}")
    show.judge("primary")


# ---- who may publish ----

class Port:
    """A relay with an SRT port; the backup is encrypted."""

    def __init__(self, stage, **backup):
        need("ffmpeg")
        self.stage = stage
        self.clip = encoders.clip(stage, "primary")
        self.relay = Relay(
            stage, [], srt={},
            feeds=[{"name": "primary", "key": PRIMARY_KEY},
                   {"name": "backup", "key": BACKUP_KEY, "passphrase": PASSPHRASE,
                    "latency_ms": 400, **backup}])

    def url(self, streamid, more=""):
        return f"srt://127.0.0.1:{self.relay.ports['srt']}?streamid={streamid}{more}"

    def publish(self, name, streamid, more=""):
        return encoders.srt(self.stage, name, self.clip, self.url(streamid, more))

    def is_refused(self, name, streamid, more, why):
        lines = len(self.relay.process.stderr)
        encoder = self.publish(name, streamid, more)
        if encoder.wait() == 0:
            raise AssertionError(f"{name} was let in")
        self.relay.process.wait_line(lambda line: why in line, why, since=lines,
                                     lines=self.relay.process.stderr)


@case
def encrypted_feed_is_told_by_its_status(stage):
    port = Port(stage)
    port.publish("aes-256", BACKUP_KEY, f"&passphrase={PASSPHRASE}&pbkeylen=32")
    port.relay.wait_status(
        lambda s: port.relay.feed("backup", s).get("srt", {}).get("key_bits") == 256,
        "AES-256 in the status")
    status = port.relay.feed("backup")
    if status["srt"]["latency_ms"] != 400 or status["ts"]["continuity_errors"] != 0:
        raise AssertionError(f"unexpected: {status}")


@case
def aes_128_and_the_long_form_of_streamid_are_taken(stage):
    port = Port(stage)
    port.publish("aes-128", f"%23!::u=somebody%2Cr={BACKUP_KEY}%2Cm=publish",
                 f"&passphrase={PASSPHRASE}&pbkeylen=16")
    port.relay.wait_status(
        lambda s: port.relay.feed("backup", s).get("srt", {}).get("key_bits") == 128,
        "AES-128 in the status")


@case
def callers_without_the_right_secrets_are_refused(stage):
    port = Port(stage)
    port.is_refused("wrong key", "no-such-key", "", "no feed has the key")
    port.is_refused("player", f"%23!::r={PRIMARY_KEY}%2Cm=request", "", "does not publish")
    port.is_refused("wrong secret", BACKUP_KEY, "&passphrase=not-the-right-one",
                    "wrong passphrase")
    port.is_refused("no secret", BACKUP_KEY, "", "wrong passphrase")
    if any(key in port.relay.log() for key in (PRIMARY_KEY, BACKUP_KEY, PASSPHRASE)):
        raise AssertionError("a secret is in the log")
    port.publish("right", PRIMARY_KEY)
    port.relay.wait_feed("primary", "live", "standby")


@case
def second_encoder_with_the_key_takes_over_at_once(stage):
    port = Port(stage)
    first = port.publish("first", PRIMARY_KEY)
    port.relay.wait_feed("primary", "live", "standby")
    peer = port.relay.feed("primary")["peer"]
    time.sleep(1.1) # sooner it would be taken for two encoders that fight
    port.publish("second", PRIMARY_KEY)
    port.relay.wait_status(
        lambda s: port.relay.feed("primary", s)["peer"] not in (None, peer), "the second peer")
    first.wait()


@case
def live_transmit_is_a_caller_like_others(stage):
    need("srt-live-transmit")
    port = Port(stage)
    udp = free_udp_port()
    stage.start("srt-live-transmit", [
        "srt-live-transmit", f"udp://127.0.0.1:{udp}", port.url(PRIMARY_KEY)])
    stage.start("ffmpeg", [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", port.clip.path, "-c", "copy",
        "-f", "mpegts", f"udp://127.0.0.1:{udp}?pkt_size=1316"])
    port.relay.wait_feed("primary", "live", "standby")


# ---- a port for one feed alone ----

class OwnPort(Port):
    """The backup has an SRT port of its own."""

    def __init__(self, stage):
        super().__init__(stage, srt_port=free_udp_port())

    def own_port(self):
        return self.relay.show["feeds"][1]["srt_port"]

    def publish_backup(self, name):
        return encoders.srt(self.stage, name, self.clip,
                            f"srt://127.0.0.1:{self.own_port()}?streamid={BACKUP_KEY}"
                            f"&passphrase={PASSPHRASE}")

    def wait_packets(self):
        """The backup goes on, on the same connection."""
        before = self.relay.feed("backup")
        self.relay.wait_status(
            lambda s: self.relay.feed("backup", s).get("srt", {}).get("packets", 0)
            > before["srt"]["packets"] + 20, "more packets of the backup")
        if self.relay.feed("backup")["peer"] != before["peer"]:
            raise AssertionError(f"another connection: {self.relay.feed('backup')}")


@case
def feed_with_a_port_of_its_own_is_let_in_there_alone(stage):
    port = OwnPort(stage)
    if f"listening srt 127.0.0.1:{port.own_port()} for main/backup" \
            not in port.relay.process.stdout:
        raise AssertionError(f"said: {port.relay.process.stdout}")
    port.is_refused("at everybody's", BACKUP_KEY, f"&passphrase={PASSPHRASE}",
                    "no feed has the key")
    lines = len(port.relay.process.stderr)
    stranger = encoders.srt(stage, "at another's", port.clip,
                            f"srt://127.0.0.1:{port.own_port()}?streamid={PRIMARY_KEY}")
    port.relay.process.wait_line(lambda line: "no feed has the key" in line, "the refusal",
                                 since=lines, lines=port.relay.process.stderr)
    stranger.wait()
    port.publish("primary", PRIMARY_KEY)
    port.publish_backup("backup")
    port.relay.wait_feed("primary", "live", "standby")
    port.relay.wait_feed("backup", "live", "standby")
    # Both of the port's callers count from 1: neither is taken for the other.
    port.relay.reexecute()
    port.wait_packets()
    os.kill(port.relay.workers("ingest-srt")[0], signal.SIGKILL) # the first: everybody's
    port.relay.wait_feed("primary", "offline")
    port.wait_packets()


@case
def port_of_one_feed_moves_by_reload(stage):
    port = OwnPort(stage)
    port.publish("primary", PRIMARY_KEY)
    first = port.publish_backup("first")
    port.relay.wait_feed("backup", "live", "standby")
    peer = port.relay.feed("primary")["peer"]
    port.relay.show["feeds"][1]["srt_port"] = free_udp_port()
    port.relay.reload_and_wait()
    first.wait()
    port.relay.wait_feed("backup", "offline")
    second = port.publish_backup("second")
    port.relay.wait_feed("backup", "live", "standby")
    del port.relay.show["feeds"][1]["srt_port"]
    port.relay.reload_and_wait()
    second.wait()
    eventually(lambda: len(port.relay.workers("ingest-srt")) == 1, "the port to close")
    port.relay.wait_feed("backup", "offline")
    port.publish("third", BACKUP_KEY, f"&passphrase={PASSPHRASE}")
    port.relay.wait_feed("backup", "live", "standby")
    if port.relay.feed("primary")["peer"] != peer:
        raise AssertionError("the other feed was disturbed")


def live_feed_moves(stage, own):
    """From one port to another, which is the feed's own or everybody's, with its encoder."""
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    ports = [free_udp_port(), free_udp_port()]

    def config(port):
        return ({"listen": f"127.0.0.1:{0 if own else port}"},
                [{"name": "primary", "key": PRIMARY_KEY, **({"srt_port": port} if own else {})}])
    srt, feeds = config(ports[0])
    relay = Relay(stage, [recording("record", stage.path("record.mkv"))], srt=srt, feeds=feeds)
    urls = [f"srt://127.0.0.1:{port}?streamid={PRIMARY_KEY}" for port in ports]
    first = encoders.srt(stage, "first", clips["primary"], urls[0])
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 50000)
    relay.srt, relay.show["feeds"] = config(ports[1])
    relay.reload_and_wait()
    relay.wait_status(lambda s: relay.feed("primary", s)["admin"] == "leaving"
                      and relay.feed("primary", s)["state"] == "live", "it to be leaving, and live")
    if encoders.srt(stage, "late", clips["primary"], urls[0]).wait() == 0:
        raise AssertionError("the old port lets somebody in")
    encoders.srt(stage, "second", clips["backup"], urls[1])
    first.wait()
    relay.wait_status(lambda s: relay.feed("primary", s)["admin"] == "auto", "it to have left")
    eventually(lambda: len(relay.workers("ingest-srt")) == 1 + own, "the old port to close")
    media.wait_more(stage.path("record.mkv"), 60000)
    judge(stage, relay, clips, "primary", "backup")


@case
def live_feed_moves_to_another_port_of_its_own_without_a_gap(stage):
    live_feed_moves(stage, True)


@case
def live_feed_moves_with_the_port_of_all_feeds_without_a_gap(stage):
    live_feed_moves(stage, False)


# ---- what comes may be anything ----

def damaged(stage, clip, damage):
    """Path of the clip as a transport stream with damage done to its packets."""
    whole, path = stage.path("whole.ts"), stage.path("damaged.ts")
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", clip.path, "-t", "20", "-c", "copy",
                    "-f", "mpegts", whole], check=True)
    with open(whole, "rb") as file:
        data = bytearray(file.read())
    packets = [data[at:at + 188] for at in range(0, len(data) - 187, 188)]
    with open(path, "wb") as file:
        file.write(b"".join(damage(packets)))
    return path


def send_file(stage, port, path):
    """At the pace of its own clock, byte for byte."""
    size, seconds = os.path.getsize(path), 20
    return stage.start("sender", ["sh", "-c", f"""
        python3 -c 'import sys, time
data = open("{path}", "rb").read()
start = time.monotonic()
for at in range(0, len(data), 1316):
    time.sleep(max(0, start + {seconds} * at / {size} - time.monotonic()))
    sys.stdout.buffer.write(data[at:at + 1316])
    sys.stdout.buffer.flush()' | srt-live-transmit -q file://con '{port.url(PRIMARY_KEY)}'"""])


@case
def lost_and_broken_packets_cost_their_frames_only(stage):
    need("srt-live-transmit")
    port = Port(stage)

    def damage(packets):
        for number, packet in enumerate(packets):
            if number > 400 and number % 97 == 0:
                continue # lost: pictures cut short
            if number > 400 and number % 501 == 0:
                packet = bytearray(os.urandom(188)) # noise
            yield packet
    send_file(stage, port, damaged(stage, port.clip, damage))
    status = port.relay.wait_status(
        lambda s: port.relay.feed("primary", s).get("ts", {}).get("continuity_errors", 0) > 20,
        "continuity errors")
    feed = port.relay.feed("primary", status)
    if feed["state"] not in ("live", "standby", "degraded") or feed["ts"]["damaged"] == 0:
        raise AssertionError(f"unexpected: {feed}")
    stage.note(f"ts: {feed['ts']}")


@case
def noise_is_told_from_a_transport_stream(stage):
    need("srt-live-transmit")
    port = Port(stage)
    path = stage.path("noise")
    with open(path, "wb") as file:
        file.write(os.urandom(20 * 1316 * 100))
    send_file(stage, port, path)
    port.relay.process.wait_line(
        lambda line: "feed_lost" in line, "the feed to be given up",
        lines=port.relay.process.stderr)
    if "worker died" in port.relay.log():
        raise AssertionError("a worker died of noise")


@case
def frozen_relay_of_packets_is_given_up_sooner_than_libsrt_would(stage):
    need("srt-live-transmit")
    port = Port(stage)
    encoder = port.publish("frozen", PRIMARY_KEY)
    port.relay.wait_feed("primary", "live", "standby")
    encoder.freeze()
    line = port.relay.process.wait_line(lambda line: "feed_lost" in line,
                                        "the encoder to be given up",
                                        lines=port.relay.process.stderr)
    if "no packets for 4 s" not in line:
        raise AssertionError(line)


if __name__ == "__main__":
    main()
