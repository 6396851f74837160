# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that feeds are pulled from: HTTP with whatever it says, good and bad; SRT listeners."""

import http.server
import os
import subprocess
import threading
import time

from lib.process import eventually
from lib.stage import need


def remux(of, form, *more):
    """The command of an ffmpeg that sends the clip to its standard output in real time."""
    return ["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", of.path, "-c", "copy", *more,
            "-f", form, "pipe:1"]


class Origin:
    """A web server; `origin.routes[path]` is what it does: a function of the request handler."""

    def __init__(self, stage, tls=None):
        need("ffmpeg")
        origin = self
        self.routes = {}
        self.asked = []
        self.is_closing = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self): # pylint: disable=invalid-name
                path = self.path.partition("?")[0]
                origin.asked.append((time.monotonic(), self.path))
                self.close_connection = True
                answer = origin.routes.get(path) or origin.routes.get(os.path.dirname(path) + "/")
                try:
                    if answer is None:
                        self.send_error(404)
                    else:
                        answer(self)
                except OSError:
                    pass # the relay has hung up

            def begin(self, kind, status=200, **headers):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Connection", "close")
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.scheme = "https" if tls else "http"
        stage.on_close(self.close)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, path, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def close(self):
        self.is_closing.set()
        self._server.shutdown()
        self._server.server_close()

    def asked_for(self, path):
        return [at for at, asked in self.asked if asked.partition("?")[0] == path]

    # ---- what it can do ----

    def live(self, path, command, kind="video/mp2t"):
        """Every request gets a fresh encoder's output."""
        def answer(request):
            request.begin(kind)
            with subprocess.Popen(command, stdout=subprocess.PIPE) as encoder:
                try:
                    while data := encoder.stdout.read1(65536):
                        request.wfile.write(data)
                finally:
                    encoder.kill()
        self.routes[path] = answer

    def text(self, path, text, kind="application/vnd.apple.mpegurl"):
        def answer(request):
            request.begin(kind)
            request.wfile.write(text.encode() if isinstance(text, str) else text)
        self.routes[path] = answer

    def redirect(self, path, target):
        self.routes[path] = lambda request: request.begin("text/plain", 302, Location=target)

    def hang(self, path, first=b""):
        """Answers, and then says nothing any more."""
        def answer(request):
            request.begin("video/mp2t")
            request.wfile.write(first)
            request.wfile.flush()
            self.is_closing.wait()
        self.routes[path] = answer

    def directory(self, path, directory):
        def answer(request):
            name = os.path.basename(request.path.partition("?")[0])
            try:
                with open(os.path.join(directory, name), "rb") as file:
                    data = file.read()
            except OSError:
                request.send_error(404)
                return
            request.begin("application/octet-stream", **{"Content-Length": str(len(data))})
            request.wfile.write(data)
        self.routes[path] = answer


def hls(stage, origin, of, path, *more):
    """ffmpeg writes a live playlist of the clip, which the origin serves below `path`."""
    directory = stage.path("hls" + path.replace("/", "-"))
    os.makedirs(directory)
    origin.directory(path, directory)
    stage.start("segmenter", [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", of.path, "-c", "copy", "-f", "hls",
        "-hls_time", "2", "-hls_list_size", "6", "-hls_flags", "delete_segments", *more,
        os.path.join(directory, "live.m3u8")])
    eventually(lambda: os.path.exists(os.path.join(directory, "live.m3u8")), "a playlist")
    return origin.url(path + "live.m3u8")


def srt_listener(stage, name, of, port, **query):
    """ffmpeg waits for one SRT caller and sends the clip to it."""
    more = "".join(f"&{key}={value}" for key, value in query.items())
    return stage.start(name, [
        "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", of.path, "-c", "copy", "-f", "mpegts",
        f"srt://127.0.0.1:{port}?mode=listener{more}"])
