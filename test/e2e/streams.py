#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Icecast, RTSP, UDP and RTP destinations with real peers."""

import subprocess

from lib import encoders, flv, media
from lib.icecast import PASSWORD, Icecast
from lib.ports import free_port, free_udp_port, is_bound
from lib.process import eventually
from lib.relay import AMPLE_MS, Relay, recording
from lib.stage import case, main

def codec_of(stage, heard):
    path = stage.path("heard")
    with open(path, "wb") as file:
        file.write(heard)
    run = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,sample_rate", "-of",
         "csv=p=0", path], stdout=subprocess.PIPE, text=True, check=False)
    return run.stdout.strip()


def on_air(stage, destinations, clip=None):
    clip = clip or encoders.clip(stage, "primary")
    relay = Relay(stage, destinations, delay_ms=AMPLE_MS)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_live("primary")
    return relay, clip


@case
def icecast_gets_the_aac_of_the_show(stage):
    radio = Icecast(stage)
    relay, _ = on_air(stage, [{"name": "radio", "url": radio.url("show.aac")}])
    relay.wait_destination("radio", "live")
    heard, kind = radio.hear("show.aac")
    if kind != "audio/aac" or codec_of(stage, heard) != "aac,48000":
        raise AssertionError(f"heard {kind}, {codec_of(stage, heard)}")
    if PASSWORD in relay.log() + relay.command("status", "--json"):
        raise AssertionError("the password is to be seen")
    radio.process.kill()
    relay.wait_destination("radio", "backing_off", "dialing")
    radio.start()
    relay.wait_destination("radio", "live")
    radio.hear("show.aac")


@case
def icecast_gets_the_mp3_of_the_show(stage):
    radio = Icecast(stage)
    path = stage.path("mp3.flv")
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i",
                    "anoisesrc=amplitude=0.1:sample_rate=44100", "-t", "60", "-c:a", "libmp3lame",
                    "-b:a", "64k", path], check=True)
    relay = Relay(stage, [{"name": "radio", "url": radio.url("show.mp3")}], delay_ms=500)
    stage.start("primary", ["ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", path, "-c", "copy",
                            "-f", "flv", relay.url("primary")])
    relay.wait_destination("radio", "live")
    heard, kind = radio.hear("show.mp3")
    if kind != "audio/mpeg" or codec_of(stage, heard) != "mp3,44100":
        raise AssertionError(f"heard {kind}, {codec_of(stage, heard)}")


@case
def icecast_refuses_a_wrong_password_in_words(stage):
    radio = Icecast(stage)
    relay, _ = on_air(stage, [{"name": "radio", "url": radio.url("show.aac", "not-the-password")},
                              recording("record", stage.path("record.mkv"))])
    status = relay.wait_status(lambda s: relay.destination("radio", s)["last_error"], "an error")
    if "password" not in relay.destination("radio", status)["last_error"]:
        raise AssertionError(f"said: {relay.destination('radio', status)}")
    if "not-the-password" in relay.log() + relay.command("status", "--json"):
        raise AssertionError("the password is to be seen")
    relay.wait_destination("record", "live")
    if relay.destination("record")["restarts"]:
        raise AssertionError("the recording was touched")


def got(stage, relay, name, path, clip):
    relay.wait_destination(name, "live")
    media.wait_size(path, 200000)
    relay.process.stop()
    verdict = media.verdict(stage, path, {"primary": clip}, is_torn=True)
    verdict.assert_unbroken()
    if len(verdict.recording.of(flv.VIDEO)) < 2 * clip.fps:
        raise AssertionError(f"{len(verdict.recording.of(flv.VIDEO))} frames came")


def receive(stage, source, *options):
    path = stage.path("got.ts")
    stage.start("receiver", [
        "ffmpeg", "-nostdin", "-v", "warning", *options, "-i", source, "-map", "0", "-c", "copy",
        "-f", "mpegts", "-flush_packets", "1", "-y", path])
    return path


@case
def udp_carries_the_show(stage):
    port = free_udp_port()
    path = receive(stage, f"udp://127.0.0.1:{port}?fifo_size=100000")
    eventually(lambda: is_bound(port, "udp"), "the receiver")
    relay, clip = on_air(stage, [{"name": "udp", "url": f"udp://127.0.0.1:{port}"}])
    got(stage, relay, "udp", path, clip)


@case
def rtp_carries_the_show(stage):
    port = free_udp_port()
    session = stage.path("show.sdp")
    with open(session, "w", encoding="utf-8") as file:
        file.write(f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
                   f"m=video {port} RTP/AVP 33\n")
    path = receive(stage, session, "-protocol_whitelist", "file,udp,rtp")
    eventually(lambda: is_bound(port, "udp"), "the receiver")
    relay, clip = on_air(stage, [{"name": "rtp", "url": f"rtp://127.0.0.1:{port}"}])
    got(stage, relay, "rtp", path, clip)


@case
def rtsp_server_gets_the_show(stage):
    port = free_port()
    path = receive(stage, f"rtsp://127.0.0.1:{port}/show", "-rtsp_flags", "listen")
    relay, clip = on_air(stage, [{"name": "rtsp", "url": f"rtsp://127.0.0.1:{port}/show"}])
    got(stage, relay, "rtsp", path, clip)


if __name__ == "__main__":
    main()
