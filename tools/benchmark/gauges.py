# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process tree costs: CPU, its memory, the kernel's; and what loopback carried."""

import ctypes
import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import time

from lib.process import children_of

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
STACK_KIB = 16 # the kernel's own, of each thread


def own_network():
    """Moves us to a network namespace of our own: its loopback is nobody else's. False: may not."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return True


def carried_bytes():
    """All that went over the loopback of this namespace."""
    with open("/proc/self/net/dev", encoding="ascii") as file:
        return int(re.search(r"^ *lo: *(\d+)", file.read(), re.M).group(1))


def tree(roots):
    """The processes and all below them."""
    return [below for pid in roots for below in [pid, *tree(children_of(pid))]]


def _read(path):
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError: # the process has ended
        return ""


def cpu_s(pids):
    """By process and thread: exact, where /proc/PID/stat counts in ticks of 10 ms."""
    times = {}
    for pid in pids:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            found = _read(f"/proc/{pid}/task/{task}/schedstat").split()
            times[task] = int(found[0]) / 1e9 if found else 0
    return times


def pss_kib(pids):
    return sum(int(size) for pid in pids
               for size in re.findall(r"^Pss: *(\d+)", _read(f"/proc/{pid}/smaps_rollup"), re.M))


def kernel_kib(pids):
    """Page tables, kernel stacks, and what waits in sockets (if `ss` is on the machine)."""
    total = 0
    for pid in pids:
        status = dict(re.findall(r"^(VmPTE|Threads):\s*(\d+)", _read(f"/proc/{pid}/status"), re.M))
        total += int(status.get("VmPTE", 0)) + int(status.get("Threads", 0)) * STACK_KIB
    if not shutil.which("ss"):
        return total
    listed = subprocess.run(["ss", "-tunpmHO"], stdout=subprocess.PIPE, text=True, check=True)
    ours = {str(pid) for pid in pids}
    for line in listed.stdout.splitlines():
        if ours.intersection(re.findall(r"pid=(\d+)", line)):
            sizes = dict(re.findall(r"\b([rfwo])(\d+)\b", line.partition("skmem:")[2]))
            total += sum(map(int, sizes.values())) // 1024
    return total


def _spent(roots):
    return time.monotonic(), cpu_s(tree(roots))


def measured(trees, seconds):
    """What each of these process trees (lists of roots) takes, all of them for the same so long.
    Who ends meanwhile counts until then."""
    before, carried = [_spent(roots) for roots in trees], carried_bytes()
    time.sleep(seconds)
    after, carried = [_spent(roots) for roots in trees], carried_bytes() - carried
    return [_taken(tree(roots), carried, *then, *now)
            for roots, then, now in zip(trees, before, after)]


def _taken(pids, carried, began, before, ended, after):
    took = ended - began
    return {
        "cpu_ms_per_s": sum(spent - before.get(task, 0) for task, spent in after.items())
                        / took * 1000,
        "pss_kib": pss_kib(pids),
        "kernel_kib": kernel_kib(pids),
        "processes": len(pids),
        "carried_mbps": carried * 8 / took / 1e6,
    }
