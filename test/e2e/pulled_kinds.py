#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of URL that can be pulled, from real servers.

The clips are those that encoders publish elsewhere; what is recorded of the show must be the same
frames, byte for byte.
"""

import os
import subprocess
import sys

from lib import encoders, media
from lib.icecast import Icecast
from lib.origins import Origin, hls, remux, srt_listener
from lib.ports import free_port, free_udp_port
from lib.process import eventually
from lib.pulling import judge, pulling
from lib.relay import AMPLE_MS, Relay, recording
from lib.stage import Skip, case, main, need


@case
def srt_listener_is_called(stage):
    clip = encoders.clip(stage, "primary", b_frames=2)
    port = free_udp_port()
    srt_listener(stage, "origin", clip, port)
    relay = pulling(stage, f"srt://127.0.0.1:{port}?latency=1000") # time for a slow start
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 70000)
    feed = relay.feed("primary")
    if feed["peer"] != f"srt://127.0.0.1:{port}" or feed["ts"]["packets"] == 0:
        raise AssertionError(f"status: {feed}")
    judge(stage, relay, {"primary": clip}, "primary")


@case
def srt_latency_of_ten_seconds_is_waited_for(stage):
    port = free_udp_port()
    srt_listener(stage, "origin", encoders.clip(stage, "primary"), port)
    relay = pulling(stage, f"srt://127.0.0.1:{port}", latency_ms=10000)
    relay.wait_feed("primary", "standby", "live")


def hls_is_pulled(stage, *more):
    clip = encoders.clip(stage, "primary", b_frames=2)
    origin = Origin(stage)
    url = hls(stage, origin, clip, "/hls/", *more)
    relay = pulling(stage, url)
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 70000)
    judge(stage, relay, {"primary": clip}, "primary")
    return relay


@case
def srt_listener_with_another_passphrase_is_named(stage):
    port = free_udp_port()
    srt_listener(stage, "origin", encoders.clip(stage, "primary"), port,
                 passphrase="e2e-passphrase-8817")
    relay = pulling(stage, f"srt://127.0.0.1:{port}", passphrase="e2e-passphrase-0000")
    relay.process.wait_line(lambda line: "refuses the stream id or passphrase" in line,
                            "the reason", lines=relay.process.stderr)
    if "e2e-passphrase" in relay.log() + relay.command("status", "--json"):
        raise AssertionError("the passphrase is to be seen")


def live_is_pulled(stage, form, kind):
    clip = encoders.clip(stage, "primary", b_frames=2)
    origin = Origin(stage)
    origin.live("/live", remux(clip, form), kind)
    relay = pulling(stage, origin.url("/live"))
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 70000)
    judge(stage, relay, {"primary": clip}, "primary")


@case
def transport_stream_of_a_web_server_is_pulled(stage):
    live_is_pulled(stage, "mpegts", "video/mp2t")


@case
def flv_of_a_web_server_is_pulled(stage):
    live_is_pulled(stage, "flv", "video/x-flv")


@case
def hls_is_pulled_in_real_time(stage):
    relay = hls_is_pulled(stage)
    if "faster" in relay.log():
        raise AssertionError("it came in bursts")


@case
def best_variant_of_hls_is_pulled_and_the_others_left_alone(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    hls(stage, origin, clip, "/high/")
    hls(stage, origin, encoders.clip(stage, "backup"), "/low/")
    origin.text("/master.m3u8", "#EXTM3U\n"
                "#EXT-X-STREAM-INF:BANDWIDTH=100000\nlow/live.m3u8\n"
                "#EXT-X-STREAM-INF:BANDWIDTH=500000\nhigh/live.m3u8\n")
    relay = pulling(stage, origin.url("/master.m3u8"))
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 70000)
    judge(stage, relay, {"primary": clip}, "primary")
    if len([path for _, path in origin.asked if path.startswith("/low/live") and
            path.endswith(".ts")]) > 1: # one tells what is in it
        raise AssertionError(f"asked: {origin.asked}")


@case
def hls_of_fragmented_mp4_is_pulled(stage):
    hls_is_pulled(stage, "-hls_segment_type", "fmp4")


def send(stage, clip, form, url, *options):
    stage.start("sender", [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", clip.path, "-c", "copy", *options,
        "-f", form, url])


def datagrams_are_heard(stage, form, scheme, target):
    clip = encoders.clip(stage, "primary")
    port = free_udp_port()
    relay = pulling(stage, f"{scheme}://127.0.0.1:{port}")
    eventually(lambda: listens(port), "the relay to listen")
    send(stage, clip, form, target.format(port=port))
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 70000)
    judge(stage, relay, {"primary": clip}, "primary")


def listens(port):
    with open("/proc/net/udp", encoding="utf-8") as sockets:
        return f"0100007F:{port:04X}" in sockets.read()


@case
def udp_is_heard_at_its_address_only(stage):
    datagrams_are_heard(stage, "mpegts", "udp", "udp://127.0.0.1:{port}?pkt_size=1316")


@case
def rtp_is_heard(stage):
    datagrams_are_heard(stage, "rtp_mpegts", "rtp", "rtp://127.0.0.1:{port}")


@case
def rtsp_server_is_played(stage):
    need("gst-inspect-1.0")
    known = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([sys.executable, "-c", known], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        raise Skip("not on this machine: gir1.2-gst-rtsp-server-1.0")
    clip = encoders.clip(stage, "primary")
    port = free_port()
    server = stage.start("rtsp", [
        sys.executable, os.path.join(os.path.dirname(__file__), "lib", "rtsp_server.py"),
        str(port), clip.path])
    server.wait_line(lambda line: line == "ready", "the server")
    relay = pulling(stage, f"rtsp://127.0.0.1:{port}/show")
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 70000)
    judge(stage, relay, {"primary": clip}, "primary")


def radio_is_heard(stage, form, codec):
    radio = Icecast(stage)
    path = stage.path("sound.ts")
    subprocess.run([
        "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1:sample_rate=48000", "-t", "60", "-c:a", codec, "-b:a", "96k",
        path], check=True)
    stage.start("station", [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", path, "-c", "copy", "-f", form,
        "-content_type", "audio/aac" if form == "adts" else "audio/mpeg", radio.url("radio")])
    eventually(lambda: heard(radio), "the station")
    relay = Relay(stage, [recording("record", stage.path("record.ts"))], delay_ms=AMPLE_MS,
                  feeds=[{"name": "primary", "pull": f"http://127.0.0.1:{radio.port}/radio"}])
    relay.wait_live("primary")
    media.wait_size(stage.path("record.ts"), 30000)
    feed = relay.feed("primary")
    if feed["video"] or feed["audio"]["sample_rate"] != 48000:
        raise AssertionError(f"status: {feed}")
    if relay.process.stop() != 0:
        raise AssertionError("the relay did not end well")
    media.assert_decodes(stage.path("record.ts"))
    if "off_air" in relay.log() or "gap " in relay.log():
        raise AssertionError("the sound was broken")


def heard(radio):
    try:
        return len(radio.hear("radio")[0]) > 0
    except OSError:
        return False


@case
def radio_station_is_heard_in_aac(stage):
    radio_is_heard(stage, "adts", "aac")


@case
def ogg_opus_is_heard(stage):
    path = stage.path("sound.ogg")
    subprocess.run([
        "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
        "anoisesrc=amplitude=0.1:sample_rate=48000", "-t", "40", "-c:a", "libopus", "-b:a", "96k",
        path], check=True)
    origin = Origin(stage)
    origin.live("/radio", ["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", path, "-c", "copy",
                           "-page_duration", "200000", "-f", "ogg", "pipe:1"], "audio/ogg")
    relay = pulling(stage, origin.url("/radio"))
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 20000)
    if relay.feed("primary")["audio"]["codec"] != "Opus":
        raise AssertionError(f"status: {relay.feed('primary')}")
    relay.process.stop()
    media.assert_decodes(stage.path("record.mkv"))


@case
def radio_station_is_heard_in_mp3(stage):
    radio_is_heard(stage, "mp3", "libmp3lame")


if __name__ == "__main__":
    main()
