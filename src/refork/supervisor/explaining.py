"""What a running refork answers to `refork explain`: how things stand, and what a save would do.

The rulings are those of a real save: `Deciding` is asked about a change that is only supposed, and
the parked process about the functions of the file.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refork.core import statements
from refork.core.journal import Load, Read
from refork.core.plan import Change, Differs, Plan
from refork.ladder.lineage import ANSWER, shown
from refork.process import kernel
from refork.report import counted, duration
from refork.target import plain_argv

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor

SUPPOSED = b"\0supposed"
"""The text of a change that is only supposed: no file that is loaded has it."""

OTHER = (-1, -1, -1)
"""A fingerprint that no file has."""

MOST_NAMED = 12
"""Functions named one by one."""

MEGABYTE = 1 << 20

BODIES = Differs("bodies")
OTHER_PYTHON = Differs("different", "the program's Python is not refork's own, so no grafts")


Function = tuple[str, int]
"""Qualified name and first line."""


@dataclass(frozen=True)
class Case:
    """One way in which a file may be saved, and how its texts would compare."""

    words: str
    differs: Differs


class Explaining:
    """Answers about one supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor

    async def answer(self, path: str | None) -> str:
        """The text to show about the file at `path`; None: about all."""
        if path is not None:
            return "\n".join([line async for line in File(self.sup, path).lines()])
        for number, parked in list(self.sup.lineage.parked.items()):
            self.sup.thinning.price(number).memory = kernel.private_memory(parked.pid)
            await asyncio.sleep(0)  # a few milliseconds each: others have their turn
        return "\n".join(self._overview())

    def _overview(self) -> Iterator[str]:
        sup = self.sup
        yield _line("refork", f"process {os.getpid()} in {os.getcwd()}")
        yield _line("program", self._program())
        yield _line("target", " ".join(plain_argv(sup.target)))
        files = counted(sup.watching.count, "file")
        yield _line("watching", f"{files} by {sup.watching.watcher.name}")
        for option in ("watch", "refresh", "ignore"):
            for pattern in getattr(sup.settings, option):
                yield _line("", f"--{option} {pattern}")
        yield from self._ladder()
        for path, step in sup.hot.steps().items():
            statement = f", statement {step + 1}" if step >= 0 else ""
            yield _line("hot", f"{shown(path)}{statement}")
        yield from self._twins()
        held = sup.holding.keys()
        for _family, address in held:
            yield _line("socket", f"{address} is held")
        yield _line("memory", self._memory())

    def _program(self) -> str:
        program = self.sup.program
        if program is None:
            return "none"
        state = "ready" if program.ready else "loading"
        if program.ended.is_set():
            state = "failed: waits for a change" if program.failed else "has ended"
        how = plan_words(self.sup, self.sup.plan)
        return f"generation {program.number}, process {program.pid}, {state} · {how}"

    def _ladder(self) -> Iterator[str]:
        root = self.sup.root.parked
        if root is not None:
            yield _line("checkpoint", f"0  root    process {root.pid}: a fresh interpreter")
        now = time.monotonic()
        parked = self.sup.lineage.parked
        for one in self.sup.lineage.journal.checkpoints:
            price = self.sup.thinning.price(one.id)
            if one.id in parked:
                age = duration((now - price.taken) * 1000)
                memory = f"{price.memory / MEGABYTE:.1f} MB"
                where = f"{one.kind:7} process {one.pid} at {_place(one.at)}"
                yield _line("checkpoint", f"{one.id}  {where} · {age} old · {memory}")
        for after, at, reason in self.sup.lineage.barriers:
            yield _line("barrier", f"no checkpoint past {_place(at)}: {reason} (after {after})")
        if not self.sup.forks:
            yield _line("", "no checkpoint is taken: restart was asked for")

    def _twins(self) -> Iterator[str]:
        for path, twin in self.sup.twins.all.items():
            ahead = f"{len(twin.modules):,} of {twin.later:,} later modules imported ahead"
            yield _line("twin", f"{twin.number}  for {shown(path)}: {ahead}")
            yield _line("ahead", ", ".join(twin.modules))
            for name, why in list(twin.left_out.items())[:MOST_NAMED]:
                yield _line("", f"without {name}: {why}")
            if len(twin.left_out) > MOST_NAMED:
                yield _line("", f"and without {len(twin.left_out) - MOST_NAMED} more")
        for path, why in self.sup.hoisting.words.items():
            yield _line("no twin", f"for {shown(path)}: {why}")

    def _memory(self) -> str:
        thinning = self.sup.thinning
        budget = thinning.budget()
        most = "an unknown amount" if budget is None else f"{budget / MEGABYTE:,.0f} MB"
        gone = f", {thinning.dropped} let go" if thinning.dropped else ""
        count = len(self.sup.lineage.parked)
        return f"{thinning.held() / MEGABYTE:.1f} MB of {most} in {count} checkpoints{gone}"


class File:
    """Answers about one file."""

    def __init__(self, supervisor: Supervisor, path: str) -> None:
        self.sup = supervisor
        self.journal = supervisor.lineage.journal
        self.path = self._as_known(path)
        self._decided: dict[int, Sequence[Plan]] = {}
        """Plans by the leading statements that stay as they are."""
        self._findings: dict[int, dict[str, Any]] = {}
        """What parked processes said of the file, by checkpoint."""

    def _as_known(self, path: str) -> str:
        """The path by which the program knows the file: it may have come by a symbolic link."""
        if self.journal.concerns(path):
            return path
        real = os.path.realpath(path)
        if self.journal.concerns(real):
            return real
        try:
            inode = os.stat(path).st_ino
        except (OSError, ValueError):
            return path
        for entry in self.journal.entries:
            if isinstance(entry, (Load, Read)) and entry.fingerprint is not None:
                same = entry.fingerprint[2] == inode
                if same and os.path.realpath(entry.path) == real:
                    return entry.path
        return path

    async def lines(self) -> AsyncIterator[str]:
        yield shown(self.path)
        out = self._left_out()
        if out:
            yield f"  ignored: {out}"
            return
        roles = list(self._roles())
        for role in roles:
            yield f"  {role}"
        if not roles:
            yield "  not known: the program had nothing to do with it, and no pattern matches it"
            yield "  if it were saved now: ignore"
            return
        self.sup.lineage.read_all()
        yield "  if it were saved now, with"
        for case in self._cases():
            plans = self._plans(case.differs)
            if any(plan.gear == "graft" for plan in plans):
                first, *more = [line async for line in self._bodies()]
            else:
                first, *more = [plan_words(self.sup, plan) for plan in plans[:1]]
            yield f"    {case.words}: {first}"
            for line in more:
                yield f"        {line}"

    # What it is ---------------------------------------------------------------------------------

    def _left_out(self) -> str:
        """Why no change of the file counts, or ""."""
        if self.sup.patterns.ignores(self.path):
            return "it matches --ignore"
        if self.journal.is_written(self.path):
            return "the program writes it itself"
        if self.sup.registered.excludes(self.path):
            return "the program excluded it from what is watched"
        return ""

    def _roles(self) -> Iterator[str]:
        """In which ways the file is a dependency."""
        entries = [
            entry
            for entry in self.journal.entries
            if isinstance(entry, (Load, Read)) and entry.path == self.path
        ]
        seen = self._first_seen()
        for name in dict.fromkeys(entry.name for entry in entries if isinstance(entry, Load)):
            yield f"loaded as module {name}{seen}" if name else f"loaded anew{seen}"
        reads = [entry for entry in entries if isinstance(entry, Read)]
        if any(entry.fingerprint is not None for entry in reads):
            yield f"read as data{seen}"
        elif reads:
            yield f"to be read as data, and absent{seen}"
        if not entries:
            for lookup in self.journal.lookups(self.path, len(self.journal.entries)):
                found = f"found at {shown(lookup.found)}" if lookup.found else "not found"
                yield f"looked up here for module {lookup.name}, which was {found}"
        wanted = self.sup.changes.wanted(self.path)
        if wanted:
            yield wanted
        for pattern in self.sup.registered.handled_by(self.path):
            yield f"offered to the program first, which deals with {shown(pattern)} in place"
        if self.sup.patterns.refreshes(self.path):
            yield "matches --refresh: the browser is refreshed"
        elif self.sup.assets.is_asset(self.path):
            yield "shown by browsers, which are refreshed"

    def _first_seen(self) -> str:
        for one in self.journal.checkpoints:
            if self.journal.embodied(self.path, one.position) is not None:
                return f", before checkpoint {one.id}"
        return ", after the deepest checkpoint" if self.journal.checkpoints else ""

    # What would be ------------------------------------------------------------------------------

    def _cases(self) -> Iterator[Case]:
        end = len(self.journal.entries)
        entry = self.journal.latest(self.path)
        if not isinstance(entry, Load) or self.journal.read_as_data(self.path, end):
            absent = entry is None or entry.fingerprint is None
            yield Case(
                "anything, as a new file" if absent else "other contents", Differs("different")
            )
            return
        grafts = self.sup.comparer.grafts
        yield Case("only function bodies changed", BODIES if grafts else OTHER_PYTHON)
        yield Case("its first statement changed", Differs("different"))
        last = len(self._steps(entry)) - 1
        if last > 0:
            yield Case("its last statement changed", Differs("different", common=last))
        yield Case("nothing in its code changed", Differs("same"))

    def _steps(self, entry: Load) -> Sequence[statements.Step]:
        text = self.sup.lineage.texts.get(self.path, entry.fingerprint)
        try:
            return () if text is None else statements.steps(text)
        except (SyntaxError, ValueError):
            return ()

    def _plans(self, differs: Differs) -> Sequence[Plan]:
        """What a save would be decided to come to, best first."""
        real = self.sup.comparer.compare

        def compare(path: str, old: bytes, new: bytes) -> Differs:
            return differs if new == SUPPOSED else real(path, old, new)

        change = Change(self.path, OTHER, SUPPOSED)
        judge = self.sup.deciding.judge(compare)
        observed = judge.really_changed(change, len(self.journal.entries))
        if not observed and not self.sup.changes.wanted(self.path):
            return [Plan("ignore", "nothing that was looked for would be found elsewhere")]
        return self.sup.deciding.decide(judge, [change])

    async def _bodies(self) -> AsyncIterator[str]:
        """What each function's fate would be, if its body were all that changed."""
        plans = self._plans(BODIES)
        listed = await self._functions(plans)
        fates: dict[str, list[str]] = {}
        for name, line in listed:
            plan, why = await self._fate((name, line), self._plans_at(line))
            fates.setdefault(plan_words(self.sup, plan), []).append(
                f"{name} ({why})" if why else name
            )
        if len(fates) < 2 and not any("(" in name for names in fates.values() for name in names):
            yield f"{next(iter(fates), 'it has none')}{', for each' if fates else ''}"
        else:
            yield "it depends on the function"
            for words, names in fates.items():
                more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
                yield f"{words}, for {', '.join(names[:MOST_NAMED])}{more}"
        for findings in self._findings.values():
            if findings["lines"] and not findings["refused"]:
                yield f"but no graft where {findings['lines']}"
                break

    async def _functions(self, plans: Sequence[Plan]) -> list[Function]:
        """The functions of the file, as a parked process that has loaded it knows them."""
        for plan in plans:
            if plan.gear == "graft" and (found := (await self._survey(plan))["functions"]):
                return [(str(name), int(line)) for name, line in found]
        return []

    def _plans_at(self, line: int) -> Sequence[Plan]:
        """What a change of the function that begins at `line` would be decided to come to."""
        entry = self.journal.latest(self.path)
        found = self._steps(entry) if isinstance(entry, Load) else ()
        common = max(sum(1 for step in found if step.line <= line) - 1, 0)
        if common not in self._decided:
            self._decided[common] = self._plans(Differs("bodies", common=common))
        return self._decided[common]

    async def _fate(self, function: Function, plans: Sequence[Plan]) -> tuple[Plan, str]:
        """The first plan that could be carried out, and why no better one could."""
        why = ""
        for plan in plans:
            if plan.gear != "graft":
                return plan, why
            findings = await self._survey(plan)
            refusal = findings["refused"] or findings["kept"].get(function)
            if not refusal:
                return plan, why
            why = why or str(refusal).removeprefix(f"{function[0]} ")
        return plans[-1], why

    async def _survey(self, plan: Plan) -> dict[str, Any]:
        """Ask the parked process of a graft about the functions of the file; once."""
        assert plan.checkpoint is not None
        if plan.checkpoint not in self._findings:
            self._findings[plan.checkpoint] = await self._ask(plan.checkpoint)
        return self._findings[plan.checkpoint]

    async def _ask(self, number: int) -> dict[str, Any]:
        parked, checkpoint = self.sup.lineage.parked.get(number), self.sup.lineage.find(number)
        entry = checkpoint and self.journal.embodied(self.path, checkpoint.position)
        text = entry and self.sup.lineage.texts.get(self.path, entry.fingerprint)
        nothing: dict[str, Any] = {"lines": "", "functions": [], "kept": {}}
        if parked is None or text is None:
            return {**nothing, "refused": f"checkpoint {number} is gone"}
        answer = await parked.ask("survey", self.path, text, timeout=ANSWER)
        if answer is None or answer[0] != "surveyed":
            return {**nothing, "refused": f"checkpoint {number} does not answer"}
        return dict(answer[1])


def plan_words(supervisor: Supervisor, plan: Plan) -> str:
    """A plan in words for people, with its reason."""
    why = f": {plan.reason}" if plan.reason else ""
    if plan.action == "ignore":
        return f"ignore{why}"
    if plan.checkpoint is None:
        return f"cold start{why}"
    checkpoint = supervisor.lineage.find(plan.checkpoint)
    where = f" ({checkpoint.kind} at {_place(checkpoint.at)})" if checkpoint is not None else ""
    return f"{plan.gear} from checkpoint {plan.checkpoint}{where}{'' if plan.grafts else why}"


def _line(label: str, text: str) -> str:
    return f"{label:11} {text}"


def _place(at: str) -> str:
    path, _colon, line = at.rpartition(":")
    return f"{shown(path)}:{line}" if path and line != "0" else f"the start of {shown(path or at)}"
