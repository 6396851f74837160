# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay under test: its config, its process tree, its command."""

import json
import os
import re
import signal
import subprocess

from lib.process import PATIENCE_S, children_of, eventually, name_of

PRIMARY_KEY = "e2e-primary-7f3a9c"
BACKUP_KEY = "e2e-backup-51d0e2"
PLATFORM_KEY = "e2e-platform-0b62d8"
KEYS = {"primary": PRIMARY_KEY, "backup": BACKUP_KEY}
# The delay of shows that are about something else: what leaves a busy machine two seconds.
AMPLE_MS = 2500


def destination(name, url, key=PLATFORM_KEY):
    return {"name": name, "url": url, "key": key}


def recording(name, path):
    return {"name": name, "url": f"file:{path}"}


class Relay:
    """`understudy run` with a config of its own: one show, two feeds."""

    def __init__(self, stage, destinations, delay_ms=3500, failover=None, environment=None,
                 rtmps=None, srt=None, watchdog_s=None, listen="127.0.0.1:0", **show):
        self.stage = stage
        self.show = {
            "name": "main",
            "delay_ms": delay_ms,
            "feeds": [{"name": name, "key": key} for name, key in KEYS.items()],
            "failover": {"stall_ms": 500, "hole_ms": 200, "return": "auto",
                         "return_after_s": 3, **(failover or {})},
            "destinations": destinations,
            **show,
        }
        self.rtmps = rtmps # (certificate, key) paths
        self.listen = listen
        self.more_shows = []
        self.srt = srt # section "srt" of the config
        self.watchdog_s = watchdog_s
        self.config_path = stage.path("understudy.yaml")
        self.socket = stage.path("run", "understudy.sock")
        self.environment = {**os.environ, "UNDERSTUDY_SOCKET": self.socket, **(environment or {})}
        os.makedirs(stage.path("run"), mode=0o750)
        os.makedirs(stage.path("state"), mode=0o755, exist_ok=True)
        self.write_config()
        self.process = None
        self.ports = {}
        self.start()

    def write_config(self):
        config = {
            "rtmp": {"listen": self.listen},
            "state_directory": self.stage.path("state"),
            "socket": self.socket,
            "shows": [self.show, *self.more_shows],
        }
        if self.rtmps:
            config["rtmps"] = {"listen": "127.0.0.1:0", "certificate": self.rtmps[0],
                               "private_key": self.rtmps[1]}
        if self.watchdog_s is not None:
            config["watchdog_s"] = self.watchdog_s
        if self.srt is not None:
            config["srt"] = {"listen": "127.0.0.1:0", **self.srt}
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=2) # JSON is YAML
            file.write("\n")
        os.chmod(self.config_path, 0o640)

    def start(self):
        self.process = self.stage.start(
            "relay", [self.stage.program("understudy"), "run", "-c", self.config_path],
            environment=self.environment)
        self.wait_ready()

    def wait_ready(self):
        self.process.wait_line(lambda line: line == "ready", "ready")
        self.ports.update((kind, int(port)) for kind, port in re.findall(
            r"^listening (rtmps?|srt) \S*:(\d+)$", "\n".join(self.process.stdout), re.M))

    def url(self, feed, scheme="rtmp"):
        key = KEYS.get(feed, feed)
        if scheme == "srt":
            return f"srt://127.0.0.1:{self.ports[scheme]}?streamid={key}"
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}/live/{key}"

    # ---- the command ----

    def run(self, *arguments, timeout_s=PATIENCE_S):
        return subprocess.run(
            [self.stage.program("understudy"), *arguments, "--socket", self.socket],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=timeout_s, check=False)

    def command(self, *arguments):
        """Its output; a status other than 0 is a failure of the test."""
        run = self.run(*arguments)
        if run.returncode != 0:
            raise AssertionError(f"understudy {' '.join(arguments)}: status {run.returncode}: "
                                 f"{run.stderr.strip()}")
        return run.stdout

    def status(self):
        """The show's part of `status --json`."""
        return self.shows()[0]

    def shows(self):
        return json.loads(self.command("status", "--json"))["shows"]

    def feed(self, name, status=None):
        return next(f for f in (status or self.status())["feeds"] if f["name"] == name)

    def destination(self, name, status=None):
        return next(d for d in (status or self.status())["destinations"] if d["name"] == name)

    def wait_status(self, predicate, what, timeout_s=PATIENCE_S):
        """The first status for which predicate(show) is true."""
        last = {}

        def asked():
            run = self.run("status", "--json")
            if run.returncode == 3 and "has ended" in run.stderr and self.process.is_running():
                return None # asked just when another binary took over
            if run.returncode != 0:
                raise AssertionError(f"status: {run.returncode}: {run.stderr.strip()}")
            last["status"] = json.loads(run.stdout)["shows"][0]
            return last["status"] if predicate(last["status"]) else None
        try:
            return eventually(asked, what, timeout_s, interval_s=0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}; last status: {json.dumps(last.get('status'))}") from late

    def wait_live(self, feed, timeout_s=PATIENCE_S):
        return self.wait_status(lambda s: s["live"] == feed and s["on_air"],
                                f"{feed} to be live", timeout_s)

    def wait_feed(self, name, *states, timeout_s=PATIENCE_S):
        return self.wait_status(lambda s: self.feed(name, s)["state"] in states,
                                f"{name} to be {' or '.join(states)}", timeout_s)

    def wait_destination(self, name, *states, timeout_s=PATIENCE_S):
        return self.wait_status(lambda s: self.destination(name, s)["state"] in states,
                                f"destination {name} to be {' or '.join(states)}", timeout_s)

    def wait_there_and_back(self, since):
        """Until the audience has seen the backup and sees the primary again. That may be over
        before a status is asked for, so the log since that line tells it."""
        self.wait_log("failover show=main: primary -> backup", since)
        self.wait_log("failback show=main: backup -> primary", since)
        self.wait_live("primary")

    # ---- the process tree ----

    def reexecute(self):
        """A new binary (the same, here) takes over; returns once it says so."""
        lines = len(self.process.stderr)
        os.kill(self.process.pid, signal.SIGUSR2)
        self.process.wait_line(lambda line: "re-executed" in line, "the new binary to go on",
                               since=lines, lines=self.process.stderr)

    def reload(self):
        """Gives it the config as it is now."""
        self.write_config()
        os.kill(self.process.pid, signal.SIGHUP)

    def reload_and_wait(self):
        lines = len(self.process.stderr)
        self.reload()
        self.process.wait_line(lambda line: line.endswith("config reloaded"), "the new config",
                               since=lines, lines=self.process.stderr)

    def workers(self, role):
        """Process ids of the workers of this role."""
        return [pid for pid in children_of(self.process.pid)
                if name_of(pid) == f"understudy-{role}"]

    def kill_worker(self, role):
        """kill -9 of the only worker of the role; returns once it is gone."""
        pids = self.workers(role)
        if len(pids) != 1:
            raise AssertionError(f"{len(pids)} workers of role {role}: {pids}")
        os.kill(pids[0], signal.SIGKILL)
        eventually(lambda: pids[0] not in children_of(self.process.pid), f"{role} to be gone")
        return pids[0]

    def wait_worker(self, role, other_than=()):
        return eventually(lambda: [p for p in self.workers(role) if p not in other_than],
                          f"a worker {role}")[0]

    def log(self):
        return "\n".join(self.process.stderr)

    def wait_log(self, text, since=0):
        """The first line with this text; what is seen elsewhere may be there sooner."""
        return self.process.wait_line(lambda line: text in line, repr(text), since=since,
                                      lines=self.process.stderr)
