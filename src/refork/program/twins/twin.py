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


FEW = 20_000
"""Things that are looked at in no time."""


class Held:
    """A module that was imported ahead."""

    __slots__ = ("before", "events", "finder", "module", "name", "origin", "uses")

    def __init__(self, name: str) -> None:
        self.name = name
        self.origin: Any = None
        """Where it was found, as its spec has it."""
        self.finder: Any = None
        """The kind of its loader."""
        self.before = 0
        """How many of those that wrote to anything outside themselves came before it."""
        self.uses: dict[str, Any] = {}
        """Modules that it imported and that were there already, with what they were."""
        self.module: Any = None
        self.events: list[Event] = []
        """What its body did that others can see, in order: ("entry", …) in the journal, ("import", name) of
        another one of them, ("add", (registry, items)), ("class", made), ("alias", (name, module)) in
        `sys.modules`."""

    @property
    def standard(self) -> bool:
        """Whether it is of the standard library: what programs write, it does not read."""
        return self.name.partition(".")[0] in sys.stdlib_module_names

    @property
    def is_of_files(self) -> bool:
        """Whether there are files that it was made from, or that it looked for."""
        return any(kind == "entry" for kind, _value in self.events)

    @property
    def writes(self) -> bool:
        """Whether others may have read what it wrote."""
        return any(
            kind == "alias" or (kind == "add" and value[0].alone) for kind, value in self.events
        )


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
        self.usual: set[tuple[bool, int, int]] = set()
        """What changed when the twin was shown to be right: whether any was in its place already, where it
        stands in `stillness`, and what it held then."""
        self.met: set[tuple[str, int, int]] = set()
        """Modules with the number of a registry that others had written to before them, and what it held,
        when the twin was shown to be right."""
        self.readers = 0
        """How many are held that may read what the program wrote."""
        self.reading = False
        """Whether any of these is in its place."""
        self._begun = 0
        """How many of those that write have been put in their place."""
        self._placing = 0
        """How many modules are being put in their place, one inside the other."""
        self._original: Any = None

    def take(self, held: dict[str, Held], registries: list[Registry], number: int) -> None:
        """Hold these from now on."""
        self.held, self.registries, self.number = held, registries, number
        before = 0
        self.readers = sum(not one.standard for one in held.values())
        for one in held.values():
            one.before = before
            before += one.writes

    def follow(self) -> None:
        """Put modules in their place from now on, when they are imported."""
        self._original = original = _bootstrap._load_unlocked

        @hidden
        def load(spec: Any) -> Any:
            held = self.held.get(spec.name)
            if held is None or journal.quiet:
                return original(spec)
            why = self._doubt(held, spec)
            if why:
                self.conflict(held.name, why)
            # nothing is held any more where the conflict left nothing to be undone
            return self._place(held) if spec.name in self.held else original(spec)

        _bootstrap._load_unlocked = load
        ladder.ahead = self.number if self.held else 0

    def drop(self) -> None:
        """Forget everything: what is imported from now on is loaded."""
        if self._original is not None:
            _bootstrap._load_unlocked = self._original
        self.number, self.held, self.registries = 0, {}, []
        self._original = self.stillness = None
        ladder.ahead = 0

    def _doubt(self, held: Held, spec: Any) -> str:
        """Why a module may not be put in its place, or ""."""
        if self._is_first(held) and (what := self._moved()):
            return f"may have read {what}, which is written to"
        if spec.origin != held.origin or type(spec.loader) is not held.finder:
            return f"is now found at {spec.origin}"
        if held.before != self._begun:
            return "may have read what others wrote that come otherwise now"
        for name, module in held.uses.items():
            if sys.modules.get(name) is not module:
                return f"imported another {name}"
        return ""

    def _is_first(self, held: Held) -> bool:
        """Whether nothing has been put in its place so far that a conflict would undo. In a large program that
        is not worth a look of its own: there is one in the end.
        """
        few = self.stillness is not None and len(self.stillness.things) < FEW
        return few and not self.reading and not held.standard

    def _place(self, held: Held) -> Any:
        """What `_load_unlocked` does, but for the loading."""
        del self.held[held.name]
        sys.modules[held.name] = held.module
        self._begun += held.writes
        self.reading = self.reading or not held.standard
        self.readers -= not held.standard
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
            if not self.readers and self.stillness is not None:
                self.look_around()
                self.stillness = None
            if not any(one.is_of_files for one in self.held.values()):
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
        if registry.alone and registry.touched() and not self._as_usual(held, registry):
            self.conflict(held.name, f"writes to {name}, and so does what comes before it now")
        if not changes.do_again(registry.thing, items):
            self.conflict(held.name, f"writes to {name} what is there already, or has changed")
        registry.look()

    def _as_usual(self, held: Held, registry: Registry) -> bool:
        """Whether a registry that others have written to holds what it held when the twin was tried."""
        if self.stillness is None:
            return False
        told = self.stillness.telling().told(registry.thing)
        met = (held.name, self.registries.index(registry), told)
        if self.lenient:
            self.met.add(met)
        return met in self.met and bool(told)

    def expect(self, usual: Any, met: Any) -> None:
        """What was written to when the twin was shown to be right: places in `stillness`, and registries."""
        self.usual.update((bool(when), int(place), int(told)) for when, place, told in usual)
        self.met.update((str(name), int(number), int(told)) for name, number, told in met)

    def _moved(self) -> str:
        """What was written to that those that are held may have read, or ""."""
        if self.stillness is None:
            return ""
        changed = [(self.reading, *one) for one in self.stillness.changed()]
        if self.lenient:
            self.usual.update(changed)
        changed = [one for one in changed if one not in self.usual or not one[2]]
        return self.stillness.text(changed[0][1]) if changed else ""

    def look_around(self) -> None:
        """See to it that nobody has written what those that are in their place may have read."""
        if what := self._moved():
            self.conflict("", f"{what} is written to, and modules imported ahead may have read it")

    def conflict(self, name: str, why: str) -> None:
        """Load the others, as long as none is in its place; else the generation has to be made again."""
        self.conflicts.setdefault(name, why)
        if self.lenient:
            return
        if self.reading or self._placing:
            journal.tell("conflict", name, why)
            os._exit(0)
        journal.tell("unfit", name, why)
        self.drop()


stash = Stash()


def _settle(start: Start) -> None:
    """In a resumed process: what is held is of use as long as it is what would be loaded now."""
    if start.twin != stash.number:
        stash.drop()
    stash.conflicts, stash.lenient, stash.kept = {}, False, 0
    journal.forget_paths()


def _loaded() -> None:
    """The program serves: what it has not imported by now is of no use."""
    if stash.readers and stash.reading:
        stash.look_around()
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
