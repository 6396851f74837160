#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""SRT destinations with real peers: srt-live-transmit and ffmpeg, as listeners and as callers."""

import os
import time

from lib import encoders, flv, media
from lib.ports import free_udp_port
from lib.process import eventually
from lib.relay import AMPLE_MS, Relay, recording
from lib.show import expect
from lib.stage import case, main, need

PASSPHRASE = "e2e-srt-passphrase-93"


def on_air(stage, destinations):
    clip = encoders.clip(stage, "primary", b_frames=2)
    relay = Relay(stage, destinations, delay_ms=AMPLE_MS)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_live("primary")
    return relay, clip


def transmit(stage, name, source, path):
    """srt-live-transmit writes what it gets into a file, through a pipe."""
    need("srt-live-transmit")
    command = f"exec srt-live-transmit -q '{source}' file://con >{path}"
    return stage.start(name, ["sh", "-c", command])


def ffmpeg_gets(stage, name, source, path):
    return stage.start(name, ["ffmpeg", "-nostdin", "-v", "warning", "-i", source, "-map", "0",
                              "-c", "copy", "-f", "mpegts", "-flush_packets", "1", "-y", path])


def judge(stage, path, clip):
    """All that came is the show, without a hole."""
    verdict = media.verdict(stage, path, {"primary": clip}, is_torn=True)
    verdict.assert_unbroken()
    expect(verdict, "primary")
    seconds = len(verdict.recording.of(flv.VIDEO)) / clip.fps
    if seconds < 2:
        raise AssertionError(f"only {seconds} s came")


@case
def srt_live_transmit_is_dialled(stage):
    port, path = free_udp_port(), stage.path("got.ts")
    transmit(stage, "peer", f"srt://127.0.0.1:{port}?mode=listener", path)
    relay, clip = on_air(stage, [{"name": "srt", "url": f"srt://127.0.0.1:{port}"}])
    relay.wait_destination("srt", "live")
    media.wait_size(path, 250000)
    status = relay.wait_status(lambda s: "srt" in relay.destination("srt", s), "statistics")
    srt = relay.destination("srt", status)["srt"]
    if srt["peers"] != 1 or srt["packets"] == 0 or srt["rtt_ms"] <= 0:
        raise AssertionError(f"statistics: {srt}")
    relay.process.stop()
    judge(stage, path, clip)


@case
def srt_live_transmit_is_dialled_with_a_passphrase_and_a_stream_id(stage):
    port, path = free_udp_port(), stage.path("got.ts")
    transmit(stage, "peer", f"srt://127.0.0.1:{port}?mode=listener&passphrase={PASSPHRASE}", path)
    relay, clip = on_air(stage, [{
        "name": "srt", "url": f"srt://127.0.0.1:{port}?streamid=%23!::m=publish&latency=200",
        "passphrase": PASSPHRASE}])
    relay.wait_destination("srt", "live")
    media.wait_size(path, 250000)
    for text in (relay.log(), relay.command("status", "--json"), relay.command("status")):
        if PASSPHRASE in text:
            raise AssertionError("the passphrase is to be seen")
    relay.process.stop()
    judge(stage, path, clip)


@case
def wrong_passphrase_is_refused_in_words(stage):
    port = free_udp_port()
    transmit(stage, "peer", f"srt://127.0.0.1:{port}?mode=listener&passphrase={PASSPHRASE}",
             stage.path("got.ts"))
    relay, _ = on_air(stage, [
        {"name": "srt", "url": f"srt://127.0.0.1:{port}?passphrase=not-the-right-one"},
        recording("record", stage.path("record.mkv"))])
    status = relay.wait_destination("srt", "refused")
    if "passphrase" not in relay.destination("srt", status)["last_error"]:
        raise AssertionError(f"said: {relay.destination('srt', status)}")
    if "not-the-right-one" in relay.log() + relay.command("status", "--json"):
        raise AssertionError("the passphrase is to be seen")
    relay.wait_destination("record", "live")
    if relay.destination("record")["restarts"]:
        raise AssertionError("the recording was touched")


@case
def ffmpeg_listens_and_is_dialled_again_after_a_restart(stage):
    need("ffmpeg")
    port = free_udp_port()
    relay, clip = on_air(stage, [{"name": "srt", "url": f"srt://127.0.0.1:{port}"}])
    relay.wait_destination("srt", "backing_off")
    first, second = stage.path("first.ts"), stage.path("second.ts")
    peer = ffmpeg_gets(stage, "first", f"srt://127.0.0.1:{port}?mode=listener", first)
    relay.wait_destination("srt", "live")
    media.wait_size(first, 150000)
    peer.kill()
    stopped = time.monotonic()
    relay.wait_destination("srt", "dialing", "backing_off")
    stage.note(f"noticed after {time.monotonic() - stopped:.1f} s that the peer was killed")
    ffmpeg_gets(stage, "second", f"srt://127.0.0.1:{port}?mode=listener", second)
    relay.wait_destination("srt", "live")
    media.wait_size(second, 250000)
    relay.process.stop()
    judge(stage, second, clip)


@case
def stalled_peer_is_given_up_and_disturbs_nobody(stage):
    port = free_udp_port()
    peer = transmit(stage, "peer", f"srt://127.0.0.1:{port}?mode=listener", stage.path("got.ts"))
    relay, clip = on_air(stage, [{"name": "srt", "url": f"srt://127.0.0.1:{port}",
                                  "stall_s": 3},
                                 recording("record", stage.path("record.mkv"))])
    relay.wait_destination("srt", "live")
    media.wait_size(stage.path("got.ts"), 100000)
    peer.freeze()
    status = relay.wait_destination("srt", "backing_off", "dialing")
    if "stalled" not in (relay.destination("srt", status)["last_error"] or ""):
        raise AssertionError(f"said: {relay.destination('srt', status)}")
    peer.thaw()
    relay.wait_destination("srt", "live")
    relay.process.stop()
    judge(stage, stage.path("record.mkv"), clip)


@case
def players_pull_from_our_port(stage):
    need("ffmpeg", "srt-live-transmit")
    port = free_udp_port()
    relay, clip = on_air(stage, [{
        "name": "srt", "url": f"srt://127.0.0.1:{port}?mode=listener&streamid=watch",
        "passphrase": PASSPHRASE}])
    relay.wait_destination("srt", "held")
    one, two = stage.path("one.ts"), stage.path("two.ts")
    url = f"srt://127.0.0.1:{port}?passphrase={PASSPHRASE}&streamid="
    first = transmit(stage, "one", url + "watch", one)
    relay.wait_destination("srt", "live")
    media.wait_size(one, 100000)
    ffmpeg_gets(stage, "two", url + "watch", two)
    media.wait_size(two, 150000)
    first.kill()
    relay.wait_status(lambda s: relay.destination("srt", s).get("srt", {}).get("peers") == 1,
                      "one player to be left")
    stranger = ffmpeg_gets(stage, "stranger", url + "else", stage.path("no.ts"))
    if stranger.wait() == 0 or os.path.exists(stage.path("no.ts")):
        raise AssertionError("a player with another stream id was served")
    size = os.path.getsize(two)
    eventually(lambda: os.path.getsize(two) > size + 50000, "the second player to go on")
    relay.process.stop()
    judge(stage, one, clip)


if __name__ == "__main__":
    main()
