"""uvloop listens and accepts by native code, which refork does not see."""

from __future__ import annotations

from refork.adapters.ending import Ending
from refork.adapters.passing import give
from refork.adapters.replace import replace
from refork.program import sockets
from refork.program.freshness import settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt `uvloop`."""
    for name in ("create_server", "create_unix_server"):
        _adapt_servers(module.Loop, name)


def _adapt_servers(loop: Any, name: str) -> None:
    async def create(self: Any, factory: Any, *args: Any, **kwargs: Any) -> Any:
        guarded = factory if kwargs.get("ssl") else _guarded(factory)
        server = await original(self, guarded, *args, **kwargs)
        if kwargs.get("start_serving", True):
            for sock in server.sockets:
                sockets.listens(sock)
            farewell.loops.append(self)
            farewell.ending.stand(only_where_it_kills=True)
        return server

    original = replace(loop, name, create)


class Farewell:
    """Some rounds of the loop before SIGTERM ends the program: what has been accepted is given away."""

    def __init__(self) -> None:
        self.loops: list[Any] = []
        self.ending = Ending(self._begin)

    def _begin(self) -> None:
        self.loops[-1].call_soon_threadsafe(self._turn, TURNS)

    def _turn(self, left: int) -> None:
        if left:
            self.loops[-1].call_soon(self._turn, left - 1)
        else:
            self.ending.go_on()


TURNS = 20

farewell = Farewell()


def _guarded(factory: Callable[[], Any]) -> Callable[[], Any]:
    """Protocols that are given no connection which came after the save: what `accept` does elsewhere."""

    def make() -> Any:
        protocol = factory()
        original = protocol.connection_made

        def connection_made(transport: Any) -> None:
            if settled():
                original(transport)
                return
            protocol.connection_lost = _nothing  # it has never heard of it
            give(transport.get_extra_info("socket").fileno(), b"")
            transport.abort()

        try:
            protocol.connection_made = connection_made
        except AttributeError:  # it has slots
            pass
        return protocol

    return make


def _nothing(*_args: Any) -> None:
    """In the place of a method."""
