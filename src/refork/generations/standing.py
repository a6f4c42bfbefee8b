"""`--on-error last-good`: the last good generation serves while the new code does not start.

The new generation is let go beside the old one, which ends only when the new one asks for an address
that it holds, or listens on another one: by then the new code has loaded.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from refork.generations.generation import Generation

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor


class Standing:
    """The generation that serves beside the present one, if there is one."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self.generation: Generation | None = None
        self._ending: asyncio.Task[None] | None = None

    def keep(self, program: Generation | None) -> Generation | None:
        """Take `program` for the last good generation if it is one; return what is to end at once."""
        if self.sup.settings.on_error != "last-good" or program is None:
            return program
        is_good = program.ready and not program.failed and not program.ended.is_set()
        if not is_good or not self.sup.holding:
            return program
        self.generation = program
        return None

    def is_there(self) -> bool:
        """Whether a last good generation serves."""
        return self.generation is not None and not self.generation.ended.is_set()

    def pids(self) -> set[int]:
        """Its process, that nobody takes for something left behind."""
        return set() if self.generation is None else {self.generation.pid}

    def lost(self) -> bool:
        """Whether it has ended by itself while it was to serve; asked once."""
        if self.generation is None or self.is_there() or self._ending is not None:
            return False
        self.generation.close()
        self.generation = None
        self.sup.watching.freshness.stand_in(False)
        return self.sup.program is not None and self.sup.program.over

    def stand_in(self) -> bool:
        """The new generation has failed: let the old one go on; return whether it can."""
        if not self.is_there():
            return False
        assert self.generation is not None
        self.sup.watching.freshness.stand_in(True)
        self.sup.bus.message(
            f"generation {self.sup.generation} does not start: "
            f"generation {self.generation.number} goes on serving (last-good)"
        )
        return True

    async def retire(self) -> None:
        """End it, the new generation being ready to serve; return when it is gone."""
        if self.generation is not None and self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(self.generation))
        if self._ending is not None:
            await asyncio.shield(self._ending)

    async def _end(self, old: Generation) -> None:
        below = await self.sup.stopper.retire(old)
        await self.sup.stopper.leftovers(below, self.sup.known())
        old.close()
        self.generation = self._ending = None
        self.sup.watching.freshness.stand_in(False)

    async def interrupt(self, number: int) -> None:
        """A signal ends refork: it gets it too."""
        if self.generation is not None and not self.generation.over:
            await self.sup.stopper.interrupt(self.generation, number, self.sup.known())
            self.generation = None

    async def close(self) -> None:
        """End it with refork."""
        if self.generation is not None:
            await self.generation.stop(signal.SIGTERM, self.sup.settings.grace)
            self.generation.close()
