# SPDX-License-Identifier: GPL-3.0-or-later
"""A platform of our own that misbehaves on command: a small RTMP server which counts what it gets.

It shares no code with the relay: what it understands, platforms understand.
"""

import os
import socket
import struct
import threading
import time

from lib.ports import stop_listening

PLAIN, FLOOD, LIE, HALF_CLOSE, RESET, STALL, CRAWL = range(7)


def string(text):
    raw = text.encode()
    return b"\2" + struct.pack(">H", len(raw)) + raw


def members(values):
    return b"\3" + b"".join(
        struct.pack(">H", len(key)) + key.encode() + string(value)
        for key, value in values.items()) + b"\0\0\t"


def number(value):
    return b"\0" + struct.pack(">d", value)


def command(name, transaction, *values):
    return string(name) + number(transaction) + b"".join(values)


def chunk(kind, body, csid=3, stream=0):
    """One message in one chunk; the relay is told of a chunk size that is large enough."""
    return (bytes([csid]) + b"\0\0\0" + struct.pack(">I", len(body))[1:] + bytes([kind])
            + struct.pack("<I", stream) + body)


class Gone(Exception):
    pass


class Session:
    """One connection, from handshake to its end."""

    def __init__(self, peer, connection):
        self.peer = peer
        self.connection = connection
        self.chunk_size = 128
        self.heads, self.bodies = {}, {}
        self.app = ""
        self.is_publishing = False
        self.video, self.audio = [], []
        self.media = [] # (kind, timestamp, body) of a peer that keeps them
        self.arrived = [] # when, of each video message
        self.reading = threading.Event() # cleared: reads no more
        self.reading.set()

    def send(self, data):
        self.connection.sendall(data)

    def read(self, size):
        data = b""
        while len(data) < size:
            self.reading.wait()
            if self.peer.manner == CRAWL and self.is_publishing:
                time.sleep(0.25)
            got = self.connection.recv(min(size - len(data), 1024 if
                                           self.peer.manner == CRAWL else 65536))
            if not got:
                raise Gone
            data += got
        return data

    def handshake(self):
        self.read(1)
        theirs = self.read(1536)
        self.send(b"\3" + struct.pack(">II", 0, 0) + os.urandom(1528) + theirs)
        self.read(1536)
        self.send(chunk(1, struct.pack(">I", 65536), csid=2))

    def message(self):
        """(kind, timestamp, body)"""
        while True:
            first = self.read(1)[0]
            form, csid = first >> 6, first & 63
            if form == 0:
                head = self.read(11)
                at = int.from_bytes(head[:3], "big")
                size, kind = int.from_bytes(head[3:6], "big"), head[6]
                if at == 0xffffff:
                    at = struct.unpack(">I", self.read(4))[0]
                self.heads[csid] = (kind, size, at, at >= 0xffffff)
                self.bodies[csid] = b""
            elif form != 3:
                raise Gone
            elif self.heads[csid][3]:
                self.read(4)
            kind, size, at, _ = self.heads[csid]
            body = self.bodies[csid]
            self.bodies[csid] = body = body + self.read(min(self.chunk_size, size - len(body)))
            if len(body) == size:
                return kind, at, body

    def take_command(self, body):
        name = body[3:3 + body[2]].decode()
        transaction = struct.unpack(">d", body[4 + len(name):12 + len(name)])[0]
        if name == "connect":
            at = body.index(b"\0\3app\2") + 6
            size = struct.unpack(">H", body[at:at + 2])[0]
            self.app = body[at + 2:at + 2 + size].decode()
            refusal = self.peer.door(self.app)
            if refusal is not None:
                self.send(chunk(20, command("_error", transaction, b"\5", members({
                    "level": "error", "code": "NetConnection.Connect.Rejected",
                    "description": refusal}))))
                raise Gone
            self.send(chunk(20, command("_result", transaction, self.peer.abilities(), members({
                "level": "status", "code": "NetConnection.Connect.Success"}))))
        elif name == "createStream":
            self.send(chunk(20, command("_result", transaction, b"\5", number(1))))
        elif name == "publish":
            self.send(chunk(20, command("onStatus", 0, b"\5", members({
                "level": "status", "code": "NetStream.Publish.Start"})), stream=1))
            self.is_publishing = True
            self.peer.published.append(time.monotonic())
            self.misbehave()
        elif name == "FCUnpublish":
            self.peer.unpublished += 1

    def misbehave(self):
        manner = self.peer.manner
        if manner == RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            raise Gone
        if manner == HALF_CLOSE:
            self.connection.shutdown(socket.SHUT_WR)
        elif manner == LIE:
            self.send(chunk(1, struct.pack(">I", 1), csid=2) + chunk(20, b"\2" * 200))
        elif manner == FLOOD:
            threading.Thread(target=self.flood, daemon=True).start()
        elif manner == STALL:
            self.peer.stalled.wait()

    def flood(self):
        ping = chunk(4, struct.pack(">HI", 6, 7), csid=2) * 500
        try:
            while True:
                self.send(ping)
        except OSError:
            pass

    def serve(self):
        self.handshake()
        while True:
            kind, at, body = self.message()
            if kind == 1:
                self.chunk_size = struct.unpack(">I", body)[0]
            elif kind == 20:
                self.take_command(body)
            elif self.peer.keeps and kind in (8, 9, 18):
                self.media.append((kind, at, body))
            elif kind == 9 and len(body) > 5 and body[1] == 1:
                self.video.append((at, body[0]))
                self.arrived.append(time.monotonic())
            elif kind == 8 and len(body) > 2 and body[1] == 1:
                self.audio.append((at, body[0]))

    def end(self, unclean):
        """Hangs up: by a reset, or as if all had been said."""
        if unclean:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD) # the thread that reads then closes it
        else:
            self.connection.shutdown(socket.SHUT_WR)

    def ask_over(self, url=None):
        """A ReconnectRequest."""
        values = {"level": "status", "code": "NetConnection.Connect.ReconnectRequest"}
        if url is not None:
            values["tcUrl"] = url
        self.send(chunk(20, command("onStatus", 0, b"\5", members(values))))


class Peer:
    def __init__(self, stage, manner=PLAIN, door=lambda app: None, codecs=None, caps=None,
                 keeps=False):
        self.manner = manner
        self.codecs, self.caps = codecs, caps # Enhanced RTMP that it announces
        self.keeps = keeps # whole messages, for comparison
        self.door = door # None: come in; else the description of the refusal
        self.sessions, self.published = [], []
        self.unpublished = 0
        self.stalled = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        stage.on_close(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"rtmp://127.0.0.1:{self.port}/live"

    def abilities(self):
        """The properties beside the answer to connect."""
        if self.codecs is None:
            return b"\5"
        return (b"\3" + struct.pack(">H", 10) + b"fourCcList\x0a"
                + struct.pack(">I", len(self.codecs)) + b"".join(map(string, self.codecs))
                + struct.pack(">H", 6) + b"capsEx" + number(self.caps or 0) + b"\0\0\t")

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.manner in (STALL, CRAWL):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            session = Session(self, connection)
            self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    @staticmethod
    def _serve(session):
        try:
            session.serve()
        except (Gone, OSError, KeyError, ValueError, struct.error, IndexError):
            pass
        session.is_publishing = False
        session.connection.close()

    def leave(self):
        """Is gone: connections are reset, and nobody listens any more."""
        stop_listening(self._listener)
        for session in self.sessions:
            if session.is_publishing:
                session.end(True)

    def come_back(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.stalled.set()
        stop_listening(self._listener)
        for session in self.sessions:
            session.reading.set()
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
