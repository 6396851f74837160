#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds that the relay fetches: their life, certificates, and what servers do wrong."""

import json
import subprocess
from random import Random

from lib import encoders, media
from lib.origins import Origin, remux
from lib.platforms import certificate, tls_server
from lib.process import eventually
from lib.pulling import judge, pulling
from lib.relay import AMPLE_MS, BACKUP_KEY, PRIMARY_KEY, Relay, recording
from lib.stage import case, main


def troubles(feed):
    return [signal["text"] for signal in feed["health"]]


def trouble(relay, words, feed="primary"):
    """Until the status says so of the feed; anything but "connecting" will do if `words` is ""."""
    status = relay.wait_status(
        lambda s: any(words in t and t != "connecting" for t in troubles(relay.feed(feed, s))),
        f"the health of {feed} to say {words!r}")
    return relay.feed(feed, status)


@case
def transport_stream_of_a_web_server_is_pulled_again_when_it_ends(stage):
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    origin = Origin(stage)
    origin.live("/live.ts", remux(clips["primary"], "mpegts"))
    relay = pulling(stage, origin.url("/live.ts", "localhost"), delay_ms=3500, backup=True)
    relay.wait_live("primary")
    encoders.ffmpeg(stage, "backup", clips["backup"], relay.url("backup"))
    relay.wait_feed("backup", "standby")
    media.wait_size(stage.path("record.mkv"), 50000)
    lines = len(relay.process.stderr)
    relay.kill_worker("ingest-av-pull")
    relay.wait_there_and_back(lines) # by itself: the pull begins again at once
    if len(origin.asked_for("/live.ts")) != 2:
        raise AssertionError(f"asked: {origin.asked}")
    media.wait_more(stage.path("record.mkv"), 60000)
    judge(stage, relay, clips, "primary", "backup", "primary")


@case
def nothing_is_pulled_while_the_show_is_stopped(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    origin.live("/live.ts", remux(clip, "mpegts"))
    relay = Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=1000,
                  feeds=[{"name": "primary", "pull": origin.url("/live.ts")}], autostart=False)
    if relay.workers("ingest-av-pull") or origin.asked:
        raise AssertionError("pulled before the show was started")
    relay.command("start", "main")
    relay.wait_live("primary")
    relay.command("end", "main")
    eventually(lambda: not relay.workers("ingest-av-pull"), "the worker to be gone")
    relay.command("start", "main")
    relay.wait_live("primary")


@case
def pulled_feed_goes_on_through_a_re_execution_and_a_reload(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    origin.live("/live.ts", remux(clip, "mpegts"))
    origin.live("/other.ts", remux(clip, "mpegts"))
    relay = pulling(stage, origin.url("/live.ts"))
    relay.wait_live("primary")
    worker = relay.workers("ingest-av-pull")
    relay.reexecute()
    relay.show["destinations"].append(recording("more", stage.path("more.ts")))
    relay.reload_and_wait()
    media.wait_size(stage.path("more.ts"), 100000)
    if relay.workers("ingest-av-pull") != worker or len(origin.asked) != 1:
        raise AssertionError(f"the worker was touched: {worker}, {origin.asked}")
    relay.show["feeds"][0]["pull"] = origin.url("/other.ts")
    relay.reload_and_wait()
    relay.wait_worker("ingest-av-pull", other_than=worker)
    eventually(lambda: origin.asked_for("/other.ts"), "the other URL to be asked for")
    relay.show["feeds"][0] = {"name": "primary", "key": BACKUP_KEY}
    relay.reload_and_wait()
    # It goes when another can carry the show.
    encoders.ffmpeg(stage, "encoder", encoders.clip(stage, "backup"), relay.url("backup"))
    eventually(lambda: not relay.workers("ingest-av-pull"), "the worker to be gone")


@case
def live_pull_is_moved_to_another_url_without_a_gap(stage):
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    origin = Origin(stage)
    origin.live("/here.ts", remux(clips["primary"], "mpegts"))
    origin.live("/there.ts", remux(clips["backup"], "mpegts"))
    relay = pulling(stage, origin.url("/here.ts"), delay_ms=3500)
    relay.wait_live("primary")
    media.wait_size(stage.path("record.mkv"), 50000)
    worker = relay.workers("ingest-av-pull")
    relay.show["feeds"][0]["pull"] = origin.url("/there.ts")
    relay.reload_and_wait()
    relay.process.wait_line(lambda line: "the show has left that connection" in line,
                            "the old URL to be left", lines=relay.process.stderr)
    relay.wait_log("its source was changed")
    eventually(lambda: len(relay.workers("ingest-av-pull")) == 1, "its worker to end")
    relay.wait_worker("ingest-av-pull", other_than=worker)
    media.wait_more(stage.path("record.mkv"), 60000)
    judge(stage, relay, clips, "primary", "backup")


@case
def unreachable_server_is_named_and_tried_again(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    relay = pulling(stage, origin.url("/later.ts?token=e2e-token-5511"))
    feed = trouble(relay, "does not know that path")
    if feed["state"] != "offline":
        raise AssertionError(f"status: {feed}")
    relay.reexecute()
    trouble(relay, "does not know that path")
    origin.live("/later.ts", remux(clip, "mpegts"))
    status = relay.wait_live("primary")
    if any("does not know" in text for text in troubles(relay.feed("primary", status))):
        raise AssertionError(f"status: {relay.feed('primary', status)}")
    if "e2e-token" in relay.log() + relay.command("status", "--json") + relay.command("events"):
        raise AssertionError("the token is to be seen")
    if relay.log().count("does not know that path") != 1:
        raise AssertionError("a trouble that lasts is said once")


def trusting(stage, origin, ca):
    """A relay that knows the authority."""
    return Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=1000,
                 environment={"SSL_CERT_FILE": ca},
                 feeds=[{"name": "primary", "pull": origin.url("/live.ts", "localhost")}])


@case
def web_server_with_a_certificate_is_pulled(stage):
    chain, key, ca = certificate(stage)
    origin = Origin(stage, tls_server(chain, key))
    origin.live("/live.ts", remux(encoders.clip(stage, "primary"), "mpegts"))
    trusting(stage, origin, ca).wait_live("primary")


@case
def certificate_for_another_name_is_refused(stage):
    chain, key, ca = certificate(stage, "elsewhere")
    origin = Origin(stage, tls_server(chain, key))
    trouble(trusting(stage, origin, ca), "certificate")
    if origin.asked:
        raise AssertionError(f"something was asked for: {origin.asked}")


@case
def certificate_of_nobody_known_is_refused(stage):
    chain, key, _ = certificate(stage)
    origin = Origin(stage, tls_server(chain, key))
    trouble(pulling(stage, origin.url("/live.ts", "localhost")), "certificate")
    if origin.asked:
        raise AssertionError(f"something was asked for: {origin.asked}")


# ---- what servers do wrong ----

MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"
SEGMENTS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n"


def noise(request):
    request.begin("video/mp2t")
    random = Random(7)
    for _ in range(200):
        request.wfile.write(random.randbytes(20000))


BAD = { # path: (what the server does there, what the health says)
    "/round": (lambda o, p: o.redirect(p, o.url(p)), "redirected from one URL to the next"),
    "/loop.m3u8": (lambda o, p: o.text(p, MASTER + "loop.m3u8\n"), "never to media"),
    "/file.m3u8": (lambda o, p: o.text(p, SEGMENTS + "file:///etc/passwd\n"), "(file:)"),
    "/data.m3u8": (lambda o, p: o.text(p, MASTER + "data:text/plain;base64,I0VYVE0zVQo=\n"),
                   "(data:)"),
    "/to-file": (lambda o, p: o.redirect(p, "file:///etc/passwd"), ""),
    "/noise": (lambda o, p: o.routes.update({p: noise}), "no MPEG-TS, FLV, HLS"),
    "/empty": (lambda o, p: o.text(p, ""), "ended the stream"),
    "/concat.m3u8": (lambda o, p: o.text(p, SEGMENTS + "concat:/etc/passwd\n"), ""),
    "/hang": (lambda o, p: o.hang(p), "no answer in time"),
}


@case
def bad_servers_are_named_and_touch_no_other_feed(stage):
    clip = encoders.clip(stage, "primary")
    origin = Origin(stage)
    for path, (do, _) in BAD.items():
        do(origin, path)
    names = {path: path.strip("/").replace(".", "-") for path in BAD}
    feeds = [{"name": "primary", "key": PRIMARY_KEY},
             *({"name": names[path], "pull": origin.url(path)} for path in BAD)]
    relay = Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=AMPLE_MS,
                  feeds=feeds)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    relay.wait_live("primary")
    for path, (_, words) in BAD.items():
        feed = trouble(relay, words, names[path])
        stage.note(f"{path}: {troubles(feed)}")
        if feed["state"] != "offline":
            raise AssertionError(f"status: {feed}")
    if len(relay.workers("ingest-av-pull")) > len(BAD):
        raise AssertionError("workers pile up")
    if "root:" in relay.log() + json.dumps(relay.status()):
        raise AssertionError("a file was read")
    judge(stage, relay, {"primary": clip}, "primary")


@case
def source_that_falls_silent_is_left_and_named(stage):
    clip = encoders.clip(stage, "primary")
    whole = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", clip.path, "-t", "3", "-c", "copy", "-f",
         "mpegts", "pipe:1"], stdout=subprocess.PIPE, check=True).stdout
    origin = Origin(stage)
    origin.hang("/live.ts", whole)
    relay = pulling(stage, origin.url("/live.ts"))
    for words in ("pulled from", "sends nothing any more"):
        relay.process.wait_line(lambda line, words=words: words in line, words,
                                lines=relay.process.stderr)
    eventually(lambda: len(origin.asked) > 1, "another try")


if __name__ == "__main__":
    main()
