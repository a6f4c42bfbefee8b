"""What is known of a twin while it is made: who depends on whom, and what has to be left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from refork.core.dependents import Graph, alike, dependents, independent
from refork.core.journal import Checkpoint
from refork.process.channel import Parked


@dataclass
class Sketch:
    """A twin that is being made."""

    path: str
    checkpoint: Checkpoint
    parked: Parked
    graph: Graph
    goal: tuple[Any, ...]
    facts: list[Any]
    order: list[str]
    """All modules at the goal, as they stand in `sys.modules`."""
    spent: float
    """Seconds of the processor that the exact start took from the checkpoint on."""
    left_out: dict[str, str]
    registries: list[Any]
    """Paths of objects that modules imported ahead add to."""
    volatile: list[str] | None = None
    """Elements of the finished program that no two starts have in common; None: not yet known."""

    closely: list[Any] = field(default_factory=list)
    """Those of the registries whose length says too little of them."""
    culprits: dict[str, set[str]] = field(default_factory=dict)
    """What trials found in the way, each with the modules that it was found in."""

    def modules(self) -> list[str]:
        return independent(self.graph, self.left_out)

    def fail(self, found: Mapping[str, str]) -> bool:
        """Leave out what failed in a trial. Of what only the first to come does, all are left out at once
        when the second is found: the first to write to a lazy object makes it."""
        more = dict(found)
        for name, why in found.items():
            former = self.culprits.setdefault(why, set())
            if former and name not in former:
                others = alike(self.graph, [*former, name]) - dependents(self.graph) - found.keys()
                more.update(dict.fromkeys(others, why))
        for name, why in found.items():
            self.culprits[why].add(name)
        return self.leave_out(more)

    def leave_out(self, found: Mapping[str, str]) -> bool:
        """Leave out modules, each for a reason; return whether any of them was not left out before."""
        known = {window.name for window in self.graph.windows}
        new = {
            name: why for name, why in found.items() if name in known and name not in self.left_out
        }
        self.left_out.update(new)
        return bool(new)
