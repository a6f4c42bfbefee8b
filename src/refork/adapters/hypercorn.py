"""hypercorn: the application runs in the program itself, where what it loads is seen, and refork
reloads. A request that was sent after a save goes to the next generation.
"""

from __future__ import annotations

import weakref
from time import monotonic

from refork.adapters import wrap
from refork.adapters.passing import give
from refork.adapters.replace import replace
from refork.program import api, freshness
from refork.program.freshness import PATIENCE, PENDING, RETIRED, STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt the module of hypercorn's that has loaded."""
    ADAPT[module.__name__](module)


def _adapt_run(module: Any) -> None:
    """A worker needs no process of its own: hypercorn spawns fresh interpreters, whose files nobody sees."""

    def run(config: Any, *args: Any, **kwargs: Any) -> Any:
        if config.use_reloader:
            api.follow()
            config.use_reloader = False
        if config.workers > 1:
            api.say("hypercorn runs one worker while refork reloads it")
        config.workers = 0
        # before there are sockets, of which no checkpoint is taken; hypercorn finds it loaded
        module.load_application(config.application_path, config.wsgi_max_body_size)
        return original(config, *args, **kwargs)

    original = replace(module, "run", run)


# Connections --------------------------------------------------------------------------------------


servers: weakref.WeakSet[Any] = weakref.WeakSet()
"""What serves one connection each; hypercorn calls it `TCPServer`."""


def _adapt_connections(module: Any) -> None:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.reader = Gate(self, self.reader)
        servers.add(self)

    original = replace(module.TCPServer, "__init__", __init__)


class Gate:
    """The reader of a connection; lets a request in only if this generation is to answer it."""

    def __init__(self, server: Any, reader: Any) -> None:
        self._server = server
        self._reader = reader
        self.held = b""
        """What has been read while it was not known who answers it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def read(self, n: int = -1) -> Any:
        """As of `asyncio.StreamReader`; b"" when the next generation has the connection."""
        data = await self._reader.read(n)
        if not data or not is_idle(self._server):
            return data
        self.held = data
        if not await _is_settled():
            hand_over(self._server)
        data, self.held = self.held, b""
        return data


async def _is_settled() -> bool:
    import asyncio

    deadline = monotonic() + PATIENCE
    while freshness.state() == PENDING and monotonic() < deadline:
        await asyncio.sleep(STEP)
    return freshness.state() != RETIRED


def is_idle(server: Any) -> bool:
    """Whether a connection has no request whose head has arrived; only HTTP/1 can be handed over."""
    protocol: Any = getattr(getattr(server, "protocol", None), "protocol", None)
    connection = getattr(protocol, "connection", None)
    return (
        type(protocol).__name__ == "H11Protocol"
        and protocol.stream is None
        and str(getattr(connection, "their_state", None)) == "IDLE"
    )


def hand_over(server: Any) -> None:
    """Give an idle connection to the next generation, with all that was read of it, if that can be."""
    transport = server.writer.transport
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing() or transport.get_extra_info("sslcontext"):
        return
    begun, _is_ended = server.protocol.protocol.connection.trailing_data
    waiting = bytes(server.reader._buffer)  # taken from the socket, and not read yet
    give(sock.fileno(), begun + server.reader.held + waiting)
    server.reader.held = b""
    transport.abort()  # closes our descriptor; the connection stays with whoever has it now


def _adapt_stop(module: Any) -> None:
    async def raise_shutdown(*args: Any, **kwargs: Any) -> None:
        try:
            await original(*args, **kwargs)
        except module.ShutdownError:
            if freshness.state() == RETIRED:
                await _leave()
            raise

    original = replace(module, "raise_shutdown", raise_shutdown)


async def _leave() -> None:
    """Give away what has no request yet, and end what has no end, before hypercorn closes both."""
    import asyncio

    for _turn in range(TURNS):
        await asyncio.sleep(0)
    for server in list(servers):
        if is_idle(server):
            hand_over(server)
    wrap.end_streams()


TURNS = 20
"""Rounds of the loop after which all that had been accepted is in `servers`: asyncio takes a handful."""


ADAPT = {
    "hypercorn.asyncio.run": _adapt_stop,
    "hypercorn.asyncio.tcp_server": _adapt_connections,
    "hypercorn.run": _adapt_run,
}
