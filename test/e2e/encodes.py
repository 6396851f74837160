#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""As failover.py, between encodes that differ: B-frames or none, 30 or 60 frames a second."""

from lib import encoders
from lib.show import Show, expect
from lib.stage import case, main


def killed(stage, primary, backup, **more):
    show = Show(stage, primary, backup, **more)
    show.primary.kill()
    show.fail_over()
    expect(show.verdict(), "primary", "backup")


@case
def backup_takes_over_with_b_frames(stage):
    killed(stage, encoders.clip(stage, "primary", b_frames=2),
           encoders.clip(stage, "backup", b_frames=2))


@case
def backup_without_b_frames_takes_over_from_primary_with_them(stage):
    killed(stage, encoders.clip(stage, "primary", b_frames=2), encoders.clip(stage, "backup"))


@case
def backup_with_b_frames_takes_over_from_primary_without_them(stage):
    killed(stage, encoders.clip(stage, "primary"), encoders.clip(stage, "backup", b_frames=2))


@case
def backup_at_60_fps_takes_over_from_primary_at_30(stage):
    killed(stage, encoders.clip(stage, "primary"), encoders.clip(stage, "backup", fps=60))


@case
def primary_at_60_fps_with_b_frames_hands_over_to_30_and_returns(stage):
    show = Show(stage, encoders.clip(stage, "primary", fps=60, b_frames=2),
                encoders.clip(stage, "backup", b_frames=2))
    show.primary.kill()
    show.fail_over()
    show.start("primary")
    show.relay.wait_live("primary")
    show.platform.wait_media()
    expect(show.verdict(), "primary", "backup", "primary")



if __name__ == "__main__":
    main()
