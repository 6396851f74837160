# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports for programs that cannot be asked which one they got.

They lie below those that the kernel gives out: it would give one that is not bound yet, or not
at the moment, to anybody who listens at "any port" or just dials, and many do beside each other.
Whoever was given one keeps it until the program ends, bound or not: others are not given it.
"""

import random
import socket

FIRST = 15000
_chance = random.SystemRandom()
_kept = [] # a socket for each, whose name in the abstract name space says whose it is


def _end():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        return max(int(file.read().split()[0]), FIRST + 2000)


def _keep(port):
    """Whether it is ours from now on, and nobody else's."""
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0understudy-e2e-port-{port}")
    except OSError:
        mark.close()
        return False
    _kept.append(mark)
    return True


def _free(kind):
    while True:
        port = _chance.randrange(FIRST, _end(), 2)
        if not _keep(port):
            continue
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass # somebody's


def free_port():
    """Of TCP."""
    return _free(socket.SOCK_STREAM)


def free_udp_port():
    """Of UDP: an even one, whose neighbour nobody else is given, as RTP has it."""
    return _free(socket.SOCK_DGRAM)


def is_bound(port, protocol):
    """Whether somebody listens there (tcp) or has the port (udp); asks the kernel, not the port."""
    state = "0A" if protocol == "tcp" else "07"
    with open(f"/proc/self/net/{protocol}", encoding="ascii") as file:
        return any(fields[1].endswith(f":{port:04X}") and fields[3] == state
                   for fields in map(str.split, list(file)[1:]))


def stop_listening(listener):
    """Closes a socket of which another thread accepts; that is woken first. It would wait on, and
    if its call is begun anew (the machine stood still) get what comes to whoever has the number
    of the descriptor by then."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass # closed already
    listener.close()
