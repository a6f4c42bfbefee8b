"""`--verify`: checks every graft, and every replay from a twin, in the background against an exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refork.core.divergence import Divergence, find
from refork.core.plan import Plan
from refork.ladder.errands import DEADLINE, Errands
from refork.ladder.lineage import shown
from refork.process.channel import Message, Parked
from refork.twins.hoisting import Unequal

if TYPE_CHECKING:
    from refork.generations.generation import Generation
    from refork.supervisor.loop import Supervisor

ANSWERS = ("facts", "missed")

FAILURES = {
    "ended": "an exact start ended before it",
    "missed": "an exact start did not come by it",
    "slow": f"an exact start took more than {DEADLINE:.0f} s",
    "gone": "its process is gone",
}
"""Why a graft could not be checked at its checkpoint."""


class Verifying:
    """Makes both processes, and has the program started cold where they differ."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self.reason = ""
        """Why the program is to be started cold, or ""."""
        self._errands = Errands()

    def take(self) -> str:
        """The reason, once."""
        reason, self.reason = self.reason, ""
        return reason

    def ready(self, program: Generation) -> None:
        """A generation is up: check it, if it was grafted, or made from a twin."""
        plan = self.sup.plan
        if self.sup.settings.verify and plan.grafts:
            self.sup.lineage.background(self._verify(program, plan))
        elif self.sup.settings.verify and plan.twin:
            self.sup.lineage.background(self._verify_twin(program, plan))

    def cancel(self) -> None:
        """Another generation is being started: what is checked now is of no use any more."""
        self.reason = ""
        self._errands.cancel()

    async def _verify(self, program: Generation, plan: Plan) -> None:
        answers = await self._both(plan)
        if not self._is_still(program):
            return
        failed = [answer for answer in answers if answer[0] != "facts"]
        if failed:
            why = FAILURES.get(str(failed[0][0]), str(failed[0][0]))
            self.sup.bus.message(
                f"the graft from checkpoint {plan.checkpoint} is unverified: {why}"
            )
            return
        divergence = find(answers[0][1], answers[1][1])
        if divergence is None:
            self.sup.emit("verified", checkpoint=plan.checkpoint, files=list(plan.grafts))
        else:
            self._diverged(divergence)

    async def _verify_twin(self, program: Generation, plan: Plan) -> None:
        twin = self.sup.twins.of(plan.twin)
        try:
            found = "" if twin is None else await self.sup.hoisting.divergence(twin)
        except Unequal as error:
            if self._is_still(program):
                self.sup.bus.message(f"the replay from twin {plan.twin} is unverified: {error}")
            return
        if twin is None or not self._is_still(program):
            return
        if not found:
            self.sup.emit("verified", checkpoint=plan.twin, files=[twin.path])
            return
        message = f"{found} is not what an exact replay gives"
        self.sup.emit("error", type="Divergence", message=message, file=twin.path, line=0)
        self.sup.hoisting.conflicted("", f"{found} would not be the same")

    def _is_still(self, program: Generation) -> bool:
        return self.sup.program is program and not self.sup.working

    async def _both(self, plan: Plan) -> list[Message]:
        """What the grafted process and the exact one say; or what else came of it."""
        checkpoint = self.sup.lineage.find(plan.checkpoint or 0)
        parked = self.sup.lineage.parked.get(plan.checkpoint or 0)
        root = self.sup.root.parked
        if checkpoint is None or parked is None or not isinstance(root, Parked):
            return [("gone",)]
        now = self.sup.rehearsal()
        texts = {path: self.sup.dirty[path].text for path in plan.grafts}
        refusal = await self.sup.launcher.consider(parked, plan, now)
        if refusal:
            return [(refusal,)]
        fields = self.sup.launcher.fields(plan, now)
        first = await self._errands.send(
            parked, {**fields, "verify": {"files": texts, "goal": None}}, ANSWERS
        )
        if first[0] != "facts":
            return [first]
        goal = (*first[2:], checkpoint.at.rpartition(":")[0])
        fields = self.sup.launcher.fields(Plan("restart", "", "cold"), now)
        exact = await self._errands.send(
            root, {**fields, "verify": {"files": texts, "goal": goal}}, ANSWERS
        )
        return [first, exact]

    def _diverged(self, found: Divergence) -> None:
        """Say it, and have the main loop start the program cold."""
        self.sup.bus.emit(
            "error",
            self.sup.generation,
            type="Divergence",
            message=found.message,
            file=found.path,
            line=found.line,
        )
        self.reason = f"the graft of {shown(found.path)} was not what a cold start gives"
        self.sup.wake()
