#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts test cases in the logs of `meson test` and shows what the failing ones printed.

    tools/results.py [--broken STEP]... TESTLOG.json...

A program that speaks TAP counts by its cases, any other as one. A program that failed
without a failing case (it crashed, ran out of time, or did not run all it had planned)
is one failure more, and so is each broken step, and a run without any test.
What was tried again, since the machine stood still, is said.
Ends with what failed and why, in a line each, and `N passed, N failed, N skipped`; exit
status 1 if anything failed.
"""

import argparse
import json
import re
import sys

TAP_CASE = re.compile(r"^(not )?ok\b\s*(?:\d+)?\s*(?:-\s*)?(.*?)(?:\s+#\s*(skip)\b\s*(.*))?$", re.I)
SHOWN_BYTES = 12000


def cases(record):
    """(outcome, name, reason) of every case of one test program."""
    found = []
    for line in record.get("stdout", "").splitlines():
        match = TAP_CASE.match(line)
        if not match:
            continue
        is_not, name, is_skipped, reason = match.groups()
        if is_skipped:
            found.append(("skipped", name, reason or "no reason given"))
        else:
            found.append(("failed" if is_not else "passed", name, ""))
    result = record.get("result", "ERROR")
    if not found:
        outcome = {"OK": "passed", "SKIP": "skipped"}.get(result, "failed")
        return [(outcome, "the program itself", result.lower())]
    if result not in ("OK", "SKIP") and not any(case[0] == "failed" for case in found):
        found.append(("failed", f"the program itself: {result.lower()}", ""))
    return found


def reasons(record):
    """What the program itself gives as the reason of a failure, before the case's verdict."""
    return re.findall(r"^# (why: .*)$", record.get("stdout", ""), re.M)


def excerpt(text):
    """The two ends of what a test printed; a TAP list of what went well says nothing."""
    lines = [line for line in text.splitlines() if not re.match(r"ok\b", line)]
    text = "\n".join(lines)
    if len(text) <= SHOWN_BYTES:
        return text
    half = SHOWN_BYTES // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} bytes left out ...\n{text[-half:]}"


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--broken", action="append", default=[])
    parser.add_argument("logs", nargs="*")
    arguments = parser.parse_args()

    count = {"passed": 0, "failed": 0, "skipped": 0}
    summary = []
    for path in arguments.logs:
        with open(path, encoding="utf-8", errors="replace") as log:
            records = [json.loads(line) for line in log if line.strip()]
        for record in records:
            outcomes = cases(record)
            for outcome, name, reason in outcomes:
                count[outcome] += 1
                if outcome == "skipped":
                    print(f"skipped: {record['name']}: {name}: {reason}")
            for line in re.findall(r"^# (tried again: .*)$", record.get("stdout", ""), re.M):
                print(f"{record['name']}: {line}")
            failed = [name for outcome, name, _ in outcomes if outcome == "failed"]
            if failed:
                summary.append(f"---- FAILED: {record['name']} ({path}): {', '.join(failed)}")
                print(summary[-1])
                summary += reasons(record)
                print(excerpt(record.get("stdout", "")))
                print(excerpt(record.get("stderr") or ""))
    for broken in arguments.broken:
        summary.append(f"---- FAILED: {broken}")
        count["failed"] += 1
    if not sum(count.values()):
        summary.append("---- FAILED: no test ran")
        count["failed"] = 1
    print("\n".join(summary), end="\n" if summary else "")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count), flush=True)
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
