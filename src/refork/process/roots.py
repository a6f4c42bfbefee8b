"""The root: a fresh interpreter, parked before the first line of user code. Checkpoint 0."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess

from refork.core.journal import Fingerprint
from refork.process import files, kernel
from refork.process.channel import Message, Parked
from refork.process.home import identity
from refork.process.spawn import Started, program_command, spawn_root
from refork.target import Target

ANSWER = 30.0
"""Seconds a fresh interpreter has to say hello: a cold disk is slow."""

PATIENCE = 1.0
"""Seconds that are left to an interpreter that is not wanted any more, if it may have made a program."""


class Root:
    """Makes roots; there is one at a time."""

    def __init__(self, target: Target, started: Started | None = None, begun: bool = False) -> None:
        self._target = target
        self._started = started
        """A root that somebody has started already."""
        self._begun = begun
        """Whether it was asked for a program already, and answers that after it has said hello."""
        self._process: subprocess.Popen[bytes] | None = None
        self._startup: list[tuple[str, Fingerprint]] = []
        self._folder: tuple[int, int] | None = None
        """The working folder that root was started in."""
        self.parked: Parked | None = None

    async def ready(self, fresh: bool) -> Parked | str:
        """Return a root that is as a new one would be; or why there can be none."""
        if self.parked is not None and self.parked.alive and not self._outdated():
            return self.parked
        await self.close()
        self._folder = identity(".")
        try:
            self._process, channel = self._started or spawn_root(self._target)
            begun = self._begun and self._started is not None
            self._started = None
        except OSError as error:
            return f"{self._target.interpreter}: {error.strerror}"
        parked = Parked(0, self._process.pid, channel, self._lost)
        parked.unasked = [] if begun else None
        hello = await parked.hear(timeout=ANSWER)
        if hello is None:
            parked.close()
            return f"{self._target.interpreter} {self._failure()} before it could run anything"
        self._startup = [(str(path), _seen(seen)) for path, seen in hello[3]]
        self.parked = parked
        return parked

    def _failure(self) -> str:
        assert self._process is not None
        try:
            return f"ended with {self._process.wait(1)}"
        except subprocess.TimeoutExpired:
            self._process.kill()
            return f"took more than {ANSWER:.0f} s"

    def give_up(self) -> None:
        """Do not wait for an interpreter that is only starting."""
        if self._process is None or self.parked is not None:
            return
        if self._begun:  # it may have a program already, which is to end in its own way
            self._begun = False
            asyncio.get_running_loop().call_later(PATIENCE, self.give_up)
        else:
            self._process.kill()

    def _lost(self, parked: Parked) -> None:
        parked.close()

    def _outdated(self) -> bool:
        """Whether the working folder is another, or a file changed that Python loads at its start."""
        return self._folder != identity(".") or any(
            files.fingerprint(path) != seen for path, seen in self._startup
        )

    async def execute(self, channel_end: int) -> Message | None:
        """Have root start a fresh interpreter that is the program at once: no fork of a checkpoint."""
        assert self.parked is not None
        command, fds = program_command(self._target.interpreter, self._target.flags)
        try:
            return await self.parked.ask(
                "execute", command, fds=[channel_end, *fds], timeout=ANSWER
            )
        finally:
            for fd in fds:
                os.close(fd)

    async def tidy(self) -> None:
        """Have root wait for the orphans that ended."""
        if self.parked is not None and self.parked.alive:
            await self.parked.ask("tidy", timeout=ANSWER)

    def orphans(self) -> list[int]:
        """Children of root: a program, the first checkpoint, and what generations left behind."""
        return kernel.children(self.parked.pid) if self.parked is not None else []

    def has_seen(self, number: int) -> bool:
        """Whether the whole process group was sent a signal: root blocks it, so it is pending there."""
        return self.parked is not None and kernel.has_pending(self.parked.pid, number)

    async def close(self) -> None:
        """End root; it stops everything below it as it goes."""
        if self.parked is not None:
            self.parked.close()
            self.parked = None
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                for pid in (*kernel.descendants(self._process.pid), self._process.pid):
                    kernel.send_signal(pid, signal.SIGKILL)
                self._process.wait(5)
            self._process = None


def _seen(value: object) -> Fingerprint:
    return tuple(value) if isinstance(value, tuple) else None
