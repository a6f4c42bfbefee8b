"""What the program itself asked refork to look at, and what is offered to it in place."""

from __future__ import annotations

import asyncio
import fnmatch
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from refork.core.plan import Change
from refork.files.patterns import folders_of, matches, matching, reaches
from refork.files.sightings import Sightings
from refork.generations.generation import Generation

DEADLINE = 1.0
"""Seconds a program has to deal with changes in place, before it is restarted instead."""

NAMING = ("watch", "handle", "appear")
"""The kinds of wishes whose pattern names files to look at."""


@dataclass(frozen=True)
class Registration:
    """A wish of the program, when it was told, and the last checkpoint before that."""

    kind: str
    """watch · handle · appear · refresh · exclude · three_fails"""
    pattern: str
    at: int
    """Nanoseconds, on the clock by which files are stamped."""
    after: int


class Registered:
    """The wishes that hold for the program that goes on."""

    def __init__(self) -> None:
        self._all: list[Registration] = []
        self._seen = Sightings()
        self._folders: dict[str, set[str]] = {}

    def add(self, kind: str, pattern: str, at: int, after: int) -> bool:
        """Take a wish down; return whether it is a new one."""
        if any(known.kind == kind and known.pattern == pattern for known in self._all):
            return False
        self._all.append(Registration(kind, pattern, at, after))
        if kind in ("watch", "appear"):
            for path in matching(pattern):
                self._seen.look(path, before=at)  # as the program found it
        return True

    def late(self, pattern: str) -> list[str]:
        """Files that a pattern names and that were touched since it was told, perhaps before they
        were watched.
        """
        found = {path for path in self._seen.paths() if matches(path, pattern)}
        found.update(matching(pattern))
        return [path for path in found if self._differs(path)]

    def _differs(self, path: str) -> bool:
        return self._seen.is_other(path) if path in self._seen else self._changed_lately(path)

    def return_to(self, checkpoint: int | None) -> None:
        """Forget what was asked for after a checkpoint; None: all of it."""
        self._all = [one for one in self._all if checkpoint is not None and one.after < checkpoint]

    def _patterns(self, kind: str) -> list[str]:
        return [one.pattern for one in self._all if one.kind == kind]

    def _named(self) -> list[str]:
        return [one.pattern for one in self._all if one.kind in NAMING]

    # Questions ------------------------------------------------------------------------------------

    def concerns(self, path: str) -> bool:
        return any(matches(path, pattern) for pattern in self._named())

    def refreshes(self, path: str) -> bool:
        """Whether a change of `path` is to be seen by browsers only."""
        return any(matches(path, pattern) for pattern in self._patterns("refresh"))

    def excludes(self, path: str) -> bool:
        return any(fnmatch.fnmatch(path, pattern) for pattern in self._patterns("exclude"))

    def handled_by(self, path: str) -> list[str]:
        """The patterns under which a change of `path` is offered to the program."""
        return [pattern for pattern in self._patterns("handle") if matches(path, pattern)]

    def three_fails(self) -> bool:
        """Whether exit code 3 is a failure, and no wish for another start."""
        return bool(self._patterns("three_fails"))

    def restarts(self, path: str) -> bool:
        return any(matches(path, pattern) for pattern in self._patterns("watch"))

    def appears(self, path: str) -> bool:
        """Whether a file would have been loaded, had it been there."""
        return any(matches(path, pattern) for pattern in self._patterns("appear"))

    def changed(self, change: Change, known: bool) -> bool:
        """Whether a file that the program asked for differs from how it was last seen; it is seen
        now. `known`: it was loaded, and what has changed in it is judged by that.
        """
        if not self.concerns(change.path):
            return False
        if known and not (self.restarts(change.path) or self.handled_by(change.path)):
            return False
        differs = (
            not self._seen.is_same(change)
            if change.path in self._seen
            else self._changed_lately(change.path)
        )
        self._seen.take(change)
        return differs

    def _changed_lately(self, path: str) -> bool:
        """A file never seen before: whether it was touched since the program told of it (or is
        gone).
        """
        told = [one.at for one in self._all if one.kind in NAMING and matches(path, one.pattern)]
        return bool(told) and _touched(path) >= min(told)

    # Watching -------------------------------------------------------------------------------------

    def files(self) -> set[str]:
        """All files that the program's patterns name now, and those seen before."""
        found = self._seen.paths()
        for pattern in self._named():
            found.update(matching(pattern))
        return found

    def directories(self) -> set[str]:
        """Directories to look at; found once for each pattern, until `find_folders`."""
        found: set[str] = set()
        for pattern in (*self._named(), *self._patterns("refresh")):
            if pattern not in self._folders:
                self._folders[pattern] = folders_of(pattern)
            found |= self._folders[pattern]
        return found

    def find_folders(self) -> None:
        """Find the directories anew."""
        self._folders.clear()

    def reaches(self, folder: str) -> bool:
        """Whether a file that the program asked for may be in a folder, or below it."""
        return any(reaches(folder, pattern) for pattern in self._named())

    def misses(self, path: str) -> bool:
        """Whether a file that the program asked for is not as it was seen last."""
        return self.concerns(path) and self._differs(path)

    def seen(self) -> set[str]:
        """The files that the program asked for, as they were seen last."""
        return self._seen.paths()


def _touched(path: str) -> float:
    """When a file's contents, name or attributes last changed (`st_ctime_ns`); of what is gone:
    just now.
    """
    try:
        return os.stat(path).st_ctime_ns
    except OSError:
        return math.inf


class Offers:
    """Asks the live program to deal with changes in place."""

    def __init__(self) -> None:
        self._token = 0
        self._answer: asyncio.Future[tuple[dict[str, str], set[str]]] | None = None

    async def make(
        self, program: Generation, offered: Mapping[str, Sequence[str]]
    ) -> tuple[dict[str, str], set[str]]:
        """Offer paths, each with the patterns it matches; return those handled, by whom, and those
        refused.
        """
        self._token += 1
        self._answer = asyncio.get_running_loop().create_future()
        message = [(path, tuple(patterns)) for path, patterns in offered.items()]
        everything = set(offered)
        if not program.line.send("changed", self._token, message):
            return {}, everything
        try:
            return await asyncio.wait_for(self._answer, DEADLINE)
        except asyncio.TimeoutError:
            return {}, everything
        finally:
            self._answer = None

    def answered(
        self, token: int, handled: Iterable[tuple[str, str]], refused: Iterable[str]
    ) -> None:
        """The program's answer; one that comes too late is not for the present question."""
        if token == self._token and self._answer is not None and not self._answer.done():
            self._answer.set_result((dict(handled), set(refused)))
