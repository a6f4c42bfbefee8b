"""Takes the journal and the ladder back to the checkpoint that a plan resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refork.core.journal import Checkpoint
from refork.core.plan import Plan
from refork.ladder.lineage import Lineage
from refork.process.channel import Parked

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor


def origin(sup: Supervisor, plan: Plan) -> Checkpoint | None:
    """The checkpoint that a plan goes on from; None: from nothing."""
    twin = sup.twins.of(plan.twin)
    return twin.checkpoint if twin is not None else sup.lineage.find(plan.checkpoint or 0)


def go_back(sup: Supervisor, plan: Plan, checkpoint: Checkpoint | None) -> None:
    """Make the journal that of a program which is about to go on from there; None: from nothing."""
    sup.twins.return_to(checkpoint)
    void: list[Parked] = []
    if checkpoint is not None:
        void = sup.lineage.return_to(checkpoint)
        sup.registered.return_to(checkpoint.id)
        inside = [path for path, _needs in checkpoint.stack]
        embodied = [
            change
            for change in sup.dirty.values()
            if (change.path in plan.grafts or change.path in inside)
            and sup.lineage.journal.embodied(change.path, checkpoint.position) is not None
        ]
        sup.lineage.edited(embodied)
    else:
        void = list(sup.lineage.parked.values())
        sup.registered.return_to(None)
        _begin_anew(sup)
    sup.lineage.background(sup.thinning.dismiss(void))


def _begin_anew(sup: Supervisor) -> None:
    before = sup.lineage
    sup.lineage = Lineage(sup.hint)
    sup.lineage.next_id, sup.lineage.texts = before.next_id, before.texts
    sup.dirty = {}
    sup.watching.follow(sup.lineage.journal)
