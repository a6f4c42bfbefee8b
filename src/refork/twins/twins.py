"""Parked processes that have imported ahead what does not depend on a file, and which of them may serve."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from refork.core.journal import Checkpoint, Journal, Load, Lookup, Read
from refork.core.plan import Change, Plan
from refork.process import files, kernel
from refork.process.channel import Parked

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor

TOO_MUCH = "the memory budget has no room for one"


@dataclass
class Twin:
    """A parked process that has imported ahead what does not depend on a file."""

    number: int
    path: str
    checkpoint: Checkpoint
    """The one that it was forked from."""
    journal: Journal
    """What it embodies: the journal up to the checkpoint, and what it read itself."""
    modules: list[str]
    later: int
    """How many modules are loaded after the checkpoint."""
    left_out: dict[str, str]
    parked: Parked | None = None

    @property
    def left(self) -> int:
        """How many modules it leaves to be loaded."""
        return self.later - len(self.modules)

    @property
    def own(self) -> list[Any]:
        """What it read itself."""
        return self.journal.entries[self.checkpoint.position :]


class Twins:
    """Those of the present lineage, by the file that each is for."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self.all: dict[str, Twin] = {}

    def valid(self, twin: Twin, changes: Mapping[str, Change]) -> bool:
        """Whether all that a twin embodies is still as it was."""
        if twin.parked is None or not twin.parked.alive or is_stale(twin):
            return False
        judge = self.sup.deciding.judge_of(twin.journal)
        checkpoint = replace(twin.checkpoint, position=len(twin.journal.entries))
        listings = {path: files.names(path) for path in twin.journal.listings()}
        return not judge.outdated_listing(checkpoint, listings) and all(
            judge.verdict(checkpoint, change).good for change in changes.values()
        )

    def good(self, changes: Mapping[str, Change]) -> list[Twin]:
        """Those that are valid."""
        return [twin for twin in self.all.values() if self.valid(twin, changes)]

    def with_twins(self, plans: list[Plan], good: Sequence[Twin]) -> list[Plan]:
        """The plans, and before the first exact replay one from a twin that has less left to do."""
        at = next((at for at, plan in enumerate(plans) if plan.gear == "replay"), None)
        if at is None or not good:
            return plans
        journal = self.sup.lineage.journal
        position = next(
            one.position for one in journal.checkpoints if one.id == plans[at].checkpoint
        )
        twin = min(good, key=lambda one: one.left)
        if twin.left >= sum(isinstance(entry, Load) for entry in journal.entries[position:]):
            return plans
        made = replace(plans[at], checkpoint=twin.checkpoint.id, twin=twin.number)
        return [*plans[:at], made, *plans[at:]]

    def of(self, number: int) -> Twin | None:
        return next((twin for twin in self.all.values() if twin.number == number), None)

    def parked(self) -> dict[int, Parked]:
        """The processes of all twins, by number."""
        twins = self.all.values()
        return {twin.number: twin.parked for twin in twins if twin.parked is not None}

    def pids(self) -> set[int]:
        return {parked.pid for parked in self.parked().values()}

    def return_to(self, checkpoint: Checkpoint | None) -> None:
        """The journal goes back to there: twins that were forked later are void. None: all are."""
        void = [
            twin
            for twin in self.all.values()
            if checkpoint is None or twin.checkpoint.id > checkpoint.id
        ]
        self.drop(void)

    def sweep(self) -> None:
        """Let go of twins that hold what is no longer so, or that nobody works on any more."""
        hot = self.sup.hot.steps()
        self.drop(
            [
                twin
                for twin in self.all.values()
                if twin.path not in hot or not self.valid(twin, self.sup.dirty)
            ]
        )

    def too_much(self, budget: int | None, held: int) -> bool:
        """Let go of the largest twin where twins and checkpoints, which hold `held` bytes, hold more than
        `budget`; return whether one was.
        """
        sizes = {number: kernel.private_memory(one.pid) for number, one in self.parked().items()}
        if budget is None or not sizes or held + sum(sizes.values()) <= budget:
            return False
        largest = self.of(max(sizes, key=lambda number: sizes[number]))
        if largest is None or largest.parked is None:
            return False
        pid = largest.parked.pid
        self.sup.emit("dismiss", id=largest.number, pid=pid, reason="the memory budget")
        self.sup.hoisting.words[largest.path] = TOO_MUCH
        self.drop([largest])
        return True

    def drop(self, void: list[Twin]) -> None:
        for twin in void:
            self.all.pop(twin.path, None)
        if void:
            self.sup.lineage.background(self.dismiss(void))

    async def dismiss(self, void: list[Twin]) -> None:
        parked = [twin.parked for twin in void if twin.parked is not None]
        await self.sup.thinning.dismiss(parked)

    def lost(self, parked: Parked) -> None:
        parked.close()
        for twin in list(self.all.values()):
            if twin.parked is parked:
                del self.all[twin.path]


def is_stale(twin: Twin) -> bool:
    """Whether the disk differs from what a twin read itself; not all of it need be watched."""
    for entry in twin.own:
        if isinstance(entry, (Load, Read)):
            if files.fingerprint(entry.path) != entry.fingerprint:
                return True
        elif isinstance(entry, Lookup) and not entry.found and _is_there(entry):
            return True
    return False


def _is_there(lookup: Lookup) -> bool:
    tail = lookup.name.rpartition(".")[2]
    places = (os.path.join(directory, tail) for directory in lookup.directories)
    return any(
        os.path.exists(place + ending) for place in places for ending in ("", ".py", ".pyc", ".so")
    )
