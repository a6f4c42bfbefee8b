"""Ends a generation, with all that it left running."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from refork.generations.generation import Generation
from refork.ladder.lineage import ANSWER
from refork.process import kernel
from refork.process.direct import Direct
from refork.process.endings import KILLED, until_ended
from refork.process.roots import Root
from refork.process.terminal import Terminal


class Stopper:
    """SIGTERM, grace, SIGKILL: for the program first, then for what is left of it."""

    def __init__(
        self,
        root: Root | Direct,
        terminal: Terminal,
        grace: float,
        holding: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.root = root
        self._holding = holding
        """Within what it returns, connections are not given to a generation that ends."""
        self.terminal = terminal
        self.grace = grace
        self.patient = True
        """Whether to wait for the grace; not any more after a second Ctrl-C."""
        self._now: Generation | None = None
        """The generation that is being stopped."""

    async def retire(self, program: Generation) -> list[int]:
        """End a generation that is being replaced; return the processes that were below it.

        It is told first, and takes no connection from then on: the next generation does.
        """
        with self._holding():
            program.line.say_no_more()
            below, _status = await self._end(program, signal.SIGTERM)
        return below

    async def stop(self, program: Generation, number: int, known: set[int]) -> int:
        """End a generation and all that it left behind; return its wait status.

        `known` are the processes that root has for other reasons.
        """
        below, status = await self._end(program, number)
        await self.leftovers(below, known)
        program.close()
        return status

    async def _end(self, program: Generation, number: int) -> tuple[list[int], int]:
        below: list[int] = []
        status = 0
        if not program.over:
            below = kernel.descendants(program.pid)
            self._now = program
            await program.stop(number, self.grace if program.going and self.patient else 0)
            self._now = None
            status = await self.reap(program)
            program.line.drain()
        self.terminal.restore()
        return below, status

    async def interrupt(self, program: Generation, number: int, known: set[int]) -> int:
        """End a generation by a signal that was sent to refork; return its wait status."""
        seen = number == signal.SIGINT and self.root.has_seen(number)
        return await self.stop(program, 0 if seen else number, known)

    def pass_on(self, number: int) -> None:
        """A signal came for refork: the generation that is being stopped gets it too, once."""
        if self._now is not None and not (number == signal.SIGINT and self.root.has_seen(number)):
            kernel.send_signal(self._now.pid, number)

    def force(self) -> None:
        """Wait for nothing any more."""
        self.patient = False
        if self._now is not None:
            self._now.kill()

    async def reap(self, program: Generation) -> int:
        """Have the parent wait for a process that ended, or root where the parent is gone."""
        for parent in (program.parent, self.root.parked):
            if parent is None or not parent.alive:
                continue
            answer = await parent.ask("reap", program.pid, timeout=ANSWER)
            if answer is not None and answer[2] != -1:
                return int(answer[2])
        return signal.SIGKILL

    async def leftovers(self, below: Iterable[int], known: set[int]) -> None:
        """Stop what a generation left running: root was given these orphans."""
        left = {pid for pid in (*below, *self.root.orphans()) if pid not in known}
        for pid in left:
            if not kernel.is_zombie(pid):
                kernel.send_signal(pid, signal.SIGTERM)
                kernel.send_signal(pid, signal.SIGCONT)
        deaf = await until_ended(left, self.grace, lambda: self.patient)
        for pid in deaf:
            kernel.send_signal(pid, signal.SIGKILL)
        await until_ended(deaf, KILLED, lambda: True)
        await self.root.tidy()
