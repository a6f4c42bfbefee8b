"""What an object has come to hold, so that two forks of one process can compare it.

What both had when they were forked has the same address in both, and is only named. What came about since is
told with all that it holds, but for where it stands in a text: lines move with every edit.
"""

from __future__ import annotations

import gc

from refork.program.grafts.living import identity
from refork.program.twins import effects, kinds
from refork.program.twins.unseen import is_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any

LOWEST, HIGHEST = 1 << 44, 1 << 47
"""Between them are the addresses of objects on Linux: numbers that differ in every process."""

MOST = 200_000
"""Objects that are told of at most; 0 is told where there are more."""

ATOMS = (type(None), bool, int, float, complex, str, bytes, range, type(...), type(NotImplemented))

NAMELESS = {"__dict__", "__weakref__", "__firstlineno__", "_abc_impl", *effects.LAZY}
"""Entries of a class that are the interpreter's own affair, and where it stands in its text."""


class Telling:
    """Tells of many things at one moment, of each new object where it is met first."""

    def __init__(self, known: Container[int]) -> None:
        """`known` are identities of what was there before both were forked."""
        self.known = known
        self.met: dict[int, int] = {}
        self.words: list[Any] = []
        self.todo: list[Any] = []
        self.kept: list[Any] = []
        """So that no address comes to mean another object."""

    def told(self, thing: Any) -> int:
        """What a thing holds; 0: it is too much to say."""
        self.words = []
        self.met.setdefault(identity(thing), len(self.met))
        self._open(thing)
        while self.todo:
            if len(self.met) > MOST:
                return 0
            self._tell(self.todo.pop())
        return hash(tuple(self.words)) or 1

    def _tell(self, thing: Any) -> None:
        number = identity(thing)
        if type(thing) in ATOMS:
            self.words.append(self._atom(thing))
        elif number in self.known:
            self.words.append(number)
        elif number in self.met:
            self.words.append(f"#{self.met[number]}")
        else:
            self.met[number] = len(self.met)
            self.kept.append(thing)
            self._open(thing)

    def _atom(self, thing: Any) -> Any:
        if type(thing) is int and LOWEST < thing < HIGHEST and not thing % 8:
            return thing if thing >> 4 in self.known else "an address"  # some keep `id`s
        return f"{type(thing).__name__} {thing!r}"

    def _open(self, thing: Any) -> None:
        """Say what a thing is, and leave to be told what it holds."""
        kind = type(thing)
        self.words.append(kind.__name__)
        if kind is effects.MODULE:
            self.words.append(str(vars(thing).get("__name__")))
        elif kind is effects.FUNCTION:
            self._function(thing)
        elif is_class(thing):
            self._class(thing)
        elif kind is kinds.CODE:
            self.words.append(shape(thing))
        elif kind in kinds.DESCRIPTORS or kind is type(len):
            self.words.append(str(thing.__name__))
        elif issubclass(kind, (set, frozenset)):
            base = set if issubclass(kind, set) else frozenset
            # in an order that is the same in both: sets have none
            self.words += sorted(str(self._alone(one)) for one in base.__iter__(thing))
        else:
            self._instance(thing)

    def _alone(self, thing: Any) -> Any:
        if type(thing) in ATOMS:
            return self._atom(thing)
        # a telling of its own: the order in which a set is read differs
        return identity(thing) if identity(thing) in self.known else Telling(self.known).told(thing)

    def _function(self, thing: Any) -> None:
        code, *others = gc.get_referents(thing)  # `__code__` would be an audit event
        self.words += (thing.__qualname__, shape(code))
        self._leave(*(one for one in others if type(one) is not dict or "__name__" not in one))

    def _class(self, cls: Any) -> None:
        self.words.append(kinds.name_of(cls))
        if not kinds.FLAGS(cls) & kinds.HEAP or kinds.is_standard(cls):
            return
        names = {
            key: value for key, value in kinds.namespace_of(cls).items() if key not in NAMELESS
        }
        self._leave(kinds.BASES(cls), names)
        if "_abc_impl" in kinds.namespace_of(cls):
            self.words += kinds.registered(cls)

    def _instance(self, thing: Any) -> None:
        kind = type(thing)
        if issubclass(kind, dict):
            self._leave(*(part for pair in dict.items(thing) for part in pair))
        held = effects.attributes(thing)
        if held:
            self._leave(dict(held))
        inside = set(map(identity, (held or {}).values()))
        self._leave(*(one for one in gc.get_referents(thing) if identity(one) not in inside))
        if not issubclass(kind, (dict, list, tuple)) and not gc.get_referents(thing):
            self.words.append(kinds.said_by_c(thing))

    def _leave(self, *things: Any) -> None:
        self.words.append(len(things))
        self.kept += things
        self.todo += reversed(things)


def shape(code: Any) -> Any:
    """A code object without its lines and its file."""
    constants = tuple(
        shape(one) if type(one) is kinds.CODE else f"{type(one).__name__} {one!r}"
        for one in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return (code.co_name, code.co_code, constants, names, counts)
