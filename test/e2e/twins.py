#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One encode, published twice: whichever copy is lost, every frame of it is on air once.

The delay is shorter than a GOP, so that waiting for a key frame would show as a gap. The second
copy comes a second later than the first one.
"""

from lib.rehearsal import drill
from lib.stage import case, main
from lib.twins import TwinShow

DELAY_MS = 1800


@case
def whichever_copy_is_killed_nothing_is_missing(stage):
    show = TwinShow(stage, DELAY_MS)
    show.primary.kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.primary = show.publish_on("primary")
    show.wait_twins()
    show.relay.wait_live("primary")
    show.backup.kill()
    show.relay.wait_feed("backup", "offline")
    show.platform.wait_media()
    show.verdict()


@case
def a_copy_by_srt_carries_on_for_one_by_rtmp(stage):
    show = TwinShow(stage, DELAY_MS, backup_by="srt")
    show.primary.kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.verdict()


@case
def without_delay_a_killed_copy_costs_a_pause_and_no_frame(stage):
    show = TwinShow(stage, 0)
    show.primary.kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.verdict()


@case
def a_rehearsal_holds(stage):
    """What was merged is on air when the pulled copy has long been no twin any more."""
    show = TwinShow(stage, DELAY_MS)
    drill(show.relay, "--live", "--seconds", "3")
    show.verdict()


if __name__ == "__main__":
    main()
