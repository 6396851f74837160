#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows that lack a track, and silence in the place of sound."""

import collections

from lib import encoders, flv, media
from lib.process import eventually
from lib.show import Show, expect
from lib.stage import case, main


def without(stage, camera, option):
    clip = encoders.clip(stage, camera)
    return flv.Clip(media.copy_flv(stage, f"{camera}{option}.flv", clip.path, option), clip.fps)


def one_track_show(stage, option, kind):
    """Backup takes over from the primary; both lack a track."""
    show = Show(stage, without(stage, "primary", option), without(stage, "backup", option))
    show.primary.kill()
    show.fail_over()
    verdict = show.verdict()
    if verdict.feeds(kind) != ["primary", "backup"]:
        raise AssertionError(f"on air were {verdict.feeds(kind)}")


@case
def show_without_video_fails_over(stage):
    one_track_show(stage, "-vn", flv.AUDIO)


@case
def show_without_sound_fails_over(stage):
    one_track_show(stage, "-an", flv.VIDEO)


class Silence:
    """The frame of silence, as a clip of one frame."""

    sample_rate = 48000

    def __init__(self, recording):
        (digest, count), = collections.Counter(
            f.digest for f in recording.of(flv.AUDIO)).most_common(1)
        self.count = count
        self.places = {digest: 0}
        header = next(f.header for f in recording.of(flv.AUDIO) if f.digest == digest)
        self.headers = {flv.AUDIO: header.body}

    def frame_ms(self, kind):
        return flv.AAC_FRAME_SAMPLES * 1000 / self.sample_rate

    def reorder_ms(self):
        return 0


@case
def silence_fills_in_until_sound_is_there(stage):
    primary = without(stage, "primary", "-an")
    show = Show(stage, primary, fill="silence")
    eventually(lambda: show.platform.recorded_bytes() > 150000, "some silence")
    show.primary.kill()
    show.fail_over()
    show.relay.process.stop()
    show.platform.stop()
    path = show.platform.the_recording()
    recording = flv.read(path)
    silence = Silence(recording)
    verdict = flv.Verdict(recording, {**show.clips, "silence": silence})
    expect(verdict, "primary", "backup")
    if verdict.feeds(flv.AUDIO) != ["silence", "backup"] or silence.count < 50:
        raise AssertionError(f"heard were {verdict.feeds(flv.AUDIO)}, {silence.count} of silence")
    verdict.assert_unbroken()
    flv.assert_decodes(path)


if __name__ == "__main__":
    main()
