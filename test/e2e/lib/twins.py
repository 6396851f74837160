# SPDX-License-Identifier: GPL-3.0-or-later
"""A show of one encode that is published twice."""

import time

from lib import encoders, flv
from lib.platforms import Nginx
from lib.relay import Relay, destination
from lib.show import expect

BEHIND_S = 0.8


class TwinShow:
    """A show of one clip that comes twice."""

    def __init__(self, stage, delay_ms, backup_by="rtmp", clip=None, behind_s=BEHIND_S, **more):
        self.stage = stage
        self.clip = clip or encoders.clip(stage, "primary")
        self.platform = Nginx(stage)
        self.relay = Relay(stage, [destination("platform", self.platform.url)],
                           delay_ms=delay_ms, srt={"latency_ms": 120}, **more)
        self.primary = self.publish("primary", "rtmp", 0)
        self.began = time.monotonic()
        time.sleep(behind_s) # what makes it a copy that is behind
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

    def publish_on(self, feed):
        """From where the clip is by now."""
        return self.publish(feed, "rtmp", time.monotonic() - self.began)

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
