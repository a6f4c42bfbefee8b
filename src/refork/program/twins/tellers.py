"""How objects of the interpreter's own types are told: one function a kind (see `walk`)."""

from __future__ import annotations

import gc
import os
from _imp import source_hash

from refork.program.twins import kinds
from refork.program.twins.kinds import MRO, namespace_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from refork.program.twins.walk import Walk

    Handle = Callable[[Any], None]


def table(walk: Walk) -> dict[Any, Handle]:
    """Which function is for which type. What is not loaded has no objects."""
    found: dict[Any, Any] = {kind: parts(walk, kind, names) for kind, names in kinds.PARTS.items()}
    found[bytearray] = found[memoryview] = bytes_of.__get__(walk)
    for teller, types in (
        (weakref, ("_weakref", "ReferenceType")),
        (proxy, ("_weakref", "ProxyType", "CallableProxyType")),
        (lock, ("_thread", "LockType", "RLock")),
        (deque, ("_collections", "deque")),
        (ordered, ("_collections", "OrderedDict")),
        (cached, ("_functools", "_lru_cache_wrapper")),
        (counter, ("itertools", "count")),
        (file, ("_io", "FileIO")),
        (bytes_of, ("array", "array")),
        (random, ("_random", "Random")),
        (context, ("_contextvars", "Context")),
    ):
        found.update(dict.fromkeys(kinds.loaded(*types), teller.__get__(walk)))
    for name, module, names in (
        ("__reduce__", "_operator", ("attrgetter", "itemgetter", "methodcaller")),
        ("__reduce__", "_datetime", ("date", "time", "datetime", "timedelta")),
        ("__getinitargs__", "_datetime", ("timezone",)),
        ("__reduce__", "_decimal", ("Decimal", "Context")),
        ("__getstate__", "_io", ("BytesIO", "StringIO")),
    ):
        found.update({kind: called(walk, kind, name) for kind in kinds.loaded(module, *names)})
    found.update({kind: called(walk, kind, "__reduce__") for kind in kinds.iterators()})
    found.update(
        {kind: parts(walk, kind, ("format",)) for kind in kinds.loaded("_struct", "Struct")}
    )
    return found


def _said(thing: Any) -> str:
    """The representation that the type itself gives."""
    kind: Any = type(thing)
    said: str = kind.__repr__(thing)
    return said


def ordered(walk: Walk, thing: Any) -> None:
    """An OrderedDict: an order of its own, and keys that are not to be looked up (`__hash__`)."""
    values = {id(key): value for key, value in dict.items(thing)}
    base = kinds.loaded("_collections", "OrderedDict")[0]
    keys = list(base.__iter__(thing))
    walk.keys(keys)
    walk.todo.extend(values[id(key)] for key in keys)


def deque(walk: Walk, thing: Any) -> None:
    base = kinds.loaded("_collections", "deque")[0]
    items = list(base.__iter__(thing))
    walk.out.append(f"@deque {len(items)} {base.maxlen.__get__(thing)}")
    walk.todo.extend(items)


def bytes_of(walk: Walk, thing: Any) -> None:
    try:
        view = memoryview(thing)
        data = view.tobytes()
    except (ValueError, TypeError, BufferError, NotImplementedError):
        walk.out.append("@bytes of nothing")
        return
    if not set(view.format).isdisjoint("OP&"):  # addresses
        data = b""
    walk.out.append(f"@bytes {view.format} {view.shape} {source_hash(1, data).hex()}")


def weakref(walk: Walk, thing: Any) -> None:
    base = kinds.loaded("_weakref", "ReferenceType")[0]
    walk.out.append("@weakref")
    walk.todo += (base.__call__(thing), base.__callback__.__get__(thing))


def proxy(walk: Walk, thing: Any) -> None:
    """What a proxy stands for is not told by anything but its representation."""
    said = _said(thing)
    address = int("0x" + said.rpartition("0x")[2].rstrip(">"), 16)
    walk.out.append(f"@proxy {said.partition(' to ')[2].partition(' at ')[0]}")
    walk.todo += (walk.live.get(address), *gc.get_referents(thing))


def lock(walk: Walk, thing: Any) -> None:
    walk.out.append(f"@lock {_said(thing).partition(' ')[0]}")


def cached(walk: Walk, thing: Any) -> None:
    """What `functools.lru_cache` made: its figures, and what it remembers. typing remembers for speed only."""
    base = kinds.loaded("_functools", "_lru_cache_wrapper")[0]
    attributes = base.__dict__["__dict__"].__get__(thing)
    walk.out.append("@cached")
    if attributes.get("__module__") == "typing":
        walk.todo.append(attributes)
    else:
        remembered = gc.get_referents(thing)
        walk.todo += (tuple(base.cache_info(thing)), len(remembered), *remembered)


def counter(walk: Walk, thing: Any) -> None:
    inner = [one for one in gc.get_referents(thing) if one is not type(thing)]
    plain = walk.atomic.issuperset(map(type, inner))
    walk.out.append(f"@{_said(thing) if plain else 'count'} {len(inner)}")
    walk.todo += inner


def file(walk: Walk, thing: Any) -> None:
    base = kinds.loaded("_io", "FileIO")[0]
    if base.closed.__get__(thing):
        walk.out.append("@file closed")
        return
    fd = base.fileno(thing)
    try:
        at = os.lseek(fd, 0, os.SEEK_CUR) if fd > 2 else 0
    except OSError:
        at = -1
    walk.out.append(f"@file {base.mode.__get__(thing)} {base.closefd.__get__(thing)} {at}")


def random(walk: Walk, thing: Any) -> None:
    """The state of the generator that the functions of `random` share is an element of its own."""
    own = thing is not walk.shared and "SystemRandom" not in map(kinds.QUALNAME, MRO(type(thing)))
    walk.out.append("@random")
    if own:
        walk.todo.append(kinds.loaded("_random", "Random")[0].getstate(thing))


def context(walk: Walk, thing: Any) -> None:
    items = sorted(type(thing).items(thing), key=lambda item: walk.shallow(item[0]))
    walk.out.append(f"@context {len(items)}")
    for item in items:
        walk.todo += item


def parts(walk: Walk, base: Any, names: tuple[str, ...]) -> Handle:
    """For a type of C that tells all it has by attributes, each read without running anything."""
    readers = [
        (name, namespace_of(base)[name].__get__) for name in names if name in namespace_of(base)
    ]

    def handle(thing: Any) -> None:
        walk.out.append(f"@{base.__name__}")
        for name, read in readers:
            try:
                walk.todo.append(read(thing))
            except (AttributeError, ValueError):
                walk.out.append(f"no {name}")

    return handle


def called(walk: Walk, base: Any, name: str) -> Handle:
    """For a type of C that has a method (of C, too) which tells all but the class."""
    method = namespace_of(base).get(name) or getattr(base, name)

    def handle(thing: Any) -> None:
        walk.out.append(f"@{base.__name__}")
        try:
            told = method(thing)
        except ValueError:  # closed
            walk.out.append("no value")
        else:
            walk.todo += [one for one in told if one is not type(thing)]

    return handle
