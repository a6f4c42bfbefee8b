"""Lets the program know, before it answers, whether a save was made that nobody has ruled on yet.

A save is in the watcher's queue when the system call that made it returns. The program is given the
watcher's descriptor, and one that is readable while a decision is being made: so it can wait with a
request until it is known whether it is still the one to answer. The order matters: this side shuts
first and reads the queue then; the program looks at the queue first.
"""

from __future__ import annotations

import contextlib
import os
import select


class Freshness:
    """The supervisor's side; see `refork.program.freshness` for the other."""

    def __init__(self) -> None:
        self._watcher = select.epoll() if hasattr(select, "epoll") else None
        """Readable when the watcher is, which may come later (epoll(7): an instance can be waited for)."""
        self._deciding = _flag()
        self._standing = _flag()
        """Set while a last good generation serves in the place of one that does not start."""
        self.is_shut = False

    def attach(self, watcher: int) -> None:
        """`watcher` is readable while hints wait to be read."""
        if self._watcher is not None:
            self._watcher.register(watcher, select.EPOLLIN)

    def fds(self) -> list[int]:
        """What a program is given, in the order it expects; empty where there is no such thing."""
        if self._deciding < 0 or self._watcher is None:
            return []
        return [self._watcher.fileno(), self._deciding, self._standing]

    def shut(self) -> None:
        """Hints are about to be read, and ruled on."""
        self.is_shut = True
        _set(self._deciding)

    def open(self) -> None:
        """All is ruled on: a program that was not told to go answers what comes."""
        self.is_shut = False
        _clear(self._deciding)

    def stand_in(self, stands: bool) -> None:
        """Whether what serves is the last good generation only."""
        if stands:
            _set(self._standing)
        else:
            _clear(self._standing)

    def close(self) -> None:
        for fd in (self._deciding, self._standing):
            if fd >= 0:
                os.close(fd)
        self._deciding = self._standing = -1
        if self._watcher is not None:
            self._watcher.close()


def _flag() -> int:
    return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) if hasattr(os, "eventfd") else -1


def _set(fd: int) -> None:
    if fd >= 0:
        _clear(fd)
        os.eventfd_write(fd, 1)


def _clear(fd: int) -> None:
    if fd >= 0:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(fd)
