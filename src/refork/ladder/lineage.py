"""One lineage of a program: what it observed, and the parked processes that may be resumed.

Effects only; what the observations mean is ruled on in `core`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from typing import Any

from refork.core.journal import Checkpoint, Journal, Listing, Load, Lookup, Read
from refork.core.plan import Change, Texts
from refork.process import files
from refork.process.channel import Parked
from refork.program.channel import Channel
from refork.program.journal import is_library

BATCH = 32
"""Files whose contents are read in one go, so that the loop stays quick to answer."""

FORGETS = 256
"""Texts remembered, after which those are looked for that may be forgotten."""

IDLE = 2.0
"""Seconds after a load of libraries before their contents are read."""

PAUSE = 0.05
"""Seconds between two batches of them."""

ANSWER = 5.0
"""Seconds a parked process has to answer: a fork takes milliseconds."""


class Lineage:
    """The journal, the texts behind it, and the ladder of parked processes."""

    def __init__(self, noticed: Callable[[Iterable[str]], None]) -> None:
        self.journal = Journal()
        self.texts = Texts()
        self.parked: dict[int, Parked] = {}
        self.barriers: list[tuple[int, str, str]] = []
        """Why there is no checkpoint: after which one, where (`path:line`), and the reason."""
        self.next_id = 1
        self._noticed = noticed
        """Told of files that are no longer as the program read them."""
        self._unread: list[Load | Read] = []
        self._reading = False
        self._later: list[Load | Read] = []
        """Files of libraries: seldom edited, and many, so that they are read when nothing else is done."""
        self._idling = False
        self._remembered = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.collects: set[int] = set()
        """Checkpoints from which a replay had a full collection: it is better made once, before the next one."""
        self._collected: set[str] = set()
        """The places of all that ever were among them."""

    # What the program says ------------------------------------------------------------------------------

    def take(self, entries: Iterable[tuple[Any, ...]]) -> list[Load | Read | Lookup | Listing]:
        """Add journal entries; return those that concern files."""
        taken = [made for entry in entries if (made := self.journal.take(tuple(entry))) is not None]
        for made in taken:
            if isinstance(made, (Load, Read)) and made.fingerprint is not None:
                (self._later if is_library(made.path) else self._unread).append(made)
        if self._unread and not self._reading:
            self._reading = True
            asyncio.get_running_loop().call_soon(self._read_some)
        if self._later and not self._idling:
            self._idling = True
            asyncio.get_running_loop().call_later(IDLE, self._read_later)
        return taken

    def checkpoint(self, message: tuple[Any, ...], fd: int) -> Checkpoint:
        """A checkpoint was taken: keep its channel."""
        _tag, number, pid, at, kind, stack, twin = message
        made = self.journal.checkpoint(
            number, pid, at, kind, tuple((str(path), int(needs)) for path, needs in stack), twin
        )
        self.parked[number] = Parked(number, pid, Channel(fd), self._lost)
        self.next_id = max(self.next_id, number + 1)
        return made

    def collected(self, number: int) -> None:
        """A replay from a checkpoint had a full collection, which may be for nothing more than a first time."""
        found = self.find(number)
        if found is not None and found.at not in self._collected:
            self._collected.add(found.at)
            self.collects.add(number)

    def replaced(self, made: Checkpoint) -> list[int]:
        """The checkpoints that one just made stands in the place of."""
        void = [
            one for one in self.journal.checkpoints if one.id in self.collects and one is not made
        ]
        return [one.id for one in void if (one.at, one.kind) == (made.at, made.kind)]

    def barrier(self, at: str, reason: str) -> None:
        """The program could take no checkpoint."""
        self.barriers.append((self.next_id - 1, at, reason))

    def drop(self, number: int) -> Parked | None:
        """Forget a checkpoint whose process is not needed any more; return that process."""
        self.journal.drop(number)
        return self.parked.pop(number, None)

    def _lost(self, parked: Parked) -> None:
        parked.close()
        self.parked.pop(parked.id, None)
        self.journal.drop(parked.id)

    # Texts ----------------------------------------------------------------------------------------------

    def _read_some(self) -> None:
        batch, self._unread = self._unread[:BATCH], self._unread[BATCH:]
        for entry in batch:
            self._remember(entry)
        if self._unread:
            asyncio.get_running_loop().call_soon(self._read_some)
        else:
            self._reading = False

    def _read_later(self) -> None:
        batch, self._later = self._later[:BATCH], self._later[BATCH:]
        for entry in batch:
            self._remember(entry)
        self._idling = bool(self._later)
        if self._later:
            asyncio.get_running_loop().call_later(PAUSE, self._read_later)

    def read_all(self) -> None:
        """Read what still waits: before a decision that needs the texts."""
        waiting, self._unread = self._unread, []
        for entry in waiting:
            self._remember(entry)

    def _remember(self, entry: Load | Read) -> None:
        if self.texts.known(entry.path, entry.fingerprint):
            return
        now = files.look(entry.path)
        if now.fingerprint != entry.fingerprint:
            self._noticed([entry.path])
        elif now.text is not None:
            self.remember(now)

    def remember(self, change: Change) -> None:
        """Keep the contents of a file; of a library's only what tells them apart."""
        if change.text is None:
            return
        self._remembered += 1
        if self._remembered % FORGETS == 0:
            # nobody can ask about a text that is not in the journal, nor how a file is now
            entries = [entry for entry in self.journal.entries if isinstance(entry, (Load, Read))]
            self.texts.keep((entry.path, entry.fingerprint) for entry in entries)
        if is_library(change.path):
            self.texts.put_digest(change.path, change.fingerprint, change.text)
        else:
            self.texts.put(change.path, change.fingerprint, change.text)

    # Going back -----------------------------------------------------------------------------------------

    def return_to(self, checkpoint: Checkpoint) -> list[Parked]:
        """Forget what came after a checkpoint; return the parked processes that are void now."""
        void = self.journal.return_to(checkpoint)
        self.barriers = [one for one in self.barriers if one[0] < checkpoint.id]
        return [self.parked.pop(other.id) for other in void if other.id in self.parked]

    def edited(self, changes: Iterable[Change]) -> None:
        """Record that the program going on has new texts of files read before its checkpoint."""
        for change in changes:
            self.journal.add(Load(change.path, change.fingerprint))

    def find(self, number: int) -> Checkpoint | None:
        return next((found for found in self.journal.checkpoints if found.id == number), None)

    def shallower(self, number: int) -> Parked | None:
        """The deepest parked process above (before) a checkpoint."""
        below = [other for other in self.parked if other < number]
        return self.parked[max(below)] if below else None

    def background(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()  # an exception goes on to the loop's handler


def shown(path: str) -> str:
    """A path as people know it: relative to the working folder where it is below it."""
    try:
        here = os.getcwd() + os.sep
    except OSError:
        return path
    return path[len(here) :] if path.startswith(here) else path
