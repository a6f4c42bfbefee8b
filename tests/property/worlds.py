"""Load a module's text, graft another one's bodies into it, and describe all that it holds.

The graft here is the plainest possible: it knows every function, because it walks the namespace.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType, GeneratorType, ModuleType
from typing import Any

from refork.core.differ import Diff, pairs

NAME = "sample"
_ATTRIBUTES = (
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_name"),
    *("co_qualname", "co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars"),
    *("co_firstlineno", "co_linetable", "co_exceptiontable"),
)


class World:
    """A module that was executed: its code, its namespace, and which code objects ran."""

    def __init__(self, source: bytes) -> None:
        self.code = compile(source, f"{NAME}.py", "exec", dont_inherit=True)
        self.namespace: dict[str, Any] = {"__name__": NAME}
        self.ran: list[CodeType] = []
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            exec(self.code, self.namespace)
        finally:
            sys.setprofile(before)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.ran.append(frame.f_code)

    def has_run(self, path: tuple[int, ...]) -> bool:
        code = self.code
        for index in path:
            code = code.co_consts[index]
        return any(code is other for other in self.ran)

    def graft(self, new: bytes, diff: Diff) -> bool:
        """Put new code into all functions; False where a generator keeps old code alive."""
        new_code = compile(new, f"{NAME}.py", "exec", dont_inherit=True)
        renewals = {id(old): fresh for old, fresh in pairs(self.code, new_code)}
        found = list(self._objects())
        for value in found:
            if isinstance(value, GeneratorType) and id(value.gi_code) in renewals:
                return False
        for value in found:
            if isinstance(value, FunctionType):
                value.__code__ = renewals.get(id(value.__code__), value.__code__)
        for name, line, attributes in diff.renewed:
            for cls in (v for v in found if isinstance(v, type) and v.__qualname__ == name):
                if line is not None:
                    setattr(cls, "__firstlineno__", line)  # noqa: B010 (unknown to type checkers)
                if attributes is not None:
                    setattr(cls, "__static_attributes__", attributes)  # noqa: B010
        return True

    def _objects(self) -> Iterator[object]:
        """All functions, classes and generators of this world, each once."""
        description = Description()
        description.of(self.namespace)
        yield from description.kept

    def describe(self) -> object:
        """All that the namespace holds, as nested tuples of plain values, in order."""
        return Description().of(self.namespace)


class Description:
    """Describes values; what is met again is named by its number, so cycles end."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.kept: list[object] = []

    def of(self, value: Any) -> object:
        if value is None or isinstance(value, int | float | complex | str | bytes):
            return type(value).__name__, repr(value)
        if isinstance(value, tuple):  # by content: whether equal constants are one is no matter
            return "tuple", [self.of(item) for item in value]
        if id(value) in self.seen:
            return "seen", self.seen[id(value)]
        self.seen[id(value)] = len(self.seen)
        self.kept.append(value)
        return type(value).__name__, self._parts(value)

    def _parts(self, value: Any) -> object:
        if isinstance(value, CodeType):
            return code_parts(value)
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, dict):
            return [(k, self.of(v)) for k, v in value.items() if k != "__builtins__"]
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, set | frozenset):
            return sorted(map(repr, value))
        if isinstance(value, staticmethod | classmethod):
            return self.of(value.__func__)
        if isinstance(value, property):
            return [self.of(part) for part in (value.fget, value.fset, value.fdel, value.__doc__)]
        if isinstance(value, GeneratorType):
            return self.of(value.gi_code)
        if isinstance(value, ModuleType):
            return value.__name__
        return self._other(value)

    def _function(self, value: FunctionType) -> object:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        kept = (value.__name__, value.__qualname__, value.__doc__, value.__module__)
        parts = (value.__defaults__, value.__kwdefaults__, value.__annotations__, value.__dict__)
        more = getattr(value, "__type_params__", ())
        return kept, [self.of(part) for part in (value.__code__, *parts, cells, more)]

    def _class(self, value: type) -> object:
        if value.__module__ != NAME:
            return value.__qualname__
        parts: list[object] = []
        for name, part in vars(value).items():
            if name == "__static_attributes__":
                parts.append((name, sorted(part)))
            elif name not in ("__dict__", "__weakref__"):
                parts.append((name, self.of(part)))
        return value.__qualname__, [self.of(base) for base in value.__bases__], parts

    def _other(self, value: Any) -> object:
        """Type parameters and aliases by what they evaluate to, instances by their attributes."""
        lazy = ("__value__", "__bound__", "__constraints__", "__default__")
        parts = [self._evaluated(value, name) for name in lazy]
        return getattr(value, "__name__", ""), parts, self.of(getattr(value, "__dict__", None))

    def _evaluated(self, value: Any, name: str) -> object:
        try:
            return self.of(getattr(value, name, None))
        except Exception as error:  # evaluated only now, and random: it may fail in any way
            return "raises", repr(error)


def code_parts(code: CodeType) -> object:
    consts = [code_parts(c) if isinstance(c, CodeType) else constant(c) for c in code.co_consts]
    if code.co_flags & 1 == 0 and "__static_attributes__" in code.co_names:
        consts = []  # holds attributes in an order of chance; the class itself is described
    return [getattr(code, name, None) for name in _ATTRIBUTES], consts


def constant(value: Any) -> object:
    if isinstance(value, tuple):
        return "tuple", [constant(item) for item in value]
    if isinstance(value, frozenset):
        return "frozenset", sorted(map(repr, value))
    return type(value).__name__, repr(value)


def unlike(first: Any, second: Any, where: str = "") -> str:
    """Where two descriptions differ first; empty if they do not."""
    sequences = isinstance(first, list | tuple) and isinstance(second, list | tuple)
    if not sequences:
        return "" if first == second else f"{where}: {first!r} is not {second!r}"
    if len(first) != len(second):
        return f"{where}: {first!r} is not {second!r}"
    for at, (left, right) in enumerate(zip(first, second, strict=True)):
        found = unlike(left, right, f"{where}/{at}")
        if found:
            return found
    return ""
