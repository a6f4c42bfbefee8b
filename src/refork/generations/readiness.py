"""When a program counts as ready, and what is to be done then, while nobody waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refork.generations.generation import Generation
    from refork.supervisor.loop import Supervisor

QUIET = 0.5
"""Seconds without a load after which a program that does not listen counts as ready."""

SERVED = 0.1
"""Seconds that a program which is ready has for what its clients ask at once; a fork of all its memory beside it
would hold these answers up."""


class Readiness:
    """A program is ready when it listens; or when it ends, or has loaded nothing for a while."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor

    def expect(self, program: Generation) -> None:
        """A program was let go."""
        entries = len(self.sup.lineage.journal.entries)
        asyncio.get_running_loop().call_later(QUIET, self._look, program, entries)

    def _look(self, program: Generation, entries: int) -> None:
        if self.sup.program is not program or program.ready or program.ended.is_set():
            return
        if len(self.sup.lineage.journal.entries) == entries:
            self.ready(program)
        else:
            self.expect(program)

    def ready(self, program: Generation) -> None:
        """It is; said once."""
        if program.ready:
            return
        program.ready = True
        took = (time.monotonic() - program.began) * 1000
        self._prepare_in(SERVED, program)
        self.sup.thinning.ready(program)
        self.sup.verifying.ready(program)
        self.sup.hoisting.ready(program)
        watching = self.sup.watching.count
        hoisted = {"kept": program.kept, "replayed": program.loaded} if program.kept else {}
        self.sup.emit("ready", ms=round(took, 1), pid=program.pid, watching=watching, **hoisted)

    def checkpoint(self, program: Generation) -> None:
        """It has taken one: after it was ready, if it loaded nothing for a while and then went on."""
        if program.ready:
            self._prepare_in(QUIET, program)

    def _prepare_in(self, seconds: float, program: Generation) -> None:
        asyncio.get_running_loop().call_later(seconds, self._prepare, program)

    def _prepare(self, program: Generation) -> None:
        """Have the deepest parked process look around while nobody waits for it, and fork ahead."""
        if self.sup.program is program:
            self.sup.lineage.background(self.sup.thinning.spares.renew())
