"""`refork explain`: finds the refork that runs here, and asks it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping

from refork.errors import ReforkError
from refork.process import inquiry


def explain(path: str | None, say: Callable[[str], object]) -> int:
    """Say what would happen if the file at `path` were saved now; None: how things stand.

    Returns the exit code. Raises ReforkError when there is nobody to ask.
    """
    if not sys.platform.startswith("linux"):
        raise ReforkError("explain: needs Linux, where a running refork can be asked")
    here = os.getcwd()
    reforks = inquiry.running()
    near = nearest(reforks, here)
    if not near and path is not None:
        near = nearest(reforks, os.path.dirname(os.path.abspath(path)))
    if not near:
        raise ReforkError(
            f"explain: no refork runs in {here}, above or below it; start one, or go to its folder"
        )
    pid, *others = near
    if others:
        say(f"asking process {pid} in {reforks[pid]}; there are others: {_named(others, reforks)}")
    say(inquiry.ask(pid, None if path is None else os.path.abspath(path)))
    return 0


def nearest(reforks: Mapping[int, str], here: str) -> list[int]:
    """Those whose folder is `here`, above or below it; the nearest first, then the youngest."""
    found = []
    for pid, folder in reforks.items():
        above, below = _depth(here, folder), _depth(folder, here)
        if above is not None or below is not None:
            # what runs in a folder above has to do with this one for sure; one below may not
            away = above if above is not None else 1000 + (below or 0)
            found.append((away, -pid))
    return [-pid for _away, pid in sorted(found)]


def _depth(path: str, folder: str) -> int | None:
    """How many folders `path` is below `folder`; None: it is not."""
    relative = os.path.relpath(path, folder)
    if relative == os.curdir:
        return 0
    parts = relative.split(os.sep)
    return None if parts[0] == os.pardir else len(parts)


def _named(pids: list[int], reforks: Mapping[int, str]) -> str:
    return ", ".join(f"{pid} in {reforks[pid]}" for pid in pids)
