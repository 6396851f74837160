# SPDX-License-Identifier: GPL-3.0-or-later
"""understudy, its peers and the floors, each doing the same job: encoders in, sinks out.

A relay is a function (stage, job, sinks) that returns the processes that count and the address
each show is published to. Encoders and sinks do not count.
"""

import dataclasses
import os
import subprocess

from lib.platforms import MODULE, certificate
from lib.ports import free_port, free_udp_port, is_bound
from lib.process import eventually
from lib.relay import KEYS, Relay, destination
from lib.stage import need

NGINX = """
daemon off; master_process off; worker_processes 1;
load_module {module};
pid {here}/nginx.pid; error_log {here}/error.log warn;
events {{ worker_connections 1024; }}
rtmp_auto_push off;
rtmp {{ access_log off; server {{ listen 127.0.0.1:{port}; chunk_size 4096;
    {applications} }} }}
"""
AT_ONCE = 4 # encoders that begin: understudy takes few connections without a key from one address
APPLICATION = "application {name} {{ live on; {push} }}"


@dataclasses.dataclass(frozen=True)
class Job:
    """What every relay of a comparison has to do."""
    destinations: int = 1 # of each show
    shows: int = 1
    feed: str = "rtmp"    # or srt
    out: str = "rtmp"     # or rtmps, srt
    kbps: int = 6000

    def __str__(self):
        ways = [f"{self.shows} x " if self.shows > 1 else "", str(self.destinations)]
        if (self.feed, self.out) != ("rtmp", "rtmp"):
            ways.append(f", {self.feed} to {self.out}")
        return "".join(ways)

    @property
    def carried_mbps(self):
        return self.kbps / 1000 * self.shows * (1 + self.destinations)


def clip(directory, kbps):
    """10 s of 60 frames a second, key frame every 2 s: what a 1080p60 encoder sends."""
    path = os.path.join(directory, f"clip-{kbps}.flv")
    if not os.path.exists(path):
        need("ffmpeg")
        rate = f"{kbps}k"
        subprocess.run([
            "ffmpeg", "-nostdin", "-v", "error",
            "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=60",
            "-f", "lavfi", "-i", "anoisesrc=amplitude=0.1:sample_rate=48000", "-t", "10",
            "-c:v", "libx264", "-preset", "ultrafast", "-g", "120", "-b:v", rate,
            "-minrate", rate, "-maxrate", rate, "-bufsize", rate, "-x264-params", "nal-hrd=cbr",
            "-c:a", "aac", "-b:a", "160k", path], check=True)
    return path


def publish(stage, job, url):
    form = "mpegts" if job.feed == "srt" else "flv"
    return stage.start("encoder", ["ffmpeg", "-nostdin", "-v", "error", "-re", "-stream_loop",
                                   "-1", "-i", clip(stage.shared, job.kbps), "-c", "copy",
                                   "-f", form, url])


def wait_bound(process, port, protocol="tcp"):
    def asked():
        if not process.is_running():
            raise AssertionError(f"{process.name} did not start: {process.stderr[-3:]}")
        return is_bound(port, protocol)
    eventually(asked, f"{process.name} to listen")


# ---- the sinks ----

@dataclasses.dataclass
class Sinks:
    urls: list # of each show, one for each destination
    authority: str = "" # for TLS: whom to trust


def sinks(stage, job):
    shows, count = range(job.shows), range(job.destinations)
    if job.out == "srt":
        return Sinks([[_srt_sink(stage) for _ in count] for _ in shows])
    _, port = _nginx(stage, "sink", [APPLICATION.format(name="live", push="")])
    authority = ""
    if job.out == "rtmps":
        chain, key, authority = certificate(stage)
        port = _stunnel(stage, "tls-sink", f"accept = 127.0.0.1:{{port}}\n"
                        f"connect = 127.0.0.1:{port}\ncert = {chain}\nkey = {key}\n")[1]
    return Sinks([[f"{job.out}://127.0.0.1:{port}/live/sink{s}-{d}" for d in count]
                  for s in shows], authority)


def _srt_sink(stage):
    need("srt-live-transmit")
    port = free_udp_port()
    process = stage.start("sink", ["sh", "-c", "exec srt-live-transmit -q 'srt://127.0.0.1:"
                                   f"{port}?mode=listener' file://con >/dev/null"])
    wait_bound(process, port, "udp")
    return f"srt://127.0.0.1:{port}"


def _nginx(stage, name, applications):
    need("nginx")
    here, port = stage.path(name), free_port()
    os.makedirs(here)
    path = os.path.join(here, "nginx.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(NGINX.format(module=MODULE, here=here, port=port,
                                applications="\n".join(applications)))
    process = stage.start(name, ["nginx", "-p", here, "-e", f"{here}/error.log", "-c", path])
    wait_bound(process, port)
    return process, port


def _stunnel(stage, name, service):
    need("stunnel")
    port, path = free_port(), stage.path(f"{name}.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"foreground = yes\ndebug = 3\npid =\n[{name}]\n{service.format(port=port)}")
    process = stage.start(name, ["stunnel", path])
    wait_bound(process, port)
    return process, port


# ---- the relays ----

def understudy(**show):
    def start(stage, job, to):
        def places(number):
            return [destination(f"d{i}", *url.rsplit("/", 1)) if job.out != "srt"
                    else {"name": f"d{i}", "url": url} for i, url in enumerate(to.urls[number])]
        relay = Relay(stage, places(0), **show,
                      srt={} if job.feed == "srt" else None,
                      environment={"SSL_CERT_FILE": to.authority} if to.authority else None)
        keys = [KEYS["primary"], *(f"bench-key-of-show-{i}" for i in range(1, job.shows))]
        relay.more_shows = [
            {**relay.show, "name": f"show{i}", "destinations": places(i),
             "feeds": [{"name": name, "key": key + ending}
                       for name, ending in (("primary", ""), ("backup", "-backup"))]}
            for i, key in enumerate(keys) if i > 0]
        if relay.more_shows:
            relay.reload_and_wait()
        for number, key in enumerate(keys):
            publish(stage, job, relay.url(key, job.feed))
            if number % AT_ONCE == AT_ONCE - 1:
                eventually(lambda upto=number: all(
                    s["feeds"][0]["state"] != "offline" for s in relay.shows()[:upto + 1]),
                    "the feeds to be taken", 60, 0.2)
        eventually(lambda: all(d["state"] == "live" for s in relay.shows()
                               for d in s["destinations"]),
                   "all destinations to be live", 60, 0.5)
        return [relay.process.pid]
    return start


def nginx(stage, job, to):
    """`push`; TLS by stunnel, which counts."""
    counted, pushes = [], []
    for urls in to.urls:
        pushes.append([])
        for url in urls:
            if job.out == "rtmps": # a tunnel to the sink; the name behind it is nginx's to say
                address, _, rest = url.removeprefix("rtmps://").partition("/")
                if not counted:
                    counted.append(_stunnel(
                        stage, "tunnel", "client = yes\naccept = 127.0.0.1:{port}\n"
                        f"connect = {address}\nCAfile = {to.authority}\nverifyChain = yes\n"))
                url = f"rtmp://127.0.0.1:{counted[0][1]}/{rest}"
            pushes[-1].append(f"push {url};")
    process, port = _nginx(stage, "relay", [
        APPLICATION.format(name=f"live{i}", push=" ".join(push))
        for i, push in enumerate(pushes)])
    for i in range(job.shows):
        publish(stage, job, f"rtmp://127.0.0.1:{port}/live{i}/show")
    return [process.pid, *(tunnel.pid for tunnel, _ in counted)]


def pushing_nginx(stage, urls):
    """The port of an nginx that pushes /live to these."""
    return _nginx(stage, "relay", [APPLICATION.format(
        name="live", push=" ".join(f"push {url};" for url in urls))])[1]


def listening_nginx(stage, count):
    """An nginx with so many applications of one push."""
    return _nginx(stage, "relay", [
        APPLICATION.format(name=f"live{i}", push="push rtmp://127.0.0.1:1/live/key;")
        for i in range(count)])[1]


def ffmpeg(stage, job, to):
    """`-c copy` to a tee of outputs with a queue each; a process a show."""
    need("ffmpeg")
    counted = []
    for urls in to.urls:
        form = "mpegts" if job.out == "srt" else "flv"
        port = free_udp_port() if job.feed == "srt" else free_port()
        if job.feed == "srt":
            url, listen = f"srt://127.0.0.1:{port}", ["-i", f"srt://127.0.0.1:{port}?mode=listener"]
        else:
            url = f"rtmp://127.0.0.1:{port}/live/show"
            listen = ["-listen", "1", "-i", url]
        process = stage.start("ffmpeg", [
            "ffmpeg", "-nostdin", "-v", "error", *listen, "-map", "0", "-c", "copy",
            "-f", "tee", "-use_fifo", "1", "|".join(f"[f={form}:onfail=ignore]{u}" for u in urls)])
        wait_bound(process, port, "udp" if job.feed == "srt" else "tcp")
        publish(stage, job, url)
        counted.append(process.pid)
    return counted


def srt_live_transmit(stage, job, to):
    """One feed to one peer is all it can."""
    need("srt-live-transmit")
    counted = []
    for urls in to.urls:
        port = free_udp_port()
        process = stage.start("srt-live-transmit", [
            "srt-live-transmit", "-q", f"srt://127.0.0.1:{port}?mode=listener", urls[0]])
        wait_bound(process, port, "udp")
        publish(stage, job, f"srt://127.0.0.1:{port}")
        counted.append(process.pid)
    return counted


def fanout(gather_ms):
    """The floor: bytes from one connection to many, in sinks of its own that read and forget."""
    def start(stage, job, _):
        program = os.path.join(stage.build, "tools", "fanout")
        sink = stage.start("sink", [program, "sink"])
        port = sink.wait_line(str.isdigit, "its port")
        relay = stage.start("fanout", [program, port, str(job.destinations), str(gather_ms)])
        port = relay.wait_line(str.isdigit, "its port")
        publish(stage, job, f"tcp://127.0.0.1:{port}")
        return [relay.pid]
    return start
