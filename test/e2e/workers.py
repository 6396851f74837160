#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any worker may be killed at any time: what that may cost, and that it heals by itself."""

import os
import signal
import time

from lib import flv
from lib.process import children_of, eventually
from lib.relay import recording
from lib.show import Show, expect
from lib.stage import case, main


@case
def killed_ingest_costs_its_connection_and_nothing_else(stage):
    show = Show(stage)
    first = show.relay.workers("ingest-rtmp")[0] # the primary's: it came first
    os.kill(first, signal.SIGKILL)
    show.fail_over()
    eventually(lambda: not show.primary.is_running(), "the encoder to notice")
    show.start("primary")
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")


@case
def killed_switch_costs_nothing(stage):
    show = Show(stage)
    old = show.relay.kill_worker("switch")
    show.relay.wait_worker("switch", other_than=[old])
    show.relay.wait_live("primary")
    show.platform.wait_media(100000) # more than the delay held when it died
    expect(show.verdict(), "primary")


@case
def failover_works_after_the_switch_was_killed(stage):
    show = Show(stage)
    old = show.relay.kill_worker("switch")
    show.relay.wait_worker("switch", other_than=[old])
    show.relay.wait_live("primary")
    show.relay.wait_feed("backup", "standby")
    show.platform.wait_media()
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def killed_relay_dials_again(stage):
    show = Show(stage)
    old = show.relay.kill_worker("relay-rtmp")
    show.relay.wait_worker("relay-rtmp", other_than=[old])
    eventually(lambda: show.platform.publishes() > 1, "a second publish")
    show.relay.wait_destination("platform", "live")
    show.platform.wait_media()
    show.relay.process.stop()
    show.platform.stop()
    paths = show.platform.recordings()
    if len(paths) != 2:
        raise AssertionError(f"recordings: {paths}")
    for path in paths:
        verdict = flv.Verdict(flv.read(path), show.clips)
        verdict.assert_unbroken()
        expect(verdict, "primary")
        flv.assert_decodes(path)


@case
def killed_recorder_starts_a_file_that_is_whole(stage):
    record = stage.path("show-%H%M%S.flv")
    show = Show(stage, destinations=[recording("record", record)])

    def files():
        return sorted(n for n in os.listdir(stage.directory) if n.startswith("show-"))
    eventually(files, "a recording")
    old = show.relay.kill_worker("relay-flv")
    show.relay.wait_worker("relay-flv", other_than=[old])
    show.relay.wait_destination("record", "live")
    sizes = sum(os.path.getsize(stage.path(n)) for n in files())
    eventually(lambda: sum(os.path.getsize(stage.path(n)) for n in files()) > sizes + 100000,
               "the recording to go on")
    expect(show.verdict(), "primary")
    for name in files():
        verdict = flv.Verdict(flv.read(stage.path(name)), show.clips)
        verdict.assert_unbroken()



@case
def a_supervisor_that_was_held_up_blames_no_worker(stage):
    show = Show(stage, watchdog_s=2)
    before = {role: show.relay.workers(role) for role in ("relay-rtmp", "switch", "ingest-rtmp")}
    os.kill(show.relay.process.pid, signal.SIGSTOP)
    time.sleep(2.7) # longer than any of them may be silent
    os.kill(show.relay.process.pid, signal.SIGCONT)
    show.platform.wait_media()
    show.relay.process.freeze() # with all of its workers
    time.sleep(1.7) # and what they may be silent is over right behind that
    show.relay.process.thaw()
    show.platform.wait_media()
    time.sleep(2.2) # another such time: nobody is late to tell of it
    after = {role: show.relay.workers(role) for role in before}
    if after != before:
        raise AssertionError(f"workers were ended: {before}, {after}")
    show.verdict()


@case
def hung_workers_are_replaced(stage):
    record = stage.path("show-%H%M%S.flv")
    show = Show(stage, destinations=[recording("record", record)], watchdog_s=3)
    show.relay.wait_destination("record", "live")
    roles = ("relay-rtmp", "relay-flv", "switch")
    hung = {role: show.relay.workers(role) for role in roles}
    # the backup's: it came last
    hung["ingest-rtmp"] = show.relay.workers("ingest-rtmp")[-1:]
    for pids in hung.values():
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
    for role, pids in hung.items():
        eventually(lambda pids=pids: not set(pids) & set(children_of(show.relay.process.pid)),
                   f"the hung {role} to be ended")
        if role != "ingest-rtmp":
            show.relay.wait_worker(role, other_than=pids)
    eventually(lambda: not show.backup.is_running(), "the encoder to notice")
    for name in ("platform", "record"):
        show.relay.wait_destination(name, "live")
    show.platform.wait_media()
    show.relay.wait_log("it has told nothing for 3 s")


if __name__ == "__main__":
    main()
