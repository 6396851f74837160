#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor and its children: a new binary, no powers, and an end without leftovers."""

import os
import signal

from lib.process import children_of, eventually
from lib.show import Show, expect
from lib.stage import case, main


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
def workers_have_no_power_of_their_own(stage):
    show = Show(stage)
    pids = children_of(show.relay.process.pid)
    if len(pids) < 4:
        raise AssertionError(f"{len(pids)} workers")
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            lines = [line.partition(":\t") for line in file.read().splitlines()]
        status = {key: value for key, _, value in lines}
        if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
            raise AssertionError(f"{status['Name']}: NoNewPrivs {status['NoNewPrivs']}, "
                                 f"Seccomp {status['Seccomp']}")


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


@case
def shutdown_takes_less_than_two_seconds(stage):
    show = Show(stage)
    status = show.relay.process.stop(timeout_s=2)
    if status != 0:
        raise AssertionError(f"exit status {status}")



if __name__ == "__main__":
    main()
