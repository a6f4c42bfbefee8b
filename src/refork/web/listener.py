"""Accepting connections on listening sockets, so that none is ever lost between two owners.

asyncio's own servers do not fit: they accept ahead of the handler, and closing one may drop what it
has accepted. Here a connection is accepted in a reader callback of the loop and nowhere else, so
once `shut` has returned nothing more is taken from the backlog.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence

from refork.adapters.loopback import is_loopback_address

CHUNK = 65_536
ACCEPTS_A_TURN = 64  # so that a flood does not keep the loop from its other work
REST = 0.25  # seconds without accepting after the process ran out of descriptors


class Connection:
    """One accepted connection. Reading is `wait`, then `read`: a cancelled wait loses no byte."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.is_local = _is_local(sock)
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Return when something can be read (an end counts), or `wake` is called."""
        self._news = self._loop.create_future()
        self._loop.add_reader(self.sock, self.wake)
        try:
            await self._news
        finally:
            self._loop.remove_reader(self.sock)
            self._news = None

    def wake(self) -> None:
        """Let `wait` return, whether or not there is something to read."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def read(self) -> bytes | None:
        """What waits to be read; b"" at the end, also after a reset; None if nothing waits."""
        try:
            return self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    async def read_some(self) -> bytes:
        """Wait for the next bytes; b"" at the end."""
        while (data := self.read()) is None:
            await self.wait()
        return data

    async def write(self, data: bytes) -> None:
        """Send all of `data`. Raises OSError if the client is gone."""
        await self._loop.sock_sendall(self.sock, data)

    def end_output(self) -> None:
        """Tell the client that nothing more comes; reading goes on."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was quicker

    def close(self) -> None:
        self.sock.close()


class _Door:
    """A duplicate of a listening socket, and the blocking mode its other owners had chosen.

    O_NONBLOCK belongs to the open file description, so to the program's socket as well: a server
    with a blocking accept would find its socket changed, were it not put back.
    """

    def __init__(self, held: socket.socket) -> None:
        self._was_blocking = os.get_blocking(held.fileno())
        self.sock = held.dup()
        self.sock.setblocking(False)

    def close(self) -> None:
        os.set_blocking(self.sock.fileno(), self._was_blocking)
        self.sock.close()


class Listener:
    """Accepts on listening sockets; runs `handle` for each connection, at most `limit` at a time.

    Further connections stay in the backlog until one has ended. `handle` need not close the
    connection. An OSError from it means that the client is gone, and is no event.
    """

    def __init__(self, handle: Callable[[Connection], Awaitable[None]], limit: int) -> None:
        self._handle = handle
        self._limit = limit
        self._doors: list[_Door] = []
        self._accepting = False
        self._rest: asyncio.TimerHandle | None = None
        self._tasks: dict[asyncio.Task[None], Connection] = {}

    @property
    def connections(self) -> list[Connection]:
        """The connections that are open."""
        return list(self._tasks.values())

    @property
    def is_open(self) -> bool:
        return bool(self._doors)

    def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept on duplicates of `sockets`, all listening. Needs a running selector loop."""
        self.shut()
        self._doors = [_Door(sock) for sock in sockets]
        self._set_accepting()

    def shut(self) -> None:
        """Accept nothing more, from now on; open connections go on."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        doors, self._doors = self._doors, []
        if self._accepting:
            for door in doors:
                asyncio.get_running_loop().remove_reader(door.sock)
        self._accepting = False
        for door in doors:
            door.close()

    async def close(self) -> None:
        """Shut, and end all connections at once."""
        self.shut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _set_accepting(self) -> None:
        wanted = bool(self._doors) and len(self._tasks) < self._limit and self._rest is None
        if wanted == self._accepting:
            return
        loop = asyncio.get_running_loop()
        for door in self._doors:
            if wanted:
                loop.add_reader(door.sock, self._accept, door)
            else:
                loop.remove_reader(door.sock)
        self._accepting = wanted

    def _accept(self, door: _Door) -> None:
        for _ in range(min(ACCEPTS_A_TURN, self._limit - len(self._tasks))):
            try:
                sock, _peer = door.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError:  # no descriptors left: look again later, as the backlog stays readable
                self._rest = asyncio.get_running_loop().call_later(REST, self._rested)
                break
            self._start(Connection(sock))
        self._set_accepting()

    def _rested(self) -> None:
        self._rest = None
        self._set_accepting()

    def _start(self, connection: Connection) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks[task] = connection
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Also here: a task that is cancelled before its first step never reaches its `finally`.
        self._tasks.pop(task).close()
        self._set_accepting()

    async def _serve(self, connection: Connection) -> None:
        try:
            await self._handle(connection)
        except OSError:
            pass  # reset by the client, or it does not read: there is nobody to tell


def _is_local(sock: socket.socket) -> bool:
    """True if the client is on this machine and, over a UNIX socket, the same user."""
    try:
        if sock.family != getattr(socket, "AF_UNIX", None):
            return is_loopback_address(str(sock.getpeername()[0]))
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("3i", credentials)[1]) in (0, os.getuid())
    except AttributeError:  # no SO_PEERCRED (macOS): the socket file's permissions have to do
        return True
    except OSError:
        return False  # gone already
