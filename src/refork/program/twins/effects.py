"""What an import did to objects that were there before it: found by comparing what they hold."""

from __future__ import annotations

import gc
import sys

from refork.program.grafts.living import identity, namespace
from refork.program.twins import kinds, probes
from refork.program.twins.subclasses import lists_subclasses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Step = tuple[str, Any]
    Path = tuple[Step, ...]
    """From a module to an object: ("module", name), then ("names", ""): to its namespace, ("key", key),
    ("index", n) or ("attribute", name)."""

    Content = tuple[Any, ...]

FUNCTION: Any = type(lambda: None)
CELL: Any = type((lambda x: lambda: x)(0).__closure__[0])  # type: ignore[index]
MODULE: Any = type(sys)
PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, tuple, frozenset, MODULE),
    *(type(len), type(FUNCTION.__code__), type(FUNCTION.__dict__["__globals__"])),
)  # fmt: skip
"""Types whose objects do not change, or whose contents are objects of their own."""

UNCHANGING = {
    *("weakref", "ReferenceType", "property", "staticmethod", "classmethod", "method", "code"),
    *("wrapper_descriptor", "method_descriptor", "classmethod_descriptor", "mappingproxy", "frame"),
    *("builtin_function_or_method", "method-wrapper", "traceback", "generator", "coroutine"),
    *("TypeVar", "ParamSpec", "GenericAlias", "UnionType", "Pattern", "slice", "ellipsis"),
    "_abc_data",
}

CACHES = (
    ("re", "_cache"),
    ("re", "_cache2"),
    ("linecache", "cache"),
    ("sys", "path_importer_cache"),
    ("encodings", "_cache"),
    ("_frozen_importlib", "_module_locks"),
    ("_frozen_importlib", "_blocking_on"),
    ("_frozen_importlib_external", "_relax_case"),
)
"""Containers that only save work: what is in them, and in which order, means nothing."""


def follow(path: Path) -> Any:
    """Return the object at a path. Raises LookupError or AttributeError where there is none."""
    found: Any = None
    for kind, value in path:
        if kind == "module":
            found = sys.modules[value]
        elif kind == "names":
            found = namespace(found)
        elif kind == "attribute":
            found = namespace(found)[value]
        elif kind == "key":
            if not dict.__contains__(found, value):  # a defaultdict would make it
                raise LookupError(value)
            found = dict.__getitem__(found, value)
        else:
            found = list.__getitem__(found, value)
    return found


def spelled(path: Path) -> str:
    """A path for people: `app.signals.saved.receivers`."""
    text, within = "", ""
    for kind, value in path:
        if kind == "module" or kind == "attribute" or (kind == "key" and within == "names"):
            text += f".{value}"
        elif kind != "names":
            text += f"[{value!r}]"
        within = kind
    return text.lstrip(".")


def independent() -> set[int]:
    """Ids of registries in which no entry has to do with another's: each may be added whatever others
    were before it. Loggers are made by name, on demand, by nearly every module.
    """
    logging = sys.modules.get("logging")
    if not hasattr(logging, "Logger"):
        return set()
    loggers: Any = logging.Logger.manager.loggerDict  # type: ignore[union-attr]
    found = {id(loggers)}
    for one in list(loggers.values()):
        found.update(
            id(inner) for inner in (getattr(one, "loggerMap", None), one) if inner is not None
        )
    return found


# Contents ---------------------------------------------------------------------------------------------


def content(thing: Any) -> Content | None:
    """What an object holds, as ids in order; None for one that cannot change by itself."""
    kind = type(thing)
    if kind in PLAIN or kind.__name__ in UNCHANGING:
        return None
    if issubclass(type(thing), dict):
        if lists_subclasses(thing):
            return None
        own = _of_pairs(thing)
        return own if kind is dict else own + rest(thing)
    if issubclass(type(thing), list):
        return tuple(map(identity, list.__iter__(thing)))
    if issubclass(type(thing), set):
        return tuple(sorted(map(identity, set.__iter__(thing))))
    if issubclass(type(thing), type):
        return _of_class(thing)
    if kind is FUNCTION:
        return (
            identity(thing.__code__),
            identity(thing.__defaults__),
            identity(thing.__kwdefaults__),
        )
    if kind is CELL:
        return tuple(map(identity, gc.get_referents(thing)))
    if kind.__name__ == "Context" and kind.__module__ == "_contextvars":
        # a value that is set and reset leaves another tree of the same values
        return tuple(
            sorted(
                (identity(one), identity(thing[one])) for one in thing if one.name != probes.DECIMAL
            )
        )
    if kind.__name__ in ("count", "bytearray", "array"):
        return (repr(thing),)
    return tuple(_leads_to(thing))


_readers: dict[type, Callable[[Any], Any] | None] = {}


def attributes(thing: Any) -> dict[str, Any] | None:
    """The attributes of an instance, asked of nobody, as the dict that it may get by this only: until somebody
    wants it, many objects have none, and lead to their values themselves.
    """
    kind = type(thing)
    if kind not in _readers:
        _readers[kind] = kinds.dict_of(kinds.MRO(kind))
    read = _readers[kind]
    return None if read is None else read(thing)


def _leads_to(thing: Any) -> list[int]:
    """What an object holds besides the values of its attributes: they are their dict's."""
    held = attributes(thing)
    values = set(map(identity, held.values())) if held else ()
    return [number for number in map(identity, gc.get_referents(thing)) if number not in values]


def measure(thing: Any) -> Callable[[], int] | None:
    """What tells the length of a registry, by the method of the built-in type; None: it has none."""
    for kind in (dict, list, set):
        if issubclass(type(thing), kind):
            return kind.__len__.__get__(thing)  # type: ignore[no-any-return]
    return None


def _of_pairs(thing: Any) -> Content:
    """Keys and values by turns; registries may be large, and are looked at often."""
    parts = [0] * (2 * dict.__len__(thing))
    parts[::2] = map(identity, dict.__iter__(thing))
    parts[1::2] = map(identity, dict.values(thing))
    return tuple(parts)


def rest(thing: Any) -> Content:
    """What a subclass of dict holds besides: the attributes of `defaultdict`, `Counter` and others."""
    inside = {identity(part) for pair in dict.items(thing) for part in pair}
    return tuple(number for number in _leads_to(thing) if number not in inside)


LAZY = {
    *("__annotations__", "__annotations_cache__", "__annotate_func__", "__abstractmethods__"),
    "__slotnames__",
}  # fmt: skip
"""Entries that a class gets when somebody looks at it, or copies an instance."""


def _of_class(thing: Any) -> Content:
    pairs = namespace(thing).items()
    return tuple(
        identity(part) for name, value in pairs if name not in LAZY for part in (name, value)
    )


def virtual(cls: Any) -> Content:
    """What was registered with an abstract class. Its other tables only save work."""
    if "_abc_impl" not in namespace(cls):
        return ()
    registry = sys.modules["_abc"]._get_dump(cls)[0]
    return tuple(sorted(map(identity, registry)))


# Snapshots --------------------------------------------------------------------------------------------


def objects(generation: int | None = None) -> list[Any]:
    """All objects that collectors know, with the dicts of all that have attributes."""
    for thing in gc.get_objects(generation):
        if not issubclass(type(thing), type):
            attributes(thing)
    return gc.get_objects(generation)


class Snapshot:
    """The contents of everything that is there now and may change."""

    def __init__(self) -> None:
        self.aside = aside()
        self.kept: dict[int, tuple[Any, Content]] = {}
        for thing in objects():
            self._keep(thing)
            for inner in gc.get_referents(thing):
                # collectors need not know a dict of plain values, nor bytes
                if not gc.is_tracked(inner):
                    self._keep(inner)
        self.probed = probes.probes()

    def _keep(self, thing: Any) -> None:
        number = id(thing)
        if number in self.kept or number in self.aside:
            return
        held = content(thing)
        if held is not None:
            self.kept[number] = (thing, held)

    def changed(self) -> list[Any]:
        """The objects that hold something else now."""
        now = aside()
        return [
            thing
            for number, (thing, held) in self.kept.items()
            if number not in now and content(thing) != held
        ]


def aside() -> set[int]:
    """Ids of what is refork's own, of the import system's caches, of caches in general, and of the dicts
    of classes: these tell it themselves.
    """
    found: set[int] = set()
    ours: dict[int, int] = {}
    for owner, name in CACHES:
        found.add(id(getattr(sys.modules.get(owner), name, None)))
    for finder in list(sys.path_importer_cache.values()):
        found.add(id(finder))
    for name, module in list(sys.modules.items()):
        if name == "refork" or name.startswith("refork."):
            _own(vars(module), ours, 4)
    for thing in gc.get_objects():
        kind = type(thing).__name__
        if is_ours(type(thing)):
            _own(thing, ours, 4)
        elif kind in ("_abc_data", "_lru_cache_wrapper"):
            found.add(id(thing))
            found.update(map(id, gc.get_referents(thing)))
        elif kind in ("ModuleSpec", "_lru_list_elem", "_ModuleLock", "FileFinder"):
            found |= {id(thing), id(attributes(thing))}
            found.update(id(one) for one in gc.get_referents(thing) if type(one) in (dict, set))
        elif issubclass(type(thing), type):
            found.update(id(one) for one in gc.get_referents(thing) if type(one) is dict)
    found.add(id(sys.modules))
    return found | ours.keys()


HOLDERS = {"Registry": 1, "Held": 2, "News": 4, "Snapshot": 3, "Stash": 3}
"""Objects of refork's that hold the user's, each with how deep what is in it is refork's own."""


def _own(thing: Any, found: dict[int, int], depth: int) -> None:
    """Note an object of refork's, with the containers and objects of refork's in it, and how deep was looked."""
    depth = min(depth, HOLDERS.get(type(thing).__name__, depth)) if is_ours(type(thing)) else depth
    if found.get(id(thing), 0) >= depth:
        return
    found[id(thing)] = depth
    inside = [attributes(thing)] if is_ours(type(thing)) else []
    for inner in (*inside, *gc.get_referents(thing)):
        if type(inner) in (dict, list, set) or is_ours(type(inner)):
            _own(inner, found, depth - 1)


def is_ours(kind: type) -> bool:
    return str(kind.__module__).startswith("refork.")


# Names ------------------------------------------------------------------------------------------------


def find_paths(wanted: list[Any]) -> dict[int, Path]:
    """Paths from modules to objects, the shortest ones, by id; what cannot be reached has none."""
    missing = {id(thing) for thing in wanted}
    found: dict[int, Path] = {}
    known: set[int] = set()
    nodes: list[tuple[int, Step]] = []
    waiting: list[tuple[Any, int]] = []
    for name, module in list(sys.modules.items()):
        if not name.startswith("refork"):
            nodes.append((-1, ("module", name)))
            waiting.append((module, len(nodes) - 1))
    while waiting and missing:
        following: list[tuple[Any, int]] = []
        for thing, node in waiting:
            number = id(thing)
            if number in known:
                continue
            known.add(number)
            if number in missing:
                missing.discard(number)
                found[number] = _path_of(nodes, node)
            for step, inner in parts(thing):
                if type(inner) not in ATOMS and id(inner) not in known:
                    nodes.append((node, step))
                    following.append((inner, len(nodes) - 1))
        waiting = following
    return found


def _path_of(nodes: list[tuple[int, Step]], node: int) -> Path:
    steps: list[Step] = []
    while node >= 0:
        node, step = nodes[node]
        steps.append(step)
    return tuple(reversed(steps))


ATOMS = {*PLAIN, FUNCTION, CELL} - {MODULE}


def parts(thing: Any) -> Iterator[tuple[Step, Any]]:
    """What an object holds, and how one gets there."""
    kind = type(thing)
    if issubclass(kind, dict):
        for key, value in list(dict.items(thing)):
            if type(key) in (str, int, bytes):
                yield ("key", key), value
    elif issubclass(kind, list):
        for place, value in enumerate(list.__iter__(thing)):
            yield ("index", place), value
    elif issubclass(kind, type):
        for name, value in list(namespace(thing).items()):
            yield ("attribute", name), value
        return
    try:
        yield ("names", ""), namespace(thing)
    except (AttributeError, TypeError):
        return
