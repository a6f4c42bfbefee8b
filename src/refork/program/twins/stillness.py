"""Whether what modules imported ahead could have read is still as it was when they did.

They were executed as if the hot file came after them. That is right as long as the file, and what depends on
it, write nothing that they read, beyond what was written when the twin was shown to be right.
"""

from __future__ import annotations

import gc
import sys

from refork.program.grafts.living import identity, namespace
from refork.program.twins import effects
from refork.program.twins.unseen import group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

DEEP = 3
"""Containers within containers that are looked at, from a module's namespace."""

ATOMS = (type(None), bool, int, float, complex, str, bytes)
LEAVES = (*effects.PLAIN, effects.FUNCTION, effects.CELL)


class Stillness:
    """Everything that the modules of others hold now: not of the library, and not those in progress."""

    def __init__(self, busy: Collection[str], aside: Collection[int]) -> None:
        """`aside` are ids of what is looked after otherwise."""
        self.held: list[tuple[str, Any, Any, int]] = []
        """Each with its name, its contents, and their digest."""
        self.usual: set[tuple[int, int]] = set()
        """Places in `held` of what changes in any case, each with what it was seen to hold then."""
        known = set(aside)
        for name, module in list(sys.modules.items()):
            if name not in busy and type(module) is effects.MODULE and group(name):
                for text, thing in _within(name, vars(module), DEEP, known):
                    self.held.append((text, thing, _content(thing), _digest(thing)))

    def changed(self) -> list[tuple[int, int]]:
        """The places in `held` of what is not as it was, with what is there, but for what is usual."""
        found = [
            (place, _told(thing))
            for place, (_text, thing, content, digest) in enumerate(self.held)
            if (not digest or _digest(thing) != digest) and _content(thing) != content
        ]
        return [one for one in found if one not in self.usual]

    def text(self, place: int) -> str:
        """What stands at a place, for people."""
        return self.held[place][0]


def _told(thing: Any) -> int:
    """What a container holds, so that two forks of one process can compare it: plain values, and kinds
    of others.
    """
    if type(thing).__name__ in ("count", "bytearray"):
        return hash(repr(thing))
    if issubclass(type(thing), dict):
        parts = [part for pair in dict.items(thing) for part in pair]
    elif issubclass(type(thing), type):
        parts = [part for pair in namespace(thing).items() for part in pair]
    else:
        parts = gc.get_referents(thing)
    words = [
        repr(part) if type(part) in ATOMS else f"{type(part).__name__} {_named(part)}"
        for part in parts
        if type(part) is not effects.MODULE
    ]
    return hash(tuple(sorted(words) if issubclass(type(thing), set) else words))


def _named(part: Any) -> str:
    if type(part) is effects.FUNCTION:
        return str(part.__qualname__)
    return type.__dict__["__qualname__"].__get__(part) if issubclass(type(part), type) else ""


def _within(text: str, thing: Any, deep: int, known: set[int]) -> Iterator[tuple[str, Any]]:
    """A container, and those in it."""
    if id(thing) in known:
        return
    known.add(id(thing))
    yield text, thing
    if deep:
        for step, inner in effects.parts(thing):
            if type(inner) not in LEAVES and not effects.is_ours(type(inner)):
                name = f"{text}.{step[1]}" if step[1] else text
                yield from _within(name, inner, deep - (step[0] != "names"), known)


def _digest(thing: Any) -> int:
    """Tells at once that a namespace is just as it was, which most are; 0: it is none."""
    if issubclass(type(thing), type):
        thing = namespace(thing)
    elif type(thing) is not dict:
        return 0
    return hash((*map(identity, thing), *map(identity, thing.values())))


def _content(thing: Any) -> Any:
    """As `effects.content`, without what imports do to any namespace, and with virtual subclasses."""
    if issubclass(type(thing), type):
        return (effects.content(thing), effects.virtual(thing))
    if type(thing) is not dict:
        return effects.content(thing)
    return tuple(
        (key if type(key) is str else identity(key), identity(value))
        for key, value in thing.items()
        if type(value) is not effects.MODULE and key != "__warningregistry__"
    )
