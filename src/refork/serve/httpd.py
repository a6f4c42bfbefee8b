"""The servers behind `refork serve`: wsgiref's with threads for WSGI, uvicorn for ASGI.

What they add is a good end: on SIGTERM they stop accepting at once, finish the requests that run,
and wait for no event stream.
"""

from __future__ import annotations

import selectors
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from refork.adapters.streams import EndStreams, is_endless

IDLE_SECONDS = 0.25  # at the end, for connections that have sent no request yet
BUSY_SECONDS = 60.0  # at the end, for requests that run; the supervisor's grace is shorter
Address = tuple[str, int] | str  # host and port, or the path of a UNIX socket


class _Handler(WSGIRequestHandler):
    server: WSGIHttpd

    def parse_request(self) -> bool:
        self.server.begin()  # a request has come; until now the connection was idle
        return super().parse_request()

    def address_string(self) -> str:
        return str(self.client_address[0]) if self.client_address else "-"

    def get_environ(self) -> dict[str, Any]:
        if not self.client_address:  # a UNIX socket
            self.client_address = ("", 0)
        return super().get_environ()


class WSGIHttpd(ThreadingMixIn, WSGIServer):
    """A threaded WSGI server that ends without dropping a request. Raises OSError from `bind`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: Address, app: Callable[..., Iterable[bytes]]) -> None:
        self.address_family = _family(address)
        self._idle_or_busy = threading.Condition()
        self._open = 0
        self._busy = 0
        self._request = threading.local()
        self._is_stopping = False
        super().__init__(address, _Handler)  # type: ignore[arg-type]
        self.set_app(self._without_streams(app))

    def server_bind(self) -> None:
        # http.server's own looks up the host's full name, which may take seconds.
        if self.allow_reuse_address and self.address_family != getattr(socket, "AF_UNIX", None):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        name = self.server_address = self.socket.getsockname()
        is_tcp = isinstance(name, tuple)
        self.server_name, self.server_port = name[:2] if is_tcp else ("unix", 0)
        self.setup_environ()

    def serve_until_stopped(self) -> None:
        """Serve until `stop` is called, which a signal handler may do; then finish what runs."""
        self._wakeup, writer = socket.socketpair()
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        try:
            self._accept_until_stopped()
        finally:
            signal.set_wakeup_fd(before)
            self._wakeup.close()
            writer.close()
            self.socket.close()
        self._finish()

    def stop(self) -> None:
        """Accept nothing more. Safe in a signal handler, whose signal also wakes the loop."""
        self._is_stopping = True

    def _accept_until_stopped(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._wakeup, selectors.EVENT_READ)
            while not self._is_stopping:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wakeup in ready:
                    self._wakeup.recv(64)
                if self.socket in ready and not self._is_stopping:
                    self._handle_request_noblock()  # type: ignore[attr-defined]

    def _finish(self) -> None:
        now = time.monotonic()
        with self._idle_or_busy:
            self._idle_or_busy.wait_for(lambda: not self._open, IDLE_SECONDS)
            rest = BUSY_SECONDS - (time.monotonic() - now)
            self._idle_or_busy.wait_for(lambda: not self._busy, rest)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle_or_busy:
            self._open += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        self._request.is_busy = False
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.release()
            with self._idle_or_busy:
                self._open -= 1
                self._idle_or_busy.notify_all()

    def begin(self) -> None:
        """From here on the end waits for this thread's request."""
        self._request.is_busy = True
        with self._idle_or_busy:
            self._busy += 1

    def release(self) -> None:
        """The end need not wait for this thread's request any more."""
        if self._request.is_busy:
            self._request.is_busy = False
            with self._idle_or_busy:
                self._busy -= 1
                self._idle_or_busy.notify_all()

    def _without_streams(
        self, app: Callable[..., Iterable[bytes]]
    ) -> Callable[..., Iterable[bytes]]:
        def around(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                if is_endless(headers):
                    self.release()
                return start_response(status, headers, *rest)

            return app(environ, start)

        return around


def _family(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def serve_wsgi(app: Callable[..., Iterable[bytes]], address: Address) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises OSError if it cannot bind."""
    server = WSGIHttpd(address, app)
    code = 0

    def stop(number: int, _frame: object) -> None:
        nonlocal code
        code = 130 if number == signal.SIGINT else 0
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.serve_until_stopped()
    return code


def serve_asgi(app: Callable[..., Awaitable[None]], address: Address) -> int:
    """Serve with uvicorn until SIGTERM or SIGINT. Raises ImportError where uvicorn is missing."""
    import uvicorn

    streams = EndStreams(app)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            streams.end()
            await super().shutdown(sockets)

    where: dict[str, Any] = {"uds": address}
    if not isinstance(address, str):
        where = {"host": address[0], "port": address[1]}
    server = Server(uvicorn.Config(streams, interface="asgi3", **where))
    server.run()
    return 0 if server.started else 3
