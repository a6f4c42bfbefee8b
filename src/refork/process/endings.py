"""How the supervisor learns that a process has ended."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from refork.process import kernel

KILLED = 1.0
"""Seconds to wait for processes that cannot but end."""


class Ending(Protocol):
    """The end of one process, watched for."""

    def has_come(self) -> bool: ...
    def close(self) -> None: ...


class PidfdEnding:
    """By pidfd_open(2): readable when the process, anybody's child, has ended."""

    def __init__(self, pid: int, come: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = -1
        try:
            self._fd = os.pidfd_open(pid)
        except OSError:
            self._loop.call_soon(come)  # it is gone already
            return
        self._loop.add_reader(self._fd, come)

    def has_come(self) -> bool:
        if self._fd < 0:
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


class ChildEnding:
    """By a thread that waits for a child of our own: for platforms without pidfd."""

    def __init__(self, child: subprocess.Popen[bytes], come: Callable[[], None]) -> None:
        self._child = child
        self._come: Callable[[], None] | None = come
        waiting = asyncio.get_running_loop().run_in_executor(None, child.wait)
        waiting.add_done_callback(self._ended)

    def _ended(self, _waiting: asyncio.Future[int]) -> None:
        if self._come is not None:
            self._come()

    def has_come(self) -> bool:
        return self._child.returncode is not None

    def close(self) -> None:
        self._come = None


async def until_ended(
    pids: Iterable[int], timeout: float, going_on: Callable[[], bool]
) -> set[int]:
    """Wait at most `timeout` seconds, and while `going_on()`; return the processes that still run."""
    left = set(pids)
    deadline = time.monotonic() + timeout
    while True:
        left = {pid for pid in left if kernel.send_signal(pid, 0) and not kernel.is_zombie(pid)}
        if not left or not going_on() or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.005)
