"""Connections of asyncio servers (uvicorn, aiohttp): what `serving` does for servers with threads.

A protocol is idle when it has no request to answer. What then comes to it is looked at before the
server sees it: a request that was sent after a save goes to the next generation, with the bytes
that were read of it.
"""

from __future__ import annotations

from refork.adapters.passing import give
from refork.adapters.replace import replace
from refork.program import freshness
from refork.program.freshness import OPEN, PATIENCE, PENDING, RETIRED, STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

LONGEST = 65_536
"""Bytes of an incomplete head that are kept: no server takes longer ones."""


class Connections:
    """The protocols of one class, each with what it has read of a request that is not complete."""

    def __init__(self, is_idle: Callable[[Any], bool]) -> None:
        self.is_idle = is_idle
        self._heads: dict[Any, bytes] = {}
        self._transports: dict[Any, Any] = {}
        self._held: dict[Any, list[bytes]] = {}

    def watch(self, protocol: Any) -> None:
        """Look at what comes to instances of this class of asyncio protocols."""
        made = replace(protocol, "connection_made", self._made(protocol.connection_made))
        received = replace(protocol, "data_received", self._received(protocol.data_received))
        lost = replace(protocol, "connection_lost", self._lost(protocol.connection_lost))
        del made, received, lost

    def _made(self, original: Any) -> Any:
        def connection_made(protocol: Any, transport: Any) -> None:
            self._transports[protocol] = transport
            self._heads[protocol] = b""
            original(protocol, transport)
            if freshness.state() == RETIRED:
                self.pass_on(protocol, b"")

        return connection_made

    def _lost(self, original: Any) -> Any:
        def connection_lost(protocol: Any, *args: Any) -> None:
            for table in (self._transports, self._heads, self._held):
                table.pop(protocol, None)
            original(protocol, *args)

        return connection_lost

    def _received(self, original: Any) -> Any:
        def data_received(protocol: Any, data: bytes) -> None:
            if protocol in self._held:
                self._held[protocol].append(data)
            elif not self.is_idle(protocol):
                original(protocol, data)
            elif self._heads.get(protocol):
                self._let_in(protocol, data, original)
            else:
                self._first(protocol, data, original)

        return data_received

    def _first(self, protocol: Any, data: bytes, original: Any) -> None:
        """A request begins: is it ours to answer?"""
        now = freshness.state()
        if now == OPEN:
            self._let_in(protocol, data, original)
        elif now == PENDING and protocol in self._transports:
            self._held[protocol] = [data]
            loop = _loop()
            self._look_again(protocol, original, loop, loop.time() + PATIENCE)
        elif not self.pass_on(protocol, data):
            self._let_in(protocol, data, original)

    def _look_again(self, protocol: Any, original: Any, loop: Any, deadline: float) -> None:
        if protocol not in self._held:
            return  # lost meanwhile
        now = freshness.state()
        if now == PENDING and loop.time() < deadline:
            loop.call_later(STEP, self._look_again, protocol, original, loop, deadline)
            return
        data = b"".join(self._held.pop(protocol))
        if now != RETIRED or not self.pass_on(protocol, data):
            self._let_in(protocol, data, original)

    def _let_in(self, protocol: Any, data: bytes, original: Any) -> None:
        head = self._heads.get(protocol, b"") + data
        self._heads[protocol] = head[:LONGEST]
        original(protocol, data)
        if protocol in self._heads and not self.is_idle(protocol):
            self._heads[protocol] = b""

    def pass_on(self, protocol: Any, received: bytes) -> bool:
        """Give away a connection of which `received` was read; return whether that was possible."""
        transport = self._transports.get(protocol)
        if transport is None or transport.is_closing():
            return False
        sock = transport.get_extra_info("socket")
        if sock is None or transport.get_extra_info("sslcontext") is not None:
            return False
        give(sock.fileno(), received)
        transport.abort()  # closes our descriptor; the connection stays with whoever has it now
        return True

    def pass_on_idle(self, protocols: Iterable[Any]) -> None:
        """Give all connections away that have no complete request."""
        for protocol in list(protocols):
            if protocol in self._transports and self.is_idle(protocol):
                held = b"".join(self._held.pop(protocol, []))
                self.pass_on(protocol, self._heads.get(protocol, b"") + held)


def _loop() -> Any:
    import asyncio

    return asyncio.get_running_loop()
