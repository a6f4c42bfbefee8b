"""An event loop in a thread, for servers that a test talks to as a client would."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

TIMEOUT = 15.0


class Stage:
    """Runs functions and coroutines on its loop; what they return or raise comes back."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.faults: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.faults.append(str(context)))
        self._thread = threading.Thread(target=self.loop.run_forever, name="stage")
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(TIMEOUT)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        async def calling() -> T:
            return function(*args)

        return self.run(calling())

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(TIMEOUT)
        self.loop.close()


def exchange(address: tuple[str, int] | str, request: bytes, *, ends: bool = False) -> bytes:
    """Send bytes on a new connection and return all that comes back until its end."""
    with connect(address) as sock:
        sock.sendall(request)
        if ends:
            sock.shutdown(socket.SHUT_WR)
        return rest_of(sock)


def connect(address: tuple[str, int] | str) -> socket.socket:
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(TIMEOUT)
        sock.connect(address)
        return sock
    return socket.create_connection(address, TIMEOUT)


def rest_of(sock: socket.socket) -> bytes:
    """All that comes until the other side ends. Raises ConnectionResetError as the kernel does."""
    data = b""
    while chunk := sock.recv(65_536):
        data += chunk
    return data


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def headers_of(answer: bytes) -> dict[str, str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.lower(): value.strip() for name, _, value in pairs}


def body_of(answer: bytes) -> str:
    return answer.partition(b"\r\n\r\n")[2].decode()


def get(path: str = "/", *headers: str, host: str = "127.0.0.1", method: str = "GET") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()
