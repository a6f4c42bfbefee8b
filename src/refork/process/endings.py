"""How the supervisor learns that a process has ended."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
from collections.abc import Callable
from typing import Protocol


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
