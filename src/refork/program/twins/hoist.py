"""The processes by which a twin is made (design §5.3): each is a fork of the checkpoint before a hot file.

"exact" goes on as the program did, and tells who imported what, and how everything stands in the end.
"trial" imports ahead what is thought to be independent, and tells what that changes. "twin" does it again,
takes back what shows, and parks. "check", a fork of the twin, goes on as the program did: its end has to be
the same as that of "exact".
"""

from __future__ import annotations

import os
import sys
from time import process_time

from refork.program import errands
from refork.program.journal import journal
from refork.program.twins import effects
from refork.program.twins.ahead import Ahead
from refork.program.twins.twin import stash
from refork.program.twins.windows import Windows, in_progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from refork.program.channel import Channel
    from refork.program.errands import Point


def begin(wish: dict[str, Any], channel: Channel) -> None:
    """Do one of the four. Returns in a process that a twin was resumed in, and in "exact" and "check",
    which go on.
    """
    task = wish["task"]
    if task == "exact":
        Exact(wish, channel).begin()
    elif task == "check":
        Check(wish, channel).begin()
    else:
        errands.attempt(channel, Ahead(wish, channel).run)


class Exact:
    """Goes on as the program did."""

    def __init__(self, wish: dict[str, Any], channel: Channel) -> None:
        self.channel = channel
        self.goal: Point = errands.point(wish["goal"])
        self.windows = Windows(self._began, lambda name: None)
        self.loads: list[tuple[str, str]] = []
        self.imports: dict[str, set[str]] = {}
        self.busy = in_progress()
        self.present = list(sys.modules)
        self.began = process_time()

    def begin(self) -> None:
        errands.begin()
        self.windows.follow()
        self.windows.note_imports(self._imported)
        errands.stop_before_effects(self._stop)

    def _began(self, name: str) -> None:
        self.loads.append((name, self.windows.stack[-1]))

    def _imported(self, window: str, name: str) -> None:
        self.imports.setdefault(window, set()).add(name)

    def _stop(self, kind: str, at: str) -> None:
        here = errands.here(at)
        # a little later will do as well
        if kind == "effect" or here == self.goal or here[0] > self.goal[0]:
            errands.attempt(self.channel, lambda: self._tell(here))

    def _tell(self, here: Point) -> None:
        spent = process_time() - self.began
        journal.quiet += 1
        self.windows.leave()
        imports = {name: sorted(found) for name, found in self.imports.items()}
        graph = (self.busy, self.present, self.loads, imports)
        self.channel.send("exact", here, graph, _facts(), _order(), spent)
        os._exit(0)


class Check:
    """Goes on as the program did, with what a twin has."""

    def __init__(self, wish: dict[str, Any], channel: Channel) -> None:
        self.channel = channel
        self.goal: Point = errands.point(wish["goal"])
        self.volatile = set(wish["volatile"])
        """Elements in which two exact starts differ as well."""
        self.theirs = self._lasting(wish["facts"])
        self.order: list[str] = wish["order"]
        self.began = process_time()
        self.ahead: set[str] = set()
        self.writers: dict[str, list[str]] = {}
        """Modules imported ahead, by the name of what they add to."""

    def begin(self) -> None:
        errands.begin()
        stash.lenient = True
        self.ahead = set(stash.held)
        for held in stash.held.values():
            for kind, value in held.events:
                if kind == "add":
                    name = effects.spelled(value[0].path)
                    self.writers.setdefault(name, []).append(held.name)
        errands.stop_before_effects(self._stop)

    def _stop(self, kind: str, at: str) -> None:
        here = errands.here(at)
        if here == self.goal:
            errands.attempt(self.channel, lambda: self._tell([]))
        elif here[0] > self.goal[0] or kind == "effect":
            errands.attempt(self.channel, lambda: self._tell([f"it came to {at} instead"]))

    def _lasting(self, facts: Any) -> list[tuple[str, bytes]]:
        return [(name, digest) for name, digest in facts if name not in self.volatile]

    def _tell(self, wrong: list[str]) -> None:
        spent = process_time() - self.began
        journal.quiet += 1
        from refork.program.twins import likeness

        conflicts, unused = dict(stash.conflicts), list(stash.held)
        if stash.stillness is not None:
            stash.look_around()
        self.channel.send("usual", sorted(stash.usual), sorted(stash.met))
        stash.drop()
        if not wrong:
            wrong = likeness.differing(self._lasting(likeness.facts()), self.theirs)
        blamed = {name: self._blame(name) for name in wrong[:MOST_TOLD]}
        told = [self._told(name) for name in wrong[:MOST_TOLD]]
        self.channel.send("checked", told, blamed, conflicts, unused, spent)
        os._exit(0)

    def _told(self, element: str) -> str:
        if element != "sys.modules":
            return element
        ours, theirs = _order(), self.order
        pairs = (pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1])
        return "sys.modules ({} for {})".format(*next(pairs, (len(ours), len(theirs))))

    def _blame(self, element: str) -> list[str]:
        """The modules imported ahead that may have made an element differ."""
        if element == "sys.modules":
            pairs = zip(_order(), self.order, strict=False)
            return [name for pair in pairs if pair[0] != pair[1] for name in pair][:2]
        module = element
        while module and module not in sys.modules:
            module = module.rpartition(".")[0]
        if module in self.ahead:
            return [module]
        return [
            writer
            for name, found in self.writers.items()
            if name.startswith(element) or element.startswith(name)
            for writer in found
        ]


MOST_TOLD = 40
"""Differences that are told of."""


def _facts() -> list[tuple[str, bytes]]:
    from refork.program.twins import likeness

    return likeness.facts()


def _order() -> list[str]:
    return [name for name in sys.modules if name != "refork" and not name.startswith("refork.")]
