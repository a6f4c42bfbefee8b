"""Keeps a spare: a fork of the deepest checkpoint, made while nothing is to be done, for the next edit.

A fork takes the longer the more memory there is to share. When most edits are of function bodies, and all of them
resume the deepest checkpoint, that time need not be waited for.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from refork.ladder.lineage import ANSWER
from refork.process.channel import Parked
from refork.process.endings import KILLED, until_ended
from refork.program import channel as channels

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor


class Spares:
    """At most one spare, and only of the deepest checkpoint."""

    def __init__(self, supervisor: Supervisor, leaving: set[int]) -> None:
        self.sup = supervisor
        self._turn = asyncio.Lock()
        self._leaving = leaving
        """Parked processes that were told to go, as spares are when they are not needed."""

    async def renew(self) -> None:
        """Have one of the deepest checkpoint, and no other."""
        async with self._turn:
            if self.sup.working:
                return  # what is being done may need that checkpoint, and there will be another program
            parked = self.sup.lineage.parked
            deepest = parked[max(parked)] if parked else None
            for other in list(parked.values()):
                if other is not deepest:
                    await self.dismiss(other)
            if deepest is not None and (deepest.spare is None or not deepest.spare.alive):
                await self.dismiss(deepest)
                deepest.tell("prepare")
                await self._make(deepest)

    async def _make(self, parked: Parked) -> None:
        ours, theirs = channels.pair()
        try:
            answer = await parked.ask("spare", fds=[theirs], timeout=ANSWER)
        finally:
            os.close(theirs)
        if answer is None or answer[0] != "forked":
            ours.close()
            return
        parked.spare = Parked(parked.id, int(answer[1]), ours, Parked.close)
        if not parked.alive or parked.id not in self.sup.lineage.parked:
            await self.dismiss(parked)

    async def dismiss(self, parked: Parked) -> None:
        """Let the spare of a checkpoint go, and have its parent wait for it."""
        spare, parked.spare = parked.spare, None
        if spare is None:
            return
        spare.close()
        self._leaving.add(spare.pid)
        await until_ended({spare.pid}, KILLED, lambda: True)
        if parked.alive:
            await parked.ask("tidy", timeout=ANSWER)
        self._leaving.discard(spare.pid)
