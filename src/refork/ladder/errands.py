"""Processes forked from a parked one to find something out; they end with their answer.

They never become the program. What they are asked for is in the fields they are resumed with.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Collection
from typing import Any

from refork.ladder.lineage import ANSWER
from refork.process import kernel
from refork.process.channel import Line, Message, Parked
from refork.program import channel as channels

DEADLINE = 300.0
"""Seconds that one may take: it may be a cold start, and gives way to everything else."""

Heard = Callable[[Message], None]


class Errands:
    """Those of one purpose."""

    def __init__(self) -> None:
        self._pids: set[int] = set()

    def cancel(self) -> None:
        """End them all: nobody wants to know any more."""
        for pid in self._pids:
            kernel.send_signal(pid, signal.SIGKILL)

    async def send(
        self,
        parked: Parked,
        fields: dict[str, Any],
        answers: Collection[str],
        heard: Heard = lambda message: None,
    ) -> Message:
        """Return the first message whose tag is one of `answers`; ("ended",), ("slow",) or ("gone",) where
        none came, and ("failed", why). `heard` is given every other message.
        """
        started = await self._fork(parked, fields)
        if started is None:
            return ("gone",)
        pid, channel = started
        try:
            return await asyncio.wait_for(_said(channel, answers, heard), DEADLINE)
        except asyncio.TimeoutError:
            return ("slow",)
        finally:
            await self._end(parked, pid)

    async def park(
        self,
        parked: Parked,
        fields: dict[str, Any],
        heard: Heard,
        made: Callable[[int, channels.Channel], Parked],
    ) -> Parked | Message:
        """Have one park when it says "twin"; return it, as `made` makes it of its pid and its channel,
        or what it said instead.
        """
        started = await self._fork(parked, fields)
        if started is None:
            return ("gone",)
        pid, channel = started
        kept = channels.Channel(os.dup(channel.fileno()))
        message: Message = ("slow",)
        try:
            message = await asyncio.wait_for(_said(channel, ("twin", "stopped"), heard), DEADLINE)
        except asyncio.TimeoutError:
            pass
        finally:
            if message[0] != "twin":
                kept.close()
                await self._end(parked, pid)
        if message[0] != "twin":
            return message
        self._pids.discard(pid)
        return made(pid, kept)

    async def _fork(
        self, parked: Parked, fields: dict[str, Any]
    ) -> tuple[int, channels.Channel] | None:
        ours, theirs = channels.pair()
        try:
            answer = await parked.ask("resume", fields, fds=[theirs], timeout=ANSWER)
        finally:
            os.close(theirs)
        if answer is None or answer[0] != "forked":
            ours.close()
            return None
        self._pids.add(int(answer[1]))
        return int(answer[1]), ours

    async def _end(self, parked: Parked, pid: int) -> None:
        self._pids.discard(pid)
        kernel.send_signal(pid, signal.SIGKILL)
        await parked.ask("reap", pid, timeout=ANSWER)


async def _said(channel: channels.Channel, answers: Collection[str], heard: Heard) -> Message:
    """Let a process go, and return what it says of itself."""
    said: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def take(message: Message, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        if message[0] == "awake":
            line.send("go", [])  # and no sockets
        elif message[0] in (*answers, "failed") and not said.done():
            said.set_result(message)
        else:
            heard(message)

    def ended() -> None:
        if not said.done():
            said.set_result(("ended",))

    line = Line(channel, take, ended)
    try:
        return await said
    finally:
        line.close()
