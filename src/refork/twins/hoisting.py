"""Twins: for each file that is worked on, what comes after it and does not depend on it, imported ahead.

Made while nothing else is to be done, in processes of low priority; given up at once for a save. How a
twin is made and what it is worth is the matter of `refork.program.twins.hoist`; here is the order of things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from refork.core.dependents import Graph, Window, dependents, worthwhile
from refork.core.journal import Checkpoint, Journal
from refork.core.plan import Plan
from refork.ladder.errands import Errands
from refork.ladder.lineage import ANSWER, shown
from refork.process.channel import Message, Parked
from refork.program import channel as channels
from refork.twins.sketch import Sketch
from refork.twins.twins import TOO_MUCH, Twin, is_stale

if TYPE_CHECKING:
    from refork.generations.generation import Generation
    from refork.supervisor.loop import Supervisor

QUIET = 1.0
"""Seconds for which a program has been ready before a twin is begun."""

MOST = 2
"""Twins at a time: each holds the memory of all that it has imported."""

ROUNDS = 40
"""Trials and checks, each of which may leave something out, before a twin is given up."""

FIRST = 1_000_000
"""Numbers of twins begin here: those of checkpoints are never as high."""


class Unequal(Exception):
    """No twin of this file can be shown to be what an exact start gives; the message says why."""


class Hoisting:
    """Makes twins, and says which of them may serve."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self.words: dict[str, str] = {}
        """How things stand with the twin of a file that has none."""
        self.conflict = ""
        """Why a generation made from a twin is to be replaced, or ""."""
        self._bad: dict[str, dict[str, str]] = {}
        """Modules left out of the last twin of a file, or in conflict with an edit of it."""
        self._registries: dict[str, list[Any]] = {}
        """Registries that modules of the last twin of a file added to."""
        self._useless: dict[str, int] = {}
        """Checkpoints whose twin would save too little, by the file."""
        self._errands = Errands()
        self._next = FIRST
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def wanted(self) -> bool:
        return bool(self.sup.settings.hoist) and self.sup.forks

    # When ---------------------------------------------------------------------------------------------

    def ready(self, program: Generation) -> None:
        """A generation is up: see to the twins when it has been quiet for a while."""
        twin = self.sup.twins.of(self.sup.plan.twin)
        if twin is not None and is_stale(twin):
            self.conflicted("", "a file that was read ahead is another now")
            return
        self.sup.twins.sweep()
        if self.wanted:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(QUIET, self._begin, program)

    def _begin(self, program: Generation) -> None:
        busy = self._task is not None and not self._task.done()
        if self.sup.program is program and not program.over and not busy:
            self._task = self.sup.lineage.background(self._make_all(program))

    def cancel(self) -> None:
        """A save: nothing is made now."""
        if self._timer is not None:
            self._timer.cancel()
        self._errands.cancel()
        self.conflict = ""

    async def _make_all(self, program: Generation) -> None:
        edited = [path for path, step in self.sup.hot.steps().items() if step >= 0]
        for path in reversed(edited[-MOST:]):
            known = path in self.sup.twins.all or self.words.get(path) == TOO_MUCH
            if not known and self._idle(program):
                await self._make(program, path)

    def _idle(self, program: Generation) -> bool:
        return self.sup.program is program and not program.over and not self.sup.working

    # Making -------------------------------------------------------------------------------------------

    async def _make(self, program: Generation, path: str) -> None:
        checkpoint = self._before(path)
        if checkpoint is None or self._useless.get(path) == checkpoint.id:
            return
        try:
            twin = await self._made(program, path, checkpoint)
        except Unequal as error:
            if self._idle(program):
                self.words[path] = str(error)
                self.sup.bus.message(f"no twin for {shown(path)}: {error}", detail=True)
            return
        if not self._idle(program):
            await self.sup.twins.dismiss([twin])
            return
        self.sup.twins.all[path] = twin
        self.words.pop(path, None)
        assert twin.parked is not None
        pid, at = twin.parked.pid, twin.checkpoint.at
        self.sup.emit("checkpoint", id=twin.number, pid=pid, at=at, kind="twin")

    def _before(self, path: str) -> Checkpoint | None:
        """The checkpoint before what was edited last in a file."""
        checkpoints = self.sup.lineage.journal.checkpoints
        mine = [
            one
            for one in checkpoints
            if one.kind == "hot" and one.at.rpartition(":")[0] == path
            and one.id in self.sup.lineage.parked
        ]  # fmt: skip
        deepest = max((one.id for one in checkpoints), default=0)
        return mine[-1] if mine and mine[-1].id < deepest else None

    async def _made(self, program: Generation, path: str, checkpoint: Checkpoint) -> Twin:
        sketch = await self._sketch(path, checkpoint)
        # where a save comes in between, the next twin begins with what is known by now
        self._bad[path], self._registries[path] = sketch.left_out, sketch.registries
        for _round in range(ROUNDS):
            if not self._idle(program):
                raise Unequal("a save came first")
            if not sketch.modules():
                raise Unequal("all that comes later depends on it" + _because(sketch.left_out))
            if await self._tried(sketch):
                continue
            twin = await self._parked(sketch)
            if isinstance(twin, str):
                raise Unequal(twin)
            equal = False
            try:
                equal = not await self._differs(sketch, twin)
            finally:
                if not equal:
                    await self.sup.twins.dismiss([twin])
            if equal:
                return twin
        raise Unequal("it could not be made equal to an exact start" + _because(sketch.left_out))

    async def _sketch(self, path: str, checkpoint: Checkpoint) -> Sketch:
        """Run the rest of loading once more, exactly, and see who depends on whom."""
        lineage = self.sup.lineage
        deepest = lineage.parked[max(lineage.parked)]
        found = lineage.find(deepest.id)
        where = await deepest.ask("where", timeout=ANSWER)
        if where is None or found is None or where[0] != "where":
            raise Unequal(f"checkpoint {deepest.id} does not answer")
        goal = (where[1], where[2], found.at.rpartition(":")[0])
        parked = lineage.parked.get(checkpoint.id)
        if parked is None:
            raise Unequal(f"checkpoint {checkpoint.id} is gone")
        here, (busy, present, loads, imports), facts, order, spent = await self._exact(
            checkpoint, goal
        )
        graph = Graph(
            tuple(busy),
            frozenset(present),
            tuple(Window(name, parent) for name, parent in loads),
            {name: frozenset(names) for name, names in imports.items()},
        )
        left_out = self._bad.get(path, {})
        registries = self._registries.get(path, [])
        return Sketch(
            path, checkpoint, parked, graph, here, facts, order, spent, left_out, registries
        )

    async def _exact(self, checkpoint: Checkpoint, goal: tuple[Any, ...]) -> Message:
        parked = self.sup.lineage.parked[checkpoint.id]
        fields = self._fields(checkpoint, {"task": "exact", "goal": goal})
        answer = await self._errands.send(parked, fields, ("exact",))
        if answer[0] != "exact":
            raise Unequal(f"an exact start in the background failed ({_words(answer)})")
        return answer[1:]

    async def _tried(self, sketch: Sketch) -> bool:
        """Import ahead in a process that is thrown away; return whether more has to be left out."""
        wish = self._wish("trial", sketch)
        answers = ("tried", "stopped")
        fields = self._fields(sketch.checkpoint, wish)
        answer = await self._errands.send(sketch.parked, fields, answers)
        if answer[0] == "stopped":
            return self._left_out_or_raise(sketch, {str(answer[1]): str(answer[2])})
        if answer[0] != "tried":
            raise Unequal(f"a trial in the background failed ({_words(answer)})")
        _tag, failed, changed, shared, vague = answer
        if failed and not sketch.fail(failed):
            raise Unequal("; ".join(f"{name}: {why}" for name, why in failed.items()))
        if failed:
            return True
        if vague:
            if all(path in sketch.closely for path in vague):
                raise Unequal(f"nobody can tell who writes to {_key(vague[0])}")
            sketch.closely += vague
            return True
        known = {_key(path) for path in sketch.registries}
        fresh = [path for path, _text in changed if path is not None and _key(path) not in known]
        late = [
            path for _maker, path, _text in shared if path is not None and _key(path) not in known
        ]
        new = [*fresh, *late]
        sketch.registries += new
        if changed and not fresh:
            raise Unequal(f"it would leave a mark on {', '.join(text for _path, text in changed)}")
        writers = {
            user: f"{maker} holds {name}, which others write to"
            for maker, path, name in shared
            if path is None or _key(path) in known
            for user in dependents(sketch.graph, [maker]) - {maker}
            if user not in sketch.graph.busy
        }
        return sketch.leave_out(writers) or bool(new)

    async def _parked(self, sketch: Sketch) -> Twin | str:
        self._next += 1
        journal = self._branch(sketch.checkpoint)
        modules = sketch.modules()
        later = len(sketch.graph.windows)
        twin = Twin(
            self._next, sketch.path, sketch.checkpoint, journal, modules, later, sketch.left_out
        )

        def heard(message: Message) -> None:
            if message[0] == "journal":
                for entry in message[1]:
                    journal.take(tuple(entry))

        def made(pid: int, channel: channels.Channel) -> Parked:
            return Parked(twin.number, pid, channel, self.sup.twins.lost)

        fields = self._fields(sketch.checkpoint, self._wish("twin", sketch, twin.number))
        answer = await self._errands.park(sketch.parked, fields, heard, made)
        if not isinstance(answer, Parked):
            return f"it could not be parked ({_words(answer)})"
        twin.parked = answer
        return twin

    async def _check(self, sketch: Sketch, twin: Twin) -> Message:
        """Have a fork of the twin go on as the program did: what differs in the end, modules to blame for
        each difference, modules that could not be put in their place and why, those never imported, and
        seconds of the processor.
        """
        assert twin.parked is not None
        wish = {
            "task": "check",
            "goal": sketch.goal,
            "facts": sketch.facts,
            "order": sketch.order,
            "volatile": sketch.volatile or (),
        }
        fields = self._fields(sketch.checkpoint, wish, twin.number)
        usual: list[Message] = []
        answer = await self._errands.send(twin.parked, fields, ("checked",), usual.append)
        for message in usual:
            if message[0] == "usual":
                twin.parked.tell(*message)
        if answer[0] != "checked":
            raise Unequal(f"a check in the background failed ({_words(answer)})")
        return answer[1:]

    async def _differs(self, sketch: Sketch, twin: Twin) -> bool:
        """Return whether more has to be left out of a twin, for it to equal an exact start."""
        wrong, blamed, conflicts, unused, spent = await self._check(sketch, twin)
        found = dict(conflicts)
        found.update(dict.fromkeys(unused, "it was not imported again"))
        hoisted = set(twin.modules)
        for element, modules in blamed.items():
            for module in hoisted.intersection(modules):
                found.setdefault(module, f"{element} would not be the same")
        if not wrong and not found and not worthwhile(sketch.spent, spent):
            times = f"{spent * 1000:.0f} of {sketch.spent * 1000:.0f} ms"
            self._useless[twin.path] = twin.checkpoint.id
            raise Unequal(f"it would save too little: {times} would be left")
        if not wrong and not found:
            return False
        if sketch.leave_out(found):
            return True
        if sketch.volatile is None:
            await self._set_aside(sketch)
            return True
        raise Unequal(f"{', '.join(wrong[:3]) or _because(found)} would not be the same")

    async def _set_aside(self, sketch: Sketch) -> None:
        """Find out in what two exact starts differ as well: times, numbers of processes."""
        facts = (await self._exact(sketch.checkpoint, sketch.goal))[2]
        sketch.volatile = _differing(sketch.facts, facts)

    async def divergence(self, twin: Twin) -> str:
        """What a generation made from a twin has otherwise than an exact replay, or "": the modules to blame
        are left out from then on.

        Raises Unequal where that could not be found out.
        """
        sketch = await self._sketch(twin.path, twin.checkpoint)
        wrong, blamed, conflicts, *_rest = await self._check(sketch, twin)
        if wrong:
            await self._set_aside(sketch)
            wrong, blamed, conflicts, *_rest = await self._check(sketch, twin)
        told = [*wrong[:3], *(f"{name}, which {why}" for name, why in conflicts.items())]
        if not told:
            return ""
        modules = {name for found in blamed.values() for name in found} | set(conflicts)
        bad = self._bad.setdefault(twin.path, {})
        bad.update((name, "it was not what an exact start gives") for name in modules if name)
        if not modules:
            self._useless[twin.path] = twin.checkpoint.id
        return ", ".join(told)

    def _left_out_or_raise(self, sketch: Sketch, found: Mapping[str, str]) -> bool:
        if not sketch.leave_out(found):
            raise Unequal("; ".join(f"{name}: {why}" for name, why in found.items()))
        return True

    def _wish(self, task: str, sketch: Sketch, number: int = 0) -> dict[str, Any]:
        return {
            "task": task,
            "number": number,
            "modules": sketch.modules(),
            "registries": sketch.registries,
            "closely": sketch.closely,
        }

    def _fields(
        self, checkpoint: Checkpoint, wish: dict[str, Any], twin: int = 0
    ) -> dict[str, Any]:
        plan = Plan("resume", "", "replay", checkpoint.id, twin=twin)
        fields = self.sup.launcher.fields(plan, self.sup.rehearsal())
        return {**fields, "hoist": wish, "twin": twin, "collects": False}

    def _branch(self, checkpoint: Checkpoint) -> Journal:
        journal = Journal()
        for entry in self.sup.lineage.journal.entries[: checkpoint.position]:
            journal.add(entry)
        return journal

    # Conflicts ----------------------------------------------------------------------------------------

    def conflicted(self, name: str, why: str) -> None:
        """A module could not be put where it belongs: the generation is made again, exactly."""
        twin = self.sup.twins.of(self.sup.plan.twin)
        if twin is not None:
            if name:
                self._bad.setdefault(twin.path, {})[name] = why
            self.sup.twins.drop([twin])
        self.conflict = f"{name} {why}: no twin serves".lstrip()
        self.sup.wake()

    def unfit(self, name: str, why: str) -> None:
        """Nothing of a twin could be put where it belongs: the generation goes on, exactly."""
        twin = self.sup.twins.of(self.sup.plan.twin)
        if twin is not None:
            self.sup.bus.message(
                f"the twin of {shown(twin.path)} does not serve: {name} {why}", detail=True
            )

    def take(self) -> list[Plan]:
        """The plans that replace a generation in conflict, once."""
        reason, self.conflict = self.conflict, ""
        number = self.sup.plan.checkpoint
        return [Plan("resume", reason, "replay", number), Plan("restart", reason, "cold")]


def _differing(facts: list[Any], others: list[Any]) -> list[str]:
    one, other = dict(facts), dict(others)
    return [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]


def _words(message: Message) -> str:
    return " ".join(map(str, message))


def _key(path: Any) -> str:
    return repr(path)


def _because(left_out: Mapping[str, str]) -> str:
    return "".join(f"; {name}: {why}" for name, why in list(left_out.items())[:3])
