#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds that are pulled from RTMP servers: nginx, ffmpeg, TLS by stunnel; and what goes wrong.

The clips are those that encoders publish elsewhere; what is recorded of the show must be the same
frames, byte for byte.
"""

import glob
import os
import socket
import subprocess
import threading

from lib import encoders, flv, media
from lib.platforms import Nginx, certificate
from lib.ports import free_port, stop_listening
from lib.process import eventually
from lib.relay import AMPLE_MS, BACKUP_KEY, Relay, recording
from lib.show import expect
from lib.stage import case, main, need

STREAM = "stage-e2e?token=e2e-token-7702"
NAME = STREAM.partition("?")[0]
# Who comes in the middle of a GOP hears before he sees, and then a new file is begun.
RECORDS = "record*.mkv"


def pulling(stage, url, delay_ms=AMPLE_MS, backup=False, **more):
    """A relay that pulls its primary and records the show."""
    feeds = [{"name": "primary", "pull": url}]
    if backup:
        feeds.append({"name": "backup", "key": BACKUP_KEY})
    return Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=delay_ms,
                 feeds=feeds, **more)


def source_url(port, scheme="rtmp", host="127.0.0.1", stream=STREAM):
    return f"{scheme}://{host}:{port}/source/{stream}"


def publish(stage, nginx, clip, name="encoder"):
    return encoders.ffmpeg(stage, name, clip, source_url(nginx.port, stream=NAME))


def mail_server(stage):
    """Port of a server of another protocol, which speaks first."""
    listener = socket.create_server(("127.0.0.1", 0))
    stage.on_close(stop_listening, listener)
    guests = []

    def greet():
        while True:
            try:
                guests.append(listener.accept()[0])
            except OSError:
                return
            guests[-1].sendall(b"220 mail.example ready\r\n")

    threading.Thread(target=greet, daemon=True).start()
    return listener.getsockname()[1]


def newest(stage):
    return max(glob.glob(stage.path(RECORDS)), key=os.path.getmtime)


def judge(stage, relay, clips, *feeds):
    if relay.process.stop() != 0:
        raise AssertionError("the relay did not end well")
    verdict = media.verdict(stage, newest(stage), clips)
    verdict.assert_unbroken()
    expect(verdict, *feeds)
    seconds = len(verdict.recording.of(flv.VIDEO)) / clips["primary"].fps
    if seconds < 1.5:
        raise AssertionError(f"only {seconds} s came")


def said(relay, status):
    """What the status says is wrong with the primary."""
    return " ".join(signal["text"] for signal in relay.feed("primary", status)["health"])


def trouble(relay, *words):
    """Until the status says so of the primary."""
    relay.wait_status(lambda s: all(w in said(relay, s) for w in words),
                      f"the primary's health to say {words}")


def record_more(stage):
    """Until what is on air now is in the recording."""
    media.wait_size(stage.path(RECORDS), os.path.getsize(newest(stage)) + 150000)


def assert_silent(relay):
    """What stands behind the stream's name is a secret."""
    if "e2e-token" in relay.log() + relay.command("status", "--json") + relay.command("events"):
        raise AssertionError("the token is to be seen")


@case
def stream_of_nginx_is_pulled_and_its_publisher_comes_and_goes(stage):
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    nginx = Nginx(stage)
    encoder = publish(stage, nginx, clips["primary"])
    relay = pulling(stage, source_url(nginx.port), delay_ms=3500, backup=True)
    relay.wait_live("primary")
    encoders.ffmpeg(stage, "backup", clips["backup"], relay.url("backup"))
    relay.wait_feed("backup", "standby")
    media.wait_size(stage.path(RECORDS), 50000)
    if relay.feed("primary")["peer"] != f"rtmp://127.0.0.1:{nginx.port}":
        raise AssertionError(f"status: {relay.feed('primary')}")
    encoder.kill()
    relay.wait_live("backup")
    trouble(relay, "no such stream")
    publish(stage, nginx, clips["primary"], "again")
    relay.wait_live("primary")
    record_more(stage)
    assert_silent(relay)
    judge(stage, relay, clips, "primary", "backup", "primary")


@case
def kill_of_either_process_costs_that_connection(stage):
    clips = {name: encoders.clip(stage, name) for name in ("primary", "backup")}
    nginx = Nginx(stage)
    publish(stage, nginx, clips["primary"])
    relay = pulling(stage, source_url(nginx.port), delay_ms=3500, backup=True)
    relay.wait_live("primary")
    encoders.ffmpeg(stage, "backup", clips["backup"], relay.url("backup"))
    relay.wait_feed("backup", "standby")
    media.wait_size(stage.path(RECORDS), 50000)
    for role in ("ingest-rtmp-tunnel", "ingest-rtmp-pull"):
        killed = relay.workers("ingest-rtmp-pull") + relay.workers("ingest-rtmp-tunnel")
        lines = len(relay.process.stderr)
        relay.kill_worker(role)
        relay.wait_there_and_back(lines)
        both = relay.workers("ingest-rtmp-pull") + relay.workers("ingest-rtmp-tunnel")
        if len(both) != 2 or set(both) & set(killed):
            raise AssertionError(f"after {role}: {killed}, then {both}")
        record_more(stage)
    judge(stage, relay, clips, "primary", "backup", "primary", "backup", "primary")
    if "its tunnel: killed by signal 9" not in relay.log(): # which has ended
        raise AssertionError("the tunnel has no obituary")


@case
def ffmpeg_that_listens_is_pulled(stage):
    clip = encoders.clip(stage, "primary", b_frames=2)
    port = free_port()
    relay = pulling(stage, source_url(port, stream="stage"))
    trouble(relay, "connection refused")
    stage.start("origin", ["ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", clip.path,
                           "-c", "copy", "-f", "flv", "-listen", "1",
                           source_url(port, stream="stage")])
    relay.wait_live("primary")
    media.wait_size(stage.path(RECORDS), 150000)
    if "refused" in said(relay, relay.status()):
        raise AssertionError(f"status: {relay.feed('primary')}")
    judge(stage, relay, {"primary": clip}, "primary")


def stunnel(stage, name, chain, key, target):
    """TLS before a plain port; the port it listens on."""
    need("stunnel")
    port = free_port()
    path = stage.path(f"{name}.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"foreground = yes\npid =\n[{name}]\naccept = 127.0.0.1:{port}\n"
                   f"connect = 127.0.0.1:{target}\ncert = {chain}\nkey = {key}\n")
    stage.start(name, ["stunnel", path])

    def is_listening():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    eventually(is_listening, f"{name} to listen")
    return port


@case
def rtmps_is_pulled_from_whom_the_certificate_names_only(stage):
    clip = encoders.clip(stage, "primary")
    chain, key, ca = certificate(stage)
    nginx = Nginx(stage)
    publish(stage, nginx, clip)
    port = stunnel(stage, "stunnel", chain, key, nginx.port)
    stranger, stranger_key = stage.path("stranger.pem"), stage.path("stranger.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", stranger_key, "-out",
                    stranger, "-days", "2", "-subj", "/CN=localhost"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bad = stunnel(stage, "stranger", stranger, stranger_key, nginx.port)
    relay = pulling(stage, source_url(bad, "rtmps", "localhost"),
                    environment={"SSL_CERT_FILE": ca})
    trouble(relay, "TLS handshake failed", "certificate")
    relay.show["feeds"][0]["pull"] = source_url(port, "rtmps", "localhost")
    relay.reload_and_wait()
    relay.wait_live("primary")
    worker = relay.workers("ingest-rtmp-pull") + relay.workers("ingest-rtmp-tunnel")
    relay.reexecute()
    media.wait_size(stage.path(RECORDS), 150000)
    if relay.workers("ingest-rtmp-pull") + relay.workers("ingest-rtmp-tunnel") != worker:
        raise AssertionError("re-executing touched the workers")
    assert_silent(relay)
    judge(stage, relay, {"primary": clip}, "primary")


@case
def wrong_places_are_named(stage):
    nginx = Nginx(stage)
    relay = pulling(stage, source_url(nginx.port))
    trouble(relay, "the server has no such stream")
    relay.show["feeds"][0]["pull"] = source_url(nginx.port).replace("/source/", "/nowhere/")
    relay.reload_and_wait()
    trouble(relay, "before the stream began") # nginx just hangs up
    relay.show["feeds"][0]["pull"] = source_url(mail_server(stage))
    relay.reload_and_wait()
    trouble(relay, "speaks no RTMP")
    relay.show["feeds"][0]["pull"] = source_url(nginx.port, host="nowhere.invalid")
    relay.reload_and_wait()
    trouble(relay, "name")
    assert_silent(relay)
    if glob.glob(stage.path(RECORDS)):
        raise AssertionError("something was recorded")


if __name__ == "__main__":
    main()
