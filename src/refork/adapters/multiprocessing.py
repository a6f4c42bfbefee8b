"""multiprocessing keeps process ids in places, and shares memory that no descriptor shows.

A checkpoint is a fork of which the child goes on as the program: to what was noted down before, it
is the same process. What is shared with other processes is a barrier: a lock that an old generation
was killed with would stay locked for all that follow.
"""

from __future__ import annotations

import os
import sys

from refork.adapters.replace import replace
from refork.program import api, park
from refork.program.barriers import barriers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt `multiprocessing.process`, `multiprocessing.util` or `multiprocessing.synchronize`."""
    if module.__name__ == "multiprocessing.synchronize":
        _adapt_semaphores(module)
        return
    renew = _renew_processes if module.__name__ == "multiprocessing.process" else _renew_finalizers
    before = [os.getpid()]
    park.parting.append(lambda: before.__setitem__(0, os.getpid()))
    park.going_on.append(lambda: renew(module, before[0]))


def _renew_processes(process: Any, before: int) -> None:
    """A process object is started, and asked, only in the process that made it."""
    for made in list(process._dangling):
        if made._parent_pid == before:
            made._parent_pid = os.getpid()


def _renew_finalizers(util: Any, before: int) -> None:
    """Finalizers run only in the process that made them, and the heap is made anew in any other."""
    for finalizer in list(util._finalizer_registry.values()):
        if finalizer._pid == before:
            finalizer._pid = os.getpid()
    heap = getattr(sys.modules.get("multiprocessing.heap"), "BufferWrapper", None)
    if heap is not None and heap._heap._lastpid == before:
        heap._heap._lastpid = os.getpid()


def _adapt_semaphores(synchronize: Any) -> None:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        api.brink(f"{synchronize.__file__}:{original.__code__.co_firstlineno}")
        if not barriers.changed:
            barriers.changed = "it made a lock that processes share"
        original(self, *args, **kwargs)

    original = replace(synchronize.SemLock, "__init__", __init__)
