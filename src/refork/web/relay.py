"""Passing a connection on to the next generation, byte for byte.

A browser opens connections ahead of its requests. One that the error page has accepted and that has
sent no request yet when the page closes must neither be dropped nor be told of an error that is
mended. So it is joined to a new connection to the same address, which waits in the backlog like any
other until the new generation accepts it.
"""

from __future__ import annotations

import asyncio
import socket

from refork.web.deadline import within
from refork.web.listener import CHUNK, Connection

RETRY = 0.02  # seconds; a UNIX socket's full backlog cannot be waited for otherwise
CONNECT_SECONDS = 30.0


async def relay(client: Connection, received: bytes) -> None:
    """Join `client` to its own address, beginning with `received`; return when both sides ended.

    Raises OSError if nothing listens there any more.
    """
    server = await _connect(client.sock)
    loop = asyncio.get_running_loop()
    directions = [
        loop.create_task(_copy(client.sock, server, received)),
        loop.create_task(_copy(server, client.sock, b"")),
    ]
    try:
        await asyncio.gather(*directions)
    finally:
        for direction in directions:
            direction.cancel()
        # Only then are both sockets out of the loop, and may be closed.
        await asyncio.gather(*directions, return_exceptions=True)
        server.close()


async def _connect(client: socket.socket) -> socket.socket:
    server = socket.socket(client.family, client.type)
    server.setblocking(False)
    try:
        await within(CONNECT_SECONDS, _reach(server, client.getsockname()))
    except BaseException:
        server.close()
        raise
    return server


async def _reach(server: socket.socket, address: object) -> None:
    loop = asyncio.get_running_loop()
    if server.family != getattr(socket, "AF_UNIX", None):
        await loop.sock_connect(server, address)  # type: ignore[arg-type]
        return
    while True:
        try:
            server.connect(address)  # type: ignore[arg-type]
            return
        except BlockingIOError:
            await asyncio.sleep(RETRY)


async def _copy(source: socket.socket, target: socket.socket, first: bytes) -> None:
    """Copy until the source ends, then end the target's input: half-closed connections stay so."""
    loop = asyncio.get_running_loop()
    data = first or await loop.sock_recv(source, CHUNK)
    while data:
        await loop.sock_sendall(target, data)
        data = await loop.sock_recv(source, CHUNK)
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # gone already
