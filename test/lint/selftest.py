#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of the lint can fail: small trees, each with one thing wrong."""

import os
import shutil
import subprocess
import sys
import tempfile

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint.py")
HEAD = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"

LAYOUT = os.path.join(os.path.dirname(LINT), "..", "..", ".clang-format")

GOOD = {
    "meson.build": "# SPDX-License-Identifier: GPL-3.0-or-later\n",
    "COPYING": "", "README.md": "", "config/x.yaml": HEAD.replace("/*", "#").replace(" */", ""),
    "test/x.c": HEAD, "docs/x.md": "", "tools/x": "no script\n",
    "include/understudy/bytes.h": HEAD + "#include <stddef.h>\nsize_t bytes_count(void);\n",
    "include/understudy/log.h": HEAD + "void log_line(void);\n",
    "include/understudy/amf.h": HEAD + "#include <understudy/bytes.h>\n",
    "src/rtmp/amf.c": HEAD + '#include "amf_local.h"\n#include <string.h>\n',
    "src/rtmp/amf_local.h": HEAD + "#include <understudy/amf.h>\n",
    "src/switch/main.c": HEAD + "#include <understudy/log.h>\n#include <time.h>\n",
}

# name: (check, file, its text, what the lint must say)
MUTATIONS = {
    "a pure room that logs": (
        "rooms", "src/rtmp/a.c", HEAD + "#include <understudy/log.h>\n", "is pure"),
    "a pure room with a clock": ("rooms", "src/media/a.c", HEAD + "#include <time.h>\n", "is pure"),
    "a lower room that uses a higher one": (
        "rooms", "src/base/a.c", HEAD + "#include <understudy/amf.h>\n", "base may not use rtmp"),
    "a program that reaches into another": (
        "rooms", "src/switch/a.c", HEAD + '#include "../rtmp/amf_local.h"\n', "rooms share by"),
    "a contract without a room": (
        "rooms", "include/understudy/new.h", HEAD, "belongs to no room"),
    "a folder without a row": ("rooms", "src/new/a.c", HEAD, "belongs to no room"),
    "a contract that leans on its includer": (
        "headers", "include/understudy/log.h", HEAD + "size_t log_count(void);\n", "size_t"),
    "a contract without a guard": (
        "headers", "include/understudy/log.h", HEAD + "enum log { LOG_A };\n", "LOG_A"),
    "a pure function that asks for the time": (
        "symbols", "a.c", "long time(long *); long f(void); long f(void) { return time(0); }\n",
        "time: the pure rooms may not"),
    "a source without a licence": ("text", "src/rtmp/a.c", "int a;\n", "licence line"),
    "a script without a licence": ("text", "tools/y", "#!/bin/sh\nexit 0\n", "licence line"),
    "a wide line": ("text", "src/rtmp/a.c", HEAD + "\t/*" + "x" * 95 + "*/\n", "columns"),
    "an indent of spaces": ("text", "src/rtmp/a.c", HEAD + "    int a;\n", "by spaces"),
    "white space at an end": ("text", "src/rtmp/a.c", HEAD + "int a; \n", "white space"),
    "no newline at the end": ("text", "src/rtmp/a.c", HEAD + "int a;", "one newline"),
    "a very long file": ("text", "src/rtmp/a.c", HEAD + "int a;\n" * 600, "split it"),
    "unfinished work": ("words", "src/rtmp/a.c", HEAD + "/* TO" "DO */\n", "unfinished"),
    "a path of one machine": ("words", "docs/y.md", "see /wo" "rk/notes\n", "path of one machine"),
    "another layout": ("format", "src/rtmp/a.c", HEAD + "int a( void );\n", "violations"),
    "something at the top": ("tree", "notes.txt", "", "does not belong"),
}


def write(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def lint(root, check):
    command = [sys.executable, LINT, root, check]
    if check == "symbols":
        source, built, archive = (os.path.join(root, n) for n in ("a.c", "a.o", "liba.a"))
        subprocess.run(["cc", "-c", "-o", built, source], check=True)
        subprocess.run(["ar", "rcs", archive, built], check=True, stderr=subprocess.DEVNULL)
        command += ["--archive", archive]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         check=False)
    return run.returncode, run.stdout


def trial(files, check, expected):
    """Diagnostics; empty if the lint said what it should (None: that all is well)."""
    with tempfile.TemporaryDirectory(prefix="understudy-lint-") as root:
        write(root, files)
        shutil.copy(LAYOUT, root)
        status, output = lint(root, check)
    if "# SKIP" in output:
        is_right = status == 0
    elif expected is None:
        is_right = status == 0
    else:
        is_right = status == 1 and expected in output
    return [] if is_right else [f"exit status {status}", *output.splitlines()]


def main():
    trials = [(f"{check}: accepts a good tree", GOOD, check, None)
              for check in ("rooms", "headers", "text", "words", "tree", "format")]
    pure = {"a.c": "int f(int); int f(int a) { return a + 1; }\n"}
    trials.append(("symbols: accepts a good tree", pure, "symbols", None))
    for name, (check, file, text, expected) in MUTATIONS.items():
        trials.append((f"{check}: notices {name}", {**GOOD, file: text}, check, expected))

    failed = 0
    print(f"1..{len(trials)}")
    for number, (name, files, check, expected) in enumerate(trials, 1):
        diagnostics = trial(files, check, expected)
        print(f"{'not ok' if diagnostics else 'ok'} {number} - {name}")
        for line in diagnostics:
            print("#", line)
        failed += bool(diagnostics)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
