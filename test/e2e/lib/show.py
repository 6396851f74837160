# SPDX-License-Identifier: GPL-3.0-or-later
"""A show on air: a relay, both feeds published, and a platform that records."""

from lib import encoders, flv
from lib.platforms import Nginx
from lib.relay import Relay, destination

# GOP 2 s + stall 0.5 s + 0.25 s and lag to spare: with this the timeline promises no gap.
DELAY_MS = 3500


class Show:
    """A relay with both feeds published and one platform, on air."""

    def __init__(self, stage, primary=None, backup=None, publish=encoders.ffmpeg, scheme="rtmp",
                 delay_ms=DELAY_MS, destinations=(), **more):
        self.stage = stage
        self.clips = {"primary": primary or encoders.clip(stage, "primary"),
                      "backup": backup or encoders.clip(stage, "backup")}
        self.publish = publish
        self.scheme = scheme
        self.platform = Nginx(stage)
        self.relay = Relay(
            stage, [destination("platform", self.platform.url), *destinations],
            delay_ms=delay_ms, **more)
        self.primary = self.start("primary")
        self.relay.wait_feed("primary", "live", "standby")
        self.backup = self.start("backup")
        self.relay.wait_live("primary")
        self.relay.wait_feed("backup", "standby")
        self.relay.wait_destination("platform", "live")
        self.platform.wait_media()

    def start(self, feed):
        publish = self.publish if feed == "primary" else encoders.ffmpeg
        scheme = self.scheme if feed == "primary" else "rtmp"
        return publish(self.stage, feed, self.clips[feed], self.relay.url(feed, scheme))

    def fail_over(self):
        """Until the audience sees the backup."""
        self.relay.wait_live("backup")
        self.platform.wait_media()

    def verdict(self):
        """Ends the show; what the platform recorded of it."""
        destination_status = self.relay.destination("platform")
        if destination_status["restarts"] or destination_status["dropped"]:
            raise AssertionError(f"the connection did not last: {destination_status}")
        status = self.relay.process.stop()
        if status != 0:
            raise AssertionError(f"the relay ended with status {status}")
        self.platform.stop()
        path = self.platform.the_recording()
        verdict = flv.Verdict(flv.read(path), self.clips)
        self.stage.note(f"feeds on air: {verdict.feeds()}; splices: {verdict.splices}")
        self.stage.note(f"longest steps: video {verdict.gaps_ms(flv.VIDEO)[:2]}, "
                        f"audio {verdict.gaps_ms(flv.AUDIO)[:2]}")
        verdict.assert_unbroken()
        flv.assert_decodes(path)
        return verdict


def expect(verdict, *feeds):
    if verdict.feeds() != list(feeds):
        raise AssertionError(f"on air were {verdict.feeds()}, not {list(feeds)}")
