# SPDX-License-Identifier: GPL-3.0-or-later
"""An Icecast server of our own."""

import glob
import os
import urllib.error
import urllib.request

from lib.ports import free_port, is_bound
from lib.process import PATIENCE_S, eventually
from lib.stage import need

PASSWORD = "e2e-icecast-source-5c"

ICECAST = """<icecast>
  <limits><clients>20</clients><sources>5</sources><burst-size>65535</burst-size></limits>
  <authentication>
    <source-password>{password}</source-password>
    <relay-password>x</relay-password>
    <admin-user>admin</admin-user><admin-password>x</admin-password>
  </authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <logdir>{here}</logdir><webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot>
  </paths>
  <logging><accesslog>-</accesslog><errorlog>error.log</errorlog><loglevel>3</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""


def are_all_asleep(pid):
    """None of the process' threads has anything to do."""
    states = []
    for task in glob.glob(f"/proc/{pid}/task/*/stat"):
        with open(task, "rb") as stat:
            states.append(stat.read().rpartition(b")")[2].split()[0])
    return set(states) == {b"S"}


class Icecast:
    def __init__(self, stage):
        need("icecast2")
        self.stage = stage
        self.port = free_port()
        self.here = stage.path("icecast")
        os.mkdir(self.here)
        owner = ""
        if os.getuid() == 0: # it refuses to run as root
            os.chmod(self.here, 0o777)
            owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>"
        with open(os.path.join(self.here, "icecast.xml"), "w", encoding="utf-8") as file:
            file.write(ICECAST.format(password=PASSWORD, port=self.port, here=self.here,
                                      owner=owner))
        self.process = None
        self.start()

    def start(self):
        self.process = self.stage.start("icecast", [
            "icecast2", "-c", os.path.join(self.here, "icecast.xml")])
        # Whoever asks while its threads begin may make Icecast 2.4 crash.
        eventually(lambda: is_bound(self.port, "tcp") and are_all_asleep(self.process.pid),
                   "icecast to listen")
        eventually(self.is_up, "icecast to answer")

    def is_up(self):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status-json.xsl", timeout=1)
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def url(self, mount, password=PASSWORD):
        return f"icecast://source:{password}@127.0.0.1:{self.port}/{mount}"

    def hear(self, mount, size=20000):
        """Bytes that a listener gets, and the content type."""
        url = f"http://127.0.0.1:{self.port}/{mount}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.read(size), answer.headers["Content-Type"]
