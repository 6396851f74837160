#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One encode, published twice: whichever copy is lost, every frame of it is on air once.

The delay is shorter than a GOP, so that waiting for a key frame would show as a gap. The second
copy comes a second later than the first one.
"""

import time

from lib import encoders, flv
from lib.platforms import Nginx
from lib.relay import Relay, destination
from lib.show import expect
from lib.stage import case, main

BEHIND_S = 0.8
DELAY_MS = 1500


class TwinShow:
    """A show of one clip that comes twice."""

    def __init__(self, stage, backup_by="rtmp", delay_ms=DELAY_MS):
        self.stage = stage
        self.clip = encoders.clip(stage, "primary")
        self.platform = Nginx(stage)
        self.relay = Relay(stage, [destination("platform", self.platform.url)],
                           delay_ms=delay_ms, srt={"latency_ms": 120})
        self.primary = self.publish("primary", "rtmp", 0)
        self.began = time.monotonic()
        time.sleep(BEHIND_S) # what makes it a copy that is behind
        self.backup = self.publish("backup", backup_by, 0)
        self.relay.wait_live("primary")
        self.wait_twins()
        self.platform.wait_media()

    def publish(self, feed, scheme, skip_s):
        """The clip from a place in it, as a connection whose timestamps start at 0."""
        return self.stage.start(feed, [
            "ffmpeg", "-nostdin", "-v", "warning", "-re", "-ss", f"{skip_s:.3f}",
            "-i", self.clip.path, "-c", "copy",
            "-f", "mpegts" if scheme == "srt" else "flv", self.relay.url(feed, scheme)])

    def wait_twins(self):
        status = self.relay.wait_status(
            lambda s: self.relay.feed("primary", s)["twin_of"] == "backup" and
            self.relay.feed("backup", s)["twin_of"] == "primary", "both to be twins")
        self.stage.note(f"lag {self.relay.feed('backup', status)['lag_ms']} ms")
        return status

    def verdict(self):
        status = self.relay.destination("platform")
        if status["restarts"] or status["dropped"]:
            raise AssertionError(f"the connection did not last: {status}")
        if self.relay.process.stop() != 0:
            raise AssertionError("the relay failed")
        self.platform.stop()
        path = self.platform.the_recording()
        verdict = flv.Verdict(flv.read(path), {"primary": self.clip})
        self.stage.note(f"longest steps: video {verdict.gaps_ms(flv.VIDEO)[:2]}, "
                        f"audio {verdict.gaps_ms(flv.AUDIO)[:2]}")
        verdict.assert_unbroken()
        expect(verdict, "primary")
        if verdict.splices:
            raise AssertionError(f"spliced at {verdict.splices}")
        flv.assert_decodes(path)


@case
def whichever_copy_is_killed_nothing_is_missing(stage):
    show = TwinShow(stage)
    show.primary.kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.primary = show.publish("primary", "rtmp", time.monotonic() - show.began)
    show.wait_twins()
    show.relay.wait_live("primary")
    show.backup.kill()
    show.relay.wait_feed("backup", "offline")
    show.platform.wait_media()
    show.verdict()


@case
def a_copy_by_srt_carries_on_for_one_by_rtmp(stage):
    show = TwinShow(stage, backup_by="srt")
    show.primary.kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.verdict()


@case
def without_delay_a_killed_copy_costs_a_pause_and_no_frame(stage):
    show = TwinShow(stage, delay_ms=0)
    show.primary.kill()
    show.relay.wait_live("backup")
    show.platform.wait_media()
    show.verdict()


if __name__ == "__main__":
    main()
