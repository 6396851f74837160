# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU and memory of understudy beside who does the same job."""

import functools
import statistics
import time

from lib.process import Timeout, eventually
from lib.relay import Relay, destination
from lib.stage import Skip

from benchmark import relays
from benchmark.gauges import carried_bytes, kernel_kib, measured, pss_kib, tree
from benchmark.relays import Job
from benchmark.table import head, row

SETTLE_S = 1
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


def _is_carrying(job):
    before = carried_bytes()
    time.sleep(1)
    return (carried_bytes() - before) * 8 / 1e6 > job.carried_mbps * 0.8


def _one(name, start, job, seconds, stage):
    roots = start(stage, job, relays.sinks(stage, job))
    try:
        eventually(lambda: _is_carrying(job), f"all of {job} to be carried by {name}")
    except Timeout as late:
        if name in OURS:
            raise
        raise Skip(str(late)) from late # a peer need not be able to do it
    time.sleep(SETTLE_S)
    return measured(roots, seconds)


def _ratio(run, beside):
    """Turn by turn: what the machine did meanwhile met both."""
    turns = zip(run["turns"], beside["turns"])
    return statistics.median(ours["cpu_ms_per_s"] / theirs["cpu_ms_per_s"]
                             for ours, theirs in turns)


def _compare(bench, measure, job, pairs):
    """A row for each pair: who, and whose CPU is 1."""
    found = bench.turns(f"{measure}: {job}", {
        name: functools.partial(_one, name, {**OURS, **PEERS}[name], job, bench.seconds)
        for name in dict.fromkeys(name for name, _ in pairs)})
    for name, beside in pairs:
        if name not in found:
            continue
        run = found[name]
        ratio = _ratio(run, found[beside]) if beside in found else ""
        row(job, name, f"{run['cpu_ms_per_s']:.1f}", ratio, f"{run['pss_kib'] / 1024:.1f}",
            f"{run['kernel_kib'] / 1024:.1f}", f"{run['processes']:.0f}",
            f"{run['carried_mbps']:.0f}", beside)
        count = job.shows if measure == "shows" else job.destinations
        if ratio and (measure, count, name, beside) in BARS:
            bench.hold(f"{measure}, {count}: {name}, CPU beside {beside}", ratio,
                       BARS[measure, count, name, beside])


def _all_beside(peer, *others):
    return [(name, peer) for name in (DELAYED, AT_ONCE, peer, *others)]


def _table(title):
    head(title, "destinations", "relay", "CPU ms/s", "ratio", "PSS MiB", "kernel MiB",
         "processes", "carried Mb/s", "beside")


def destinations(bench, counts):
    _table("### One feed to N destinations")
    for count in counts:
        _compare(bench, "destinations", Job(count), _all_beside(NGINX, FFMPEG))


def floor(bench, counts):
    _table("### Beside a fan-out of bytes")
    # each beside the floor that works as it does; behind a delay we gather in rounds of 75 ms
    for count in counts:
        _compare(bench, "floor", Job(count), [
            (DELAYED, GATHERING), (DELAYED, ROUNDS), (GATHERED, GATHERING), (AT_ONCE, PLAIN),
            (GATHERING, GATHERING), (ROUNDS, ROUNDS), (PLAIN, PLAIN)])


def shows(bench, counts):
    _table("### N shows of one destination")
    for count in counts:
        _compare(bench, "shows", Job(1, shows=count), _all_beside(NGINX, FFMPEG))


def rtmps(bench, counts):
    _table("### Destinations by TLS")
    for count in counts:
        _compare(bench, "rtmps", Job(count, out="rtmps"), _all_beside(NGINX, FFMPEG))


def srt(bench, counts):
    _table("### SRT in, SRT out")
    for count in counts:
        job = Job(count, feed="srt", out="srt")
        _compare(bench, "srt", job, _all_beside(SRT, FFMPEG) if count == 1 else
                 _all_beside(FFMPEG))


# ---- memory ----

REST_KIB = 12 * 1024 # what a show may take without media
DESTINATION_KIB = 100 # and each destination more


def _allowed_kib(delay_ms, kbps):
    return REST_KIB + 2 * (delay_ms / 1000 + 4) * kbps / 8


def _filled(delay_ms, job, stage):
    roots = relays.understudy(delay_ms=delay_ms)(stage, job, relays.sinks(stage, job))
    time.sleep(delay_ms / 1000 + 4 + SETTLE_S)
    return _held(roots)


def _held(roots):
    pids = tree(roots)
    return {"pss_kib": pss_kib(pids), "kernel_kib": kernel_kib(pids)}


def _at_rest(stage):
    relay = Relay(stage, [destination("d0", "rtmp://127.0.0.1:1/live")])
    time.sleep(SETTLE_S)
    return _held([relay.process.pid])


def memory(bench, delays_ms=(0, 3000, 10000, 30000), rates_kbps=(3000, 6000)):
    head("### Memory against delay and bitrate, one feed", "delay_ms", "Mb/s", "PSS MiB",
         "kernel MiB", "allowed PSS MiB")
    cases = {("at rest", 0): _at_rest}
    cases.update({(delay_ms, kbps): functools.partial(_filled, delay_ms, Job(kbps=kbps))
                  for delay_ms in delays_ms for kbps in rates_kbps})
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
