#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform does to us stays between it and us."""

from lib.pair import Pair
from lib.process import eventually
from lib.stage import case, main


@case
def stalled_platform_does_not_touch_the_other(stage):
    pair = Pair(stage)
    pair.wire.stall()
    pair.relay.wait_status(
        lambda s: pair.relay.destination("bad", s)["state"] != "live"
        or pair.relay.destination("bad", s)["dropped"] > 0
        or pair.relay.destination("bad", s)["backlog_ms"] > 1000, "the stall to be noticed")
    pair.good.wait_media()
    pair.finish()


@case
def platform_that_resets_is_dialled_again_at_once(stage):
    # Was the connection no good one, nobody would dial within the time of this test.
    pair = Pair(stage, retry={"first_s": 600, "cap_s": 600, "healthy_s": 1})
    pair.bad.wait_media(150000)
    pair.wire.cut()
    eventually(lambda: pair.bad.publishes() > 1, "a second publish")
    pair.relay.wait_destination("bad", "live")
    pair.bad.wait_media()
    pair.finish()
    for path in pair.bad.recordings():
        pair.judge(path)


@case
def platform_that_was_away_gets_the_show_when_it_is_back(stage):
    pair = Pair(stage)
    pair.wire.cut(is_refusing=True)
    pair.relay.wait_destination("bad", "backing_off", "dialing", "refused")
    refused = pair.wire.accepted
    eventually(lambda: pair.wire.accepted >= refused + 2, "further attempts")
    pair.wire.mend()
    eventually(lambda: pair.bad.publishes() > 1, "a second publish")
    pair.relay.wait_destination("bad", "live")
    pair.bad.wait_media()
    pair.finish()
    for path in pair.bad.recordings():
        pair.judge(path)


if __name__ == "__main__":
    main()
