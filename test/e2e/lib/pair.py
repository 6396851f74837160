# SPDX-License-Identifier: GPL-3.0-or-later
"""One feed on two platforms, of which the second lies behind a wire that can be damaged."""

from lib import encoders, flv
from lib.platforms import Nginx, Wire
from lib.relay import AMPLE_MS, Relay, destination
from lib.show import expect


class Pair:
    def __init__(self, stage, delay_ms=AMPLE_MS, **bad):
        self.stage = stage
        self.clip = encoders.clip(stage, "primary")
        self.good, self.bad = Nginx(stage, "good"), Nginx(stage, "bad")
        self.wire = Wire(stage, self.bad.port)
        self.relay = Relay(stage, [destination("good", self.good.url),
                                   {**destination("bad", self.wire.url), **bad}],
                           delay_ms=delay_ms)
        self.encoder = encoders.ffmpeg(stage, "primary", self.clip, self.relay.url("primary"))
        for name in ("good", "bad"):
            self.relay.wait_destination(name, "live")
        self.good.wait_media()
        self.bad.wait_media()

    def judge(self, path):
        verdict = flv.Verdict(flv.read(path), {"primary": self.clip})
        verdict.assert_unbroken()
        expect(verdict, "primary")
        flv.assert_decodes(path)

    def finish(self):
        self.relay.process.stop()
        self.good.stop()
        self.bad.stop()
        self.judge(self.good.the_recording())
