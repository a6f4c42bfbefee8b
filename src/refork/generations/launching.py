"""Makes the process of a new generation: by a fork of a parked process, or by a fresh interpreter."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refork.core.plan import Change, Plan
from refork.errors import ReforkError
from refork.generations.generation import Generation
from refork.ladder.lineage import ANSWER, Lineage
from refork.process import kernel
from refork.process.channel import Message, Parked
from refork.process.direct import Direct
from refork.process.roots import Root
from refork.program import channel as channels
from refork.program.channel import Channel
from refork.target import Target, described

if TYPE_CHECKING:
    from refork.supervisor.first import First


@dataclass(frozen=True)
class Situation:
    """What a new generation starts from."""

    lineage: Lineage
    dirty: Mapping[str, Change]
    number: int
    hot: Mapping[str, int]
    environ: Mapping[str, str]
    """Variables that the program is to have besides."""
    twins: Mapping[int, Parked]


class Launcher:
    """Carries out plans as far as a program that waits to be let go."""

    def __init__(
        self,
        target: Target,
        root: Root | Direct,
        forks: bool,
        heard: Callable[[Generation, Message, list[int]], None],
        woken: Callable[[], None],
        first: First,
    ) -> None:
        self.target = target
        self.root = root
        self.forks = forks
        self.grafted: list[str] = []
        """Qualified names of the functions that the last graft is about."""
        self._heard = heard
        self._woken = woken
        self._first = first

    async def launch(self, plan: Plan, now: Situation) -> Generation | str:
        """Return the new program, which waits to be let go; or why it could not be made."""
        if plan.checkpoint is None:
            return await self._from_root(plan, now)
        found = now.twins.get(plan.twin) if plan.twin else now.lineage.parked.get(plan.checkpoint)
        if found is None:
            return f"checkpoint {plan.twin or plan.checkpoint} is gone"
        parked = found
        spare = parked.take_spare()
        if spare is not None:
            made = await self._with_spare(spare, parked, plan, now)
            if made is not None:
                return made
        if plan.grafts:
            refusal = await self.consider(parked, plan, now)
            if refusal:
                return refusal
        return await self._resume(parked, plan, now)

    async def _with_spare(
        self, spare: Parked, parked: Parked, plan: Plan, now: Situation
    ) -> Generation | str | None:
        """The same by a fork that was made ahead, or None if that is not there any more."""
        refusal = await self._ruling(spare, plan, now) if plan.grafts else ""
        if refusal:
            parked.return_spare(spare)
            return refusal
        if refusal is not None and spare.alive:
            spare.tell("resume", self.fields(plan, now))
            channel = spare.line.release()
            made = Generation(now.number, spare.pid, parked, channel, self._heard, self._woken)
            if await _awake(made):
                return made
            made.close()
        spare.close()
        kernel.send_signal(spare.pid, signal.SIGKILL)
        now.lineage.background(parked.ask("reap", spare.pid, timeout=ANSWER))
        return None

    async def consider(self, parked: Parked, plan: Plan, now: Situation) -> str:
        """Ask a parked process whether it can take new function bodies; return why not, or ""."""
        ruling = await self._ruling(parked, plan, now)
        if ruling is None:
            kernel.send_signal(parked.pid, signal.SIGKILL)
            return f"checkpoint {parked.id} does not answer"
        return ruling

    async def _ruling(self, parked: Parked, plan: Plan, now: Situation) -> str | None:
        """The same, or None: it does not answer."""
        work = [_graft(path, plan, now) for path in plan.grafts]
        answer = await parked.ask("consider", work, timeout=ANSWER)
        if answer is None or answer[0] != "considered":
            return None
        self.grafted = list(answer[2])
        return "" if answer[1] else str(answer[2][0])

    async def _from_root(self, plan: Plan, now: Situation) -> Generation | str:
        if isinstance(self.root, Direct):
            return self._directly(self.root, plan, now)
        root = await self._ready(self.root)
        begun = self._first.take()
        if begun is not None:
            return await self._go_on(root, begun)
        made = await self._resume(root, plan, now)
        if isinstance(
            made, str
        ):  # root is gone since it was looked at, or deaf: once more, with another
            await self.root.close()
            made = await self._resume(await self._ready(self.root), plan, now)
        return made

    async def _ready(self, root: Root) -> Parked:
        found = await root.ready(fresh=not self.forks)
        if isinstance(found, str):
            raise ReforkError(found)
        return found

    async def _go_on(self, root: Parked, program: Channel) -> Generation | str:
        """Take on the first program, which was let go before the supervisor was there."""
        answer = await root.hear(timeout=ANSWER)
        root.unasked = None
        if answer is None or answer[0] != "forked":
            program.close()
            return "root does not answer" if answer is None else str(answer[1])
        made = Generation(1, int(answer[1]), root, program, self._heard, self._woken)
        made.going = True
        return made

    def _directly(self, direct: Direct, plan: Plan, now: Situation) -> Generation:
        started = direct.start()
        if isinstance(started, str):
            raise ReforkError(started)
        pid, channel = started
        made = Generation(now.number, pid, direct.parked, channel, self._heard, self._woken)
        made.line.send("resume", self.fields(plan, now))
        return made

    async def _resume(self, parked: Parked, plan: Plan, now: Situation) -> Generation | str:
        assert isinstance(self.root, Root)
        ours, theirs = channels.pair()
        fields = self.fields(plan, now)
        try:
            if parked is self.root.parked and not self.forks:
                answer = await self.root.execute(theirs)
            else:
                answer = await parked.ask("resume", fields, fds=[theirs], timeout=ANSWER)
        finally:
            os.close(theirs)
        if answer is None or answer[0] != "forked":
            ours.close()
            kernel.send_signal(parked.pid, signal.SIGKILL)
            return f"checkpoint {parked.id} does not answer" if answer is None else str(answer[1])
        made = Generation(now.number, int(answer[1]), parked, ours, self._heard, self._woken)
        if parked is self.root.parked and not self.forks:
            made.line.send("resume", fields)
        if plan.checkpoint is not None and not await _awake(made):
            kernel.send_signal(made.pid, signal.SIGKILL)
            made.close()
            now.lineage.background(parked.ask("reap", made.pid, timeout=ANSWER))
            kernel.send_signal(parked.pid, signal.SIGKILL)
            return f"checkpoint {parked.id} was resumed and did not answer"
        return made

    def fields(self, plan: Plan, now: Situation) -> dict[str, Any]:
        """What a new program is told when it is resumed."""
        checkpoint = now.lineage.find(plan.checkpoint or 0)
        return {
            "generation": now.number,
            "next_id": now.lineage.next_id,
            "forks": self.forks,
            "changed": {change.path: change.text for change in now.dirty.values()},
            "hot": now.hot,
            "graft": bool(plan.grafts),
            "collects": plan.gear == "replay"
            and not plan.twin
            and plan.checkpoint in now.lineage.collects,
            "twin": plan.twin or (checkpoint.twin if checkpoint is not None else 0),
            "environ": now.environ,
            "target": described(self.target),
        }


def _graft(path: str, plan: Plan, now: Situation) -> tuple[str, bytes, bytes]:
    checkpoint = now.lineage.find(plan.checkpoint or 0)
    assert checkpoint is not None
    entry = now.lineage.journal.embodied(path, checkpoint.position)
    assert entry is not None
    old = now.lineage.texts.get(path, entry.fingerprint)
    new = now.dirty[path].text
    assert old is not None
    assert new is not None
    return (path, old, new)


async def _awake(made: Generation) -> bool:
    """The canary: whether a resumed process answers in time."""
    waiting = [asyncio.ensure_future(event.wait()) for event in (made.woke, made.ended)]
    await asyncio.wait(waiting, timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
    return made.woke.is_set()
