"""The loop: sources → core → effects. What is to be done is decided in `core`, not here."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from refork.core.journal import Checkpoint
from refork.core.plan import Change, Plan
from refork.errors import ReforkError
from refork.files.assets import Assets
from refork.files.changes import Changes
from refork.files.comparing import Comparer
from refork.files.hot import HotFiles
from refork.files.patterns import Patterns
from refork.files.registered import Offers, Registered
from refork.files.watching import Watching
from refork.generations.exits import Exits
from refork.generations.generation import Generation
from refork.generations.launching import Launcher, Situation
from refork.generations.readiness import Readiness
from refork.generations.standing import Standing
from refork.generations.stopping import Stopper
from refork.ladder.lineage import Lineage
from refork.ladder.thinning import Thinning
from refork.process import files, kernel
from refork.process.direct import Direct
from refork.process.home import Home
from refork.process.inquiry import Inquiries
from refork.process.roots import Root
from refork.process.spawn import can_fork
from refork.process.terminal import Terminal
from refork.report import Bus
from refork.settings import Settings
from refork.sockets.handover import Handover
from refork.sockets.holding import Holding
from refork.supervisor.deciding import Deciding
from refork.supervisor.explaining import Explaining
from refork.supervisor.first import First
from refork.supervisor.hearing import Hearing
from refork.supervisor.returning import go_back, origin
from refork.supervisor.signals import Signals
from refork.supervisor.verifying import Verifying
from refork.target import Target
from refork.twins.hoisting import Hoisting
from refork.twins.twins import Twins
from refork.web.browser import Browser


def supervise(settings: Settings, target: Target, bus: Bus, first: First) -> int:
    """Run `target` until it is over; return refork's exit code. `first` is what was begun already.

    Raises ReforkError when there is nothing to run it with.
    """
    try:
        code = asyncio.run(Supervisor(settings, target, bus, first).run())
    finally:
        bus.close()
    if code < 0:
        kernel.die_of(-code)
        return 128 - code  # the first process of a container does not die of its own signals
    return code


class Supervisor:
    """The parent of all: never imports user code."""

    def __init__(self, settings: Settings, target: Target, bus: Bus, first: First) -> None:
        self._first = first
        self.settings = settings
        self.target = target
        self.bus = bus
        self.patterns = Patterns(settings)
        self.registered = Registered()
        self.offers = Offers()
        self.comparer = Comparer(target)
        self.hot = HotFiles(first.hot)
        self.terminal = first.terminal or Terminal()
        self.home = Home()
        self.handover = Handover()
        self.holding = Holding(self.handover.take)
        self.standing = Standing(self)
        self.browser = Browser(settings)
        self.lineage = Lineage(self.hint)
        self.program: Generation | None = None
        self.generation = 0
        self.plan = Plan("restart", "first start", "cold")
        """How the present generation was started."""
        self.dirty: dict[str, Change] = {}
        """Files that differ from what some checkpoint embodies, as they are now."""
        self.follows = settings.on_exit == "follow"
        self._woken: asyncio.Event
        self.changes = Changes(self)
        self.assets = Assets(self)
        self.deciding = Deciding(self)
        self.exits = Exits(self, first.kills)
        self.thinning = Thinning(self)
        self.readiness = Readiness(self)
        self.verifying = Verifying(self)
        self.twins = Twins(self)
        self.hoisting = Hoisting(self)
        self.inquiries = Inquiries(Explaining(self).answer)
        self.working = False
        """Whether something is being done about a source: what is done when idle waits."""
        self.signals = Signals(self._interrupted, lambda: self.stopper.force())
        self._defect: BaseException | None = None
        """An exception of refork's own, raised where nobody waits for it."""
        self._seen = 0.0

    @property
    def forks(self) -> bool:
        return not self.no_forks

    @property
    def no_forks(self) -> str:
        """Why no checkpoints are taken, or ""."""
        if self.settings.strategy == "restart":
            return "restart was asked for"
        return "" if can_fork() else "this platform has no safe fork"

    async def run(self) -> int:
        """Return the exit code; a negative one is the signal to die of."""
        self._woken = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(self._broken)
        await self.browser.start(self._first.live)
        await self.inquiries.open()
        self.root: Root | Direct = (
            Root(self.target, self._first.started, self._first.program is not None)
            if can_fork()
            else Direct(self.target)
        )
        self.stopper = Stopper(self.root, self.terminal, self.settings.grace, self.handover.held)
        self.signals.listen()
        heard = Hearing(self).heard
        self.launcher = Launcher(self.target, self.root, self.forks, heard, self.wake, self._first)
        self.watching = Watching(
            self.settings,
            self.hinted,
            self._say,
            self._directories,
            self.changes.look_into,
            self._first.freshness,
        )
        try:
            self._seen = self._first.began
            await self._first_start()
            while True:
                await self._woken.wait()
                self._woken.clear()
                self.working = True
                code = await self._step()
                self.working = False
                if not (self.changes.hints or self.changes.everything or self.verifying.reason):
                    self.watching.freshness.open()
                if code is not None:
                    return code
        finally:
            await self._end()

    async def _first_start(self) -> None:
        try:
            await self._start([self.plan], ())
        except ReforkError:
            if self.signals.number is None:
                raise

    async def _step(self) -> int | None:
        """Look at every source once, the most urgent first; return what `run` returns when it is over."""
        if self._defect is not None:
            raise self._defect
        if self.signals.number is not None:
            return await self._stop_all(self.signals.number)
        if self.changes.hints or self.changes.everything:
            await self._changed()
            self.wake()  # for what else came meanwhile
            return None
        if self.verifying.reason:
            await self._again(self.verifying.take())
            return None
        if self.hoisting.conflict:
            await self._start(self.hoisting.take(), ())
            return None
        if self.exits.again_due:
            await self._again("the program asked for it (exit code 3)")
            return None
        program = self.program
        if program is not None and program.ended.is_set() and not program.over:
            return await self.exits.ended(program)
        if self.standing.lost():
            self.browser.show(self.holding.sockets(), 1, self.generation)
        return None

    def wake(self) -> None:
        """Have the loop look at every source once more."""
        self._woken.set()

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback or a task in the background failed: refork ends by that, as it would anywhere else."""
        if self._defect is None and isinstance(context.get("exception"), Exception):
            self._defect = context["exception"]
            self.wake()
        else:
            loop.default_exception_handler(context)

    def hint(self, paths: Iterable[str]) -> None:
        self.changes.hints.update(paths)
        self.wake()

    def hinted(self, paths: Iterable[str], everything: bool) -> None:
        if not self.changes.hints:
            self._seen = time.monotonic()
        self.changes.everything = self.changes.everything or everything
        self.hint(paths)

    def _say(self, text: str) -> None:
        self.bus.message(text)

    def emit(self, event: str, **keys: object) -> None:
        self.bus.emit(event, self.generation, **keys)
        self.browser.event(event, self.generation, keys)

    async def _changed(self) -> None:
        """Compare what was hinted, and do what core makes of it."""
        changes = self.changes.compare()
        self.assets.tell()
        changes = await self.changes.offered(changes)
        if not changes:
            return
        for path in self.lineage.journal.revised() | self.dirty.keys():
            # an earlier checkpoint embodies another text, and what was known of this one may be old
            known = self.dirty.get(path)
            if known is None or files.fingerprint(path) != known.fingerprint:
                self.dirty[path] = files.look(path)
                self.lineage.remember(self.dirty[path])
        judge = self.deciding.judge()
        plans = self.deciding.decide(judge, changes)
        paths = [change.path for change in changes]
        if plans[0].action == "ignore":
            self.emit("ignore", files=paths, reason=plans[0].reason)
            for change in changes:
                self.changes.accept(change)
            return
        self.emit("change", files=paths)
        self.hot.edited(judge, changes, self.comparer)
        for change in changes:
            self.dirty[change.path] = change
            self.lineage.remember(change)
        await self._start(plans, paths)

    def _directories(self) -> set[str]:
        found = self.patterns.directories() | self.registered.directories()
        return found | self.assets.directories()

    def waits_after_failure(self) -> bool:
        """A program that failed may need something that is in no file: a touch is worth a try."""
        program = self.program
        return program is not None and program.ended.is_set() and program.failed

    async def _start(self, plans: Sequence[Plan], changed: Sequence[str]) -> None:
        """Carry out the first of `plans` that can be: the old generation ends while the new one is made."""
        self.verifying.cancel()
        self.hoisting.cancel()
        seen = self._seen
        old = self.standing.keep(self.program)
        retiring = None if old is None else asyncio.ensure_future(self.stopper.retire(old))
        made, plan, checkpoint = await self._first_that_can(plans)
        if old is not None and retiring is not None:
            below = await retiring
            self.program = made
            await self.stopper.leftovers(below, self.known())
            old.close()
        self.program = made
        self.verifying.reason = ""  # that was of the generation before
        self._let_go(made, plan, checkpoint, changed, seen)

    async def _first_that_can(
        self, plans: Sequence[Plan]
    ) -> tuple[Generation, Plan, Checkpoint | None]:
        """The program, the plan that made it, and where it goes on: whose process may be gone by then."""
        reason = ""
        for plan in plans:
            if reason:
                plan = replace(plan, reason=reason)
            checkpoint = origin(self, plan)
            made = await self.launcher.launch(plan, self.situation())
            if isinstance(made, Generation):
                return made, plan, checkpoint
            reason = reason or made  # that of the best plan
        raise ReforkError(f"the program cannot be started: {reason}")

    def situation(self) -> Situation:
        """What a new generation would start from now."""
        return Situation(
            self.lineage,
            self.dirty,
            self.generation + 1,
            self.hot.steps(),
            self.browser.environ,
            self.twins.parked(),
        )

    def rehearsal(self) -> Situation:
        """What a process starts from that finds something out in the place of the present generation."""
        return replace(self.situation(), dirty=dict(self.dirty), number=self.generation)

    def _let_go(
        self,
        made: Generation,
        plan: Plan,
        checkpoint: Checkpoint | None,
        changed: Sequence[str],
        seen: float,
    ) -> None:
        """Make the journal that of the new generation, and let it go; `seen` is when its reason was."""
        self.generation = made.number
        self.exits.begins(made)
        if self.signals.number is not None and not made.going:
            return  # it is not let go any more
        self.plan = plan
        go_back(self, plan, checkpoint)
        self.browser.hide()
        if made.going:
            self._catch_up(made)
        self.emit(
            "start",
            action=plan.action,
            gear=plan.gear,
            checkpoint=plan.checkpoint,
            reason=plan.reason,
            changed=list(changed),
            grafted=self.launcher.grafted if plan.grafts else [],
            pid=made.pid,
        )
        made.began = seen
        self.thinning.began()
        self.terminal.lend(again=not made.going)
        fds = self.watching.freshness.fds() if made.line.channel.passes_fds else ()
        if not made.go(self.holding.offer(), fds):
            self.wake()
        self.readiness.expect(made)

    def _catch_up(self, program: Generation) -> None:
        """Hear what the first program has said so far, so that nobody saves before its files are known."""
        self.bus.hold()
        program.line.drain()
        self.lineage.read_all()

    def known(self) -> set[int]:
        """The processes below root that belong there."""
        known = {pid for parked in self.lineage.parked.values() for pid in parked.pids()}
        known |= self.thinning.leaving | self.standing.pids() | self.twins.pids()
        return known | ({self.program.pid} if self.program is not None else set())

    async def _again(self, reason: str) -> None:
        self._seen = time.monotonic()
        await self._start([Plan("restart", reason, "cold")], ())

    def _interrupted(self, number: int) -> None:
        self.root.give_up()
        self.stopper.pass_on(number)
        self.wake()

    async def _stop_all(self, number: int) -> int:
        """A signal ends refork: the program gets it once."""
        program = self.program
        code = -number
        if program is not None and not program.over:
            program.line.drain()  # it may have parked what would pass for something it left behind
            status = await self.stopper.interrupt(program, number, self.known())
            code = os.waitstatus_to_exitcode(status)
            if program.going:
                self.emit("exit", **self.exits.keys(code), then="end")
        await self.standing.interrupt(number)
        if number == signal.SIGINT:
            return code if code >= 0 else 128 + number
        return -number

    async def _end(self) -> None:
        """Leave nothing behind."""
        program, self.program = self.program, None
        if program is not None:
            if not program.ended.is_set():
                await program.stop(signal.SIGTERM, self.settings.grace)
            program.close()
        await self.standing.close()
        for parked in (*self.lineage.parked.values(), *self.twins.parked().values()):
            parked.dismiss()
        await self.root.close()
        await self.browser.close()
        await self.handover.close()
        self.holding.close()
        self.thinning.close()
        self.inquiries.close()
        self.watching.close()
        self.terminal.restore()
