#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream keys and other secrets: who may publish, who takes over, and that nobody sees them."""

from lib import encoders
from lib.platforms import Nginx
from lib.process import children_of, eventually
from lib.relay import BACKUP_KEY, PRIMARY_KEY, Relay, destination
from lib.show import Show
from lib.stage import case, main


@case
def wrong_key_is_refused_and_never_shown(stage):
    relay = Relay(stage, [], delay_ms=500)
    wrong = "wrong-key-90b1d7"
    encoder = encoders.ffmpeg(stage, "intruder", encoders.clip(stage, "primary"),
                              relay.url(wrong))
    if encoder.wait() == 0:
        raise AssertionError("the encoder believes that it published")
    eventually(lambda: not relay.workers("ingest-rtmp"), "its worker to end")
    if relay.feed("primary")["state"] != "offline":
        raise AssertionError(f"status: {relay.status()}")
    if wrong in relay.log():
        raise AssertionError("the key that was tried is in the log")


@case
def same_key_takes_over_from_a_frozen_connection(stage):
    show = Show(stage)
    show.primary.freeze() # half-dead: connected, silent
    again = show.start("primary")
    # At once: without waiting for the first connection to be given up.
    lost = show.relay.process.wait_line(
        lambda line: "feed_lost" in line and "feed primary: " in line,
        "the first connection to end", lines=show.relay.process.stderr)
    if "replaced by a new connection with the same key" not in lost:
        raise AssertionError(lost)
    show.relay.wait_feed("primary", "live", "standby")
    show.platform.wait_media()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    if not again.is_running():
        raise AssertionError(f"the newcomer ended: {again.stderr[-3:]}")
    show.verdict()


@case
def secrets_are_nowhere_to_be_seen(stage):
    secret = "platform-secret-4e8b2a"
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url, secret)], delay_ms=500,
                  environment={"E2E_UNUSED": "x"})
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_destination("platform", "live")
    platform.stop() # failures are what tempts a program to show URLs
    relay.wait_destination("platform", "backing_off", "dialing")
    seen = {"log": relay.log(), "status": relay.command("status"),
            "status --json": relay.command("status", "--json")}
    for pid in [relay.process.pid, *children_of(relay.process.pid)]:
        for name in ("cmdline", "environ", "comm"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    seen[f"{name} of {pid}"] = file.read().decode(errors="replace")
            except OSError:
                pass # not even we may look: fine
    for place, text in seen.items():
        for hidden in (secret, PRIMARY_KEY, BACKUP_KEY):
            if hidden in text:
                raise AssertionError(f"{hidden} is in {place}")


@case
def keys_come_from_the_environment_and_from_files(stage):
    relay = Relay(stage, [], delay_ms=500, environment={"E2E_KEY": "from-the-environment-1"})
    relay.process.stop()
    with open(stage.path("key"), "w", encoding="utf-8") as file:
        file.write("from-a-file-2\n")
    relay.show["feeds"] = [{"name": "primary", "key": "${E2E_KEY}"},
                           {"name": "backup", "key_file": stage.path("key")}]
    relay.write_config()
    relay.start()
    clip = encoders.clip(stage, "primary")
    for feed, key in (("primary", "from-the-environment-1"), ("backup", "from-a-file-2")):
        encoders.ffmpeg(stage, feed, clip, relay.url(key))
        relay.wait_feed(feed, "live", "standby")
    for pid in [relay.process.pid, *children_of(relay.process.pid)]:
        if "from-the-environment-1" in environment_of(pid):
            raise AssertionError(f"the key is in the environment of {pid}")


def environment_of(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
