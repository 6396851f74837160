# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace of our own, with one cable to it that can be cut."""

import os
import subprocess

from lib.stage import Skip, need


class Network:
    def __init__(self, stage):
        need("ip")
        if os.geteuid() != 0:
            raise Skip("only root can make a network namespace")
        number = os.getpid() % 16000
        self.name, self.cable = f"understudy-{number}", f"us{number}"
        self.here, there = (f"10.{200 + number % 50}.{number // 64}.{i}" for i in (1, 2))
        stage.on_close(self._remove)
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self.cable, "type", "veth", "peer", "name", "cable", "netns",
                 self.name)
        self._ip("addr", "add", f"{self.here}/30", "dev", self.cable)
        self._ip("link", "set", self.cable, "up")
        for arguments in (("addr", "add", f"{there}/30", "dev", "cable"),
                          ("link", "set", "cable", "up"), ("link", "set", "lo", "up")):
            self._ip("-n", self.name, *arguments)

    @staticmethod
    def _ip(*arguments, check=True):
        run = subprocess.run(["ip", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, check=False)
        if check and run.returncode:
            raise Skip(f"no network namespaces here: ip {' '.join(arguments)}: "
                       f"{run.stdout.strip()}")

    def command(self, command):
        """The command, run inside."""
        return ["ip", "netns", "exec", self.name, *command]

    def cut(self):
        """What is on its way is lost; nobody is told."""
        self._ip("-n", self.name, "link", "set", "cable", "down")

    def _remove(self):
        self._ip("link", "del", self.cable, check=False)
        self._ip("netns", "del", self.name, check=False)
