"""What a process tells of the files of a graft, so that it can be compared with another.

Two processes are made to be asked, and end with their answer: a fork of the checkpoint that was
grafted, with the graft in it, and one that starts cold and stops at the same point of the program.
"""

from __future__ import annotations

import gc
import os
import sys

from refork.core import differ
from refork.program import errands
from refork.program.grafts import graft, living
from refork.program.journal import own_names
from refork.program.ladder import ladder
from refork.program.steps import Originals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any

    from refork.program.channel import Channel
    from refork.program.errands import Point

    Fact = tuple[str, str, int]

OTHERS = {"__builtins__", "__dict__", "__weakref__", "_abc_impl"}
"""Names that every namespace of their kind has, and whose values are nobody's."""

SPOKEN = {"__doc__", "__firstlineno__", "__module__", "__qualname__"}
"""Attributes of classes whose value the source says."""


def begin(wish: dict[str, Any], channel: Channel) -> None:
    """Become one of the two. `wish` has "files": their new texts; and the "goal", where to stop,
    or None where that is here.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.nice(errands.NICE)
    if wish["goal"] is None:
        _tell(wish, channel)
    goal = errands.point(wish["goal"])
    ladder.stop = lambda _kind, at: _stop(errands.here(at), goal, wish, channel)


def _stop(here: Point, goal: Point, wish: dict[str, Any], channel: Channel) -> None:
    """Called wherever a checkpoint might be taken: is this the point?"""
    if here == goal:
        _tell(wish, channel)
    if here[0] > goal[0]:
        channel.send("missed")
        os._exit(0)


def _tell(wish: dict[str, Any], channel: Channel) -> None:
    gc.collect()
    with Originals():
        facts = {path: _File(path, text).facts() for path, text in wish["files"].items()}
    channel.send("facts", facts, *errands.here("")[:2])
    os._exit(0)


class _File:
    """One file: what its modules hold, and all functions made from it."""

    def __init__(self, path: str, text: bytes) -> None:
        self.path = path
        self.name = ""
        self.found: list[Fact] = []
        self.seen: set[int] = set()
        codes = set(graft._codes_by_steps(text, path))
        waiting = [differ.compile_quietly(text, path, sys.flags.optimize)]
        while waiting:
            inner = [one for one in waiting.pop().co_consts if type(one) is graft.CODE]
            codes.update(inner)
            waiting += inner
        self.known = set(map(_shape, codes))
        """What the source makes, whole and by steps."""

    def facts(self) -> list[Fact]:
        functions = [
            thing
            for thing in gc.get_objects()
            if type(thing) is living.FUNCTION and thing.__code__.co_filename == self.path
        ]
        for name, module in list(sys.modules.items()):
            names = own_names(module)
            if names.get("__file__") == self.path:
                self.name = name
                self._namespace(name, names)
        self._count(functions)
        return self.found

    def _namespace(self, where: str, namespace: Any) -> None:
        for key, value in list(namespace.items()):
            if key not in OTHERS:
                self._thing(f"{where}.{key}", key, value)

    def _thing(self, where: str, key: str, value: Any) -> None:
        kind = type(value)
        if kind is living.FUNCTION:
            self._function(where, value)
        elif kind in (staticmethod, classmethod):
            self._thing(where, key, value.__func__)
        elif kind is property:
            for part in ("fget", "fset", "fdel"):
                self._thing(f"{where}.{part}", key, getattr(value, part))
        elif issubclass(kind, type) and living.namespace(value).get("__module__") == self.name:
            self._class(where, value)
        elif key in SPOKEN:
            self.found.append((where, repr(value), 0))
        elif key == "__static_attributes__":
            self.found.append((where, repr(sorted(value)), 0))
        else:
            self.found.append((where, f"of type {kind.__qualname__}", 0))

    def _class(self, where: str, owner: type) -> None:
        bases = ", ".join(base.__qualname__ for base in owner.__bases__)
        self.found.append((where, f"class {owner.__qualname__}({bases})", 0))
        if id(owner) not in self.seen:
            self.seen.add(id(owner))
            self._namespace(where, living.namespace(owner))

    def _function(self, where: str, function: FunctionType) -> None:
        code = function.__code__
        line = code.co_firstlineno if code.co_filename == self.path else 0
        parts = (
            [type(value).__qualname__ for value in function.__defaults__ or ()],
            sorted(function.__kwdefaults__ or ()),
            function.__doc__,
            list(function.__dict__),
        )
        what = f"function {function.__qualname__} {parts!r}{self._state(code)}"
        self.found.append((where, what, line))
        wrapped = function.__dict__.get("__wrapped__")
        if wrapped is not None and id(wrapped) not in self.seen:
            self.seen.add(id(wrapped))
            self._thing(f"{where}.__wrapped__", "__wrapped__", wrapped)

    def _state(self, code: CodeType) -> str:
        """Whether a code object is what the text of its file makes."""
        if code.co_filename != self.path:
            return " of another file"
        return "" if _shape(code) in self.known else " with code that its source does not say"

    def _count(self, functions: list[FunctionType]) -> None:
        """Functions may live anywhere: in registries, in closures, in objects of C."""
        counts: dict[Fact, int] = {}
        for function in functions:
            code = function.__code__
            if code.co_name != "<module>":  # those are frames
                name = f"each {function.__qualname__} made at line {code.co_firstlineno}"
                fact = (name, self._state(code), code.co_firstlineno)
                counts[fact] = counts.get(fact, 0) + 1
        for (name, state, line), count in sorted(counts.items()):
            self.found.append((f"{name}{state}", f"one of {count}", line))


def _shape(code: CodeType) -> tuple[object, ...]:
    """All of a code object that counts, as a value."""
    constants = tuple(
        _shape(one) if type(one) is graft.CODE else _value(one) for one in code.co_consts
    )
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    table = getattr(code, "co_exceptiontable", b"")
    place = (code.co_name, getattr(code, "co_qualname", ""), code.co_firstlineno)
    return (*place, *counts, *names, code.co_code, code.co_linetable, table, constants)


def _value(constant: Any) -> tuple[str, str]:
    """A constant, told from those that are merely equal (1 and True); sets have no order."""
    if isinstance(constant, frozenset):
        return ("frozenset", repr(sorted(map(repr, constant))))
    return (type(constant).__name__, repr(constant))
