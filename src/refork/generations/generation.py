"""One generation of the program: its process, its channel, and its end."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from refork.process import kernel
from refork.process.channel import Line, Message, Parked
from refork.process.direct import Spawner
from refork.process.endings import Ending
from refork.program.channel import Channel

Parent = Parked | Spawner
"""Who waits for a program when it has ended."""

KILLED = 5.0
"""Seconds to wait for a process after SIGKILL: only an uninterruptible system call takes longer."""

MOMENT = 1.0
"""Seconds in which a process that closes what it has open may come to its end."""

UNHEARD = "the program has closed its channel to refork: what it loads from here on is not known"


class Generation:
    """A running program. Its pid changes when it takes a checkpoint: the child of that fork goes on."""

    def __init__(
        self,
        number: int,
        pid: int,
        parent: Parent,
        channel: Channel,
        heard: Callable[[Generation, Message, list[int]], None],
        over: Callable[[], None],
    ) -> None:
        self.number = number
        self.pid = pid
        self.parent = parent
        self.began = time.monotonic()
        self.ready = False
        self.failed = False
        """Whether it ended by an exception nobody caught."""
        self.over = False
        """Whether its end has been dealt with."""
        self.going = False
        """Whether it was let go; before that no line of the user's has run in this generation."""
        self.loaded = 0
        """Modules it has loaded since it was let go."""
        self.kept = 0
        """Modules that were there already, and put in their place (see `hoisting`)."""
        self._versions: dict[str, tuple[int, ...]] = {}
        """The fingerprint of each file that one of its processes loaded."""
        self._asked: int | None = None
        """The signal that is to end it."""
        self.ended = asyncio.Event()
        self.woke = asyncio.Event()
        """Set when it has said that it is alive after a fork."""
        self._heard = heard
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._ending: Ending | None = None
        self.line = Line(channel, self._message, self._closed)
        self.follow(pid, parent)

    def _message(self, message: Message, fds: list[int]) -> None:
        self._heard(self, message, fds)

    def _closed(self) -> None:
        self._loop.call_later(MOMENT, self._tell_of_silence)

    def _tell_of_silence(self) -> None:
        if not self.ended.is_set() and self._asked is None:
            self._heard(self, ("say", UNHEARD), [])

    def mixed(self, entries: Iterable[tuple[Any, ...]]) -> list[str]:
        """The files among these entries of the journal that it has loaded in more than one version."""
        found = []
        for tag, path, *rest in entries:
            if tag == "load" and rest[0] is not None:
                now = tuple(rest[0])
                if self._versions.setdefault(path, now) != now:
                    found.append(path)
        return found

    def follow(self, pid: int, parent: Parent, taken: Sequence[int] = ()) -> None:
        """Watch for the end of `pid`, whose parent is `parent`.

        `taken` are signals that the former process had been sent and this one has taken over.
        """
        self._leave()
        asked = self._asked if self._asked not in taken else None
        missed = asked if asked and kernel.has_pending(self.pid, asked) else None
        self.pid = pid
        self.parent = parent
        self._ending = parent.watch(pid, self._process_ended)
        if missed is not None:
            self._ask(missed)  # it was sent to a process that had parked

    def _leave(self) -> None:
        if self._ending is not None:
            self._ending.close()
            self._ending = None

    def _process_ended(self) -> None:
        self.line.drain()
        # the last messages may say that the program went on in another process
        if self._ending is not None and self._ending.has_come():
            self._leave()
            self.ended.set()
            self._over()

    async def stop(self, number: int, grace: float) -> None:
        """Send a signal, wait `grace` seconds, kill. Its descendants are left to the caller."""
        if not self.ended.is_set():
            self._ask(number)
        if not await self.wait(grace):
            self._ask(signal.SIGKILL)
            await self.wait(KILLED)

    def _ask(self, number: int) -> None:
        self._asked = number
        kernel.send_signal(self.pid, number)
        kernel.send_signal(self.pid, signal.SIGCONT)

    def go(self, held: Sequence[tuple[int, str]], fds: Sequence[int] = ()) -> bool:
        """Let it go; return whether it is there.

        `held` are the families and addresses of the sockets that are held now, when the generation before
        is gone: it may have begun to listen after this one was made. `fds` are those of `Freshness`.
        """
        if self.going:
            return True
        self.going = True
        return self.line.send("go", list(held), fds=fds)

    def kill(self) -> None:
        """End it at once."""
        if not self.ended.is_set():
            self._ask(signal.SIGKILL)

    async def wait(self, timeout: float | None) -> bool:
        """Wait for the end; return whether it came within `timeout` seconds."""
        try:
            await asyncio.wait_for(self.ended.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._leave()
        self.line.close()
