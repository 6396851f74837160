# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU and memory of understudy beside who does the same job."""

import contextlib
import functools
import statistics
import time

from lib.process import Timeout, eventually
from lib.relay import Relay, destination
from lib.stage import Skip, need

from benchmark import relays
from benchmark.gauges import carried_bytes, kernel_kib, measured, pss_kib, tree
from benchmark.relays import Job
from benchmark.table import head, medians, row

SETTLE_S = 3 # until the rings have gone round once: a page that is new costs more
CARRIED = 0.95 # of the bitrate; what TCP or SRT adds is more than what is missing
DELAYED = "understudy delay_ms 3000 batch_ms 20"
GATHERED = "understudy delay_ms 0 batch_ms 20"
AT_ONCE = "understudy delay_ms 0 batch_ms 0"
OURS = {
    DELAYED: relays.understudy(delay_ms=3000, batch_ms=20),
    GATHERED: relays.understudy(delay_ms=0, batch_ms=20),
    AT_ONCE: relays.understudy(delay_ms=0, batch_ms=0),
}
NGINX = "nginx-rtmp push"
FFMPEG = "ffmpeg -c copy"
FFMPEG_MOST = 10
SIDE_BY_SIDE_MOST = 10 # shows
SRT = "srt-live-transmit"
GATHERING, ROUNDS, PLAIN = "fan-out gathering 20 ms", "fan-out gathering 75 ms", "plain fan-out"
PEERS = {NGINX: relays.nginx, FFMPEG: relays.ffmpeg, SRT: relays.srt_live_transmit,
         GATHERING: relays.fanout(20), ROUNDS: relays.fanout(75), PLAIN: relays.fanout(0)}
# The most that the design allows beside whom, by measure and count.
BARS = {
    ("destinations", 10, DELAYED, NGINX): 1,
    ("floor", 1, DELAYED, GATHERING): 2.5,
    ("floor", 50, DELAYED, GATHERING): 1.4,
    ("floor", 50, GATHERED, GATHERING): 1.4,
    ("floor", 50, AT_ONCE, PLAIN): 1.35,
    ("shows", 50, DELAYED, NGINX): 2,
}


def _is_carried(mbps):
    before = carried_bytes()
    time.sleep(1)
    return (carried_bytes() - before) * 8 / 1e6 > mbps


def _turn(bench, job, pair):
    """Side by side, so that whatever else the machine does meets both at the same moment; one
    behind the other where the encoders of both would fill the machine."""
    if job.shows <= SIDE_BY_SIDE_MOST:
        return _at_work(bench, job, pair)
    return {name: run for one in pair for name, run in _at_work(bench, job, [one]).items()}


def _at_work(bench, job, names):
    """What each of these takes while all of them do the job. A peer that lacks its program is left
    out; without one that does not get the job done there is nothing to compare."""
    with contextlib.ExitStack() as stages:
        at_work = {}
        for name in names:
            stage = stages.enter_context(bench.stage())
            try:
                at_work[name] = {**OURS, **PEERS}[name](stage, job, relays.sinks(stage, job))
            except Skip as skip:
                bench.left_out[name] = skip
        if not at_work:
            return {}
        try:
            eventually(lambda: _is_carried(len(at_work) * job.carried_mbps * CARRIED),
                       f"{job} to be carried by {' and '.join(at_work)}")
        except Timeout as late:
            if OURS.keys() >= at_work.keys():
                raise
            bench.left_out[f"{job}, {' and '.join(at_work)}"] = late # a peer need not be able to
            return {}
        time.sleep(SETTLE_S)
        return dict(zip(at_work, measured(at_work.values(), bench.seconds)))


def _compare(bench, measure, job, pairs):
    """Who, and whose CPU is 1."""
    runs, ratios = {}, {pair: [] for pair in pairs} # by row; by turn
    for _ in range(bench.repeat):
        for pair in pairs:
            found = _turn(bench, job, pair)
            for name, run in found.items():
                runs.setdefault(pair if name == pair[0] else (name, ""), []).append(run)
                bench.runs.append({"measure": f"{measure}: {job}", "subject": name, "pair": pair,
                                   **run})
            if len(found) == 2:
                ours, theirs = (found[name]["cpu_ms_per_s"] for name in pair)
                ratios[pair].append(ours / theirs)
    for who in [*pairs, *dict.fromkeys((beside, "") for _, beside in pairs)]:
        if who in runs:
            _row(job, who, medians(runs[who]), ratios.get(who))
    for (name, beside), turns in ratios.items():
        bar = (measure, job.shows if measure == "shows" else job.destinations, name, beside)
        if turns and bar in BARS:
            bench.hold(f"{measure}, {bar[1]}: {name}, CPU beside {beside}",
                       statistics.median(turns), BARS[bar])


def _row(job, who, run, ratios):
    name, beside = who
    row(job, name, f"{run['cpu_ms_per_s']:.1f}", beside,
        statistics.median(ratios) if ratios else "",
        f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else "",
        f"{run['pss_kib'] / 1024:.1f}", f"{run['kernel_kib'] / 1024:.1f}",
        f"{run['processes']:.0f}", f"{run['carried_mbps']:.0f}")


def _beside(peer, *names):
    return [(name, peer) for name in names]


def _ffmpeg_of(count):
    """With more it costs many times as much again: so much is known from few."""
    return [FFMPEG] if count <= FFMPEG_MOST else []


def _table(title):
    head(title, "destinations", "relay", "CPU ms/s", "beside", "ratio", "of the turns", "PSS MiB",
         "kernel MiB", "processes", "carried Mb/s")


def destinations(bench, counts):
    _table("### One feed to N destinations")
    for count in counts:
        _compare(bench, "destinations", Job(count),
                 _beside(NGINX, DELAYED, AT_ONCE, *_ffmpeg_of(count)))


def floor(bench, counts):
    _table("### Beside a fan-out of bytes")
    # each beside the floor that works as it does; behind a delay we gather in rounds of 75 ms
    for count in counts:
        _compare(bench, "floor", Job(count), [
            (DELAYED, GATHERING), (DELAYED, ROUNDS), (GATHERED, GATHERING), (AT_ONCE, PLAIN)])


def shows(bench, counts):
    _table("### N shows of one destination")
    for count in counts:
        _compare(bench, "shows", Job(1, shows=count),
                 _beside(NGINX, DELAYED, *_ffmpeg_of(count)))


def rtmps(bench, counts):
    _table("### Destinations by TLS")
    for count in counts:
        _compare(bench, "rtmps", Job(count, out="rtmps"),
                 _beside(NGINX, DELAYED, *_ffmpeg_of(count)))


def srt(bench, counts):
    _table("### SRT in, SRT out")
    for count in counts:
        _compare(bench, "srt", Job(count, feed="srt", out="srt"),
                 _beside(SRT, DELAYED, FFMPEG) if count == 1 else _beside(FFMPEG, DELAYED))


# ---- memory ----

REST_KIB = 12 * 1024 # what a show may take without media
DESTINATION_KIB = 100 # and each destination more


def _allowed_kib(delay_ms, kbps):
    return REST_KIB + 2 * (delay_ms / 1000 + 4) * kbps / 8


def _filled(delay_ms, job, stage):
    roots = relays.understudy(delay_ms=delay_ms)(stage, job, relays.sinks(stage, job))
    time.sleep(6) # since it went live; what is kept is 4 s more than the delay
    return _held(roots)


def _held(roots):
    pids = tree(roots)
    return {"pss_kib": pss_kib(pids), "kernel_kib": kernel_kib(pids)}


def _at_rest(stage):
    relay = Relay(stage, [destination("d0", "rtmp://127.0.0.1:1/live")])
    time.sleep(1)
    return _held([relay.process.pid])


def memory(bench, flows=((0, 6000), (3000, 3000), (3000, 6000), (30000, 6000))):
    need("nginx", "ffmpeg")
    head("### Memory against delay and bitrate, one feed", "delay_ms", "Mb/s", "PSS MiB",
         "kernel MiB", "allowed PSS MiB")
    cases = {("at rest", 0): _at_rest}
    cases.update({(delay_ms, kbps): functools.partial(_filled, delay_ms, Job(kbps=kbps))
                  for delay_ms, kbps in flows})
    for (delay_ms, kbps), run in cases.items():
        found = bench.turns("memory", {f"{delay_ms} ms, {kbps} kb/s": run})
        for held in found.values():
            allowed = _allowed_kib(delay_ms, kbps) if kbps else REST_KIB
            row(delay_ms, f"{kbps / 1000:g}", f"{held['pss_kib'] / 1024:.1f}",
                f"{held['kernel_kib'] / 1024:.1f}", f"{allowed / 1024:.1f}")
            bench.hold(f"memory, delay_ms {delay_ms}, {kbps} kb/s: MiB PSS",
                       held["pss_kib"] / 1024, allowed / 1024)
    few, many = (bench.turns("memory", {f"{count} destinations": functools.partial(
        _filled, 0, Job(count))})[f"{count} destinations"] for count in (1, 51))
    more_kib = (many["pss_kib"] - few["pss_kib"]) / 50
    print(f"\nEach destination more: {more_kib:.0f} KiB PSS, "
          f"{(many['kernel_kib'] - few['kernel_kib']) / 50:.0f} KiB in the kernel.", flush=True)
    bench.hold("memory: KiB PSS for each destination more", more_kib, DESTINATION_KIB)
