#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two feeds in, one unbroken show out: the primary is killed, frozen, comes back.

The delay keeps the promise (GOP 2 s + stall 0.5 s + lag + 0.25 s), so the platform must not
miss or see twice a single frame, on one and the same connection.
"""

from lib.show import Show, expect
from lib.stage import case, main


@case
def backup_takes_over_when_primary_is_killed(stage):
    show = Show(stage)
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def backup_takes_over_when_primary_freezes(stage):
    show = Show(stage)
    show.primary.freeze()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def primary_returns_after_a_restart_without_a_gap(stage):
    show = Show(stage)
    show.primary.kill()
    show.fail_over()
    show.start("primary")
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")


@case
def primary_returns_after_a_freeze_without_a_gap(stage):
    show = Show(stage)
    show.primary.freeze()
    show.fail_over()
    show.primary.thaw()
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")


if __name__ == "__main__":
    main()
