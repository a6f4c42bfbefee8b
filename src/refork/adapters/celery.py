"""Celery: the deepest checkpoint of a worker stands before kombu opens the first poller for it."""

from __future__ import annotations

from refork.adapters.replace import replace
from refork.program import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt `kombu.utils.eventio`. No audit event tells that an epoll descriptor is made."""

    def poll(*args: Any, **kwargs: Any) -> Any:
        api.brink(f"{module.__file__}:{original.__code__.co_firstlineno}")
        return original(*args, **kwargs)

    original = replace(module, "poll", poll)
