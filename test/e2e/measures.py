#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tool that measures what the audience sees: whether it works, not what it finds."""

import json
import os

from lib.stage import case, main, need

TOOL = os.path.join(os.path.dirname(__file__), "../../tools/failover-table")


@case
def failover_table_counts_every_fault_and_return(stage):
    need("nginx", "ffmpeg")
    path = stage.path("table.json")
    tool = stage.start("failover-table", [
        TOOL, "--build", stage.build, "--delays", "500", "--encodes", "twins", "--times", "1",
        "--rounds", "1", "--json", path])
    tool.wait()
    with open(path, encoding="utf-8") as file:
        table = json.load(file)
    found = {row["event"]: row["times"] for row in table["rows"]}
    if found != {"kill": 1, "stall": 1, "failback": 2}:
        raise AssertionError(f"{found}, {table['sessions']}")


if __name__ == "__main__":
    main()
