"""gevent: its sockets are held like others, and no checkpoint is taken while it patches the standard library.

A fork in the midst of that would have `threading` take a half patched thread for another than the main one.
"""

from __future__ import annotations

from refork.adapters.replace import replace
from refork.program import freshness, sockets  # the former takes what it needs of `select` now
from refork.program.frames import hidden
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
        original = module.socket.accept
        accept = sockets.waiting_accept(original, freshness, _accept_once(original), _sleep)
        sockets.put(module.socket, "accept", accept)


def _sleep(seconds: float) -> None:
    import gevent

    gevent.sleep(seconds)


def _accept_once(original: Any) -> Any:
    """gevent's own tries again for ever while there is a connection that is none of ours."""

    @hidden
    def accept(self: Any) -> Any:
        if self.timeout is not None:
            return original(self)
        self.timeout = 0.0
        try:
            return original(self)
        except BlockingIOError:
            raise sockets.NotNow from None
        finally:
            self.timeout = None

    return accept


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
