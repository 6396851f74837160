#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the relay, by the clock."""

from lib.show import Show
from lib.stage import case, main


@case
def shutdown_takes_less_than_two_seconds(stage):
    show = Show(stage)
    status = show.relay.process.stop(timeout_s=2)
    if status != 0:
        raise AssertionError(f"exit status {status}")


if __name__ == "__main__":
    main()
