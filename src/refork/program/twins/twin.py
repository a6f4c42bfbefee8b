"""Modules that are loaded already, and that nobody can see until they are imported.

A twin has imported them and taken back all that shows: `sys.modules`, the names in their packages, the
entries in registries. When the program comes to import one, it is put in its place as if it had been loaded
just then: what it imported first, what it added and where, in the order of its own body. A module that
the program no longer imports is never seen.
"""

from __future__ import annotations

import os
import sys

from refork.program import park, sockets
from refork.program.frames import hidden
from refork.program.journal import journal
from refork.program.ladder import ladder
from refork.program.twins import changes, effects, subclasses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from refork.program.ladder import Start
    from refork.program.twins.stillness import Stillness

    Event = tuple[str, Any]

_bootstrap: Any = sys.modules["_frozen_importlib"]


class Held:
    """A module that was imported ahead."""

    __slots__ = ("events", "module", "name", "origin")

    def __init__(self, name: str) -> None:
        self.name = name
        self.origin: Any = None
        """Where it was found, as its spec has it."""
        self.module: Any = None
        self.events: list[Event] = []
        """What its body did that others can see, in order: ("entry", …) in the journal, ("import", name) of
        a module that it was the first to import, ("add", (registry, items)), ("class", made),
        ("alias", (name, module)) in `sys.modules`."""


class Registry:
    """An object to which other modules than its maker have added while they were imported ahead."""

    __slots__ = ("alone", "closely", "held", "measure", "path", "seen", "size", "thing")

    def __init__(self, path: effects.Path) -> None:
        self.path = path
        self.closely = False
        """Whether its length says too little of it."""
        self.measure: Callable[[], int] | None = None
        """Tells its length, where it has one."""
        self.size = 0
        """The length it had when it was looked at last."""
        self.thing: Any = None
        """None: it is not there yet."""
        self.alone = True
        """Whether its entries have to do with each other: then nobody else may have written to it."""
        self.seen: effects.Content | None = None
        """What it holds as far as refork knows."""
        self.held: list[tuple[Any, Any]] = []
        """Its pairs, likewise."""

    def find(self) -> None:
        """Look whether it is there by now; its maker's entries are its own."""
        try:
            self.thing = effects.follow(self.path)
        except (LookupError, AttributeError, TypeError):
            return
        self.measure = None if self.closely else effects.measure(self.thing)
        self.look()

    def look(self) -> None:
        self.seen = effects.content(self.thing)
        self.held = changes.held_by(self.thing)
        self.size = self.measure() if self.measure is not None else 0

    def grown(self) -> bool:
        """Whether it has another length, or none and may hold something else."""
        return self.touched() if self.measure is None else self.measure() != self.size

    def touched(self) -> bool:
        return self.thing is not None and effects.content(self.thing) != self.seen


class Stash:
    """All that a twin holds."""

    def __init__(self) -> None:
        self.number = 0
        """The twin's number; 0: there is none."""
        self.held: dict[str, Held] = {}
        self.registries: list[Registry] = []
        self.conflicts: dict[str, str] = {}
        """Modules that could not be put where they belong, and why."""
        self.lenient = False
        """Whether a conflict is only noted: while the twin is being tried."""
        self.kept = 0
        """Modules that were put in their place."""
        self.stillness: Stillness | None = None
        """What they may have read."""
        self._placing = 0
        """How many modules are being put in their place, one inside the other."""
        self._original: Any = None

    def follow(self) -> None:
        """Put modules in their place from now on, when they are imported."""
        self._original = original = _bootstrap._load_unlocked

        @hidden
        def load(spec: Any) -> Any:
            held = self.held.get(spec.name)
            if held is None or journal.quiet:
                return original(spec)
            return self._place(held, spec)

        _bootstrap._load_unlocked = load
        ladder.ahead = self.number if self.held else 0

    def drop(self) -> None:
        """Forget everything: what is imported from now on is loaded."""
        if self._original is not None:
            _bootstrap._load_unlocked = self._original
        self.number, self.held, self.registries = 0, {}, []
        self._original = self.stillness = None
        ladder.ahead = 0

    def _place(self, held: Held, spec: Any) -> Any:
        """What `_load_unlocked` does, but for the loading."""
        if not self.kept:
            self.look_around(held.name)
        del self.held[held.name]
        if spec.origin != held.origin:
            self.conflict(held.name, f"is now found at {spec.origin}")
        sys.modules[held.name] = held.module
        self._placing += 1
        try:
            for kind, value in held.events:
                self._again(held, kind, value)
        finally:
            self._placing -= 1
        module = sys.modules.pop(held.name)
        sys.modules[held.name] = module
        self.kept += 1
        if not self._placing:
            journal.flush()
            if not self.held:
                self.look_around(held.name)
                ladder.ahead = 0
        return module

    def _again(self, held: Held, kind: str, value: Any) -> None:
        if kind == "import":
            if value not in sys.modules:
                _bootstrap._gcd_import(value)
        elif kind == "entry":
            _note(value)
        elif kind == "class":
            subclasses.show(value)
        elif kind == "alias":
            sys.modules[value[0]] = value[1]
        else:
            registry, items = value
            self._add(held, registry, items)

    def _add(self, held: Held, registry: Registry, items: list[Any]) -> None:
        name = effects.spelled(registry.path)
        if registry.alone and registry.touched():
            self.conflict(held.name, f"writes to {name}, and so does what comes before it now")
        if not changes.do_again(registry.thing, items):
            self.conflict(held.name, f"writes to {name} what is there already, or has changed")
        registry.look()

    def expect(self, usual: Any) -> None:
        """Places in `stillness` of what was written to when the twin was shown to be right."""
        if self.stillness is not None:
            self.stillness.usual.update((int(place), int(told)) for place, told in usual)

    def look_around(self, name: str) -> None:
        """See to it that nobody has written what `name`, or those before it, may have read."""
        if self.stillness is None:
            return
        changed = self.stillness.changed()
        if self.lenient:
            self.stillness.usual.update(changed)
        elif changed:
            what = self.stillness.text(changed[0][0])
            self.conflict("", f"{what} is written to, and modules imported ahead may have read it")

    def conflict(self, name: str, why: str) -> None:
        self.conflicts.setdefault(name, why)
        if not self.lenient:
            journal.tell("conflict", name, why)
            os._exit(0)


stash = Stash()


def _settle(start: Start) -> None:
    """In a resumed process: what is held is of use as long as it is what would be loaded now."""
    if start.twin != stash.number:
        stash.drop()
    stash.conflicts, stash.lenient, stash.kept = {}, False, 0
    journal.forget_paths()


def _loaded() -> None:
    """The program serves: what it has not imported by now is of no use."""
    if stash.kept and stash.held:
        stash.look_around("")
    stash.drop()


park.resumed.append(_settle)
sockets.listened.append(_loaded)


def _note(entry: tuple[Any, ...]) -> None:
    kind = entry[0]
    if kind == "lookup":
        _kind, name, directories, found, portions = entry
        journal.lookup(name, directories, found, portions)
        return
    if kind == "load":
        journal.loads += 1
        journal.note("kept", *entry[1:])
        return
    journal.note(*entry)
