# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults ordered from the relay, over its socket: undone when closed, or when the test dies."""

import json
import socket


class Rehearsal:
    def __init__(self, relay, show="main"):
        self.show = show
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(relay.socket)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def ask(self, **request):
        self.socket.sendall((json.dumps({"show": self.show, **request}) + "\n").encode())
        return json.loads(self.lines.readline())

    def fault(self, kind, target, seconds=60, live=True):
        """Orders it; a refusal is a failure of the test."""
        answer = self.ask(command="fault", kind=kind, target=target, seconds=seconds, live=live)
        if not answer["ok"]:
            raise AssertionError(f"{kind} {target}: {answer['error']}")

    def close(self):
        self.lines.close()
        self.socket.close()
