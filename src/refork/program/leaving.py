"""How a parked process goes when its supervisor is gone: with everything below it."""

from __future__ import annotations

import _signal
import os

from refork.program.barriers import read_small

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

waitpid = os.waitpid
"""As it is now: gevent puts a function of its own in its place, which waits for another child of its own."""


def leave() -> NoReturn:
    """Stop every process below this one, and go. As a subreaper, root is given the orphans of all others."""
    for _round in range(100):
        for pid in _descendants():
            try:
                os.kill(pid, _signal.SIGKILL)
            except OSError:
                continue
        if not _reap_all():
            break
    os._exit(0)


def _descendants() -> list[int]:
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        children = _children(waiting.pop())
        found += children
        waiting += children
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            children += map(int, read_small(f"/proc/{pid}/task/{task}/children").split())
    except OSError:
        return children  # it ended meanwhile
    return children


def _reap_all() -> bool:
    """Wait for one child at least; return False when there is none left."""
    try:
        waitpid(-1, 0)
        while waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
