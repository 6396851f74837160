# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs things turn by turn on a stage each, and prints medians as Markdown."""

import contextlib
import statistics

from lib.stage import Skip, Stage


class Bench:
    """How often and how long; where it is built; every single run, for --json."""

    def __init__(self, build, scratch, seconds, repeat):
        self.build = build
        self.scratch = scratch # clips
        self.seconds = seconds
        self.repeat = repeat
        self.runs = []
        self.bars = [] # (what it is about, measured, the most it may be)
        self.left_out = {} # who, and why

    @contextlib.contextmanager
    def stage(self):
        stage = Stage(self.build, "bench", self.scratch)
        try:
            yield stage
        finally:
            stage.close()
            stage.discard()

    def turns(self, measure, subjects):
        """Each subject (name to function of a stage) in its turn, all of it `repeat` times, so
        that what else the machine does meets all alike. The medians; who lacks its program here
        is left out."""
        found = {name: [] for name in subjects}
        for _ in range(self.repeat):
            for name, run in subjects.items():
                try:
                    with self.stage() as stage:
                        found[name].append(run(stage))
                except Skip as skip:
                    self.left_out[name] = skip
                    continue
                self.runs.append({"measure": measure, "subject": name, **found[name][-1]})
        return {name: medians(runs) for name, runs in found.items() if runs}

    def hold(self, what, measured, most):
        self.bars.append((what, measured, most))

    def conclude(self):
        if self.left_out:
            head("### Left out", "who", "why")
        for who, why in self.left_out.items():
            row(who, why)
        if self.bars:
            head("### Bars", "what", "measured", "at most", "")
        for what, measured, most in self.bars:
            row(what, float(measured), float(most), "holds" if measured <= most else "MISSED")


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def head(title, *columns):
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)


def row(*cells):
    print(f"| {' | '.join(f'{c:.2f}' if isinstance(c, float) else str(c) for c in cells)} |",
          flush=True)
