"""Compares two texts of a module for `core.plan`, and remembers the outcome: the same pair is asked about often."""

from __future__ import annotations

import hashlib
import os
import sys

from refork.core import differ, statements
from refork.core.plan import Differs
from refork.target import Target

KEPT = 512
"""Outcomes remembered."""


class Comparer:
    """Compares as the interpreter of the target would see it."""

    def __init__(self, target: Target) -> None:
        self.grafts = _same_interpreter(target)
        """Whether code compiled here is what the program's Python would compile."""
        self.optimize = _optimize(target)
        self._known: dict[tuple[str, bytes, bytes], Differs] = {}

    def compare(self, path: str, old: bytes, new: bytes) -> Differs:
        """The outcome, of which only digests of the texts are kept."""
        key = (path, _digest(old), _digest(new))
        found = self._known.pop(key, None) or self._compare(path, old, new)
        self._known[key] = found  # the one asked for last comes last
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
        return found

    def _compare(self, path: str, old: bytes, new: bytes) -> Differs:
        if not path.endswith((".py", ".pyw")) and b"\0" in new:
            return Differs("different", "binary contents changed")
        if not self.grafts:
            # another Python may divide the text otherwise, and compile it to something else
            return Differs("same" if old == new else "different", "edited")
        diff = differ.compare(old, new, path, self.optimize)
        if diff.kind != differ.DIFFERENT and not statements.warn_alike(old, new):
            return Differs("different", "the compiler warns of something else, or elsewhere")
        common = statements.common(old, new)
        kinds = {differ.SAME: "same", differ.BODIES: "bodies"}
        return Differs(kinds.get(diff.kind, "different"), diff.reason, common)


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def _same_interpreter(target: Target) -> bool:
    return os.path.realpath(target.interpreter) == os.path.realpath(sys.executable)


def _optimize(target: Target) -> int:
    """The -O level the program runs at."""
    level = 0
    for flag in target.flags:
        if flag.startswith("-") and not flag.startswith("--"):
            level = max(level, flag.count("O"))
    if "PYTHONOPTIMIZE" in os.environ and not level:
        value = os.environ["PYTHONOPTIMIZE"]
        level = int(value) if value.isdigit() else int(bool(value))
    return min(level, 2)
