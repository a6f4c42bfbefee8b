"""aiohttp: a request that was sent after a save goes to the next generation, and streams end."""

from __future__ import annotations

import weakref

from refork.adapters.protocols import Connections
from refork.adapters.replace import replace
from refork.adapters.serving import is_endless
from refork.program.freshness import RETIRED, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _is_idle(protocol: Any) -> bool:
    """Whether a protocol has no request to answer, and none that still arrives.

    One that cannot tell, because a version names things differently, is never idle.
    """
    unknown = object()
    upgraded = getattr(protocol, "_upgraded", getattr(protocol, "_upgrade", unknown))
    return (
        getattr(protocol, "_current_request", unknown) is None
        and getattr(protocol, "_payload_parser", unknown) is None
        and not getattr(protocol, "_messages", unknown)
        and not upgraded
    )


connections = Connections(_is_idle)


streams: weakref.WeakSet[Any] = weakref.WeakSet()
"""Tasks that answer with an event stream or a WebSocket."""


def adapt(module: Any) -> None:
    """Adapt `aiohttp.web_protocol`, `aiohttp.web_response` or `aiohttp.web_server`."""
    if module.__name__ == "aiohttp.web_protocol":
        connections.watch(module.RequestHandler)
    elif module.__name__ == "aiohttp.web_response":
        _adapt_responses(module.StreamResponse)
    elif hasattr(module.Server, "pre_shutdown"):
        _adapt_server(module.Server)


def _adapt_responses(response: Any) -> None:
    async def prepare(self: Any, request: Any) -> Any:
        if self.status == SWITCHING or is_endless(self.headers.get("Content-Type", "")):
            streams.add(request.task)
            if state() == RETIRED:
                request.task.cancel()
        return await original(self, request)

    original = replace(response, "prepare", prepare)


SWITCHING = 101
"""The status of an answer after which the connection is a WebSocket."""


def _adapt_server(server: Any) -> None:
    def pre_shutdown(self: Any) -> None:
        if state() == RETIRED:
            connections.pass_on_idle(self.connections)
            for task in list(streams):
                task.cancel()
        original(self)

    original = replace(server, "pre_shutdown", pre_shutdown)
