"""What a whole process has loaded, element by element, so that two can be told to be alike or not.

An element is an entry in the namespace of a module, or something of the process that no namespace shows.
Meant for processes that are thrown away after they were asked: asking collects garbage and imports.

Nothing shows these: audit hooks, handlers of codec errors, and what extension modules keep outside Python's sight.
"""

from __future__ import annotations

import gc
import os
import sys

from refork.program.twins.kinds import MODULE_DICT, QUALNAME, is_ours, module_of, name_of
from refork.program.twins.walk import HOME, Walk, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Fact = tuple[str, bytes]

ASIDE = {
    ("sys", "modules"),  # its names are an element, and so is all it holds
    ("sys", "path_importer_cache"),  # what finders remember of listings
    ("re", "_cache"),
    ("re", "_cache2"),
    ("sre_compile", "_cache"),
    ("linecache", "cache"),
    ("encodings", "_cache"),
    ("zipimport", "_zip_directory_cache"),
    ("importlib._bootstrap", "_module_locks"),
    ("importlib._bootstrap", "_blocking_on"),
    ("_frozen_importlib", "_module_locks"),
    ("_frozen_importlib", "_blocking_on"),
    ("typing", "_cleanups"),
    ("typing", "_caches"),
    ("threading", "_active"),  # by numbers that the system gave
    ("_strptime", "_regex_cache"),
    ("fnmatch", "_compile_pattern"),
}
"""Caches and the like: what is in them means nothing, they only make things faster."""

STATELESS = {"_struct", "_ctypes", "_functools"}
"""Modules of C whose own state is a cache."""

NUMBERS: tuple[tuple[str, str], ...] = (
    ("sys", "getrecursionlimit"),
    ("sys", "getswitchinterval"),
    ("sys", "getdlopenflags"),
    ("sys", "get_int_max_str_digits"),
    ("sys", "get_coroutine_origin_tracking_depth"),
    ("sys", "getprofile"),
    ("sys", "gettrace"),
    ("sys", "get_asyncgen_hooks"),
    ("gc", "get_threshold"),
    ("gc", "get_debug"),
    ("_thread", "_count"),
    ("_thread", "stack_size"),
    ("_socket", "getdefaulttimeout"),
    ("faulthandler", "is_enabled"),
    ("_tracemalloc", "is_tracing"),
    ("os", "getcwd"),
    ("atexit", "_ncallbacks"),
)
"""Functions of the interpreter that tell how it is set, each an element where its module is loaded."""


def facts() -> list[Fact]:
    """All elements of this process with what they come to, in the order of `sys.modules` and of each namespace."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _Likeness().facts(enabled)
    finally:
        if enabled:
            gc.enable()


class _Likeness:
    def __init__(self) -> None:
        self.modules = {
            name: module
            for name, module in list(sys.modules.items())
            if name != "refork" and not name.startswith("refork.")
        }
        self.namespaces: dict[str, dict[Any, Any]] = {}
        self.known: dict[int, str] = {id(sys.modules): "&sys.modules"}
        for name, module in list(sys.modules.items()):
            self._name(name, module)
        self.homes = self._homes()
        self.walk = Walk(self.known)
        self.found: list[Fact] = []

    def _name(self, name: str, module: Any) -> None:
        if type(sys) in type.mro(type(module)) and id(module) not in self.known:
            namespace = MODULE_DICT(module)
            self.known[id(module)] = f"&module {name}"
            self.known[id(namespace)] = f"&namespace {name}"
            if name in self.modules:
                self.namespaces[name] = namespace

    def _homes(self) -> dict[int, str]:
        """In which element the value of each is told: that which is named as it is, or the first."""
        homes: dict[int, str] = {}
        atomic = (str, int, float, bool, bytes, type(None), tuple)
        for name, namespace in self.namespaces.items():
            for key, value in list(namespace.items()):
                if type(value) in atomic or id(value) in self.known or key == "__builtins__":
                    continue
                if id(value) not in homes or _said_to_be(value) == (name, key):
                    homes[id(value)] = f"{name}.{key}"
        for at, element in homes.items():
            self.known[at] = f"&{element}"
        return homes

    def facts(self, enabled: bool) -> list[Fact]:
        self.found.append(("sys.modules", digest_of(repr(list(self.modules)))))
        for name, module in self.modules.items():
            self._module(name, module)
        self._process(enabled)
        self._stack()
        self._classes()
        self._add("<registered>", *self.walk.registered())
        return self.found

    def _add(self, element: str, *roots: Any, own: bool = False) -> None:
        self.found.append((element, self.walk.digest(element, roots, own)))

    def _module(self, name: str, module: Any) -> None:
        """What a module is, and each entry in its namespace."""
        namespace = self.namespaces.get(name)
        if namespace is None:
            self._add(f"{name}.<module>", module)
            return
        self._add(f"{name}.<module>", type(module))
        state = [one for one in gc.get_referents(module) if one is not namespace]
        if state and name not in STATELESS and "__file__" not in namespace:
            self._add(f"{name}.<state>", *state)
        for key, value in list(namespace.items()):
            if key == "__builtins__" or (name, key) in ASIDE:
                continue
            element = f"{name}.{key}"
            if key == "__warningregistry__" and type(value) is dict:
                value = {one: value[one] for one in value if one != "version"}
            self._add(element, value, own=self.homes.get(id(value)) == element)

    def _process(self, enabled: bool) -> None:
        for module, name in NUMBERS:
            ask = getattr(sys.modules.get(module), name, None)
            if ask is not None:
                self._add(f"<{module}.{name}>", ask())
        self._add("<gc.isenabled>", enabled)
        for element, ask in PROCESS.items():
            self._add(element, ask())
        random = sys.modules.get("random")
        if random is not None:
            self._add("<random>", random._inst.getstate())

    def _stack(self) -> None:
        """The functions in progress; those that brought us here are not the program's."""
        frame: Any = sys._getframe()
        number = 0
        while frame is not None:
            # how the import system came here is its own affair
            if not frame.f_code.co_filename.startswith((HOME, "<frozen importlib")):
                self._add(f"<stack>.{number}.{frame.f_code.co_name}", frame)
                number += 1
            frame = frame.f_back

    def _classes(self) -> None:
        """The subclasses of every class that was met, in order: of what only those lists lead to, all."""
        done = 0
        names: dict[str, int] = {}
        classes = self.walk.classes
        said: list[Fact] = []
        while done < len(classes):
            cls = classes[done]
            done += 1
            below = [one for one in type.__subclasses__(cls) if not is_ours(one)]
            if not below or is_ours(cls):
                continue
            name = name_of(cls)
            number = names[name] = names.get(name, 0) + 1
            element = f"<subclasses>.{name}" + (f"#{number}" if number > 1 else "")
            said.append((element, digest_of(repr(list(map(name_of, below))))))
            for one in below:
                if id(one) not in self.known:
                    self._add(f"<class>.{name_of(one)}", one)
        self.found += sorted(said)


def _said_to_be(value: Any) -> tuple[Any, Any]:
    """The module and the name that a class or a function says it has."""
    kind = type(value)
    if kind is type(facts):
        return value.__module__, value.__qualname__
    if type in type.mro(kind) if kind is not type else True:
        return module_of(value), QUALNAME(value)
    return None, None


def _signals() -> list[Any]:
    import _signal

    return [_signal.getsignal(number) for number in range(1, _signal.NSIG)]


def _locale() -> str:
    import _locale

    return str(_locale.setlocale(_locale.LC_ALL))


def _kernel() -> list[str]:
    """What the kernel keeps for the process and a program may set."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            wanted = ("Umask", "SigIgn", "SigBlk", "Groups", "Uid", "Gid", "NoNewPrivs")
            found = [line for line in file if line.startswith(wanted)]
        with open("/proc/self/limits", encoding="ascii") as file:
            return found + list(file)
    except OSError:
        umask = os.umask(0o77)
        os.umask(umask)
        return [f"{umask:o}"]


def _context() -> Any:
    contextvars = sys.modules.get("_contextvars")
    return contextvars.copy_context() if contextvars is not None else None


PROCESS: dict[str, Callable[[], Any]] = {
    "<signals>": _signals,
    "<locale>": _locale,
    "<kernel>": _kernel,
    "<context>": _context,
}
"""What is the process's, outside any namespace."""


def differing(ours: Sequence[Fact], theirs: Sequence[Fact]) -> list[str]:
    """The elements that differ, are on one side only, or stand at another place; first what explains most.

    "sys.modules" stands for the order of the modules. An element that differs comes before those that may
    differ only because they lead to it.
    """
    left, right = dict(ours), dict(theirs)
    missing = [name for name in (*left, *right) if (name in left) != (name in right)]
    changed = [name for name, digest in left.items() if right.get(name, digest) != digest]
    changed.sort(key=lambda name: name.startswith("<subclasses>"))
    moved = [name for name in _moved(left, right) if name not in changed]
    return [*missing, *changed, *moved]


def _moved(left: dict[str, bytes], right: dict[str, bytes]) -> Iterator[str]:
    """Elements that stand elsewhere among those that both namespaces have."""
    ours, theirs = _by_module(left, right), _by_module(right, left)
    for module, names in ours.items():
        if names != theirs[module]:
            places = {name: place for place, name in enumerate(theirs[module])}
            kept = set(_rising([places[name] for name in names]))
            yield from (name for name in names if places[name] not in kept)


def _by_module(some: dict[str, bytes], others: dict[str, bytes]) -> dict[str, list[str]]:
    """The names that both have, by module, in their order."""
    found: dict[str, list[str]] = {}
    for name in some:
        if name in others:
            found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


def _rising(places: list[int]) -> Iterator[int]:
    """The longest part of `places` that rises: what has not moved."""
    from bisect import bisect_left

    tops: list[int] = []
    chains: list[tuple[Any, ...]] = []
    for place in places:
        at = bisect_left(tops, place)
        chain = (place, chains[at - 1] if at else ())
        tops[at : at + 1] = [place]
        chains[at : at + 1] = [chain]
    chain = chains[-1] if chains else ()
    while chain:
        yield chain[0]
        chain = chain[1]
