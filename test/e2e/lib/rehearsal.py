# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsals: the whole of one by the command, and single faults ordered over the relay's socket,
undone when that is closed, or when the test dies."""

import collections
import json
import socket

from lib.process import PATIENCE_S


def findings(step, *judgements):
    return [f["text"] for f in step["findings"] if f["judgement"] in judgements]


def drill(relay, *arguments, status=0, timeout_s=120):
    """The report of `understudy drill`, or {"error": what it said}. It has to end with this status,
    if one is given: a report that does not pass is a status of 1."""
    run = relay.run("drill", "main", "--json", *arguments, timeout_s=timeout_s)
    report = json.loads(run.stdout) if run.stdout else {"error": run.stderr, "steps": []}
    for step in report["steps"]:
        for judgement in ("bad", "note", "good"):
            for text in findings(step, judgement):
                relay.stage.note(f"{step['scenario']}: {judgement}: {text}")
        if not step["passed"]:
            relay.stage.note(json.dumps(step))
    if run.returncode != status and (status is not None or not report["steps"]):
        bad = [f"{s['scenario']}: {text}" for s in report["steps"] for text in findings(s, "bad")]
        raise AssertionError(f"drill {' '.join(arguments)}: status {run.returncode}, not {status}:"
                             f" {'; '.join(bad) or 'nothing bad'} {run.stderr}")
    return report


class Rehearsal:
    def __init__(self, relay, show="main"):
        self.show = show
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(relay.socket)
        self.counts = {track: collections.Counter() for track in ("video", "audio")}
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def ask(self, **request):
        self.socket.sendall((json.dumps({"show": self.show, **request}) + "\n").encode())
        return self.next("ok")

    def next(self, key):
        """The next line with this key; of the others, what the witness counted is added up."""
        while True:
            line = json.loads(self.lines.readline())
            for track in ("video", "audio"):
                for what in ("packets", "missing", "doubled"):
                    self.counts[track][what] += line.get("summary", {}).get(track, {}).get(what, 0)
            if key in line:
                return line

    def fault(self, kind, target, seconds=60, live=True):
        """Orders it; a refusal is a failure of the test."""
        answer = self.ask(command="fault", kind=kind, target=target, seconds=seconds, live=live)
        if not answer["ok"]:
            raise AssertionError(f"{kind} {target}: {answer['error']}")

    def watch(self):
        """From here on the witness counts."""
        if not self.ask(command="witness")["ok"]:
            raise AssertionError("no witness")

    def count(self):
        """What the witness has counted so far."""
        if not self.ask(command="witness_mark", mark=1)["ok"]:
            raise AssertionError("the witness is gone")
        while self.next("summary")["summary"]["mark"] != 1:
            pass
        return self.counts

    def close(self):
        self.lines.close()
        self.socket.close()
