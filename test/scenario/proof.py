#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds docs/internals/timeline-proof.md to the folder of scenarios, both ways. TAP.

    proof.py TREE
"""

import pathlib
import re
import sys

tree = pathlib.Path(sys.argv[1])
page = (tree / "docs/internals/timeline-proof.md").read_text()
rules = set(re.findall(r"^ \*   (\w+) +\S", (tree / "test/scenario/watch.h").read_text(), re.M))
scenarios = {path.stem: path for path in (tree / "test/scenario").glob("*.scn")}
cells = [line.split("|")[2] for line in page.splitlines() if re.match(r"\|[^-].*\|.*\|$", line)]
named = set(re.findall(r"\b\w+_\w+\b", " ".join(cells)))
named_rules = set(re.findall(r"\*(\w+)\*", " ".join(cells)))
undecided = [name for name, path in scenarios.items() if "\n= " not in path.read_text()]

manual = set(re.findall(r"[\w-]+", (tree / "docs/scenarios.md").read_text()))
words = set(re.findall(r'strcmp\((?:what|word|name|words\[[0i]\]), "([\w-]+)"\)|\{ "([\w-]+)", &',
                       "".join((tree / f"test/scenario/{name}.c").read_text()
                               for name in ("play", "script", "expect"))))
unsaid = {word for pair in words for word in pair if word} - manual

cases = {
    "every scenario is named on the page": sorted(scenarios.keys() - named),
    "every name on the page is a scenario": sorted(named - scenarios.keys()),
    "every rule named on the page is one of the watch": sorted(named_rules - rules),
    "every scenario holds its decisions": sorted(undecided),
    "every word of the language is in its manual": sorted(unsaid),
}
print(f"1..{len(cases)}")
for number, (case, wrong) in enumerate(cases.items(), 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {case}")
    for name in wrong:
        print(f"# {name}")
sys.exit(any(cases.values()))
