#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`understudy drill --practice`: a full rehearsal of a show that nobody sees."""

import random
import signal
import socket
import time

from lib import encoders
from lib.platforms import Nginx
from lib.process import eventually
from lib.rehearsal import Rehearsal, drill, findings
from lib.relay import KEYS, Relay, destination, recording
from lib.stage import case, main

THIRD = "e2e-third-2c41aa"


class Outside:
    """Where the real destination is: notes whether anybody ever comes."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(0)
        self.url = f"rtmp://127.0.0.1:{self.socket.getsockname()[1]}/live"

    def was_called(self):
        try:
            self.socket.accept()[0].close()
            return True
        except BlockingIOError:
            return False


def feeds(*more):
    return [{"name": name, "key": key} for name, key in KEYS.items()] + list(more)


def begin(stage, outside, publishers=("primary", "backup"), **show):
    """A show that is not started, with its encoders."""
    relay = Relay(stage, [destination("platform", outside.url),
                          recording("record", stage.path("record.flv"))],
                  autostart=False, **show)
    for name in publishers:
        # Key frames this close leave more than a second of the delay to a machine that is busy.
        clip = encoders.clip(stage, name if name in KEYS else "third", seconds=240, gop_seconds=0.5,
                             size="160x90")
        encoders.ffmpeg(stage, name, clip, relay.url(name))
    for name in publishers:
        relay.wait_feed(name, "live", "standby")
    return relay


def practise(relay, *arguments, status=0):
    return drill(relay, "--practice", *arguments, status=status, timeout_s=200)


def rehearse(relay, scenario, tries=3):
    """The report. What did not hold while the relay itself got no turn has to hold another time."""
    report = practise(relay, "--scenario", scenario, "--seconds", "1", status=None)
    for step in report["steps"]:
        if step["passed"]:
            continue
        if not step["held_up"] or tries == 1:
            raise AssertionError(f"{step['scenario']}: {'; '.join(findings(step, 'bad'))}")
        rehearse(relay, step["scenario"], tries - 1)
    return report


def expect_rest(stage, relay, outside):
    """Everything is as it was before the rehearsal, and nobody outside heard of it."""
    status = relay.wait_status(lambda s: not s["practice"] and not s["started"],
                               "the rehearsal to be over")
    if [d["state"] for d in status["destinations"]] != ["stopped", "stopped"]:
        raise AssertionError(f"destinations are {status['destinations']}")
    eventually(lambda: not relay.workers("practice"), "the practice platforms to be gone")
    if outside.was_called():
        raise AssertionError("somebody called the real destination")
    if relay.destination("platform")["ledger"]["on_s"]:
        raise AssertionError("the ledger counts a rehearsal as time on air")
    # The log tells practice from the real thing.
    relay.wait_log("destination platform (a practice platform): live")


@case
def everything_is_rehearsed_in_one_run_and_nobody_outside_hears_of_it(stage):
    outside = Outside()
    slate = encoders.clip(stage, "slate", seconds=10, gop_seconds=0.5, size="160x90")
    relay = begin(stage, outside, ("primary", "backup", THIRD), delay_ms=2500,
                  failover={"return_after_s": 2},
                  feeds=feeds({"name": THIRD, "key": THIRD},
                              {"name": "slate", "file": slate.path}))
    report = rehearse(relay, "all")
    steps = {s["scenario"]: s for s in report["steps"]}
    wanted = {"pull-primary", "stall-primary", "starve-primary", "freeze-primary", "flap", "chain",
              "pull-all", "lose-destination platform", "kill-worker switch"}
    places = {"replaced": ["platform"], "left_out": ["record"]}
    if set(steps) != wanted or report["practice"] != places:
        raise AssertionError(f"rehearsed were {set(steps)}, {report['practice']}")
    if steps["chain"]["targets"] != ["primary", "backup", THIRD]:
        raise AssertionError(f"pulled were {steps['chain']['targets']}")
    for step in report["steps"]:
        practice = next(d for d in step["destinations"] if d["name"] == "platform")["practice"]
        if practice["bytes"] < 10000 or practice["backwards"]:
            raise AssertionError(f"{step['scenario']}: the platform got {practice}")
    expect_rest(stage, relay, outside)


@case
def a_rehearsal_killed_at_any_moment_leaves_everything_as_it_was(stage):
    seed = random.randrange(1 << 32)
    stage.note(f"seed {seed}")
    chance = random.Random(seed)
    outside = Outside()
    relay = begin(stage, outside, delay_ms=2500, failover={"return_after_s": 1})
    for _ in range(2):
        process = stage.start("drill", [
            stage.program("understudy"), "drill", "main", "--practice", "--scenario", "all",
            "--socket", relay.socket])
        relay.wait_status(lambda s: s["practice"], "the rehearsal to begin")
        time.sleep(chance.uniform(0, 8)) # any moment will do: that is what is tried
        process.send(signal.SIGKILL)
        relay.wait_status(lambda s: not s["practice"] and not s["started"], "the end of it")
        for feed in KEYS:
            relay.wait_feed(feed, "live", "standby")
    expect_rest(stage, relay, outside)


@case
def practice_is_for_shows_that_are_not_on_air_and_an_operator_ends_it(stage):
    platform = Nginx(stage)
    relay = Relay(stage, [destination("platform", platform.url)], delay_ms=1000)
    encoders.ffmpeg(stage, "primary", encoders.clip(stage, "primary"), relay.url("primary"))
    relay.wait_destination("platform", "live")
    said = practise(relay, status=1)["error"]
    if "platform is on air" not in said or "understudy end main" not in said:
        raise AssertionError(f"said: {said}")
    if relay.destination("platform")["restarts"]:
        raise AssertionError("the destination was disturbed")
    relay.command("end", "main")
    rehearsal = Rehearsal(relay)
    if not rehearsal.ask(command="practice")["ok"]:
        raise AssertionError("no practice after the end of the show")
    relay.wait_destination("platform", "live")
    before = platform.publishes()
    relay.command("start", "main")
    status = relay.wait_destination("platform", "live")
    eventually(lambda: platform.publishes() > before, "the real destination to be dialled")
    if status["practice"]:
        raise AssertionError("the rehearsal goes on beside the show")
    rehearsal.close()
    platform.wait_media()


if __name__ == "__main__":
    main()
