#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a libFuzzer program look for something new for a while, starting from its corpus.

    explore.py PROGRAM CORPUS [SECONDS]

One TAP case. What it finds goes to a temporary directory, never into the corpus: an input
that breaks the target is printed (hexadecimal, if it is small) and kept, with its path.
"""

import os
import subprocess
import sys
import tempfile

SHOWN_BYTES = 4096
FIND_PREFIX = "crash- leak- oom- timeout-".split()


def main():
    program, corpus = sys.argv[1:3]
    seconds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    name = f"{os.path.basename(program)} finds nothing in {seconds} s"
    finds = tempfile.mkdtemp(prefix="understudy-fuzz-")
    found_corpus = os.path.join(finds, "corpus")
    os.mkdir(found_corpus)
    corpora = [found_corpus] + ([corpus] if os.path.isdir(corpus) else [])
    command = [program, f"-max_total_time={seconds}", "-timeout=30", "-rss_limit_mb=1024",
               "-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={finds}/", *corpora]
    print("1..1", flush=True)
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    for line in run.stdout.decode(errors="replace").splitlines()[-200:]:
        print("#", line)
    print(("ok" if run.returncode == 0 else "not ok") + f" 1 - {name}")
    for entry in sorted(os.listdir(finds)):
        if not entry.startswith(tuple(FIND_PREFIX)):
            continue
        path = os.path.join(finds, entry)
        print(f"# kept: {path}")
        if os.path.getsize(path) <= SHOWN_BYTES:
            with open(path, "rb") as find:
                print(f"# {find.read().hex()}")
    if run.returncode == 0:
        subprocess.run(["rm", "-rf", "--", finds], check=False)
    return 0 if run.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
