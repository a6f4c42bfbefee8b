"""Follows which module's body is being executed, and what it imports.

A window is a module while its body runs. Everything that happens in between is charged to the innermost
window, also when a function of another module does it (`importlib.import_module` in a framework's helper).

Used in processes that never become the program: it replaces `builtins.__import__`, which a program could see.
"""

from __future__ import annotations

import builtins
import sys

from refork.program import observe
from refork.program.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_bootstrap: Any = sys.modules["_frozen_importlib"]


def in_progress() -> list[str]:
    """Names of the modules whose bodies are being executed now, the innermost last."""
    names = ["__main__"]
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name != "__main__" and getattr(spec, "_initializing", False) is True:
            names.append(name)
    return names


class Windows:
    """The windows of this process from now on."""

    def __init__(self, began: Callable[[str], None], ended: Callable[[str], None]) -> None:
        """`began` is called before a module's body runs, and `ended` after it, with its name."""
        self.stack = in_progress()
        self._began = began
        self._ended = ended
        self._former: list[tuple[Any, str, Any]] = []

    def follow(self) -> None:
        """Begin to follow, until `leave`."""
        original = _bootstrap._load_unlocked

        @hidden
        def load(spec: Any) -> Any:
            self._began(spec.name)
            self.stack.append(spec.name)
            try:
                return original(spec)
            finally:
                self._close(spec.name)

        self._replace(_bootstrap, "_load_unlocked", load)
        self._replace(observe, "adapt", self._after(observe.adapt))

    def _after(self, adapt: Any) -> Any:
        """Modules that were in progress when this began have no `load` of ours around them."""

        before = set(self.stack)

        def adapted(module: Any) -> None:
            adapt(module)
            if module.__name__ in before:
                self._close(module.__name__)

        return adapted

    def _close(self, name: str) -> None:
        if name in self.stack:
            del self.stack[self.stack.index(name) :]
            self._ended(name)

    def note_imports(self, note: Callable[[str, str], None]) -> None:
        """Call `note` with the innermost window and each name that it imports, until `leave`."""
        by_statement, by_name = builtins.__import__, _bootstrap._gcd_import

        @hidden
        def statement(
            name: Any, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
        ) -> Any:
            try:
                return by_statement(name, globals, locals, fromlist, level)
            finally:
                for found in _imported(name, globals, fromlist or (), level):
                    note(self.stack[-1], found)

        @hidden
        def imported(name: Any, package: Any = None, level: int = 0) -> Any:
            try:
                return by_name(name, package, level)
            finally:
                note(self.stack[-1], _absolute(name, package or "", level))

        self._replace(builtins, "__import__", statement)
        self._replace(_bootstrap, "_gcd_import", imported)

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._former.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def leave(self) -> None:
        """Put everything back."""
        while self._former:
            owner, name, value = self._former.pop()
            setattr(owner, name, value)


def _imported(name: str, namespace: Any, fromlist: Any, level: int) -> list[str]:
    """The modules that an import statement means.

    `import a.b` binds `a`, and whoever has it may use all of it; `from a.b import c` uses `a.b`, and `a.b.c`
    where that is a module.
    """
    package = _package(namespace) if level else ""
    absolute = _absolute(name, package, level)
    if fromlist:
        inner = [f"{absolute}.{one}" for one in fromlist if isinstance(one, str)]
        return [absolute, *(one for one in inner if one in sys.modules)]
    parts = absolute.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _package(namespace: Any) -> str:
    if not issubclass(type(namespace), dict):
        return ""
    package = namespace.get("__package__")
    if isinstance(package, str):
        return package
    name = str(namespace.get("__name__", ""))
    return name if "__path__" in namespace else name.rpartition(".")[0]


def _absolute(name: str, package: str, level: int) -> str:
    if not level:
        return name
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base
