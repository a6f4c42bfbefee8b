"""The signals that end refork."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
ENDING = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))

ONE = 0.05
"""Seconds within which the same signal counts once: timeout(1) sends one to its child, and then to the whole
group with the child in it. Nobody presses Ctrl-C twice as fast."""


class Signals:
    """Takes the signals that end refork. The first is for the program too; the second ends all at once."""

    def __init__(self, first: Callable[[int], None], again: Callable[[], None]) -> None:
        self.number: int | None = None
        """The signal that came first."""
        self._came = 0.0
        self._first = first
        self._again = again

    def listen(self) -> None:
        """Take them from now on, also where the launcher had blocked them.

        One that is ignored stays so, for refork and the program: by `nohup`, or by a shell for a job in the
        background. But SIGTERM has to stop both.
        """
        loop = asyncio.get_running_loop()
        for number in ENDING:
            if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
                self._take(loop, number)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def _take(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        try:
            loop.add_signal_handler(number, self._got, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._got, number))

    def _got(self, number: int) -> None:
        now = time.monotonic()
        if self.number is None:
            self.number, self._came = number, now
            self._first(number)
        elif number != self.number or now - self._came > ONE:
            self._again()
