"""An end in order for servers that have none of their own: SIGTERM would cut what they answer."""

from __future__ import annotations

import os

from refork.program import api
from refork.program.freshness import RETIRED, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Ending:
    """Stands before the program's own answer to SIGTERM while this generation is being replaced.

    The server is told to finish what runs, and says when that is done; the supervisor's grace bounds it.
    """

    def __init__(self, begin: Callable[[], None]) -> None:
        """`begin` is called in the main thread between two instructions, as any signal handler."""
        self._begin = begin
        self._before: Any = None
        self._has_begun = False
        self._stands = False

    def stand(self, only_where_it_kills: bool = False) -> None:
        """From now on. Without effect the second time, and outside of the main thread.

        `only_where_it_kills`: leave a program alone that has an answer to SIGTERM itself.
        """
        import signal
        import threading

        if self._stands or not api.inside():
            return
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = signal.getsignal(signal.SIGTERM)
        if self._before in (signal.SIG_IGN, None):
            return
        if only_where_it_kills and self._before != signal.SIG_DFL:
            return
        signal.signal(signal.SIGTERM, self._heard)
        self._stands = True

    def _heard(self, number: int, frame: Any) -> None:
        if self._has_begun or state() != RETIRED:
            self.go_on()
        else:
            self._has_begun = True
            self._begin()

    def go_on(self) -> None:
        """Do what SIGTERM would have done; in the main thread."""
        import signal

        signal.signal(signal.SIGTERM, self._before)
        os.kill(os.getpid(), signal.SIGTERM)
