"""gevent: its sockets are held like others, and no checkpoint is taken while it patches the standard library.

A fork in the midst of that would have `threading` take a half patched thread for another than the main one.
"""

from __future__ import annotations

import refork.program.freshness  # noqa: F401 - it takes what it needs of the standard library now
from refork.adapters.replace import replace
from refork.program import sockets
from refork.program.ladder import ladder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt `gevent.monkey`, or `gevent._socket3`, whose sockets wrap one of a class of their own."""
    if module.__name__ == "gevent.monkey":
        for name in dir(module):
            if name.startswith("patch_"):
                _adapt_patching(module, name)
    else:
        sockets.hold_class(module._wrefsocket, "_accept")


def _adapt_patching(module: Any, name: str) -> None:
    def patch(*args: Any, **kwargs: Any) -> Any:
        start = ladder.start
        if start is None or not start.forks:
            return original(*args, **kwargs)
        start.forks = False
        try:
            return original(*args, **kwargs)
        finally:
            start.forks = True

    original = replace(module, name, patch)
