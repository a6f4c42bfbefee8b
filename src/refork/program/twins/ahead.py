"""Imports modules ahead of a hot file: in a trial, or to become a twin.

All that can be seen of it is charged to the module whose body did it, and taken back in the end.
"""

from __future__ import annotations

import gc
import os
import sys
from time import monotonic

from refork.program import errands, park
from refork.program.barriers import barriers
from refork.program.failure import text_of
from refork.program.journal import journal
from refork.program.twins import changes, effects, probes, subclasses
from refork.program.twins.stillness import Stillness
from refork.program.twins.subclasses import Askers
from refork.program.twins.twin import Held, Registry, stash
from refork.program.twins.unseen import Unseen, group
from refork.program.twins.windows import Windows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from refork.program.channel import Channel
    from refork.program.twins.effects import Path

_bootstrap: Any = sys.modules["_frozen_importlib"]

LONGEST = 20.0
"""Seconds that one module may take to be imported ahead."""

SELDOM = 64
"""Of so many looks at the lengths of all registries, one is at all that they hold."""

IMMUTABLE, HEAP_TYPE = 1 << 8, 1 << 9
"""Py_TPFLAGS_IMMUTABLETYPE and Py_TPFLAGS_HEAPTYPE (Include/object.h)."""


class Ahead:
    """Imports modules ahead: in a trial, or to become a twin."""

    def __init__(self, wish: dict[str, Any], channel: Channel) -> None:
        self.channel = channel
        self.number: int = wish["number"]
        self.trial: bool = wish["task"] == "trial"
        self.names: list[str] = wish["modules"]
        self.expected = set(self.names)
        self.windows = Windows(self._began, self._ended)
        self.busy = list(self.windows.stack)
        """Windows that were open before: nothing is charged to them."""
        self.held: dict[str, Held] = {}
        self.failed: dict[str, str] = {}
        self.known = set(sys.modules)
        self.fixed = _fixed_classes()
        self.probes = probes.probes()
        self.registries = _registries(wish["registries"], wish["closely"])
        self.boundaries = 0
        self.vague: list[Path] = []
        """Registries that somebody changed; it was seen too late to say who."""
        self.taken: list[tuple[Registry, list[Any]]] = []
        self.news: News | None = None
        self.unseen: Unseen | None = None
        self.askers: Askers | None = None
        self.note = journal.note

    def run(self) -> None:
        quiet, loads = journal.quiet, journal.loads
        journal.forget_paths()
        collecting = gc.isenabled()
        self.askers = Askers() if self.trial else None
        snapshot = effects.Snapshot() if self.trial else None
        self.news = News(snapshot) if snapshot is not None else None
        self.unseen = Unseen() if snapshot is not None else None
        gc.disable()  # new classes are told apart by their generation, in the order of their making
        gc.freeze()
        self.streams = errands.begin()
        errands.stop_before_effects(self._stop)
        journal.note = self._noted  # type: ignore[method-assign]
        if self.unseen is not None:
            self.unseen.follow()
        self.windows.follow()
        self.windows.note_imports(self._imported)
        for registry in self.registries:
            registry.look()  # what follows the windows is no doing of theirs
        journal.quiet = 0
        for name in self.names:
            self._import(name)
        journal.quiet += 1
        self._look_at_registries(Held(""), closely=True)
        journal.quiet = quiet
        self.windows.leave()
        if self.unseen is not None:
            self.unseen.leave()
        del journal.note
        self._take_back()
        journal.loads = loads
        errands.go_on()
        gc.unfreeze()
        if snapshot is not None:
            self._tell(snapshot)
        if collecting:
            gc.enable()
        self.streams.restore()
        self._park()

    def _import(self, name: str) -> None:
        if name in sys.modules:
            return
        began = monotonic()
        try:
            _bootstrap._gcd_import(name)
        except BaseException as error:
            self.failed.setdefault(name, _told(error))
        if monotonic() - began > LONGEST:
            self.failed.setdefault(name, f"it took {monotonic() - began:.0f} s")

    def _stop(self, kind: str, at: str) -> None:
        if kind in ("brink", "effect", "hidden"):
            name = self.windows.stack[-1]
            self.channel.send("stopped", name, f"it does at {at} what cannot be done twice")
            os._exit(0)

    # Events ------------------------------------------------------------------------------------------

    def _owner(self) -> Held | None:
        """The module that what happens now is charged to."""
        stack = self.windows.stack
        return self.held.get(stack[-1]) if len(stack) > len(self.busy) else None

    def _began(self, name: str) -> None:
        owner = self._owner()
        self._look(owner)
        if owner is not None:
            owner.events.append(("import", name))
            if name not in self.expected:
                self.failed.setdefault(owner.name, f"it loads {name}, which cannot be ahead")
        self.held[name] = Held(name)

    def _imported(self, window: str, name: str) -> None:
        """What was there already: another one that is ahead, or not."""
        owner = self.held.get(window)
        if owner is None or name not in sys.modules or name in (window, "sys", "builtins"):
            return
        if name not in self.held:
            owner.uses[name] = sys.modules[name]
        elif ("import", name) not in owner.events:
            owner.events.append(("import", name))

    def _ended(self, name: str) -> None:
        held = self.held[name]
        self._look(held)
        held.module = sys.modules.get(name)
        if held.module is None:
            self._failed_inside(held)
            return
        if not str(getattr(held.module, "__file__", "")).endswith(".py"):
            for made in _fixed_classes() - self.fixed:
                self.failed.setdefault(name, _fixed_words(made))
                self.fixed.add(made)
        spec = getattr(held.module, "__spec__", None)
        held.origin = getattr(spec, "origin", None)
        held.finder = type(getattr(spec, "loader", None))
        if self.trial and group(name) and subclasses.text_asks(str(held.origin)):
            self.failed.setdefault(name, "it asks for subclasses, or may")

    def _failed_inside(self, held: Held) -> None:
        """A module that could not be loaded: it will not be there, but was looked for."""
        del self.held[held.name]
        owner = self._owner()
        if owner is None:
            return
        owner.events.remove(("import", held.name))
        if any(kind != "entry" for kind, _value in held.events):
            self.failed.setdefault(owner.name, f"{held.name}, which it imports, fails half way")
        owner.events += held.events

    def _noted(self, *entry: Any) -> None:
        owner = self._owner()
        self.note(*entry)
        if owner is not None and entry[0] != "path":
            if entry[0] == "lookup":
                entry = ("lookup", entry[1], _directories(entry[2]), *entry[3:])
            owner.events.append(("entry", entry))

    def _look(self, owner: Held | None) -> None:
        """Find what has come about since the last look, and charge it to `owner`."""
        journal.quiet += 1
        try:
            self._look_at_all(owner or Held(""))
        finally:
            journal.quiet -= 1

    def _look_at_all(self, owner: Held) -> None:
        for made in _new_classes():
            owner.events.append(("class", made))
            if _is_fixed(made):
                self.failed.setdefault(owner.name, _fixed_words(made))
        if self.news is not None:
            self.news.look(owner.name)
        if self.unseen is not None and (why := self.unseen.look()):
            self.failed.setdefault(owner.name, why)
        if self.askers is not None and (who := self.askers.ran()):
            self.failed.setdefault(owner.name, f"{who} asks for subclasses meanwhile")
        gc.freeze()
        self._look_at_registries(owner)
        self._look_at_names(owner)
        if self.streams.written():
            self.failed.setdefault(owner.name, "it writes to the terminal")
        now = probes.probes()
        for what, value in now.items():
            if value != self.probes[what]:
                self.failed.setdefault(owner.name, f"it changes {what}")
        self.probes = now

    def _look_at_registries(self, owner: Held, closely: bool = False) -> None:
        """What grows is seen at once. What changes otherwise is rare, and not allowed: it may be seen later,
        and the registry is looked at closely in the next trial."""
        self.boundaries += 1
        closely = closely or self.boundaries % SELDOM == 0
        for registry in self.registries:
            if registry.thing is None:
                registry.find()
            elif registry.grown() and owner.name:
                self._look_at(registry, owner)
            elif (closely or not owner.name) and registry.touched():
                self.vague.append(registry.path)
                registry.look()

    def _look_at(self, registry: Registry, owner: Held) -> None:
        assert registry.seen is not None
        items = changes.changes(registry.thing, registry.seen, registry.held)
        if items is None:
            why = f"it changes {effects.spelled(registry.path)}"
            self.failed.setdefault(owner.name, why)
        else:
            owner.events.append(("add", (registry, items)))
            self.taken.append((registry, items))
        registry.look()

    def _look_at_names(self, owner: Held) -> None:
        """Names in `sys.modules` that no load has put there."""
        for name in sys.modules.keys() - self.known:
            if name not in self.held and not name.startswith("refork."):
                owner.events.append(("alias", (name, sys.modules[name])))
            self.known.add(name)

    # The end -----------------------------------------------------------------------------------------

    def _take_back(self) -> None:
        """Leave nothing that the program could see."""
        for registry, items in reversed(self.taken):
            changes.take_back(registry.thing, items)
            registry.look()
        for held in self.held.values():
            for kind, value in held.events:
                if kind == "alias":
                    sys.modules.pop(value[0], None)
            sys.modules.pop(held.name, None)
        for held in self.held.values():
            package, _dot, tail = held.name.rpartition(".")
            if package:
                _forget(self._module(package), tail, held.module)

    def _module(self, name: str) -> Any:
        held = self.held.get(name)
        return sys.modules.get(name) if held is None else held.module

    def _tell(self, snapshot: effects.Snapshot) -> None:
        changed = [(path, text) for _thing, path, text in _named(snapshot.changed())]
        news = self.news.changed() if self.news is not None else []
        for what, value in probes.probes().items():
            if value != snapshot.probed[what]:
                changed.append((None, what))
        self.channel.send("tried", self.failed, changed, news, self.vague)
        os._exit(0)

    def _park(self) -> None:
        """Wait as a twin. Returns in a resumed child."""
        reason = self._barrier() or self._hide_classes()
        if self.failed or self.vague or reason:
            what = self.failed or [effects.spelled(path) for path in self.vague]
            self.channel.send("stopped", "", reason or str(what))
            os._exit(0)
        stash.take(self.held, self.registries, self.number)
        journal.forget_paths()
        self.held, self.taken, self.news = {}, [], None
        journal.flush()
        self.channel.send("twin", list(stash.held))
        modules = [(held.name, held.module) for held in stash.held.values()]
        stash.stillness = Stillness(modules, self.busy, self.registries)
        own, journal.channel = self.channel, None
        park._park(own, self.number)
        stash.follow()

    def _hide_classes(self) -> str:
        events = [event for held in self.held.values() for event in held.events]
        seen = subclasses.hide([value for kind, value in events if kind == "class"])
        return f"{seen.__qualname__} is still found by its bases" if seen else ""

    def _barrier(self) -> str:
        barriers.ours |= {self.channel.fileno()}
        return park._barrier()


class News:
    """What was made while modules were imported ahead, and changed by others than its makers."""

    def __init__(self, before: effects.Snapshot) -> None:
        self._before = before.kept
        self.made: dict[str, list[tuple[Any, Any]]] = {}

    def look(self, name: str) -> None:
        """What is new since the last look belongs to the module `name`; "": to nobody."""
        if not name:
            return
        mine = self.made.setdefault(name, [])
        mine[:] = [(thing, effects.content(thing)) for thing, _held in mine]
        for thing in effects.objects(generation=0):
            held = effects.content(thing)
            # a collector comes to know a dict when the first object is put into it
            if held is not None and id(thing) not in self._before:
                mine.append((thing, held))

    def changed(self) -> list[tuple[str, Path | None, str]]:
        """What was changed afterwards: its maker, where it is, if that can be said, and that in words."""
        aside = effects.aside()
        things = {
            id(thing): (name, thing)
            for name, made in self.made.items()
            for thing, held in made
            if id(thing) not in aside and effects.content(thing) != held
        }
        named = _named([thing for _name, thing in things.values()])
        return [(things[id(thing)][0], path, text) for thing, path, text in named]


def _told(error: BaseException) -> str:
    text = text_of(error).partition("\n")[0][:200]
    return f"it raises {type(error).__name__}: {text}"


def _new_classes() -> list[type]:
    found = [thing for thing in gc.get_objects(generation=0) if issubclass(type(thing), type)]
    return [made for made in found if not str(made.__module__).startswith("refork")]


BASES = (object, tuple, int, str, dict, list, Exception, OSError, ValueError)


def _fixed_classes() -> set[type]:
    """Classes made in C, which collectors do not know, and whose place in a list of subclasses is for good."""
    return {cls for base in BASES for cls in type.__subclasses__(base) if _is_fixed(cls)}


def _is_fixed(cls: type) -> bool:
    return not cls.__flags__ & HEAP_TYPE or bool(cls.__flags__ & IMMUTABLE)


def _fixed_words(cls: type) -> str:
    return f"the place of {cls.__qualname__} among the subclasses of its bases is for good"


def _registries(wanted: list[Any], closely: list[Any]) -> list[Registry]:
    """`closely`: those whose length says too little."""
    found = [Registry(tuple((str(kind), value) for kind, value in path)) for path in wanted]
    free = effects.independent()
    for registry, path in zip(found, wanted, strict=True):
        registry.closely = path in closely
        registry.find()
        registry.alone = id(registry.thing) not in free
    return found


def _named(things: list[Any]) -> list[tuple[Any, Path | None, str]]:
    """Objects with where they are found, None where that cannot be said, and that in words."""
    paths = effects.find_paths(things)
    told: list[tuple[Any, Path | None, str]] = []
    for thing in things:
        path = paths.get(id(thing))
        words = effects.spelled(path) if path else f"a {type(thing).__name__} out of sight"
        told.append((thing, path, words))
    return told


def _forget(package: Any, name: str, module: Any) -> None:
    namespace = getattr(package, "__dict__", {})
    if name in namespace and namespace[name] is module:
        del namespace[name]


def _directories(number: int) -> list[str]:
    return next(list(key) for key, known in journal._paths.items() if known == number)
