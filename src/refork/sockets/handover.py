"""Connections that an old generation had accepted, and whose requests the next one answers.

A connection may be open, and its request come only after the save. It is neither answered by old
code nor cut: the old generation hands it over, with what it has read of it, and it is joined to a
new connection to the same address. That one waits in the backlog of the held socket like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

from refork.program.sockets import kept_name
from refork.web.deadline import within
from refork.web.http import LINGER_SECONDS
from refork.web.listener import Connection

RETRY = 0.01
"""Seconds between attempts to reach a UNIX socket: its backlog may be full, or its name away."""

BOUND = 3.0
"""Seconds that an address may be nobody's: the program binds another host, of which it is one, to the same port."""

REACH = 30.0
"""Seconds to reach the next generation's socket."""

MOST = 1024
"""Connections carried at a time: a client that opens more is cut off."""


class Handover:
    """All connections that are carried from one generation to the next."""

    def __init__(self) -> None:
        self._carried: dict[asyncio.Task[None], Carried] = {}
        self._holders = 0
        self._free = asyncio.Event()
        """Set while somebody is there who would keep what is carried to it."""
        self._free.set()

    def __len__(self) -> int:
        return len(self._carried)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Carry nothing any further meanwhile: a generation that is being replaced may still accept connections.

        It gives each one back at once, and would be given it again and again, each time with a port of its own.
        """
        self._holders += 1
        self._free.clear()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._free.set()

    def take(self, fd: int, received: bytes) -> None:
        """Carry a connection on, of which `received` was read; owns `fd`."""
        try:
            accepted = Connection(socket.socket(fileno=fd))
        except OSError:  # no socket, or reset meanwhile
            with contextlib.suppress(OSError):
                os.close(fd)
            return
        ours = self._ours(accepted)
        if ours is not None:
            ours.come_back(accepted, received)
            return
        if len(self._carried) >= MOST:
            accepted.close()
            return
        carried = Carried(accepted, received, self._free)
        task = asyncio.get_running_loop().create_task(carried.run())
        self._carried[task] = carried
        task.add_done_callback(self._ended)

    def _ours(self, accepted: Connection) -> Carried | None:
        """The connection whose other end this is, so that it is not carried twice."""
        peer = _name(accepted.sock.getpeername)
        found = (one for one in self._carried.values() if peer and one.name == peer)
        return next(found, None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._carried.pop(task).close()
        if not task.cancelled() and not isinstance(task.exception(), (OSError, type(None))):
            task.result()  # goes on to the loop's handler

    async def close(self) -> None:
        """End all at once."""
        tasks = list(self._carried)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Carried:
    """One client's connection, and the one to the generation that serves it now."""

    def __init__(self, client: Connection, received: bytes, free: asyncio.Event) -> None:
        self._client = client
        self._free = free
        self._address = client.sock.getsockname()
        self._received = received
        self._server: Connection | None = None
        self._back: Connection | None = None
        """The serving generation's end, when that generation has given it back."""
        self._returned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.name: object = None
        """The name of our end towards the generation."""

    def come_back(self, accepted: Connection, received: bytes) -> None:
        """The generation that served has handed its end back: the next one will serve.

        It may have done so before we have sent it anything: that is still to be sent then.
        """
        self._back, self._received = accepted, received + self._received
        self._returned.set_result(None)
        self._client.wake()

    async def run(self) -> None:
        """Copy until both sides have ended. An OSError means that one of them is gone."""
        is_served = False
        while not is_served:
            await self._free.wait()
            server = self._server = Connection(await self._connect())
            received, self._received = self._received, b""
            await server.write(received)
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(self._ask(server)), loop.create_task(self._answer(server))]
            try:
                is_served = await self._serve(server, *tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            server.close()

    async def _serve(
        self, server: Connection, asking: asyncio.Task[None], answering: asyncio.Task[None]
    ) -> bool:
        """Return whether it is over; False when the generation has given the connection back."""
        await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            await asking
            await asyncio.wait({answering, self._returned}, return_when=asyncio.FIRST_COMPLETED)
        if self._back is not None:
            await asking
            await self._recover(server, self._back)
            await answering
            self._back = None
            self._returned = asyncio.get_running_loop().create_future()
            return False
        await answering
        await asyncio.wait({asking}, timeout=LINGER_SECONDS)
        return True

    async def _ask(self, server: Connection) -> None:
        """Copy what the client sends, until it ends or the generation gives the connection back."""
        while self._back is None:
            data = self._client.read()
            if data is None:
                await self._client.wait()
            elif data:
                await server.write(data)
            else:
                server.end_output()
                return

    async def _answer(self, server: Connection) -> None:
        while data := await server.read_some():
            await self._client.write(data)
        if self._back is None:
            self._client.end_output()

    async def _recover(self, server: Connection, back: Connection) -> None:
        """Take back what the old generation was sent and has not read; then end that connection."""
        server.end_output()
        while data := await back.read_some():
            self._received += data
        back.close()

    async def _connect(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        until = loop.time() + BOUND
        while True:
            made = socket.socket(self._client.sock.family, self._client.sock.type)
            made.setblocking(False)
            try:
                await within(REACH, self._reach(made))
                return made
            except ConnectionRefusedError:
                made.close()
                if loop.time() > until:
                    raise
            except BaseException:
                made.close()
                raise
            await asyncio.sleep(RETRY)

    async def _reach(self, made: socket.socket) -> None:
        # The name comes before the connection: that may be handed back before we hear that it stands.
        if made.family != socket.AF_UNIX:
            made.bind((self._address[0], 0))
            self.name = _name(made.getsockname)
            await asyncio.get_running_loop().sock_connect(made, self._address)
            return
        made.bind("")  # a name of its own, chosen by the kernel (unix(7), autobind)
        self.name = _name(made.getsockname)
        while True:
            try:
                made.connect(_way_to(self._address))
                return
            except (BlockingIOError, FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(RETRY)

    def close(self) -> None:
        for one in (self._client, self._server, self._back):
            if one is not None:
                one.close()


def _way_to(address: str | bytes) -> str | bytes:
    """A path at which a UNIX socket is found even while its server has removed its name."""
    if not address or address[:1] in ("\0", b"\0"):
        return address
    kept = kept_name(os.path.abspath(os.fsdecode(address)))
    return kept if os.path.lexists(kept) else address


def _name(ask: object) -> object:
    try:
        return ask()  # type: ignore[operator]
    except OSError:
        return None  # it is not connected any more
