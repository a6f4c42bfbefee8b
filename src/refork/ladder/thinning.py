"""Keeps the ladder within its budget of memory and processes.

Effects only: it measures while nothing else is to be done, and `core.placement` rules.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refork.core.placement import Rung, surplus
from refork.ladder.lineage import ANSWER
from refork.ladder.spares import Spares
from refork.process import kernel
from refork.process.channel import Parked
from refork.process.endings import KILLED, until_ended

if TYPE_CHECKING:
    from refork.generations.generation import Generation
    from refork.supervisor.loop import Supervisor

MOST = 24
"""Checkpoints of a ladder, however little memory they hold: each is a process."""

LOADING = 2 * MOST
"""As long as the program loads there may be more: how much it will load is not known yet."""

WHEN = (1.0, 10.0, 60.0, 600.0)
"""Seconds of quiet before each look at the memory. A program that runs on changes more and more of
what it shares with its checkpoints; the last wait is repeated."""

APART = 0.05
"""Seconds between two measurements: each takes the loop some milliseconds."""

MEGABYTE = 1 << 20


@dataclass
class Price:
    """What a checkpoint has cost so far."""

    taken: float
    """When, on the monotonic clock."""
    cost: float
    """Seconds the program took from the checkpoint before."""
    memory: int = 0
    """Private bytes of its parked process, when they were measured last; 0: not yet."""


class Thinning:
    """The prices of the present ladder, and what follows from them."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self.dropped = 0
        """Checkpoints let go of since the supervisor started."""
        self.leaving: set[int] = set()
        """Parked processes that were told to go."""
        self.spares = Spares(supervisor, self.leaving)
        self._prices: dict[int, Price] = {}
        self._last = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None

    def began(self) -> None:
        """A program was let go: from here on its time counts."""
        self._last = time.monotonic()
        parked = self.sup.lineage.parked
        self._prices = {number: self._prices[number] for number in parked if number in self._prices}

    def taken(self, number: int) -> None:
        """The program has taken a checkpoint."""
        now = time.monotonic()
        self._prices[number] = Price(now, now - self._last)
        self._last = now
        if len(self.sup.lineage.parked) > LOADING:
            void = self._drop(surplus(self.ladder(), None, MOST), f"more than {MOST} checkpoints")
            self.sup.lineage.background(self.dismiss(void))

    def let_go(self, numbers: list[int], why: str) -> None:
        """These save too little for what they cost; not while a plan is carried out, which may be about them."""
        if self.sup.working:
            return
        self.sup.lineage.background(self.dismiss(self._drop(numbers, why)))

    def price(self, number: int) -> Price:
        return self._prices.setdefault(number, Price(time.monotonic(), 0.0))

    def ladder(self) -> list[Rung]:
        """The present checkpoints with their prices, in the order in which they were taken."""
        hot = self.sup.hot.steps()
        parked = self.sup.lineage.parked
        return [
            Rung(
                one.id,
                self.price(one.id).memory,
                self.price(one.id).cost,
                one.kind == "hot" and one.at.rpartition(":")[0] in hot,
            )
            for one in self.sup.lineage.journal.checkpoints
            if one.id in parked
        ]

    # The memory --------------------------------------------------------------------------------

    def budget(self) -> int | None:
        """Bytes that all checkpoints may hold; None: it is not known what the machine has."""
        setting = self.sup.settings.memory_budget
        if setting is not None:
            return setting * MEGABYTE
        available = kernel.available_memory()
        # what they hold already would be available without them
        return (available + self.held()) // 4 if available else None

    def held(self) -> int:
        """Bytes that they held when they were measured last."""
        return sum(self.price(number).memory for number in self.sup.lineage.parked)

    def ready(self, program: Generation) -> None:
        """The program is up: look at the memory when it has been quiet for a while."""
        self._look_later(program, 0)

    def _look_later(self, program: Generation, step: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = WHEN[min(step, len(WHEN) - 1)]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._start_looking, program, step)

    def _start_looking(self, program: Generation, step: int) -> None:
        if self.sup.program is program:
            self.sup.lineage.background(self._look(program, step))

    async def _look(self, program: Generation, step: int) -> None:
        """Measure all, and let go of what is too much, until it fits."""
        while await self.measure(program):
            if self.sup.twins.too_much(self.budget(), self.held()):
                continue
            dropped = surplus(self.ladder(), self.budget(), MOST)
            if not dropped or self.sup.working:
                break
            # what they shared is another's alone only when they are gone
            await self.dismiss(self._drop(dropped, "the memory budget"))
        if self.sup.program is program:
            await self.spares.renew()
            self._look_later(program, step + 1)

    async def measure(self, program: Generation | None) -> bool:
        """Measure every parked process; return whether the program is still the same."""
        for number, parked in list(self.sup.lineage.parked.items()):
            if self.sup.program is not program:
                return False
            # what the two share would pass for shared with the program
            await self.spares.dismiss(parked)
            self.price(number).memory = kernel.private_memory(parked.pid)
            await asyncio.sleep(APART)
        return self.sup.program is program

    def _drop(self, numbers: list[int], why: str) -> list[Parked]:
        """Forget checkpoints; return their processes. Those below live on: root adopts orphans."""
        for number in numbers:
            gone = self._prices.pop(number, None)
            after = min((one for one in self.sup.lineage.parked if one > number), default=None)
            if gone is not None and after is not None:
                self.price(after).cost += gone.cost
        void = [parked for one in numbers if (parked := self.sup.lineage.drop(one)) is not None]
        self.dropped += len(void)
        for parked in void:
            self.sup.emit("dismiss", id=parked.id, pid=parked.pid, reason=why)
        return void

    async def dismiss(self, void: Sequence[Parked]) -> None:
        """Let parked processes go, deepest first, and have their parents wait for them."""
        if not void:
            return
        pids = {pid for parked in void for pid in parked.pids()}
        self.leaving.update(pids)
        for parked in sorted(void, key=lambda parked: -parked.id):
            parked.dismiss()
        await until_ended(pids, KILLED, lambda: True)
        await self.sup.root.tidy()
        for parked in list(self.sup.lineage.parked.values()):
            await parked.ask("tidy", timeout=ANSWER)
        self.leaving.difference_update(pids)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
