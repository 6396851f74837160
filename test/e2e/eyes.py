#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge is judged: what lib/flv.py must notice in a recording, and what it must let pass."""

from lib import flv
from lib.stage import case, main

FPS = 30
SECONDS = 4


def tag(kind, dts, body):
    return (bytes([kind]) + len(body).to_bytes(3, "big") + (dts & 0xFFFFFF).to_bytes(3, "big")
            + bytes([dts >> 24]) + b"\0\0\0" + body + (len(body) + 11).to_bytes(4, "big"))


def header(kind, camera):
    head = b"\x17\0\0\0\0" if kind == flv.VIDEO else b"\xaf\0"
    return tag(kind, 0, head + f"header {camera}".encode())


def frames(camera, begin=0, end=SECONDS * 1000, shift=0):
    """(dts, tag) of a camera's video and audio between two times of its own, by dts."""
    made = []
    for n in range(SECONDS * FPS):
        at = round(n * 1000 / FPS)
        made.append((at, flv.VIDEO, b"\x27\1\0\0\0" + f"picture {camera} {n}".encode()))
    for n in range(SECONDS * 48000 // 1024):
        at = round(n * 1024 / 48)
        made.append((at, flv.AUDIO, b"\xaf\1" + f"sound {camera} {n}".encode()))
    return [(at + shift, tag(kind, at + shift, body))
            for at, kind, body in sorted(made, key=lambda one: one[:2]) if begin <= at < end]


def write(stage, name, tags):
    path = stage.path(name)
    with open(path, "wb") as file:
        file.write(b"FLV\1\5\0\0\0\x09\0\0\0\0" + b"".join(tags))
    return path


def headers(camera):
    return [header(flv.VIDEO, camera), header(flv.AUDIO, camera)]


def judge(stage, tags):
    clips = {camera: flv.Clip(write(stage, camera, headers(camera)
                                    + [t for _, t in frames(camera)]), FPS)
             for camera in ("a", "b")}
    return flv.Verdict(flv.read(write(stage, "recording", tags)), clips)


def expect_fault(verdict, word):
    if not any(word in fault for fault in verdict.faults):
        raise AssertionError(f"{word} was not noticed: {verdict.faults}")


@case
def show_of_one_camera_is_unbroken(stage):
    judge(stage, headers("a") + [t for _, t in frames("a")]).assert_unbroken()


@case
def splice_in_step_is_unbroken(stage):
    verdict = judge(stage, headers("a") + [t for _, t in frames("a", end=2000)]
                    + headers("b") + [t for _, t in frames("b", begin=2000)])
    verdict.assert_unbroken()
    if verdict.feeds() != ["a", "b"] or len(verdict.splices) != 2:
        raise AssertionError(f"{verdict.feeds()}, {verdict.splices}")


@case
def lost_picture_is_missing(stage):
    tags = [t for at, t in frames("a") if not (at == 1000 and b"picture" in t)]
    expect_fault(judge(stage, headers("a") + tags), "missing video")


@case
def lost_sound_is_missing(stage):
    tags = [t for _, t in frames("a") if b"sound a 50" not in t]
    expect_fault(judge(stage, headers("a") + tags), "missing audio")


@case
def loss_is_noticed_even_if_the_timestamps_hide_it(stage):
    tags = frames("a", end=2000) + frames("a", begin=2500, shift=-500)
    expect_fault(judge(stage, headers("a") + [t for _, t in tags]), "frames of a are lost")


@case
def late_splice_is_missing_and_early_one_is_doubled(stage):
    late = frames("a", end=2000) + frames("b", begin=2000, shift=60)
    expect_fault(judge(stage, headers("a") + [t for _, t in late]), "missing video")
    early = frames("a", end=2000) + frames("b", begin=2000, shift=-20)
    expect_fault(judge(stage, headers("a") + [t for _, t in early]), "doubled video")


@case
def same_picture_twice_does_not_rise(stage):
    tags = [t for _, t in frames("a")]
    expect_fault(judge(stage, headers("a") + tags[:9] + tags[8:]), "does not rise")


@case
def tracks_out_of_order_fall(stage):
    tags = [t for _, t in frames("a")]
    tags[10], tags[11] = tags[11], tags[10]
    expect_fault(judge(stage, headers("a") + tags), "falls")


@case
def foreign_picture_is_of_no_feed(stage):
    tags = [t.replace(b"picture a 30", b"picture x 30") for _, t in frames("a")]
    expect_fault(judge(stage, headers("a") + tags), "of no feed")


@case
def splice_without_its_codec_header_is_noticed(stage):
    tags = frames("a", end=2000) + frames("b", begin=2000)
    expect_fault(judge(stage, headers("a") + [t for _, t in tags]), "another codec header")


@case
def broken_stream_does_not_decode(stage):
    path = write(stage, "broken.flv", headers("a") + [t for _, t in frames("a")])
    try:
        flv.assert_decodes(path)
    except AssertionError:
        return
    raise AssertionError("nonsense decodes")


if __name__ == "__main__":
    main()
