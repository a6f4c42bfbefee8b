"""What an import leaves where no comparison of contents finds it, and where it cannot be taken back.

Entries in caches of functions, and virtual subclasses. Only what others than the standard library have
is looked at: there such things tell nobody apart.
"""

from __future__ import annotations

import gc
import sys

from refork.program.journal import LIBRARY_FOLDERS, STANDARD_LIBRARY
from refork.program.twins.kinds import FLAGS, HEAP, module_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

OWN = "the program"
"""Modules that are not installed: any of them may ask for classes of any other."""


def group(name: str) -> str:
    """Whose module this is: of a top-level package that is installed, `OWN`, or "": of the library."""
    module = sys.modules.get(name)
    path = str(getattr(module, "__file__", None) or "")
    if name == "__main__":
        return OWN
    if module is None or not path or name.partition(".")[0] == "refork":
        return ""
    if any(part in path for part in LIBRARY_FOLDERS):
        return name.partition(".")[0]
    return "" if path.startswith(STANDARD_LIBRARY) else OWN


class Unseen:
    """Looks at all that was there before."""

    def __init__(self) -> None:
        self.present = {id(one) for one in gc.get_objects() if is_class(one)}
        self.caches = [(one, one.cache_info()) for one in _caches()]
        self.virtual: Any = None
        self._registered = 0
        self._collections = _collections()

    def follow(self) -> None:
        """Notice virtual subclasses from now on. For a process that is thrown away."""
        abc: Any = sys.modules.get("abc")
        if abc is None:
            return
        register = abc.ABCMeta.register

        def noticed(cls: Any, subclass: Any) -> Any:
            # who cannot see a class that is new cannot tell whether it is registered either
            if not self._new(cls) and not self._new(subclass):
                self._registered += bool(group(module_of(cls)) or group(module_of(subclass)))
            return register(cls, subclass)

        self.virtual = register
        abc.ABCMeta.register = noticed

    def _new(self, cls: Any) -> bool:
        return bool(FLAGS(cls) & HEAP) and id(cls) not in self.present

    def leave(self) -> None:
        """Put back what `follow` replaced."""
        if self.virtual is not None:
            abc: Any = sys.modules["abc"]
            abc.ABCMeta.register = self.virtual

    def look(self) -> str:
        """What was left since the last look that cannot be taken back; "" for nothing."""
        found = ""
        if self._registered:
            found, self._registered = "it makes a class a virtual subclass of another", 0
        if _collections() != self._collections:
            found, self._collections = "it collects garbage", _collections()
        for at, (one, former) in enumerate(self.caches):
            now = one.cache_info()
            if now != former:
                self.caches[at] = (one, now)
                found = f"it uses the cache of {one.__qualname__}"
        return found


def _collections() -> int:
    """Collections so far: each makes what is new old, and classes can no longer be told apart."""
    return sum(int(one["collections"]) for one in gc.get_stats())


def is_class(thing: Any) -> bool:
    """Whether a thing is a class, without asking it."""
    return issubclass(type(thing), type)


def functions() -> Iterator[Any]:
    kind = type(group)
    return (one for one in gc.get_objects() if type(one) is kind)


def _caches() -> Iterator[Any]:
    for one in gc.get_objects():
        if type(one).__name__ == "_lru_cache_wrapper":
            name = getattr(one, "__module__", None)
            if isinstance(name, str) and group(name):
                yield one
