# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that cannot outlive the test, and waiting for conditions.

Every child is told to die with us (PR_SET_PDEATHSIG), leads a process group of its own, and
whatever it leaves behind becomes our child (PR_SET_CHILD_SUBREAPER) and is killed at the end.
"""

import ctypes
import os
import signal
import subprocess
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

# Generous: a time-out is for what never comes, not for what is slow.
PATIENCE_S = 60.0

LAST_LINE = "nobody listens"


class Timeout(AssertionError):
    pass


def eventually(condition, what, timeout_s=PATIENCE_S, interval_s=0.03):
    """The first true value of condition(); asks often, and gives up after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(interval_s)


def children_of(pid):
    """Process ids of the direct children, in the order in which they were started (their numbers
    begin anew now and then)."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != b"Z":
            found.append((int(fields[19]), int(entry))) # ticks since boot
    return [pid for _, pid in sorted(found)]


def name_of(pid):
    """Name of the program a process runs, from its command line, else its comm."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            name = os.path.basename(file.read().split(b"\0")[0].decode(errors="replace"))
        if name:
            return name.split(" ")[0].rstrip(":")
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def kill_stragglers():
    """Ends everything that is still below us, orphans of our children included."""
    for _ in range(100):
        left = children_of(os.getpid())
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                pass


class Process:
    """A running program; its output is kept, line by line, in memory."""

    def __init__(self, name, command, cwd=None, environment=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.stdout = []
        self.stderr = []
        self._changed = threading.Condition()
        self._reading = threading.Event() # cleared: nobody reads what comes behind LAST_LINE
        self._reading.set()
        self._process = subprocess.Popen(
            self.command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_die_with_parent,
            start_new_session=True)
        self.pid = self._process.pid
        self._readers = [
            threading.Thread(target=self._read, args=(pipe, lines), daemon=True)
            for pipe, lines in ((self._process.stdout, self.stdout),
                                (self._process.stderr, self.stderr))]
        for reader in self._readers:
            reader.start()

    def _read(self, pipe, lines):
        for line in pipe:
            with self._changed:
                lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
            if lines[-1] == LAST_LINE:
                self._reading.wait()
        with self._changed:
            self._changed.notify_all()

    def is_running(self):
        return self._process.poll() is None

    def status(self):
        """Exit status, None while it runs."""
        return self._process.poll()

    def wait_line(self, matches, what, timeout_s=PATIENCE_S, since=0, lines=None):
        """The first line of stdout (or of `lines`) for which matches(line) is true."""
        lines = self.stdout if lines is None else lines
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for line in lines[since:]:
                    if matches(line):
                        return line
                since = len(lines)
                if not self.is_running() and not any(r.is_alive() for r in self._readers):
                    raise AssertionError(
                        f"{self.name} ended (status {self.status()}) before {what}")
                if time.monotonic() > end:
                    raise Timeout(f"waited {timeout_s:.0f} s for {what} from {self.name}")
                self._changed.wait(0.2)

    def send(self, number):
        """To the process and all of its group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def freeze(self):
        self.send(signal.SIGSTOP)

    def thaw(self):
        self.send(signal.SIGCONT)

    def wait(self, timeout_s=PATIENCE_S):
        """Exit status, after it has ended of itself; by then all that it said has been read."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            raise Timeout(f"waited {timeout_s:.0f} s for {self.name} to end") from late
        self.drain()
        return self.status()

    def stop(self, number=signal.SIGTERM, timeout_s=PATIENCE_S):
        """Asks it alone (not its children) to end; its exit status."""
        if self.is_running():
            self._process.send_signal(number)
        return self.wait(timeout_s)

    def block_stderr(self, room):
        """It can say this many bytes; with more it has to wait until somebody listens again."""
        path = f"/proc/{self.pid}/fd/2"
        self._reading.clear()
        sink = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(sink, f"{LAST_LINE}\n".encode())
        self.wait_line(lambda line: line == LAST_LINE, "its last line", lines=self.stderr)
        page = os.sysconf("SC_PAGE_SIZE") # a pipe is made of these
        try:
            while True:
                os.write(sink, b"." * (page - 1) + b"\n")
        except BlockingIOError:
            pass
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.read(source, page)
        os.write(sink, b"\n" * (page - room))
        os.close(source)
        os.close(sink)

    def waits_at_stderr(self):
        with open(f"/proc/{self.pid}/syscall", encoding="ascii") as file:
            return file.read().split()[1:2] == ["0x2"] # a call whose first argument is 2

    def unblock_stderr(self):
        self._reading.set()

    def kill(self):
        """At once, with all of its group."""
        self.send(signal.SIGKILL)
        self._process.wait()

    def drain(self):
        """The last of what it printed; once nobody holds its pipes any more."""
        self._reading.set()
        for reader in self._readers:
            reader.join(2)

    def dump(self, bound=120):
        """Last lines of what it printed, for a failed test."""
        command = " ".join(self.command).replace("\n", "\\n") # a comment of TAP is one line
        yield f"{self.name} (pid {self.pid}, status {self.status()}): {command}"
        for label, lines in (("stdout", self.stdout), ("stderr", self.stderr)):
            if len(lines) > bound:
                yield f"  {label}: ... {len(lines) - bound} lines before"
            for line in lines[-bound:]:
                yield f"  {label}: {line[:400]}"


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
