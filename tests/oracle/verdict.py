"""Whether what refork showed is what plain python shows; and if not, the difference."""

from __future__ import annotations

import difflib
import json
import sys
from typing import Any

from .cold import Outcome
from .live import Seen

PRELOADED = frozenset({"__future__", "_socket", "atexit", "errno", "gc"})
"""Modules that refork's part of the program may add to ``sys.modules``."""
BELOW = ("boot.py", "main.py", "observe.py", "running.py", "steps.py", "park.py")
"""Files of refork whose frames show where frames cannot be hidden: on 3.10."""
LINES = 60
"""Lines of a difference that are shown."""


def difference(expected: Outcome, previous: Outcome | None, seen: Seen, strict: bool) -> str | None:
    """None if all is equal, else what is not.

    ``previous`` is what the program showed before: the part of the output that stands before
    the checkpoint was printed then. ``strict`` is false where a generation was stopped while
    it was printing, so that its lines come first.
    """
    if seen.code != expected.code and not (seen.end is None and expected.digest is not None):
        return f"exit code: expected {expected.code}, got {seen.code}\n{seen.err}"
    if expected.digest is not None and seen.digest is None:
        return f"no account\n{seen.err}"
    if not same_digest(expected.digest, seen.digest):
        return diff("account", pretty(expected.digest), pretty(seen.digest))
    before = (previous.out, previous.err) if previous else ("", "")
    if not continues(expected.out, before[0], seen.out, strict):
        return diff("output", expected.out, seen.out) + f"printed before: {before[0]!r}\n"
    if not continues(expected.err, before[1], seen.err, strict):
        return diff("stderr", expected.err, seen.err) + f"printed before: {before[1]!r}\n"
    return None


def continues(expected: str, before: str, got: str, strict: bool) -> bool:
    """Whether ``got`` is the rest of ``expected`` after a part that was printed before."""
    if strict:
        printed = len(expected) - len(got)
        return printed >= 0 and expected == before[:printed] + got
    return any(got.endswith(expected[k:]) for k in range(len(expected) + 1))


def same_digest(expected: str | None, got: str | None) -> bool:
    if expected == got:
        return True
    if expected is None or got is None:
        return False
    return bool(comparable(expected) == comparable(got))


def comparable(digest: str) -> Any:
    """An account without what refork is allowed to add."""
    account = json.loads(digest)
    modules = account["process"]["modules"]
    kept = [name for name in modules if name.partition(".")[0] != "refork"]
    stack = account["process"]["stack"]
    account["process"]["stack"] = [frame for frame in stack if not ours(*frame)]
    account["process"]["modules"] = [name for name in kept if name not in PRELOADED]
    return account


def ours(file: str, name: str) -> bool:
    """Whether a frame is refork's own, or made to look like the import system's (`frames.hidden`)."""
    if sys.version_info >= (3, 11):
        return False
    return file in BELOW or (file, name) == ("<frozen importlib._bootstrap>", TRIMMED)


TRIMMED = "_call_with_frames_removed"


def pretty(digest: str | None) -> str:
    """An account with one short value a line, for a readable difference."""
    if digest is None:
        return "no account\n"
    account = comparable(digest)
    lines = [f"process.modules: {name}" for name in account["process"].pop("modules")]
    lines += [f"process.{k}: {json.dumps(v)}" for k, v in account["process"].items()]
    for name, items in account["modules"]:
        lines += [f"{name}: {json.dumps(item)}" for item in items]
    lines += [f"{name}: {json.dumps(call)}" for name, calls in account["calls"] for call in calls]
    lines += [f"source {json.dumps(source)}" for source in account["sources"]]
    return "\n".join(lines) + "\n"


def diff(what: str, expected: str, got: str) -> str:
    """A unified difference, cut to a readable length."""
    lines = difflib.unified_diff(
        expected.splitlines(),
        got.splitlines(),
        f"{what} of plain python",
        f"{what} of refork",
        "",
        "",
        0,
    )
    shown = [line if len(line) < 600 else line[:600] + "…" for line in lines]
    more = f"… {len(shown) - LINES} more lines\n" if len(shown) > LINES else ""
    return "\n".join(shown[:LINES]) + "\n" + more
