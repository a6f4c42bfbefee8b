"""Listening to a watcher in a test: collects hints until what is expected was heard."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Collection

from refork.watch.base import Hints, Watcher

TIMEOUT = 10.0

QUIET = {"inotify": 0.0, "poll": 0.03}
"""Seconds after which nothing more is to be expected. inotify tells within the system call."""


def covered(hints: Hints, path: str) -> bool:
    """Whether a caller that follows *hints* compares *path*."""
    named = hints.paths | hints.unfinished
    while not hints.lost and path not in named:
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return True


class Ears:
    """A watcher, and everything heard from it since the last ``forget()``."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.heard = Hints()

    def watch(self, *directories: object, files: Collection[object] = ()) -> None:
        """Watch these from now on, and forget what was heard."""
        self.watcher.watch(
            frozenset(str(directory) for directory in directories),
            frozenset(str(file) for file in files),
        )
        self.forget()

    def forget(self) -> None:
        """Drain, until nothing has come for a while."""
        while self._next(QUIET.get(self.watcher.name, 0.06)):
            self.watcher.read()
        self.heard = Hints()

    def until(self, enough: Callable[[Hints], bool], timeout: float = TIMEOUT) -> Hints:
        """Read until *enough* of what was heard; fails with what was heard instead."""
        deadline = time.monotonic() + timeout
        while not enough(self.heard):
            left = deadline - time.monotonic()
            assert left > 0, f"{self.watcher.name} only said {self.heard}"
            if self._next(left):
                self.heard |= self.watcher.read()
        return self.heard

    def hear(self, *paths: object) -> None:
        """Wait until all *paths* are covered, then forget."""
        self.until(lambda heard: all(covered(heard, str(path)) for path in paths))
        self.forget()

    def hear_complete(self, path: object) -> None:
        """Wait until *path* is covered by a hint that says it is complete, then forget."""
        self.until(lambda heard: covered(Hints(heard.paths, heard.lost), str(path)))
        self.forget()

    def hear_nothing(self, seconds: float = 0.3) -> None:
        """Fail if anything is said for so long. Waking up for nothing is no offence: other tests
        come and go in the directories above."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            hints = self.watcher.read() if self._next(left) else Hints()
            assert not hints, hints

    def _next(self, timeout: float) -> bool:
        return bool(select.select([self.watcher], [], [], timeout)[0])
