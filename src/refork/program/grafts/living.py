"""What lives in this process and was made from the user's own code: an index, made while it is parked."""

from __future__ import annotations

import gc
import sys

from refork.program.evidence import evidence, may_name_lines
from refork.program.journal import is_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType, ModuleType
    from typing import Any

FUNCTION: Any = type(lambda: None)


def _kinds() -> tuple[dict[Any, str], Any]:
    """Types that have no name among the built-in ones: of what may be suspended, and of tracebacks."""

    async def waiting() -> None: ...

    async def asynchronous() -> Any:
        yield

    coroutine = waiting()
    found: dict[Any, str] = {type(_ for _ in ()): "gi_code"}
    found[type(coroutine)], found[type(asynchronous())] = "cr_code", "ag_code"
    coroutine.close()
    try:
        raise LookupError
    except LookupError as error:
        return found, type(error.__traceback__)


GENERATORS, TRACEBACK = _kinds()


WIDTH = 8
"""Bytes in which an identity is kept."""

CODING = ("utf-8", "surrogatepass")

MODULE: Any = type(sys)
CELL: Any = type((lambda kept: lambda: kept)(0).__closure__[0])  # type: ignore[index]
AROUND: tuple[Any, ...] = (FUNCTION, CELL, property, staticmethod, classmethod)
"""Types of what commonly stands between a name and a function."""

identity = object.__hash__
"""Tells objects apart, as `id` does: but that raises an audit event each time, and a hook of ours is called."""


class Index:
    """All that lives in this process and was made from the user's own code, by file.

    Functions and classes are kept by their identities, as numbers, modules and files by copies of their names.
    Nothing ever dies in a parked process, so a number stands for the same thing as long as it is there.
    Whatever takes or gives up a reference copies the page it is to, anew after each fork: for all functions of
    5,000 modules, or for all modules, that is 20 ms.
    """

    def __init__(self) -> None:
        self.suspended: dict[str, str] = {}
        """Files with a generator or coroutine that has begun or waits to begin."""
        self.traced: dict[str, str] = {}
        """Files with a frame in a traceback that somebody keeps."""
        self.line_users: list[CodeType] = []
        """Code of functions that may read line numbers, whether or not it ever ran."""
        self._functions: dict[bytes, bytearray] = {}
        self._classes: dict[bytes, bytearray] = {}
        self._modules: dict[bytes, list[bytes]] = {}
        for thing in gc.get_objects():
            self._add(thing)
        for name, module in list(sys.modules.items()):
            # not `isinstance` and `__dict__`: a lazy module would load, and nobody would have seen it
            path = namespace(module).get("__file__") if issubclass(type(module), MODULE) else None
            if type(path) is str and type(name) is str and not is_library(path):
                self._modules.setdefault(_copied(path), []).append(_copied(name))

    def _add(self, thing: Any) -> None:
        kind = type(thing)
        if kind is FUNCTION:
            name = thing.__code__.co_filename
            if not evidence.monitoring and may_name_lines(thing.__code__):
                self.line_users.append(thing.__code__)
            # what `exec` makes for the frame of a module is judged as a frame (`_check_in_progress`)
            if not is_library(name) and thing.__code__.co_name != "<module>":
                self._functions.setdefault(_copied(name), bytearray()).extend(_packed(thing))
        elif type(kind) is type and kind in GENERATORS:  # a metaclass may have a hash of its own
            code = getattr(thing, GENERATORS[kind])
            self.suspended.setdefault(code.co_filename, code.co_name)
        elif kind is TRACEBACK:
            code = thing.tb_frame.f_code
            self.traced.setdefault(code.co_filename, code.co_name)
        elif sys.version_info >= (3, 13) and issubclass(kind, type):
            # not `isinstance`, which asks the thing itself: a weak proxy, or anything of the user's
            own = namespace(thing)
            if "__firstlineno__" in own:
                key = _class_key(
                    str(own.get("__module__")), type.__dict__["__qualname__"].__get__(thing)
                )
                self._classes.setdefault(key, bytearray()).extend(_packed(thing))

    def functions(self, path: str) -> list[FunctionType]:
        """The functions whose code is of the file `path`."""
        return _found(bytes(self._functions.get(_copied(path), b"")), self.modules(path))

    def modules(self, path: str) -> list[ModuleType]:
        """The modules whose file is `path`, a file of the user's own."""
        return [sys.modules[name] for name in self._names(path)]

    def classes(self, path: str, qualname: str) -> list[type]:
        """The classes of this name in the file `path`, on the versions that keep lines in classes."""
        packed = [self._classes.get(_class_key(name, qualname), b"") for name in self._names(path)]
        return _found(b"".join(packed), self.modules(path))

    def _names(self, path: str) -> list[str]:
        return [name.decode(*CODING) for name in self._modules.get(_copied(path), ())]


def namespace(thing: Any) -> Any:
    """Where an object keeps its attributes, asked of nobody."""
    for kind in (type, MODULE):
        if issubclass(type(thing), kind):
            return kind.__dict__["__dict__"].__get__(thing)
    return object.__getattribute__(thing, "__dict__")


def _class_key(module: str, qualname: str) -> bytes:
    return _copied(f"{module}:{qualname}")


def _copied(name: str) -> bytes:
    return name.encode(*CODING)


def _packed(thing: object) -> bytes:
    return identity(thing).to_bytes(WIDTH, sys.byteorder, signed=True)


def _found(packed: bytes, modules: list[Any]) -> list[Any]:
    """The things of these identities, which are looked for in modules first, and then everywhere."""
    wanted = [packed[at : at + WIDTH] for at in range(0, len(packed), WIDTH)]
    found = _within(modules)
    if not found.keys() >= set(wanted):
        missing = set(wanted) - found.keys()
        found |= {_packed(thing): thing for thing in gc.get_objects() if _packed(thing) in missing}
    return [found[one] for one in wanted]


def _within(modules: list[Any]) -> dict[bytes, Any]:
    """What is reached from the names of modules without going through anything of the user's."""
    found: dict[bytes, Any] = {}
    waiting = [thing for module in modules for thing in list(namespace(module).values())]
    while waiting:
        thing = waiting.pop()
        kind = type(thing)
        if (issubclass(kind, type) or any(kind is one for one in AROUND)) and _packed(
            thing
        ) not in found:
            found[_packed(thing)] = thing
            waiting += _inside(thing)
    return found


def _inside(thing: Any) -> list[Any]:
    """What a class or a function holds; of a function the attributes, too (`__wrapped__`, say), though not by
    its `__dict__`: asking for that would make one."""
    if issubclass(type(thing), type):
        return list(namespace(thing).values())
    inside = gc.get_referents(thing)
    if type(thing) is FUNCTION:
        shared = (thing.__globals__, thing.__builtins__)
        for held in list(inside):
            if type(held) is dict and not any(held is one for one in shared):
                inside += held.values()
    return inside
