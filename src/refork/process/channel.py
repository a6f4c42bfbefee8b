"""The supervisor's end of channels: on the event loop, never waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from refork.process import kernel
from refork.process.endings import Ending, PidfdEnding
from refork.program.channel import Channel, Gone

Message = tuple[Any, ...]

FLOOD = 16
"""Messages of observations, one after the other, by which a program is taken to be loading much."""

PAUSE = 0.004
"""Seconds between two looks at what such a program says. A message to somebody who waits for it costs the
program several times what one costs to somebody who does not: it wakes another process."""


class Line:
    """A channel whose messages are handed to `heard` as they come; `ended` is called once at its end."""

    def __init__(
        self,
        channel: Channel,
        heard: Callable[[Message, list[int]], None],
        ended: Callable[[], None],
    ) -> None:
        self.channel = channel
        self._heard = heard
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._observed = 0
        channel.socket.setblocking(False)
        self._loop.add_reader(channel.fileno(), self._readable)

    def _readable(self) -> None:
        observed = self.drain()
        self._observed = self._observed + observed if observed else 0
        if self._open and self._observed > FLOOD:
            self._loop.remove_reader(self.channel.fileno())
            self._loop.call_later(PAUSE, self._look)

    def _look(self) -> None:
        if self.drain():
            self._loop.call_later(PAUSE, self._look)
        elif self._open:
            self._observed = 0
            self._loop.add_reader(self.channel.fileno(), self._readable)

    def drain(self) -> int:
        """Hand over all messages that wait; return how many of observations were the last of them."""
        observed = 0
        while self._open:
            try:
                message, fds = self.channel.receive()
            except BlockingIOError:
                break
            except Gone:
                self.close()
                self._ended()
                break
            observed = observed + 1 if message[0] == "journal" else 0
            self._heard(message, fds)
        return observed

    def send(self, *message: object, fds: Sequence[int] = ()) -> bool:
        """Send; return whether the other end is still there."""
        if not self._open:
            return False
        try:
            self.channel.send(*message, fds=fds)
        except (Gone, BlockingIOError):
            return False
        return True

    def say_no_more(self) -> None:
        """Let the other end see the end of what we send; it may go on speaking."""
        if self._open:
            with contextlib.suppress(OSError):
                self.channel.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if self._open:
            self.release().close()

    def release(self) -> Channel:
        """Listen no more; return the channel, which is open, for another to speak on."""
        self._open = False
        self._loop.remove_reader(self.channel.fileno())
        return self.channel


class Parked:
    """A parked process, as the supervisor speaks to it: one question at a time, one answer each."""

    def __init__(
        self, number: int, pid: int, channel: Channel, lost: Callable[[Parked], None]
    ) -> None:
        self.id = number
        self.pid = pid
        self._answer: asyncio.Future[Message] | None = None
        self._lost = lost
        self._turn = asyncio.Lock()
        self.alive = True
        self._owed = 0
        """Answers that are still to come. Nobody waits any more for all but the last of them: whoever
        asked was cancelled, or had waited long enough."""
        self.spare: Parked | None = None
        """A fork of it that was made ahead, and waits for the edit it is for (see `ladder.spares`)."""
        self.unasked: list[Message] | None = None
        """What it says unasked, while somebody means to hear it."""
        self.line = Line(channel, self._heard, self._ended)

    async def ask(
        self, *message: object, fds: Sequence[int] = (), timeout: float
    ) -> Message | None:
        """Ask, and return the answer; None when the process is gone or does not answer within `timeout` seconds."""
        self._wake()  # it may owe somebody else an answer
        async with self._turn:
            if not self._send(message, fds):
                return None
            self._owed += 1
            return await self._next(timeout)

    async def hear(self, timeout: float) -> Message | None:
        """Return what it says unasked; None as for `ask`."""
        async with self._turn:
            return self.unasked.pop(0) if self.unasked else await self._next(timeout)

    async def _next(self, timeout: float) -> Message | None:
        self._answer = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._answer, timeout)
        except (asyncio.TimeoutError, ConnectionError):
            return None
        finally:
            self._answer = None

    def watch(self, pid: int, come: Callable[[], None]) -> Ending:
        """Watch for the end of a child of this process."""
        return PidfdEnding(pid, come)

    def tell(self, *message: object) -> None:
        self._send(message)

    def dismiss(self) -> None:
        """Have it go, and its spare."""
        self.tell("dismiss")
        self.close()

    def _send(self, message: Message, fds: Sequence[int] = ()) -> bool:
        self._wake()
        return self.line.send(*message, fds=fds)

    def _wake(self) -> None:
        """Somebody may have stopped it."""
        kernel.send_signal(self.pid, signal.SIGCONT)

    def close(self) -> None:
        self.alive = False
        self.line.close()
        self._fail()
        if self.spare is not None:
            self.spare.close()

    def pids(self) -> set[int]:
        """Its process, and that of its spare."""
        return {self.pid} if self.spare is None else {self.pid, self.spare.pid}

    def take_spare(self) -> Parked | None:
        """The spare, if there is one that lives: it is the caller's now."""
        spare, self.spare = self.spare, None
        return spare if spare is not None and spare.alive else None

    def return_spare(self, spare: Parked) -> None:
        """It was not used, and is as good as before."""
        if self.alive:
            self.spare = spare
        else:
            spare.close()

    def _fail(self) -> None:
        """Whoever waits for an answer waits in vain."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError())

    def _heard(self, message: Message, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        if self._owed:
            self._owed -= 1
            if self._owed or self._answer is None:
                return  # the answer to an earlier question
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)
        elif self.unasked is not None:
            self.unasked.append(message)

    def _ended(self) -> None:
        self.alive = False
        self._fail()
        self._lost(self)
