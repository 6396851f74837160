# SPDX-License-Identifier: GPL-3.0-or-later
"""A show in ceaseless trouble: does the relay's memory stay what it was?"""

import os
import signal
import statistics
import time

from lib.platforms import Nginx
from lib.relay import Relay, destination

from benchmark.gauges import kernel_kib, pss_kib, tree
from benchmark.relays import Job, publish
from benchmark.table import head, row

BETWEEN_S = 6   # a bad day has an event a minute
FREEZE_S = 1.5


class Show:
    """Two feeds, two platforms, and what can happen to them."""

    def __init__(self, stage):
        self.stage = stage
        self.platform, self.other = Nginx(stage, "platform"), Nginx(stage, "other")
        self.relay = Relay(stage, [self.place("d0", self.platform), self.place("d1", self.other)],
                           delay_ms=3000)
        self.encoders = {}
        for name in ("primary", "backup"):
            self.encoder_begins(name)
        self.relay.wait_status(
            lambda s: all(d["state"] == "live" for d in s["destinations"]), "the show to begin")

    def encoder_begins(self, name):
        self.encoders[name] = publish(self.stage, Job(), self.relay.url(name))

    def encoder_dies(self, name):
        self.stage.processes.remove(self.encoders[name])
        self.encoders[name].kill()

    def encoder_hangs(self, name):
        self.encoders[name].freeze()
        time.sleep(FREEZE_S)
        self.encoders[name].thaw()

    def platform_restarts(self):
        self.stage.processes.remove(self.other.process)
        self.other.stop()
        self.other.start()

    def destination_comes(self):
        self.relay.show["destinations"].append(self.place("d2", self.platform))
        self.relay.reload_and_wait()

    def destination_goes(self):
        self.relay.show["destinations"].pop()
        self.relay.reload_and_wait()

    def forget(self):
        """What would grow on our side: lines of output."""
        for process in self.stage.processes:
            del process.stderr[:-100]

    @staticmethod
    def place(name, platform):
        return destination(name, f"rtmp://127.0.0.1:{platform.port}/source", f"key-of-{name}")

    def events(self):
        return (
            lambda: self.encoder_dies("primary"),
            lambda: self.encoder_begins("primary"),
            lambda: self.encoder_hangs("primary"),
            self.platform_restarts,
            lambda: self.encoder_dies("backup"),
            lambda: self.encoder_begins("backup"),
            self.destination_comes,
            self.destination_goes,
            lambda: self.relay.kill_worker("relay-rtmp"),
            lambda: self.relay.command("take", "main", "backup"),
            lambda: self.relay.command("auto", "main"),
        )


def _descriptors(pids):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def soak(bench, minutes):
    """A row after each round of all events; status 1 if the show does not recover from a round."""
    head("### Soak: an event every 6 s", "minute", "events", "PSS MiB", "kernel MiB", "processes",
         "descriptors")
    held = []
    began = time.monotonic()
    with bench.stage() as stage:
        show, events = Show(stage), 0
        while not held or time.monotonic() - began < minutes * 60:
            for happens in show.events():
                happens()
                events += 1
                time.sleep(BETWEEN_S)
            show.relay.wait_status(lambda s: s["on_air"] and all(
                d["state"] == "live" for d in s["destinations"]), "the show to recover", 60)
            pids = tree([show.relay.process.pid])
            held.append({"minute": (time.monotonic() - began) / 60, "pss_kib": pss_kib(pids),
                         "kernel_kib": kernel_kib(pids), "processes": len(pids),
                         "descriptors": _descriptors(pids)})
            run = held[-1]
            row(f"{run['minute']:.0f}", events, f"{run['pss_kib'] / 1024:.1f}",
                f"{run['kernel_kib'] / 1024:.1f}", run["processes"], run["descriptors"])
            show.forget()
        if show.relay.process.stop(signal.SIGTERM) != 0:
            raise AssertionError("the relay failed")
    bench.runs += [{"measure": "soak", **run} for run in held]
    if len(held) >= 4: # the first round warms up
        quarter = max(1, len(held) // 4)
        early, late = (statistics.median(run["pss_kib"] for run in part)
                       for part in (held[1:1 + quarter], held[-quarter:]))
        print(f"\nFrom the first quarter to the last: {late - early:+.0f} KiB PSS.", flush=True)
