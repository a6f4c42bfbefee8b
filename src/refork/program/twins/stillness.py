"""Whether what modules imported ahead could have read is still as it was when they did.

They were executed as if the hot file came after them. That is right as long as the file, and what depends on
it, write nothing that they read, beyond what was written when the twin was shown to be right.
"""

from __future__ import annotations

import gc
import os
import sys

from refork.program.grafts.living import identity
from refork.program.twins import effects, kinds, probes
from refork.program.twins.told import ATOMS, Telling
from refork.program.twins.unseen import group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from refork.program.twins.twin import Registry

    Named = tuple[str, Any]

TOGETHER = 64
"""Containers that are compared at once: most of them hold just what they held."""

SETTINGS = (
    *(("sys", "path"), ("sys", "argv"), ("sys", "meta_path"), ("sys", "path_hooks")),
    *(("warnings", "filters"), ("logging", "root")),
)
"""What everybody reads, of modules that are not looked at otherwise."""

NOBODYS = {
    *("ModuleSpec", "SourceFileLoader", "FileFinder", "_abc_data", "code", "frame", "generator"),
    *("wrapper_descriptor", "method_descriptor", "classmethod_descriptor", "getset_descriptor"),
    *("member_descriptor", "builtin_function_or_method", "Pattern", "_lru_cache_wrapper"),
    *("_lru_list_elem", "method-wrapper", "traceback", "coroutine", "_ModuleLock"),
}
"""Kinds of objects that hold nothing that is written to, or only what saves work."""

SIMPLE = (*ATOMS, effects.MODULE)


class Stillness:
    """Everything that the modules of others hold now: not of the library, and not those in progress."""

    def __init__(
        self, modules: Iterable[Named], busy: Collection[str], registries: list[Registry]
    ) -> None:
        """`modules` are those that were imported ahead; `registries` are looked after otherwise."""
        self.registries = registries
        self.known = {
            identity(vars(module)) for name, module in sys.modules.items() if _is_ours(name)
        }
        self.known |= {identity(sys.modules), identity(os.environ), identity(vars(os.environ))}
        self.known.add(identity(os.environ._data))  # type: ignore[attr-defined]
        self.texts: list[str] = []
        self.things: list[Any] = []
        self._slow: list[tuple[int, Any]] = []
        self._chunks: list[Chunk] = []
        aside = {id(registry.thing) for registry in registries}
        quick: list[int] = []
        for text, thing in self._walk(_roots(modules, busy)):
            place = len(self.things)
            self.texts.append(text)
            self.things.append(thing)
            if id(thing) in aside:
                continue
            if type(thing) in QUICK and not _is_namespace(thing):
                quick.append(place)
            elif not _is_told_by_its_attributes(type(thing)):
                content = _content(thing)
                if content is not None:
                    self._slow.append((place, content))
        for at in range(0, len(quick), TOGETHER):
            self._chunks.append(Chunk(self.things, quick[at : at + TOGETHER]))
        self._probed = probes.probes()

    def _walk(self, waiting: list[Named]) -> Iterator[Named]:
        """All that can be changed, each with where it was found first."""
        for text, thing in waiting:
            number = identity(thing)
            if number in self.known:
                continue
            self.known.add(number)
            kind = type(thing)
            if kind is not tuple and kind is not frozenset and not _is_fixed(thing):
                yield text, thing
            for name, inner in _inside(thing):
                if identity(inner) not in self.known and _counts(inner):
                    waiting.append((f"{text}.{name}" if name else text, inner))

    def changed(self) -> list[tuple[int, int]]:
        """The places of what is not as it was, with what is there."""
        things = self.things
        places = [place for place, content in self._slow if _content(things[place]) != content]
        for chunk in self._chunks:
            places += chunk.changed(things)
        telling = self.telling()
        found = [(place, telling.told(things[place])) for place in places]
        for number, registry in enumerate(self.registries):
            if registry.thing is not None and registry.alone:
                found.append((-1 - number, telling.told(registry.thing)))
        now = probes.probes()
        return found + [
            (len(things) + number, hash(repr(now[what])))
            for number, what in enumerate(now)
            if now[what] != self._probed[what]
        ]

    def telling(self) -> Telling:
        """Tells what things hold, by what was there when this was made."""
        return Telling(self.known)

    def text(self, place: int) -> str:
        """What stands at a place, for people."""
        if place < 0:
            return effects.spelled(self.registries[-1 - place].path)
        if place < len(self.texts):
            return self.texts[place]
        return list(self._probed)[place - len(self.texts)]


class Chunk:
    """Some dicts and lists, and all that they hold, one after the other."""

    __slots__ = ("ends", "held", "numbers", "places")

    def __init__(self, things: list[Any], places: list[int]) -> None:
        self.places = places
        self.held: list[Any] = []
        """Kept, so that no address comes to mean another object."""
        self.ends: list[int] = []
        for place in places:
            _pour(things[place], self.held)
            self.ends.append(len(self.held))
        self.numbers = list(map(identity, self.held))
        # whoever else keeps code is in the way of a graft
        self.held = [one for one in self.held if type(one) is not kinds.CODE]

    def changed(self, things: list[Any]) -> list[int]:
        now: list[Any] = []
        for place in self.places:
            _pour(things[place], now)
        if list(map(identity, now)) == self.numbers:
            return []
        return [
            place for place, began, end in self._parts() if self._differs(things, place, began, end)
        ]

    def _parts(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.places, [0, *self.ends], self.ends, strict=False)

    def _differs(self, things: list[Any], place: int, began: int, end: int) -> bool:
        now: list[Any] = []
        _pour(things[place], now)
        return list(map(identity, now)) != self.numbers[began:end]


def _is_fixed(thing: Any) -> bool:
    """Whether a thing is a class of the library."""
    if not issubclass(type(thing), type):
        return False
    return not kinds.FLAGS(thing) & kinds.HEAP or kinds.is_standard(thing)


def _is_ours(module: Any) -> bool:
    return str(module).partition(".")[0] == "refork"


def _counts(thing: Any) -> bool:
    """Whether a thing may be written to, or lead to what may, and is not refork's own."""
    kind = type(thing)
    if kind in SIMPLE or kind.__name__ in NOBODYS:
        return False
    return not _is_ours(thing.__module__ if kind is effects.FUNCTION else kind.__module__)


QUICK = (dict, list, effects.FUNCTION, effects.CELL)


def _pour(thing: Any, into: list[Any]) -> None:
    kind = type(thing)
    if kind is dict:
        into += thing
        into += thing.values()
    else:
        into += gc.get_referents(thing)


def _is_namespace(thing: Any) -> bool:
    """Whether a dict may be that of a module: imports write to these."""
    return type(thing) is dict and "__name__" in thing


def _roots(modules: Iterable[Named], busy: Collection[str]) -> list[Named]:
    found: list[Named] = [
        (name, vars(module))
        for name, module in list(sys.modules.items())
        if name not in busy and type(module) is effects.MODULE and group(name)
    ]
    found += [(name, vars(module)) for name, module in modules if type(module) is effects.MODULE]
    found.append(("builtins", vars(sys.modules["builtins"])))
    for owner, name in SETTINGS:
        if owner in sys.modules:
            found.append((f"{owner}.{name}", vars(sys.modules[owner]).get(name)))
    return [(text, thing) for text, thing in found if thing is not None]


def _inside(thing: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, with its name where it has one."""
    kind = type(thing)
    if kind is effects.FUNCTION:
        yield from (("", one) for one in gc.get_referents(thing) if not _is_namespace(one))
    elif issubclass(kind, type):
        if not _is_fixed(thing):
            yield from ((str(name), one) for name, one in kinds.namespace_of(thing).items())
            yield from (("", base) for base in kinds.BASES(thing))
    elif issubclass(kind, dict):
        yield from ((str(key) if type(key) is str else "", one) for key, one in dict.items(thing))
        yield from (("", key) for key in dict.keys(thing) if type(key) is not str)
        if kind is not dict:
            yield from (("", one) for one in gc.get_referents(thing))
    elif kind is not tuple or gc.is_tracked(thing):
        if (held := effects.attributes(thing)) is not None:
            yield "", held
        yield from (("", one) for one in gc.get_referents(thing))


_told_by_attributes: dict[type, bool] = {}


def _is_told_by_its_attributes(kind: Any) -> bool:
    """Whether an instance has nothing of its own but the dict of its attributes."""
    if kind not in _told_by_attributes:
        mro = kinds.MRO(kind)
        _told_by_attributes[kind] = (
            all(one is object or kinds.is_python(one) for one in mro)
            and kinds.dict_of(mro) is not None
            and not kinds.slots(mro)
        )
    return _told_by_attributes[kind]


def _content(thing: Any) -> Any:
    """As `effects.content`, without what imports do to any namespace, and with what C hides."""
    kind = type(thing)
    if issubclass(kind, type):
        return (effects.content(thing), effects.virtual(thing), thing.__name__, kinds.BASES(thing))
    if kind is dict:
        return tuple(
            (key if type(key) is str else identity(key), identity(value))
            for key, value in thing.items()
            if type(value) is not effects.MODULE and key != "__warningregistry__"
        )
    if kind.__name__ == "Random" and hasattr(thing, "getstate"):
        return thing.getstate()
    if kind in ITERATORS:
        return repr(thing.__reduce__())
    return effects.content(thing)


ITERATORS = set(kinds.iterators())
