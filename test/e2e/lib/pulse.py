# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine let us work: a thread on each processor that looks at the clock.

Who is on a processor that stands still (the machine was paused, its host is busy, or there is far
more to do than it can) gets no turn for as long, and neither does a relay. It is measured here, and
nothing is taken from what the relay says of itself.
"""

import os
import threading
import time

LOOK_S = 0.1


class Pulse:
    def __init__(self):
        self._is_over = threading.Event()
        self._longest_s = dict.fromkeys(os.sched_getaffinity(0), 0.0)
        self._threads = [threading.Thread(target=self._run, args=(processor,), daemon=True)
                         for processor in self._longest_s]
        for thread in self._threads:
            thread.start()

    def _run(self, processor):
        os.sched_setaffinity(0, [processor]) # this thread alone
        looked = time.monotonic()
        while not self._is_over.wait(LOOK_S):
            now = time.monotonic()
            self._longest_s[processor] = max(self._longest_s[processor], now - looked - LOOK_S)
            looked = now

    def stood_still_s(self):
        """The longest time a processor gave us no turn."""
        return max(self._longest_s.values())

    def end(self):
        self._is_over.set()
        for thread in self._threads:
            thread.join()
