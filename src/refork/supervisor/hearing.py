"""What the program says, and what follows from it: one method a message."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from refork.generations.generation import Generation
from refork.process.channel import Message
from refork.program import channel as channels

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor

SETTLED = 1.0
"""Seconds after a generation began to listen, by which it has asked for all sockets it wants."""


class Hearing:
    """Takes the messages of the present generation; those of earlier ones are void."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self._said: set[str] = set()

    def heard(self, program: Generation, message: Message, fds: list[int]) -> None:
        if message[0] == "awake":
            program.woke.set()
            return
        if program is not self.sup.program and message[0] != "connection":
            _close(fds)
            return
        handler = getattr(self, f"_on_{message[0]}", None)
        if handler is not None:
            fds = handler(program, message, fds) or []
        _close(fds)

    def _on_journal(self, program: Generation, message: Message, fds: list[int]) -> None:
        self.sup.watching.add(self.sup.lineage.take(message[1]), self.sup.lineage.journal)
        kinds = [entry[0] for entry in message[1]]
        program.loaded += kinds.count("load")
        program.kept += kinds.count("kept")
        for path in program.mixed(message[1]):
            # it was saved while workers loaded it one by one: the journal knows the last one's text only
            name = os.path.basename(path)
            self.sup.verifying.reason = f"{name} was saved while processes were loading it"
            self.sup.wake()

    def _on_conflict(self, program: Generation, message: Message, fds: list[int]) -> None:
        self.sup.hoisting.conflicted(str(message[1]), str(message[2]))

    def _on_unfit(self, program: Generation, message: Message, fds: list[int]) -> None:
        self.sup.hoisting.unfit(str(message[1]), str(message[2]))

    def _on_checkpoint(self, program: Generation, message: Message, fds: list[int]) -> list[int]:
        made = self.sup.lineage.checkpoint(message, fds[0])
        self.sup.emit("checkpoint", id=made.id, pid=made.pid, at=made.at, kind=made.kind)
        program.parent = self.sup.lineage.parked[made.id]
        self.sup.thinning.taken(made.id)
        self.sup.readiness.checkpoint(program)
        void = self.sup.lineage.replaced(made)
        if void:
            self.sup.thinning.let_go(void, "the one after it stands at the same place")
        return fds[1:]

    def _on_going(self, program: Generation, message: Message, fds: list[int]) -> None:
        program.follow(int(message[1]), program.parent, message[2])

    def _on_collected(self, program: Generation, message: Message, fds: list[int]) -> None:
        """From being resumed to serving, it had a full collection: one that looks at all there is, and so copies
        what is shared with the checkpoint."""
        plan = self.sup.plan
        if plan.gear == "replay" and plan.checkpoint is not None and not plan.twin:
            self.sup.lineage.collected(plan.checkpoint)

    def _on_passed(self, program: Generation, message: Message, fds: list[int]) -> None:
        self.sup.thinning.let_go(message[1], "what it was taken before is over")

    def _on_barrier(self, program: Generation, message: Message, fds: list[int]) -> None:
        self.sup.lineage.barrier(str(message[1]), str(message[2]))
        self.sup.emit("barrier", at=message[1], reason=message[2])

    def _on_error(self, program: Generation, message: Message, fds: list[int]) -> None:
        _tag, kind, text, file, line, _frames, paths = message
        program.failed = True
        self.sup.browser.failed(message, program.number)
        for path, fingerprint in paths:
            # of a file that was read before, what counts is how it was when it was read
            if self.sup.lineage.journal.latest(path) is None:
                self.sup.lineage.take([("load", path, fingerprint, "")])
        self.sup.watching.add((), self.sup.lineage.journal)
        self.sup.emit("error", type=kind, message=text, file=file, line=line)

    def _on_claim(self, program: Generation, message: Message, fds: list[int]) -> None:
        """The program binds an address: give it the socket that is held for it, if there is one."""
        if self.sup.standing.generation is None:
            self._give(program, message, fds)
            return
        self.sup.lineage.background(self._give_then(program, message, fds))

    async def _give_then(self, program: Generation, message: Message, fds: list[int]) -> None:
        await self.sup.standing.retire()
        self._give(program, message, fds)

    _on_in_use = _on_claim
    """It has found the address in use, perhaps by what is held."""

    def _give(self, program: Generation, message: Message, fds: list[int]) -> None:
        answers = {"claim": self.sup.holding.claim, "in_use": self.sup.holding.make_way}
        fd = answers[message[0]](tuple(message[1]), program.number)
        self._answer(program, fds, "claimed", [] if fd is None else [fd])

    def _answer(
        self, program: Generation, fds: list[int], word: str, given: Sequence[int] = ()
    ) -> None:
        """Answer a question on the channel that came along with it, and close that."""
        channel = type(program.line.channel)(fds[0])
        with contextlib.suppress(channels.Gone):
            channel.send(word, fds=given)
        channel.close()

    def _on_reached(self, program: Generation, message: Message, fds: list[int]) -> None:
        """The program connects to what may be held: what none of its processes has is free, to it."""
        is_free = self.sup.holding.is_free(tuple(message[1]), int(message[2]))
        self._answer(program, fds, "free" if is_free else "taken")

    def _on_listening(self, program: Generation, message: Message, fds: list[int]) -> list[int]:
        _tag, key, address = message
        if fds:
            self.sup.holding.keep(tuple(key), fds[0], address, program.number)
        self.sup.emit("listening", address=address)
        if self.sup.standing.generation is not None:
            self.sup.lineage.background(self.sup.standing.retire())
        self.sup.readiness.ready(program)
        self.sup.assets.find()
        asyncio.get_running_loop().call_later(SETTLED, self._release, program)
        return fds[1:]

    def _on_connection(self, program: Generation, message: Message, fds: list[int]) -> list[int]:
        """A generation that is being replaced gives away a connection that it will not answer."""
        self.sup.handover.take(fds[0], bytes(message[1]))
        return fds[1:]

    def _release(self, program: Generation) -> None:
        if self.sup.program is program and not program.ended.is_set():
            self.sup.holding.release(program.number)

    def _on_register(self, program: Generation, message: Message, fds: list[int]) -> None:
        _tag, kind, pattern, at = message
        checkpoints = self.sup.lineage.journal.checkpoints
        registered = self.sup.registered
        if registered.add(kind, pattern, at, checkpoints[-1].id if checkpoints else 0):
            self.sup.watching.add((), self.sup.lineage.journal)
            self.sup.watching.then(lambda: self._look_again(pattern))

    def _look_again(self, pattern: str) -> None:
        """At what changed between the program's word and the watcher's."""
        late = self.sup.registered.late(pattern)
        if late:
            self.sup.hinted(late, False)

    def _on_handled(self, program: Generation, message: Message, fds: list[int]) -> None:
        self.sup.offers.answered(*message[1:])

    def _on_say(self, program: Generation, message: Message, fds: list[int]) -> None:
        if message[1] not in self._said:
            self._said.add(message[1])
            self.sup.bus.message(message[1])

    def _on_wait(self, program: Generation, message: Message, fds: list[int]) -> None:
        """However it ends: there will be nothing to follow."""
        program.failed = True

    def _on_follow(self, program: Generation, message: Message, fds: list[int]) -> None:
        if self.sup.settings.on_exit is None:
            self.sup.follows = True


def _close(fds: Iterable[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
