# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms: nginx with its RTMP module, which records, and what can go wrong on the way there."""

import glob
import os
import re
import socket
import ssl
import subprocess
import threading

from lib.ports import free_port, stop_listening
from lib.process import eventually
from lib.stage import Skip, need

MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

NGINX = """
daemon off;
master_process off;
worker_processes 1;
{module}
pid {here}/nginx.pid;
error_log {here}/error.log info;
events {{ worker_connections 256; }}
rtmp_auto_push off;
rtmp {{
    access_log {here}/access.log;
    server {{
        listen 127.0.0.1:{port};
        chunk_size 4096;
        application live {{
            live on;
            record all;
            record_path {here}/recordings;
            record_unique on;
            record_suffix -%s.flv;
        }}
        application source {{
            live on;
            idle_streams off;
        }}
    }}
}}
"""

# What it says of a connection: `PID#THREAD: *NUMBER EVENT`.
PUBLISH = re.compile(r"(\d+#\d+: \*\d+) publish: name='([^']*)'")
DELETE_STREAM = re.compile(r"(\d+#\d+: \*\d+) deleteStream")


class Nginx:
    """One platform. Can be stopped and started again on the same port."""

    def __init__(self, stage, name="platform"):
        need("nginx")
        if not os.path.exists(MODULE):
            raise Skip("not on this machine: libnginx-mod-rtmp")
        self.stage = stage
        self.name = name
        self.here = stage.path(name)
        os.makedirs(os.path.join(self.here, "recordings"))
        os.chmod(os.path.join(self.here, "recordings"), 0o777)
        self.port = free_port()
        self.process = None
        self._write_config()
        self.start()

    def _write_config(self):
        with open(os.path.join(self.here, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(NGINX.format(here=self.here, port=self.port,
                                    module=f"load_module {MODULE};"))

    def start(self):
        self.process = self.stage.start(self.name, [
            "nginx", "-p", self.here, "-e", f"{self.here}/error.log",
            "-c", f"{self.here}/nginx.conf"])
        eventually(self._is_listening, f"{self.name} to listen")

    def _is_listening(self):
        if not self.process.is_running():
            raise AssertionError(f"{self.name} did not start: {self.process.stderr[-3:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        """Ends it and returns when its recordings are complete."""
        self.process.kill()

    @property
    def url(self):
        return f"rtmp://127.0.0.1:{self.port}/live"

    def _log(self):
        with open(os.path.join(self.here, "error.log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def published(self):
        """The key of every publish so far, oldest first."""
        return [key for _, key in PUBLISH.findall(self._log())]

    def publishes(self):
        return len(self.published())

    def ends(self):
        """Connections that published and have ended."""
        log = self._log()
        published = {connection for connection, _ in PUBLISH.findall(log)}
        return len(published & set(DELETE_STREAM.findall(log)))

    def recordings(self):
        """Paths, oldest first."""
        found = glob.glob(os.path.join(self.here, "recordings", "*.flv"))
        return sorted(found, key=lambda path: (os.stat(path).st_ctime_ns, path))

    def recorded_bytes(self):
        return sum(os.path.getsize(path) for path in self.recordings())

    def wait_media(self, more_bytes=20000):
        """Until this much more has been recorded than now."""
        before = self.recorded_bytes()
        eventually(lambda: self.recorded_bytes() > before + more_bytes,
                   f"media to arrive at {self.name}")

    def the_recording(self):
        """Path of the only recording: the connection was one and the same throughout."""
        paths = self.recordings()
        if len(paths) != 1 or self.publishes() != 1:
            raise AssertionError(f"{self.name}: {self.publishes()} publishes, recordings: {paths}")
        return paths[0]


class Wire:
    """A TCP wire to a platform on which things can be made to go wrong; plain or TLS towards
    the relay, always plain towards the platform. Keeps the end of what the relay sent."""

    KEPT_BYTES = 4096

    def __init__(self, stage, port, tls=None):
        self._target = port
        self._tls = tls
        self._links = []
        self._running = threading.Event() # cleared: nobody reads any more
        self._running.set()
        self._is_refusing = False
        self.accepted = 0
        self.ended = 0 # connections from the relay that have ended
        self.tail = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        stage.on_close(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'rtmps' if self._tls else 'rtmp'}://127.0.0.1:{self.port}/live"

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._is_refusing:
                near.close()
            else:
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near):
        try:
            if self._tls:
                near = self._tls.wrap_socket(near, server_side=True)
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        self._links.append((near, far))
        back = threading.Thread(target=self._pump, args=(far, near, False), daemon=True)
        back.start()
        self._pump(near, far, True)
        back.join()
        # Only now, as nobody is inside a call on them, does closing end them at once.
        far.close()
        near.close()
        self.ended += 1

    def _pump(self, source, sink, is_outward):
        try:
            while True:
                data = source.recv(65536)
                self._running.wait()
                if not data:
                    break
                if is_outward:
                    self.tail = (self.tail + data)[-self.KEPT_BYTES:]
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RD) # wakes the other direction
            except OSError:
                pass

    def stall(self):
        """From now on nobody reads what the relay writes; the connection stays."""
        self._running.clear()

    def cut(self, is_refusing=False):
        """Resets what is connected; optionally nobody gets through any more."""
        self._is_refusing = is_refusing
        links, self._links = self._links, []
        for link in links:
            for end in link:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    end.shutdown(socket.SHUT_RD)
                except OSError:
                    pass

    def mend(self):
        self._is_refusing = False

    def close(self):
        stop_listening(self._listener)
        self._running.set()
        self.cut()


def certificate(stage, name="localhost"):
    """Paths of a certificate (with IP 127.0.0.1) signed by a CA of this test: chain, key, CA."""
    need("openssl")
    ca, ca_key = stage.path("ca.pem"), stage.path("ca.key")
    chain, key = stage.path("chain.pem"), stage.path("tls.key")
    request, extensions = stage.path("tls.csr"), stage.path("tls.ext")
    with open(extensions, "w", encoding="utf-8") as file:
        file.write(f"subjectAltName=DNS:{name},IP:127.0.0.1\n")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
            ["req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-days", "2",
             "-subj", "/CN=understudy test CA"],
            ["req", *curve, "-keyout", key, "-out", request, "-subj", f"/CN={name}"],
            ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
             "-days", "2", "-extfile", extensions, "-out", chain]):
        subprocess.run(["openssl", *command], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    return chain, key, ca


def tls_server(chain, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    return context
