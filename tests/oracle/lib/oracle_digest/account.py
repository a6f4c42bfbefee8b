"""Turns everything a program holds into plain JSON values that two processes can compare.

Objects with identity are numbered in the order they are met, so that sharing is compared too;
addresses, times and process ids never enter.
"""

from __future__ import annotations

import collections
import dis
import enum
import functools
import hashlib
import inspect
import io
import json
import os
import re
import sys
import traceback
import types
from collections.abc import Iterator
from typing import Any

OWN = "o_"
DEPTH = 12
CALLING = ("PUSH_NULL", "CACHE", "PRECALL", "CALL_METHOD", "CALL_FUNCTION", "CALL", "EXTENDED_ARG")
SCALARS = (type(None), bool, int, float, complex, bytes, str)
SKIPPED_GLOBALS = {"__builtins__", "__cached__"}
SKIPPED_ATTRIBUTES = {"__dict__", "__weakref__"}


def is_own(name: object) -> bool:
    return isinstance(name, str) and (name == "__main__" or name.startswith(OWN))


def relative(path: object) -> str:
    """A path as seen from the program's folder."""
    return str(path).replace(ROOT, "<root>")


ROOT = os.environ["ORACLE_ROOT"]


class Describer:
    """One walk over the object graph."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.kept: list[object] = []  # so that no id is given twice

    def number(self, value: object) -> str | None:
        """The number met before, or None at the first meeting."""
        if id(value) in self.numbers:
            return f"#{self.numbers[id(value)]}"
        self.numbers[id(value)] = len(self.numbers)
        self.kept.append(value)
        return None

    def describe(self, value: Any, depth: int = 0) -> Any:
        """Any value as JSON: scalars by repr, the rest by what it consists of."""
        if type(value) in SCALARS:
            return relative(repr(value))
        if isinstance(value, types.CodeType):
            return code(self, value)
        if depth > DEPTH:
            return f"<deep {type(value).__name__}>"
        seen = None if constant(value) else self.number(value)
        if seen is not None:
            return seen
        return self.fresh(value, depth + 1)

    def fresh(self, value: Any, depth: int) -> Any:
        for kinds, how in HOW:
            if isinstance(value, kinds):
                return how(self, value, depth)
        if is_own(type(value).__module__):
            return instance(self, value, depth)
        text = repr(value)
        return f"<{type(value).__qualname__}>" if " at 0x" in text else relative(text)

    def items(self, pairs: Any, depth: int) -> list[Any]:
        """Name and value pairs, in their order."""
        return [[self.describe(k, depth), self.describe(v, depth)] for k, v in pairs]


def constant(value: object) -> bool:
    """Whether this may be a constant of the compiler: which of them are one object is its own affair."""
    return type(value) is tuple and all(type(v) in SCALARS or constant(v) for v in value)


def code(d: Describer, value: types.CodeType) -> list[Any]:
    """A code object by content: names, positions, constants (nested code included)."""
    consts = [code(d, c) if isinstance(c, types.CodeType) else repr(c) for c in value.co_consts]
    body = hashlib.md5(repr(list(instructions(value))).encode()).hexdigest()[:8]
    head = [value.co_name, value.co_firstlineno, value.co_flags, relative(value.co_filename)]
    return ["code", *head, body, consts, list(value.co_varnames), list(value.co_freevars)]


def instructions(value: types.CodeType) -> Iterator[tuple[str, str, int]]:
    """What a code object does, line by line.

    Whether a method is called by way of LOAD_METHOD is left out: the compiler decides it by the
    imports of the whole module, which it does not see where statements are compiled one by one.
    """
    line = value.co_firstlineno
    for made in dis.get_instructions(value):
        starts = getattr(made, "line_number", made.starts_line)
        line = line if starts is None or isinstance(starts, bool) else starts
        name = "LOAD_ATTR" if made.opname == "LOAD_METHOD" else made.opname
        if name not in CALLING:
            yield name, argument(made.argrepr), line


def argument(text: str) -> str:
    """An argument of an instruction without flags and addresses."""
    return re.sub(r"<code object.*|NULL\S* \+ | \+ NULL\S*|\bto L?\d+", "", text)


def function(d: Describer, f: types.FunctionType, depth: int) -> Any:
    if not is_own(f.__module__) and not is_own(f.__globals__.get("__name__")):
        return ["function", f.__module__, f.__qualname__]
    cells = [cell_contents(d, cell, depth) for cell in f.__closure__ or ()]
    home = sys.modules.get(f.__globals__.get("__name__", ""))
    at_home = getattr(home, "__dict__", None) is f.__globals__
    parts = [f.__doc__, f.__defaults__, f.__kwdefaults__, f.__annotations__, f.__dict__]
    described = [d.describe(part, depth) for part in parts]
    return ["function", f.__qualname__, at_home, code(d, f.__code__), cells, *described]


def cell_contents(d: Describer, cell: Any, depth: int) -> Any:
    try:
        return d.describe(cell.cell_contents, depth)
    except ValueError:
        return "<empty>"


def klass(d: Describer, c: type, depth: int) -> Any:
    if not is_own(c.__module__):
        return ["class", c.__module__, c.__qualname__]
    mro = [f"{base.__module__}.{base.__qualname__}" for base in c.__mro__]
    pairs = [(k, v) for k, v in vars(c).items() if k not in SKIPPED_ATTRIBUTES and plain(v)]
    below: list[type] = type.__subclasses__(c)
    children = [f"{k.__module__}.{k.__qualname__}" for k in below]
    return ["class", c.__qualname__, mro, d.items(pairs, depth), children]


def plain(value: object) -> bool:
    slots = (types.GetSetDescriptorType, types.MemberDescriptorType)
    return not isinstance(value, slots) and type(value).__name__ != "_abc_data"


def instance(d: Describer, value: Any, depth: int) -> Any:
    kind = type(value)
    held = getattr(value, "__dict__", {})
    listed: list[Any] = []
    if isinstance(value, list):
        listed = [d.describe(item, depth) for item in list.__iter__(value)]
    return [
        "instance",
        f"{kind.__module__}.{kind.__qualname__}",
        d.items(held.items(), depth),
        listed,
    ]


def module(d: Describer, value: types.ModuleType, depth: int) -> Any:
    name = value.__dict__.get("__name__")
    return ["module", name, sys.modules.get(str(name)) is value]


def mapping(d: Describer, value: Any, depth: int) -> Any:
    return [type(value).__name__, d.items(list(value.items()), depth)]


def sequence(d: Describer, value: Any, depth: int) -> Any:
    return [type(value).__name__, [d.describe(item, depth) for item in list(value)]]


def unordered(d: Describer, value: Any, depth: int) -> Any:
    return [type(value).__name__, sorted(json.dumps(Describer().describe(i, depth)) for i in value)]


def exception(d: Describer, e: BaseException, depth: int) -> Any:
    frames = [[relative(f.filename), f.lineno, f.name, f.line] for f in summary(e)]
    chain = [d.describe(e.__cause__, depth), d.describe(e.__context__, depth)]
    return ["exception", type(e).__qualname__, d.describe(e.args, depth), frames, chain]


def summary(e: BaseException) -> list[traceback.FrameSummary]:
    """The frames of a traceback, without this harness's own; on 3.10 refork's show like the import system's."""
    frames = list(traceback.extract_tb(e.__traceback__))
    if sys.version_info < (3, 11):
        frames = [f for f in frames if not re.search("/refork/program/|^<frozen imp", f.filename)]
    return [f for f in frames if "oracle_digest" not in f.filename]


def suspended(d: Describer, value: Any, depth: int) -> Any:
    prefix = {types.GeneratorType: "gi", types.CoroutineType: "cr"}.get(type(value), "ag")
    frame = getattr(value, f"{prefix}_frame")
    where = None if frame is None else [frame.f_lineno, frame.f_lasti]
    local = {} if frame is None else dict(frame.f_locals)
    return [prefix, value.__qualname__, where, d.items(local.items(), depth)]


def frame(d: Describer, value: types.FrameType, depth: int) -> Any:
    return ["frame", value.f_code.co_name, relative(value.f_code.co_filename), value.f_lineno]


def opened(d: Describer, value: Any, depth: int) -> Any:
    if value.closed:
        return ["file", "closed", filename(value)]
    where = position(value) if value.seekable() else None
    rest = value.read(40) if value.readable() and value.seekable() else None
    return ["file", filename(value), where, d.describe(rest, depth)]


def position(value: Any) -> list[int]:
    """Where a file stands; one that is being iterated over tells it only for its bytes."""
    try:
        return [value.tell()]
    except OSError:
        return [value.buffer.tell(), value.buffer.raw.tell()]


def filename(value: Any) -> str:
    """The name of a file; a number where it has none is left out."""
    name = getattr(value, "name", None)
    return "number" if isinstance(name, int) else relative(name)


def attributes(*names: str) -> Any:
    def how(d: Describer, value: Any, depth: int) -> Any:
        return [type(value).__name__, *(d.describe(getattr(value, n), depth) for n in names)]

    return how


def member(d: Describer, value: enum.Enum, depth: int) -> Any:
    return ["member", type(value).__qualname__, value.name, d.describe(value.value, depth)]


def pattern(d: Describer, value: re.Pattern[str], depth: int) -> Any:
    return ["pattern", value.pattern, value.flags]


def referred(d: Describer, value: Any, depth: int) -> Any:
    return ["weakref", d.describe(value(), depth)]


def builtin(d: Describer, value: Any, depth: int) -> Any:
    return ["builtin", value.__qualname__]


def iterator(d: Describer, value: Any, depth: int) -> Any:
    _, arguments, *state = value.__reduce__()
    return ["iterator", type(value).__name__, d.describe(arguments, depth), repr(state)]


CACHED = type(functools.lru_cache(lambda: None))
HOW: list[tuple[Any, Any]] = [
    (type, klass),
    (enum.Enum, member),
    (types.ModuleType, module),
    (types.FunctionType, function),
    (types.MethodType, attributes("__func__", "__self__")),
    (CACHED, attributes("__wrapped__", "__dict__")),
    (types.BuiltinFunctionType, builtin),
    (functools.partial, attributes("func", "args", "keywords")),
    (functools.cached_property, attributes("func", "attrname")),
    (property, attributes("fget", "fset", "fdel", "__doc__")),
    ((classmethod, staticmethod), attributes("__func__")),
    (BaseException, exception),
    ((types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType), suspended),
    (types.FrameType, frame),
    (types.TracebackType, lambda d, value, depth: ["traceback", value.tb_lineno]),
    (io.IOBase, opened),
    (re.Pattern, pattern),
    (__import__("weakref").ReferenceType, referred),
    ((dict, types.MappingProxyType), mapping),
    ((list, tuple, collections.deque), sequence),
    ((set, frozenset), unordered),
    (type(iter([])), iterator),
]


def as_json() -> str:
    """The whole account."""
    from . import process

    d = Describer()
    before = process.facts(d)
    own = [(name, sys.modules[name]) for name in list(sys.modules) if is_own(name)]
    namespaces = [[name, namespace(d, value)] for name, value in own]
    calls = [[name, called(d, value)] for name, value in own]
    account = {"process": before, "modules": namespaces, "calls": calls, "sources": sources(own)}
    return json.dumps(account)


def namespace(d: Describer, value: Any) -> Any:
    if not isinstance(value, types.ModuleType):
        return ["replaced", d.describe(value)]
    pairs = [(k, v) for k, v in vars(value).items() if k not in SKIPPED_GLOBALS]
    return [[k, spec(v) if k == "__spec__" else d.describe(v)] for k, v in pairs]


def spec(value: Any) -> Any:
    if value is None:
        return None
    where = value.submodule_search_locations
    found = None if where is None else [relative(item) for item in where]
    return [value.name, relative(value.origin), type(value.loader).__name__, value.parent, found]


def called(d: Describer, value: Any) -> list[Any]:
    """What the functions named ``call_…`` give, or how they fail."""
    names = [n for n in getattr(value, "__dict__", {}) if n.startswith("call_")]
    return [[name, outcome(d, getattr(value, name))] for name in names]


def outcome(d: Describer, f: Any) -> Any:
    try:
        return d.describe(f())
    except Exception as e:  # whatever the generated program raises is part of the account
        return d.describe(e)


def sources(own: list[tuple[str, Any]]) -> list[Any]:
    """``inspect.getsource`` of every own function and class that modules hold by name."""
    found = []
    for name, value in own:
        for key, held in list(getattr(value, "__dict__", {}).items()):
            if isinstance(held, (types.FunctionType, type)) and is_own(held.__module__):
                found.append([name, key, source(held)])
    return found


def source(held: Any) -> str:
    try:
        return inspect.getsource(held)
    except (OSError, TypeError) as e:
        return f"{type(e).__name__}: {e}"
