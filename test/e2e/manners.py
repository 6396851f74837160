#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms with wishes and platforms with no manners; orders that concern one destination."""

import base64
import hashlib
import re

from lib import encoders, flv, peer
from lib.peer import Peer
from lib.platforms import Nginx, Wire
from lib.process import eventually
from lib.relay import AMPLE_MS, Relay, destination
from lib.show import expect
from lib.stage import case, main


def on_air(stage, destinations, **show):
    clip = encoders.clip(stage, "primary")
    relay = Relay(stage, destinations, delay_ms=AMPLE_MS, **show)
    encoders.ffmpeg(stage, "primary", clip, relay.url("primary"))
    return relay, clip


def judge(platform, clip):
    """The platform's one connection got everything."""
    platform.stop()
    path = platform.the_recording()
    verdict = flv.Verdict(flv.read(path), {"primary": clip})
    verdict.assert_unbroken()
    expect(verdict, "primary")


@case
def good_platforms_feel_nothing_of_six_bad_ones(stage):
    good = Nginx(stage, "good")
    manners = {"stalls": peer.STALL, "crawls": peer.CRAWL, "resets": peer.RESET,
               "half-closes": peer.HALF_CLOSE, "floods": peer.FLOOD, "lies": peer.LIE}
    bad = {name: Peer(stage, manner) for name, manner in manners.items()}
    relay, clip = on_air(stage, [destination("good", good.url)] + [
        {**destination(name, one.url), "stall_s": 3, "max_backlog_ms": 1000}
        for name, one in bad.items()])
    relay.wait_destination("good", "live")
    for name, one in bad.items():
        eventually(lambda one=one: one.published, f"{name} to be published to")
    relay.wait_status(lambda s: all(
        relay.destination(n, s)["restarts"] >= 2 for n in ("resets", "half-closes", "lies")),
        "those that end connections to be dialled again")
    relay.wait_status(lambda s: all(
        relay.destination(n, s)["restarts"] or relay.destination(n, s)["dropped"]
        or relay.destination(n, s)["backlog_ms"] > 500 for n in ("stalls", "crawls")),
        "those that do not read to be noticed")
    good.wait_media()
    status = relay.wait_status(lambda s: relay.destination("good", s)["backlog_ms"] <= 500,
                               "nothing to pile up before the good one")
    status = relay.destination("good", status)
    if status["restarts"] or status["dropped"]:
        raise AssertionError(f"the good one was disturbed: {status}")
    relay.process.stop()
    judge(good, clip)


@case
def reconnect_request_is_obeyed_without_a_missing_frame(stage):
    platform = Peer(stage)
    relay, _ = on_air(stage, [destination("platform", platform.url)])
    relay.wait_destination("platform", "live")
    first = platform.sessions[0]
    eventually(lambda: len(first.video) > 30, "pictures")
    first.ask_over()
    eventually(lambda: platform.sessions[-1] is not first and len(platform.sessions[-1].video) > 90,
               "pictures on the second connection")
    second = platform.sessions[-1]
    eventually(lambda: not first.is_publishing, "the first connection to be left")
    if second.video[0] != (0, 0x17):
        raise AssertionError(f"the second connection began with {second.video[0]}")
    # 30 frames a second, a key frame every 60: whole groups of pictures on the first one
    if len(first.video) % 60:
        raise AssertionError(f"{len(first.video)} pictures on the first connection")
    if platform.unpublished or relay.destination("platform")["restarts"]:
        raise AssertionError(f"not gone over: {relay.destination('platform')}")


@case
def platform_may_ask_for_user_and_password(stage):
    user, password = "encoder-1", "e2e-pass-9c31"

    def md5(text):
        return base64.b64encode(hashlib.md5(text.encode()).digest()).decode()

    def door(app):
        query = dict(re.findall(r"[?&](\w+)=([^&]*)", app))
        if "user" not in query:
            return "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
        if "response" not in query:
            return ("[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user="
                    f"{user}&salt=c2FsdA==&challenge=Q0hB&opaque=T1BB")
        expected = md5(md5(user + "c2FsdA==" + password) + "T1BB" + query["challenge"])
        if query["response"] != expected:
            return "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=T1BB"
        return None

    platform = Peer(stage, door=door)
    relay, _ = on_air(stage, [
        {**destination("right", platform.url), "user": user, "password": password},
        {**destination("wrong", platform.url), "user": user, "password": "e2e-pass-other"},
        destination("none", platform.url)])
    relay.wait_destination("right", "live")
    for name, words in (("wrong", "user or password not accepted"), ("none", "set `user`")):
        relay.wait_destination(name, "refused")
        error = relay.destination(name)["last_error"]
        if words not in error:
            raise AssertionError(f"{name}: {error}")
    if password in relay.log() or "e2e-pass-other" in relay.log():
        raise AssertionError("a password is in the log")


@case
def pause_and_resume_concern_one_destination(stage):
    good, other = Nginx(stage, "good"), Nginx(stage, "other")
    wire = Wire(stage, other.port)
    relay, clip = on_air(stage, [destination("good", good.url), destination("other", wire.url)])
    for name in ("good", "other"):
        relay.wait_destination(name, "live")
    relay.command("pause", "main", "other")
    status = relay.wait_destination("other", "stopped")
    if relay.destination("other", status)["why"] != "paused by the operator":
        raise AssertionError(relay.destination("other", status))
    eventually(lambda: wire.ended == wire.accepted, "the connection to end")
    if b"FCUnpublish" in wire.tail or b"deleteStream" in wire.tail:
        raise AssertionError("a pause must not end the broadcast")
    relay.reload()
    relay.reexecute()
    relay.wait_destination("other", "stopped")
    good.wait_media()
    relay.command("resume", "main", "other")
    relay.wait_destination("other", "live")
    other.wait_media()
    for arguments in (("pause", "main", "nobody"), ("resume", "nobody", "other")):
        if relay.run(*arguments).returncode != 1:
            raise AssertionError(f"{arguments} was taken")
    relay.process.stop()
    judge(good, clip)


@case
def other_key_by_reload_concerns_one_destination(stage):
    good, other = Nginx(stage, "good"), Nginx(stage, "other")
    relay, clip = on_air(stage, [destination("good", good.url), destination("other", other.url)])
    for name in ("good", "other"):
        relay.wait_destination(name, "live")
    other.wait_media()
    relay.show["destinations"][1]["key"] = "e2e-another-77d1"
    relay.reload()
    eventually(lambda: "e2e-another-77d1" in other.published(), "a publish with the other key")
    relay.wait_destination("other", "live")
    other.wait_media()
    # other manners are not another broadcast
    before = other.publishes()
    relay.show["destinations"][1]["hold_s"] = 60
    relay.reload()
    eventually(lambda: other.publishes() > before, "another publish")
    relay.wait_destination("other", "live")
    good.wait_media()
    relay.process.stop()
    judge(good, clip)


@case
def both_ingests_are_published_to_at_once(stage):
    first, second = Nginx(stage, "first"), Nginx(stage, "second")
    relay, clip = on_air(stage, [{**destination("platform", first.url), "backup_url": second.url,
                                  "both": True}])
    relay.wait_destination("platform", "live")
    relay.wait_destination("platform/backup", "live")
    first.wait_media()
    second.wait_media()
    relay.process.stop()
    judge(first, clip)
    judge(second, clip)


@case
def backup_ingest_is_taken_when_the_first_is_away(stage):
    platform = Nginx(stage)
    wire = Wire(stage, platform.port)
    wire.cut(is_refusing=True)
    relay, clip = on_air(stage, [{**destination("platform", wire.url), "backup_url": platform.url,
                                  "retry": {"first_s": 1, "cap_s": 2}}])
    relay.wait_destination("platform", "live")
    if relay.destination("platform")["ingest"] != "backup":
        raise AssertionError(relay.destination("platform"))
    platform.wait_media()
    relay.process.stop()
    judge(platform, clip)


if __name__ == "__main__":
    main()
