#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the tree to the rules that a compiler does not know.

    lint.py TREE rooms                              every #include against the table of rooms
    lint.py TREE headers --compiler CC...           every contract compiles on its own
    lint.py TREE symbols --archive FILE             what the pure rooms may call
    lint.py TREE text                               licence line, columns, tabs, sizes
    lint.py TREE words                              nothing unfinished, no machine's own paths
    lint.py TREE tree                               what may lie at the top
    lint.py TREE format                             C is laid out by .clang-format

TAP: one case a rule, findings as diagnostics `file:line: what is wrong`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

# ---- the table of rooms -------------------------------------------------------------------

ROOMS = {
    # room: rooms whose contracts it may include besides its own
    "base": set(),
    "media": {"base"},
    "rtmp": {"base", "media"},
    "timeline": {"base", "media"},
    "policy": {"base"},
    "judge": {"base", "media"},
    "ledger": {"base"},
    "ring": {"base", "media"},
    "ipc": {"base"},
    "worker": {"base", "ipc"},
    "config": {"base"},
    "net": {"base", "rtmp"},
    "dial": {"base", "ipc", "net", "worker"},
    "intake": {"base", "media", "rtmp", "ring", "ipc"},
    "av": {"base", "media", "ring"},
    "carrier": {"base", "media", "policy", "ring", "ipc", "worker"},
}
PROGRAMS = {"supervisor", "cli", "ingest-rtmp", "ingest-rtmp-pull", "ingest-srt", "ingest-av",
            "switch", "relay-rtmp", "relay-flv", "relay-av", "relay-srt", "resolve", "probe",
            "witness", "history", "slate", "practice"}
PURE = {"media", "rtmp", "timeline", "policy", "judge", "ledger"}

# include/understudy/NAME.h: the room whose contract it is
CONTRACTS = {
    "bytes": "base", "buffer": "base", "text": "base", "clock": "base", "log": "base",
    "fault": "base",
    "packet": "media", "flv": "media", "codec": "media", "elementary": "media", "ts": "media",
    "format": "media",
    "carousel": "media", "silence": "media",
    "rtmp": "rtmp", "amf": "rtmp", "guard": "rtmp",
    "ring": "ring", "follow": "ring", "feed": "ring",
    "timeline": "timeline", "policy": "policy", "ipc": "ipc", "worker": "worker",
    "loop": "worker",
    "config": "config", "net": "net", "tunnel": "net", "dial": "dial", "redirect": "dial",
    "intake": "intake", "orders": "intake",
    "tslink": "ipc", "input": "av", "clip": "av", "mux": "av", "reel": "av", "carrier": "carrier",
    "supervisor": "supervisor", "witness": "judge", "ledger": "ledger", "history": "ledger",
}

# (includer, contract or file): messages carry the timeline's status as it is; the command
# and the supervisor are one program with two entrances; a config names the timeline's modes
# and thresholds.
ALLOWED = {
    ("src/config/*", "understudy/timeline.h"),
    ("include/understudy/config.h", "understudy/timeline.h"),
    ("include/understudy/ipc.h", "understudy/timeline.h"),
    ("include/understudy/ipc.h", "understudy/witness.h"),
    ("include/understudy/ipc.h", "understudy/history.h"),
    ("src/cli/*", "understudy/supervisor.h"),
}

# A pure room computes: nothing that reads a clock, a file, a socket or the environment.
PURE_SYSTEM_HEADERS = {
    "assert.h", "endian.h", "errno.h", "inttypes.h", "limits.h", "math.h", "stdalign.h",
    "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h",
    "sys/types.h", "xxhash.h",
}
PURE_CONTRACTS_DENIED = {"log"}

# ---- what the pure archive may call -------------------------------------------------------

PURE_SYMBOLS = set("""
    memcpy memmove memset memcmp memchr memrchr memmem
    strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn strcasecmp strncasecmp
    malloc calloc realloc free reallocarray
    snprintf vsnprintf
    lrint llrint lround llround
    __assert_fail __stack_chk_fail
    __memcpy_chk __memmove_chk __memset_chk __snprintf_chk __vsnprintf_chk
    __stpcpy_chk __strcpy_chk __strncpy_chk __strcat_chk
    _GLOBAL_OFFSET_TABLE_
""".split())
PURE_SYMBOL_PREFIXES = ("XXH3_", "XXH64", "__asan_", "__ubsan_", "__sanitizer_", "__sancov_",
                        "__start___sancov_", "__stop___sancov_")

# ---- text ---------------------------------------------------------------------------------

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
COLUMNS = 100
FILE_LINES = 600
FUNCTION_LINES = 60
SOURCE_NAMES = (".c", ".h", ".py", ".sh", ".yaml", ".scd", "meson.build")
# Data that is not ours to lay out: bytes of peers, golden results.
DATA = re.compile(r"(^|/)(corpus|fixtures|data|golden)(/|$)")

# Spelt so that this file does not hold them itself.
WORDS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b"), "unfinished work is not kept as a remark"),
    (re.compile(r"(?<![\w.$}@])/(wo" r"rk|ro" r"ot|fa" r"rm)\b"), "a path of one machine"),
]

TOP = {"meson.build", "src", "include", "config", "test", "tools", "docs", "README.md", "COPYING"}


class Tree:
    """The files under one root, by path relative to it."""

    def __init__(self, root):
        self.root = root

    def path(self, name):
        return os.path.join(self.root, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def lines(self, name):
        return self.read(name).decode("utf-8", "replace").split("\n")

    def files(self):
        for folder, folders, names in os.walk(self.root):
            is_top = folder == self.root
            folders[:] = sorted(
                f for f in folders
                if f != "__pycache__" and not (is_top and (f == ".git" or f.startswith("build"))))
            for name in sorted(names):
                full = os.path.join(folder, name)
                if not os.path.islink(full) and not name.endswith((".pyc", ".swp", "~")):
                    yield os.path.relpath(full, self.root)

    def sources(self):
        """Text we wrote: by name, or a script."""
        for name in self.files():
            if DATA.search(name):
                continue
            if name.endswith(SOURCE_NAMES):
                yield name
            elif "." not in os.path.basename(name) and self.read(name)[:2] == b"#!":
                yield name

    def texts(self):
        for name in self.files():
            if not DATA.search(name) and name != "COPYING" and b"\0" not in self.read(name):
                yield name


# ---- rooms --------------------------------------------------------------------------------

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(tree, name):
    for number, line in enumerate(tree.lines(name), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def is_allowed(name, target):
    return (name, target) in ALLOWED or (os.path.dirname(name) + "/*", target) in ALLOWED


def room_of(name):
    parts = name.split("/")
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ["include", "understudy"]:
        return CONTRACTS.get(parts[2][:-2])
    return None


def judge_contract(name, room, contract):
    """Why the room may not include the contract, or None."""
    owner = CONTRACTS.get(contract)
    if owner is None:
        return f"no room owns understudy/{contract}.h: add it to the lint's table"
    if room in PURE and contract in PURE_CONTRACTS_DENIED:
        return f"{room} is pure: it may not use understudy/{contract}.h"
    if owner == room or is_allowed(name, f"understudy/{contract}.h"):
        return None
    if owner in ROOMS and (room in PROGRAMS or owner in ROOMS[room]):
        return None
    return f"{room} may not use {owner} (understudy/{contract}.h)"


def judge_local(name, room, target):
    own = os.path.normpath(os.path.join(os.path.dirname(name), target))
    if os.path.dirname(own) == os.path.dirname(name) or is_allowed(name, own):
        return None
    return f"{room} may not use {own}: rooms share by include/understudy/ only"


def judge_include(name, room, is_local, target):
    if is_local:
        return judge_local(name, room, target)
    if target.startswith("understudy/"):
        return judge_contract(name, room, target[len("understudy/"):-len(".h")])
    if room in PURE and target not in PURE_SYSTEM_HEADERS:
        return f"{room} is pure: it may not use <{target}>"
    return None


def check_rooms(tree, _):
    findings = []
    for name in tree.files():
        if not name.startswith(("src/", "include/")) or not name.endswith((".c", ".h")):
            continue
        room = room_of(name)
        if room not in ROOMS and room not in PROGRAMS:
            findings.append(f"{name}:1: belongs to no room of the lint's table")
            continue
        for number, is_local, target in includes(tree, name):
            why = judge_include(name, room, is_local, target)
            if why:
                findings.append(f"{name}:{number}: {why}")
    yield "every include keeps to the table of rooms", findings


# ---- headers and symbols ------------------------------------------------------------------

def check_headers(tree, arguments):
    names = [n for n in tree.files() if n.startswith("include/") and n.endswith(".h")]
    if not names:
        yield "there are contracts to compile", ["include/understudy/: empty"]
    for name in names:
        contract = os.path.relpath(name, "include")
        with tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
            # Twice: the guard works too.
            unit.write(f"#include <{contract}>\n#include <{contract}>\n")
            unit.flush()
            run = subprocess.run(
                [*arguments.compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra",
                 "-Wundef", "-Werror", "-fsyntax-only", "-I", tree.path("include"), unit.name],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        yield f"{contract} compiles on its own", run.stdout.splitlines() if run.returncode else []


def nm(archive, option):
    run = subprocess.run(["nm", "-A", option, archive], stdout=subprocess.PIPE, check=True,
                         stderr=subprocess.DEVNULL, text=True)
    for line in run.stdout.splitlines():
        place, _, rest = line.rpartition(":")
        yield place.rpartition(":")[2] or place, rest.split()[-1]


def check_symbols(_, arguments):
    defined = {symbol for _, symbol in nm(arguments.archive, "--defined-only")}
    findings = [] if defined else [f"{arguments.archive}: holds nothing"]
    for member, symbol in nm(arguments.archive, "--undefined-only"):
        bare = symbol.split("@")[0]
        if bare in defined or bare in PURE_SYMBOLS or bare.startswith(PURE_SYMBOL_PREFIXES):
            continue
        findings.append(f"{member}: {bare}: the pure rooms may not call this")
    yield "the pure archive calls nothing but memory, strings and hashes", sorted(set(findings))


# ---- text ---------------------------------------------------------------------------------

def judge_line(name, line):
    is_synopsis = name.endswith(".scd") and line.startswith("*") # scdoc cannot break it
    if len(line.expandtabs(8)) > COLUMNS and not is_synopsis:
        return f"more than {COLUMNS} columns"
    if line != line.rstrip():
        return "white space at the end of the line"
    if name.endswith((".c", ".h")) and re.match(r"\t* {8,}(?!\*)", line):
        return "indented by spaces; tabs are 8 wide"
    if name.endswith((".c", ".h")) and re.match(r" +(?!\*)\S", line):
        return "indented by spaces; tabs are 8 wide"
    if name.endswith((".py", "meson.build")) and line.startswith("\t"):
        return "indented by tabs"
    return None


def long_functions(tree, names):
    """Remarks, not findings: a long function is questioned, not forbidden."""
    if not shutil.which("ctags"):
        return
    run = subprocess.run(["ctags", "-f", "-", "--languages=C", "--c-kinds=f", "--fields=+ne",
                          *map(tree.path, names)],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    for line in run.stdout.splitlines():
        match = re.match(r"(\w+)\t([^\t]+)\t.*\tline:(\d+).*\tend:(\d+)", line)
        if match and int(match[4]) - int(match[3]) >= FUNCTION_LINES:
            length = int(match[4]) - int(match[3]) + 1
            place = f"{os.path.relpath(match[2], tree.root)}:{match[3]}"
            yield f"{place}: {match[1]}() is {length} lines"


def check_text(tree, _):
    licence, layout, size = [], [], []
    names = list(tree.sources())
    for name in names:
        lines = tree.lines(name)
        has_head = lines[0].startswith("#!") or name.endswith(".scd")  # scdoc: the title first
        first = lines[1] if has_head and len(lines) > 1 else lines[0]
        if LICENCE not in first:
            licence.append(f"{name}:1: the licence line does not come first")
        for number, line in enumerate(lines, 1):
            why = judge_line(name, line)
            if why:
                layout.append(f"{name}:{number}: {why}")
        if lines[-1] != "" or (len(lines) > 1 and lines[-2] == ""):
            layout.append(f"{name}:{len(lines)}: must end with one newline")
        if len(lines) - 1 > FILE_LINES:
            size.append(f"{name}: {len(lines) - 1} lines; split it by subject at {FILE_LINES}")
    yield "the licence line comes first in every source", licence
    yield "columns, tabs and line ends are as agreed", layout
    yield f"no source has more than {FILE_LINES} lines", size
    programs = [n for n in names if n.startswith("src/") and n.endswith(".c")]
    for remark in long_functions(tree, programs):
        print("# remark:", remark)


def check_words(tree, _):
    findings = []
    for name in tree.texts():
        for number, line in enumerate(tree.lines(name), 1):
            for pattern, why in WORDS:
                match = pattern.search(line)
                if match:
                    findings.append(f"{name}:{number}: {match.group(0)}: {why}")
    yield "nothing is left unfinished and no machine's paths are named", findings


def check_tree(tree, _):
    there = {n for n in os.listdir(tree.root) if not n.startswith((".", "build"))}
    findings = [f"{n}: does not belong at the top" for n in sorted(there - TOP)]
    findings += [f"{n}: is missing" for n in sorted(TOP - there)]
    yield "the top level holds what it should and nothing else", findings


FORMAT_VERSION = 14 # of another version's taste nobody is the judge


def check_format(tree, _):
    rule = "src and test are laid out as tools/format does it"
    program = shutil.which("clang-format")
    said = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout if program else ""
    if not re.search(rf"version {FORMAT_VERSION}\.", said):
        yield rule, [], f"needs clang-format {FORMAT_VERSION}, there is: {said.strip() or 'none'}"
        return
    names = [n for n in tree.sources()
             if n.startswith(("src/", "test/")) and n.endswith((".c", ".h"))]
    run = subprocess.run([program, "--dry-run", "--Werror", *names], cwd=tree.root, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = [line for line in run.stdout.splitlines() if "clang-format-violations" in line]
    yield rule, (lines or run.stdout.splitlines()) if run.returncode else []


CHECKS = {
    "rooms": check_rooms, "headers": check_headers, "symbols": check_symbols,
    "text": check_text, "words": check_words, "tree": check_tree, "format": check_format,
}


def main():
    parser = argparse.ArgumentParser(description="Holds the tree to its rules.")
    parser.add_argument("tree")
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--compiler", nargs="+", default=["cc"])
    parser.add_argument("--archive")
    arguments = parser.parse_args()

    count, failed = 0, 0
    for count, (rule, findings, *skipped) in enumerate(CHECKS[arguments.check](
            Tree(os.path.abspath(arguments.tree)), arguments), 1):
        print(f"{'not ok' if findings else 'ok'} {count} - {rule}"
              + (f" # SKIP {skipped[0]}" if skipped else ""))
        for finding in findings:
            print("#", finding)
        failed += bool(findings)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
