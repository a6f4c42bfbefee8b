"""How the program ended by itself, and what follows from that."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

from refork.process import memory

if TYPE_CHECKING:
    from refork.generations.generation import Generation
    from refork.supervisor.loop import Supervisor

AGAIN = 3
"""The exit code that asks for another start, as in Django."""

QUICK = 1.0
"""Seconds within which a program that asks for another start can hardly have done anything else."""

PATIENCE = 5
"""Times in a row that such a program is started again at once."""

LONGEST = 60.0
"""Seconds between two starts at most, of a program that asks for nothing but another one."""


class Exits:
    """Looks at the end of a generation; ends refork with it, waits for a change, or starts it again."""

    def __init__(self, supervisor: Supervisor, kills: memory.Kills) -> None:
        """`kills` are those before the first program was let go."""
        self.sup = supervisor
        self.again_due = False
        """Whether the wait for another start is over."""
        self._kills = kills
        self._quick = 0
        """Programs in a row that asked for another start as soon as they had begun."""
        self._timer: asyncio.TimerHandle | None = None

    def begins(self, program: Generation) -> None:
        """Another generation is about to be let go, for whatever reason."""
        if not program.going:
            self._kills = memory.kills()
        if not self.again_due:
            self._quick = 0  # somebody has saved something: what it does now is not known yet
        self.again_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def keys(self, code: int) -> dict[str, object]:
        """How a process ended, in the words of the events."""
        if code >= 0:
            return {"code": code}
        if code != -signal.SIGKILL:
            return {"signal": -code}
        short = memory.kills().since(self._kills)
        return {"signal": -code, **({"out_of_memory": short} if short else {})}

    async def ended(self, program: Generation) -> int | None:
        """Deal with the end of the program; return the code that refork is to end with, if it is."""
        program.over = True
        status = await self.sup.stopper.reap(program)
        program.line.drain()
        self.sup.terminal.restore()
        self.sup.readiness.ready(program)
        code = os.waitstatus_to_exitcode(status)
        again = code == AGAIN and not self.sup.registered.three_fails()
        does_not_start = code != 0 and self.sup.holding.misses(program.number)  # one before it did
        program.failed = program.failed or code == AGAIN or does_not_start
        on_exit = self.sup.settings.on_exit
        follow = self.sup.follows and (not program.failed or on_exit == "follow")
        then = "again" if again else "end" if follow else "wait"
        self.sup.emit("exit", **self.keys(code), then=then)
        program.close()
        if again:
            self._start_again(time.monotonic() - program.began)
            return None
        self._quick = 0
        if not follow and not self.sup.standing.stand_in():
            self.sup.browser.show(self.sup.holding.sockets(), code, self.sup.generation)
        return code if follow else None

    def _start_again(self, lived: float) -> None:
        """At once, as Django does; ever later where the program does nothing but ask for it."""
        self._quick = self._quick + 1 if lived < QUICK else 0
        if self._quick <= PATIENCE:
            self._due()
            return
        wait = min(2.0 ** (self._quick - PATIENCE - 1), LONGEST)
        self.sup.bus.message(
            f"the program asks for another start as soon as it begins, {self._quick} times in a row:"
            f" next in {wait:.0f} s, or on a change",
            urgent=True,
        )
        self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self.again_due = True
        self.sup.wake()
