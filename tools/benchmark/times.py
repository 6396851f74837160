# SPDX-License-Identifier: GPL-3.0-or-later
"""How long things take: a message on its way, with destinations in trouble beside it; the start."""

import functools
import json
import os
import subprocess
import time

from lib.ports import free_port
from lib.relay import KEYS, Relay, destination
from lib.stage import need

from benchmark import relays
from benchmark.table import head, row


# The most that the design allows, p99 in ms.
BARS = {(50, "understudy batch_ms 20"): 45, (50, "understudy batch_ms 0"): 5}


def _way(stage, platform, relay, key, count, seconds, trouble):
    program = os.path.join(stage.build, "tools", "latency")
    run = subprocess.run([program, str(platform), str(relay), key, str(count), str(seconds),
                          trouble], check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def _ours(count, batch_ms, seconds, trouble, stage):
    platform = free_port()
    relay = Relay(stage, [destination(f"d{i}", f"rtmp://127.0.0.1:{platform}/live", f"sink{i}")
                          for i in range(count)], delay_ms=0, batch_ms=batch_ms)
    return _way(stage, platform, relay.ports["rtmp"], KEYS["primary"], count, seconds, trouble)


def _nginx(count, seconds, trouble, stage):
    platform = free_port()
    port = relays.pushing_nginx(stage, [
        f"rtmp://127.0.0.1:{platform}/live/sink{i}" for i in range(count)])
    return _way(stage, platform, port, "show", count, seconds, trouble)


def _ways(count, seconds, trouble="none"):
    return {
        "understudy batch_ms 0": functools.partial(_ours, count, 0, seconds, trouble),
        "understudy batch_ms 20": functools.partial(_ours, count, 20, seconds, trouble),
        "nginx-rtmp push": functools.partial(_nginx, count, seconds, trouble),
    }


def latency(bench, counts):
    head("### From the encoder's send to a platform's receipt, delay_ms 0", "destinations",
         "relay", "messages", "lost", "p50 ms", "p99 ms", "max ms")
    for count in counts:
        found = bench.turns(f"latency: {count}", _ways(count, bench.seconds))
        for name, run in found.items():
            row(count, name, f"{run['messages']:.0f}", f"{run['lost']:.0f}", run["p50_ms"],
                run["p99_ms"], run["max_ms"])
            if (count, name) in BARS:
                bench.hold(f"latency, {count}: {name}, p99 in ms", run["p99_ms"],
                           BARS[count, name])


def trouble(bench, counts):
    head("### One destination in trouble: the others", "destinations", "the one", "relay",
         "messages", "lost", "p50 ms", "p99 ms", "max ms")
    for count in counts:
        for kind in ("none", "stalled", "crawling", "reset"):
            found = bench.turns(f"trouble: {count}, {kind}", _ways(count, bench.seconds, kind))
            for name, run in found.items():
                row(count, kind, name, f"{run['messages']:.0f}", f"{run['lost']:.0f}",
                    run["p50_ms"], run["p99_ms"], run["max_ms"])


# ---- the start ----

def _our_start(count, stage):
    """From exec to `ready`; all shows in the config."""
    relay = Relay(stage, [destination("d0", "rtmp://127.0.0.1:1/live")])
    relay.more_shows = [
        {**relay.show, "name": f"show{i}",
         "feeds": [{"name": name, "key": f"bench-{name}-of-show-{i}"} for name in KEYS]}
        for i in range(1, count)]
    relay.write_config()
    relay.process.stop()
    began = time.monotonic()
    relay.start()
    return {"ms": (time.monotonic() - began) * 1000}


def _nginx_start(count, stage):
    need("nginx")
    began = time.monotonic()
    relays.listening_nginx(stage, count)
    return {"ms": (time.monotonic() - began) * 1000}


def start(bench, counts):
    head("### From its start until it listens", "shows", "relay", "ms")
    for count in counts:
        found = bench.turns(f"start: {count}", {
            "understudy": functools.partial(_our_start, count),
            "nginx-rtmp": functools.partial(_nginx_start, count)})
        for name, run in found.items():
            row(count, name, f"{run['ms']:.0f}")
