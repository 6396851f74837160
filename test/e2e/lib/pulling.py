# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay that pulls its primary, and what it recorded of it."""

from lib import flv, media
from lib.relay import AMPLE_MS, BACKUP_KEY, Relay, recording
from lib.show import expect


def pulling(stage, url, delay_ms=AMPLE_MS, backup=False, **feed):
    """A relay that pulls its primary and records the show. MPEG-TS gathers a third of a second of
    sound, reordered pictures take some more of the delay, and so does a busy machine."""
    feeds = [{"name": "primary", "pull": url, **feed}]
    if backup:
        feeds.append({"name": "backup", "key": BACKUP_KEY})
    return Relay(stage, [recording("record", stage.path("record.mkv"))], delay_ms=delay_ms,
                 feeds=feeds)


def judge(stage, relay, clips, *feeds):
    if relay.process.stop() != 0:
        raise AssertionError("the relay did not end well")
    verdict = media.verdict(stage, stage.path("record.mkv"), clips)
    verdict.assert_unbroken()
    expect(verdict, *feeds)
    seconds = len(verdict.recording.of(flv.VIDEO)) / clips["primary"].fps
    if seconds < 1.5:
        raise AssertionError(f"only {seconds} s came")
