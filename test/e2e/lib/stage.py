# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs test cases and reports them as TAP.

    from lib.stage import case, main

    @case
    def backup_takes_over(stage):
        relay = stage.relay(...)

Each case gets a Stage of its own: a temporary directory and whatever it started, all of it
gone afterwards. A case that fails shows what its processes said, and why it failed before and
behind that: `why: ...` is the last line before its verdict.

Nearly every case holds the relay to promises in real time, which nobody can keep while the machine
stands still for longer than they allow. What fails while it did (lib/pulse.py) is no verdict: the
case is tried again, a few times.
"""

import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

from lib.process import Process, kill_stragglers
from lib.pulse import Pulse

WHY_MAX = 600 # of a line: the stack trace has all of it
CRASH = re.compile(r"killed by signal (4|6|7|8|11|31)\b") # SIGILL to SIGSEGV, a forbidden call
STOOD_STILL_S = 0.25 # a fault is noticed after 0.5 s, and some delays leave no more to spare
TRIES = 4

_cases = []


class Skip(Exception):
    """A case that cannot run here; its text says why."""


def case(function):
    _cases.append(function)
    return function


def need(*programs):
    """Skips the case unless all of these are on the machine."""
    missing = [p for p in programs if not shutil.which(p, path=tool_path())]
    if missing:
        raise Skip(f"not on this machine: {', '.join(missing)}")


def tool_path():
    return "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")


class Stage:
    def __init__(self, build, name, shared):
        self.build = build
        self.name = name
        self.shared = shared # kept between runs: encoded clips
        self.directory = tempfile.mkdtemp(prefix=f"understudy-{name[:24]}-")
        os.chmod(self.directory, 0o755)
        self.processes = []
        self.notes = []
        self._closers = contextlib.ExitStack()

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def program(self, name):
        """A program of ours in the build directory."""
        path = os.path.join(self.build, "src", name)
        if not os.path.exists(path):
            raise AssertionError(f"{path} has not been built")
        return path

    def start(self, name, command, **more):
        process = Process(name, command, **more)
        self.processes.append(process)
        return process

    def on_close(self, function, *arguments):
        self._closers.callback(function, *arguments)

    def note(self, text):
        """Something measured: shown whether the case fails or not."""
        self.notes.append(text)

    def close(self):
        self._closers.close()
        for process in reversed(self.processes):
            process.kill()
        kill_stragglers()
        for process in self.processes:
            process.drain()

    def crash_lines(self):
        """What a sanitizer said in any process, and obituaries of workers that nobody killed: a
        fault even if nobody saw an effect."""
        return [line for process in self.processes for line in process.stderr
                if "Sanitizer" in line or "runtime error:" in line or CRASH.search(line)]

    def discard(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def dump(self):
        for process in self.processes:
            yield from process.dump()
        for root, _, names in os.walk(self.directory):
            for name in names:
                if not name.endswith(".log"):
                    continue
                path = os.path.join(root, name)
                yield f"{path}:"
                with open(path, errors="replace", encoding="utf-8") as log:
                    yield from ("  " + line.rstrip("\n")[:400] for line in log.readlines()[-60:])


def try_case(function, build, shared, keep):
    """(what TAP says after the number, diagnostics, why that is no verdict: else nothing)"""
    name = function.__name__
    stage = Stage(build, name, shared)
    diagnostics = []
    why = []
    excuse = ""
    started = time.monotonic()
    pulse = Pulse()
    try:
        function(stage)
        outcome = f"ok {{}} - {name}"
    except Skip as skip:
        outcome = f"ok {{}} - {name} # SKIP {skip}"
    except (Exception, KeyboardInterrupt) as fault: # pylint: disable=broad-except
        outcome = f"not ok {{}} - {name}"
        diagnostics = traceback.format_exc().splitlines()
        why = "".join(traceback.format_exception_only(fault)).splitlines()
        if isinstance(fault, Exception) and pulse.stood_still_s() >= STOOD_STILL_S:
            excuse = (f"tried again: {name}: the machine stood still for "
                      f"{pulse.stood_still_s():.2f} s, and {' '.join(why)[:WHY_MAX]}")
    except SystemExit: # out of time: still say how far it came
        for line in (*stage.dump(), *traceback.format_exc().splitlines()):
            print("#", line)
        raise
    finally:
        pulse.end()
        stage.close()
        if stage.crash_lines():
            outcome = f"not ok {{}} - {name}"
            diagnostics += stage.crash_lines()
            why += stage.crash_lines()
            excuse = ""
        if diagnostics:
            diagnostics += stage.dump()
        if keep:
            diagnostics.append(f"kept: {stage.directory}")
        else:
            stage.discard()
    took = f"{name} took {time.monotonic() - started:.1f} s"
    said = [*stage.notes, *diagnostics, took, *(f"why: {line[:WHY_MAX]}" for line in why)]
    return outcome, said, excuse


def run_case(function, build, shared, keep):
    """(what TAP says after the number, diagnostics)"""
    said_before = []
    tries_left = TRIES
    while True:
        outcome, said, excuse = try_case(function, build, shared, keep)
        tries_left -= 1
        if not excuse or tries_left == 0:
            return outcome, [*said_before, *said]
        said_before += [*said, excuse]


def main():
    parser = argparse.ArgumentParser(description="End-to-end tests of understudy; prints TAP.")
    parser.add_argument("build", help="build directory")
    parser.add_argument("cases", nargs="*", help="names of cases; all if none is given")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directories")
    arguments = parser.parse_args()
    os.environ["PATH"] = tool_path()
    # Out of time: the case ends as by an exception, so that all it started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))

    chosen = [c for c in _cases if not arguments.cases or c.__name__ in arguments.cases]
    build = os.path.abspath(arguments.build)
    shared = os.path.join(build, "test", "e2e", "clips")
    os.makedirs(shared, exist_ok=True)
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        outcome, diagnostics = run_case(function, build, shared, arguments.keep)
        for line in diagnostics:
            print("#", line)
        print(outcome.format(number), flush=True)
        failed += outcome.startswith("not ok")
    sys.exit(1 if failed or not chosen else 0)
