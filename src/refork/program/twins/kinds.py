"""The interpreter's own kinds of objects, and how each is read without running any code of the user's."""

from __future__ import annotations

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_NAMESPACE: Any = type.__dict__["__dict__"].__get__
_MODULE: Any = type.__dict__["__module__"].__get__
QUALNAME: Any = type.__dict__["__qualname__"].__get__
DICTOFFSET: Any = type.__dict__["__dictoffset__"].__get__
FLAGS: Any = type.__dict__["__flags__"].__get__
MRO: Any = type.__dict__["__mro__"].__get__
BASES: Any = type.__dict__["__bases__"].__get__

FUNCTION: Any = type(lambda: None)
CODE: Any = type((lambda: None).__code__)
MODULE: Any = type(sys)
GETSET: Any = type(FUNCTION.__dict__["__code__"])
MEMBER: Any = type(FUNCTION.__dict__["__globals__"])
_CLOSURE: Any = (lambda made: lambda: made)(0).__closure__
CELL: Any = type(_CLOSURE[0])
METHODS: Any = (type([].append), type((lambda made: None).__get__(0)))
WEAKREF: Any = sys.modules["_weakref"].ReferenceType
MODULE_DICT: Any = MODULE.__dict__["__dict__"].__get__

HEAP = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: types without it cannot be written to."""

NOT_READ = {
    *("__dict__", "__weakref__", "__dictoffset__", "__weaklistoffset__", "__vectorcalloffset__"),
}
"""Members that are no attributes, or are read otherwise."""

SUBTYPE_DOCS = ("dictionary for instance variables", "list of weak references")
"""How the documentation of the two descriptors begins that only classes made in Python have
(`subtype_getsets_full` in Objects/typeobject.c)."""

MARKS = {"__slots__", "__static_attributes__", "__firstlineno__"}
"""Names that only the namespaces of classes made in Python have."""

PARTS: dict[Any, tuple[str, ...]] = {
    staticmethod: ("__func__", "__dict__"),
    classmethod: ("__func__", "__dict__"),
    property: ("fget", "fset", "fdel", "__doc__"),
    slice: ("start", "stop", "step"),
    CELL: ("cell_contents",),
    type([].append): ("__self__", "__name__", "__qualname__", "__module__"),
    type([].__len__): ("__self__", "__name__"),
}
"""Types of C that tell all they have by these attributes."""

DESCRIPTORS = {
    *(GETSET, MEMBER, type(object.__init__), type(str.join)),
    type(dict.__dict__["fromkeys"]),
}


def iterators() -> list[Any]:
    """The types of iterators that tell where they are (`__reduce__`, in C)."""
    of: list[Any] = [iter([]), iter(()), iter(""), iter(b""), iter(range(0)), iter(range(1 << 70))]
    of += [
        iter({}),
        iter({}.values()),
        iter({}.items()),
        iter(set()),
        iter(bytearray()),
        reversed([]),
    ]
    return [*map(type, of), enumerate, reversed, zip, map, filter]


def frames() -> set[Any]:
    """The types of generators, coroutines, asynchronous generators, frames and tracebacks."""

    async def coroutine() -> None: ...

    async def asynchronous() -> Any:
        yield

    waiting = coroutine()
    waiting.close()
    nothing: tuple[Any, ...] = ()
    generator = (one for one in nothing)
    found = {type(generator), type(waiting), type(asynchronous()), type(sys._getframe())}
    try:
        raise LookupError
    except LookupError as error:
        found.add(type(error.__traceback__))
    return found


def namespace_of(cls: Any) -> Any:
    """The namespace of a class, asked of nobody; a type that was never used may have none yet."""
    return _NAMESPACE(cls) or {}


def module_of(cls: Any) -> str:
    """The module that a class says it is of, or nothing."""
    try:
        module = _MODULE(cls)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def name_of(cls: Any) -> str:
    """The qualified name of a class, asked of nobody."""
    return f"{module_of(cls)}.{QUALNAME(cls)}"


def is_ours(cls: Any) -> bool:
    """Whether a class is refork's."""
    module = module_of(cls)
    return module == "refork" or module.startswith("refork.")


def is_standard(cls: Any) -> bool:
    """Whether a class is of the standard library: then nobody writes to it."""
    return module_of(cls).partition(".")[0] in sys.stdlib_module_names


def is_python(cls: Any) -> bool:
    """Whether a class is certainly made in Python: C has nothing of its own in the instances."""
    namespace = namespace_of(cls)
    if not MARKS.isdisjoint(namespace) or FUNCTION in map(type, namespace.values()):
        return True
    for name in ("__dict__", "__weakref__"):
        descriptor = namespace.get(name)
        if type(descriptor) is GETSET and str(descriptor.__doc__).startswith(SUBTYPE_DOCS):
            return True
    return False


def is_unordered(cls: Any) -> bool:
    """Whether a class is certainly made by C, or Rust, which may not even have an order for its names."""
    return any(
        type(one) in DESCRIPTORS and type(one) is not MEMBER and one.__objclass__ is cls
        for name, one in namespace_of(cls).items()
        if name not in ("__dict__", "__weakref__")
    )


def dict_of(mro: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    """What reads the attributes of the instances of a class: the interpreter's, whatever the class says."""
    for cls in mro:
        descriptor = namespace_of(cls).get("__dict__")
        if type(descriptor) in (GETSET, MEMBER):
            read: Callable[[Any], Any] = descriptor.__get__
            return read
    return None


def slots(mro: tuple[Any, ...]) -> list[tuple[str, Callable[[Any], Any]]]:
    """The slots of a class, and the fields that C shows of its own."""
    return [
        (f"{QUALNAME(cls)}.{name}", descriptor.__get__)
        for cls in mro
        for name, descriptor in namespace_of(cls).items()
        if type(descriptor) is MEMBER and name not in NOT_READ
    ]


def annotated(function: Any) -> tuple[Any, ...]:
    """Those of a function, and what makes them; since 3.14 they are made when they are asked for."""
    if sys.version_info < (3, 14):
        return (function.__annotations__ or None, getattr(function, "__type_params__", None))
    others = {id(function.__globals__), id(function.__dict__), id(function.__kwdefaults__)}
    made = [
        one
        for one in gc.get_referents(function)
        if type(one) is dict and id(one) not in others and "__builtins__" not in one
    ]
    return (function.__annotate__, function.__type_params__, *(made or (None,)))


def registered(cls: Any) -> list[str]:
    """The classes that were registered with an abstract one. In a set of weak references: no order."""
    _abc: Any = sys.modules["_abc"]
    alive = (one() for one in _abc._get_dump(cls)[0])
    return sorted(name_of(one) for one in alive if one is not None)


def said_by_c(thing: Any) -> str:
    """The representation of an object that leads to nothing, if its type of C has one of its own."""
    found = (namespace_of(one).get("__repr__") for one in MRO(type(thing)))
    method = next(one for one in found if one is not None)
    if type(method) is not type(object.__repr__) or method is object.__repr__:
        return ""
    try:
        return repr(thing)
    except Exception as error:  # whatever foreign code may raise: half-made objects
        return name_of(type(error))


def digestible(kind: Any) -> bool:
    """Whether the bytes of the instances of a type of C say something; those of ctypes are addresses."""
    if any(name_of(one).startswith(("_ctypes", "mmap.")) for one in (kind, *MRO(kind), type(kind))):
        return False
    return not any(type(namespace_of(one).get("__buffer__")) is FUNCTION for one in MRO(kind))


def inner(thing: Any) -> list[Any]:
    """A few things by which the items of a set differ."""
    kind = type(thing)
    if kind in (tuple, frozenset, set, dict):
        return list(thing) if kind is tuple else []
    read = dict_of(MRO(kind))
    if read is None:
        return gc.get_referents(thing) if not FLAGS(kind) & HEAP else []
    return [one for one in (read(thing) or {}).values() if type(one) in (str, int, bytes)]


class Memory:
    """What is where in the memory of this process, as far as Linux tells (proc(5), /proc/pid/maps)."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, int, int, str]] | None = None

    def said(self, address: int) -> str | None:
        """The file and the place in it that an address stands for, or just that it is one; None: it is not."""
        if self._parts is None:
            self._parts = list(self._read())
        for first, end, offset, name in self._parts:
            if first <= address < end:
                return (
                    f"address {address - first + offset} of {name}"
                    if name[:1] == "/"
                    else "address"
                )
        return None

    def _read(self) -> Iterator[tuple[int, int, int, str]]:
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
                for line in file:
                    span, _, offset, _, _, *name = line.split(None, 5)
                    first, _, end = span.partition("-")
                    yield int(first, 16), int(end, 16), int(offset, 16), "".join(name).strip()
        except OSError:
            return


def loaded(module: str, *names: str) -> list[Any]:
    """Types of a module, if it is loaded: else nothing of theirs is there."""
    namespace = MODULE_DICT(sys.modules[module]) if module in sys.modules else {}
    return [namespace[name] for name in names if name in namespace]
