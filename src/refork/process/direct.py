"""Where there is no safe fork: each generation is a fresh interpreter, a child of the supervisor.

Stands where `Root` stands elsewhere. There are no checkpoints; sockets are held where descriptors can be passed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Sequence

from refork.process.channel import Message
from refork.process.endings import ChildEnding, Ending
from refork.process.spawn import spawn_alone
from refork.program.channel import Channel
from refork.target import Target


class Spawner:
    """The parent of programs that are started directly: the supervisor itself."""

    id = 0
    alive = True

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def add(self, child: subprocess.Popen[bytes]) -> None:
        self._children[child.pid] = child

    def watch(self, pid: int, come: Callable[[], None]) -> Ending:
        return ChildEnding(self._children[pid], come)

    async def ask(
        self, *message: object, fds: Sequence[int] = (), timeout: float
    ) -> Message | None:
        """Answer as a parked process would, as far as there is something to answer."""
        if message[0] != "reap" or not isinstance(message[1], int):
            return None
        child = self._children.pop(message[1], None)
        if child is None:
            return ("reaped", message[1], -1)
        code = await asyncio.get_running_loop().run_in_executor(None, child.wait)
        return ("reaped", message[1], -code if code < 0 else code << 8)

    def tell(self, *message: object) -> None:
        """There is nobody to tell."""

    def close(self) -> None:
        """There is nothing to close."""


class Direct:
    """Starts programs without a root."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.parked = Spawner()

    async def ready(self, fresh: bool) -> Spawner | str:
        return self.parked

    def start(self) -> tuple[int, Channel] | str:
        """Start an interpreter that is the program at once; return its pid and channel, or why not."""
        try:
            child, channel = spawn_alone(self._target.interpreter, self._target.flags)
        except OSError as error:
            return f"{self._target.interpreter}: {error.strerror}"
        self.parked.add(child)
        return child.pid, channel

    async def tidy(self) -> None:
        """There are no orphans to wait for."""

    def orphans(self) -> list[int]:
        return []

    def has_seen(self, number: int) -> bool:
        """Whether the program was sent a signal too: one from the terminal goes to the whole group."""
        try:
            return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
        except (OSError, AttributeError):
            return False

    def give_up(self) -> None:
        """There is no interpreter that is only starting."""

    async def close(self) -> None:
        """There is no root to end."""
