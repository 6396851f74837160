#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor and its children: a new binary, no powers, and an end without leftovers."""

import os
import signal

from lib.process import children_of, eventually
from lib.relay import Relay
from lib.show import Show, expect
from lib.stage import Skip, case, main


@case
def new_binary_takes_over_without_anyone_noticing(stage):
    show = Show(stage)
    before = children_of(show.relay.process.pid)
    show.relay.reexecute()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    after = children_of(show.relay.process.pid)
    if set(before) - set(after):
        raise AssertionError(f"workers before: {before}, after: {after}")
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def signals_during_the_takeover_wait_for_the_new_binary(stage):
    relay = Relay(stage, [], delay_ms=500)
    lines = len(relay.process.stderr)
    os.kill(relay.process.pid, signal.SIGUSR2)

    def is_over():
        if relay.process.is_running():
            os.kill(relay.process.pid, signal.SIGHUP)
        return not relay.process.is_running() or any(
            "re-executed" in line for line in relay.process.stderr[lines:])
    eventually(is_over, "the new binary to go on", interval_s=0.001)
    if not relay.process.is_running():
        raise AssertionError(f"it ended with status {relay.process.status()}")
    relay.reload_and_wait()
    if relay.process.stop() != 0:
        raise AssertionError("it did not end well")


@case
def end_is_not_forgotten_over_a_new_binary(stage):
    relay = Relay(stage, [], delay_ms=500)
    switch = relay.wait_worker("switch")
    os.kill(switch, signal.SIGSTOP) # so that the end takes longer than the check of the binary
    os.kill(relay.process.pid, signal.SIGUSR2)
    os.kill(relay.process.pid, signal.SIGTERM)
    if relay.process.wait() != 0:
        raise AssertionError("it did not end well")


@case
def end_that_is_asked_for_while_the_new_binary_is_executed_is_not_forgotten(stage):
    if os.getuid() != 0:
        raise Skip("only root may see what the relay waits for")
    relay = Relay(stage, [], delay_ms=500)
    relay.process.block_stderr(50) # enough for one line, on the config; the next comes at the exec
    os.kill(relay.process.pid, signal.SIGUSR2)
    eventually(relay.process.waits_at_stderr, "the exec")
    os.kill(relay.process.pid, signal.SIGTERM)
    relay.process.unblock_stderr()
    if relay.process.wait() != 0:
        raise AssertionError("it did not end well")
    if "re-executing" not in relay.log():
        raise AssertionError("nothing was executed")


@case
def config_that_changes_during_the_takeover_is_taken_after_it(stage):
    show = Show(stage)
    relay = show.relay
    lines = len(relay.process.stderr)
    feeds = relay.show["feeds"]
    os.kill(relay.process.pid, signal.SIGUSR2)
    relay.process.wait_line(lambda line: "re-executing" in line, "the exec", since=lines,
                            lines=relay.process.stderr)
    relay.show["feeds"] = []
    relay.reload() # a file with an error: it does not matter which program reads it
    relay.process.wait_line(lambda line: "config not reloaded" in line, "the file to be refused",
                            since=lines, lines=relay.process.stderr)
    relay.show["feeds"] = [feeds[0], {"name": "third", "key": "e2e-third-3c41aa"}]
    os.kill(relay.process.pid, signal.SIGUSR2)
    relay.reload() # what is there in the end is not what was checked
    relay.wait_status(lambda s: [f["name"] for f in s["feeds"]] == ["primary", "third"],
                      "the last config to be taken")
    relay.wait_live("primary")
    expect(show.verdict(), "primary")


@case
def hanging_switch_is_replaced(stage):
    show = Show(stage, delay_ms=8000) # it costs five seconds until it is noticed
    switch = show.relay.wait_worker("switch")
    os.kill(switch, signal.SIGSTOP)
    show.relay.wait_worker("switch", other_than=[switch])
    show.relay.wait_live("primary")
    show.platform.wait_media(100000)
    if show.relay.destination("platform")["restarts"]:
        raise AssertionError("the connection did not last")


@case
def workers_have_no_power_of_their_own(stage):
    show = Show(stage)

    def are_confined():
        pids = children_of(show.relay.process.pid)
        return len(pids) >= 4 and all(map(is_confined, pids))
    eventually(are_confined, "all workers to be confined")


def is_confined(pid):
    """Or has ended. One that has just been started is not yet."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            lines = [line.partition(":\t") for line in file.read().splitlines()]
    except OSError:
        return True
    status = {key: value for key, _, value in lines}
    return status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


@case
def workers_end_with_the_supervisor(stage):
    show = Show(stage)
    workers = children_of(show.relay.process.pid)
    os.kill(show.relay.process.pid, signal.SIGKILL)
    show.relay.process.wait()

    def left():
        return [pid for pid in workers if os.path.exists(f"/proc/{pid}/exe")
                and os.access(f"/proc/{pid}", os.R_OK) and not is_zombie(pid)]
    eventually(lambda: not left(), "the workers to end")


def is_zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


if __name__ == "__main__":
    main()
