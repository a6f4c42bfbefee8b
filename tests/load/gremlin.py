"""A slow machine, made on purpose: any process may be kept from running for a while, anywhere.

Races are between instructions of several processes. On a quiet machine the gaps in which they show last
microseconds; here each may last as long as a busy machine keeps a process waiting.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable

LONGEST = 0.4
"""Seconds that a process may be kept waiting; most waits are far shorter."""

PAUSE = 0.01
"""Seconds between two, at most."""


class Gremlin:
    """Stops and continues processes, one at a time, chosen at random."""

    def __init__(self, pids: Callable[[], list[int]], seed: int) -> None:
        self._pids = pids
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gremlin")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pids: list[int] = []
        turn = 0
        while not self._over.is_set():
            if turn % 5 == 0:
                pids = self._pids()
            turn += 1
            if pids:
                self._hold(self._chance.choice(pids), self._chance.random() ** 4 * LONGEST)
            self._over.wait(self._chance.random() * PAUSE)

    def _hold(self, pid: int, seconds: float) -> None:
        try:
            os.kill(pid, signal.SIGSTOP)
            self._over.wait(seconds)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return  # it ended meanwhile
