"""The HTTP server that answers in the program's place while it does not start.

The hand-over, in both directions, loses no connection:

- `show` accepts on duplicates of the sockets the supervisor holds, so it begins with what waits in
  the backlog.
- `hide` is synchronous. When it returns, this page accepts nothing any more: what comes later waits
  in the backlog for the next generation.
- Of the connections that were accepted before, those whose request had arrived get their answer (an
  error that was true when it was asked). Those that had sent no complete head yet are passed on to
  the next generation, byte for byte (`relay`), so they are not answered by an error that is mended.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Sequence

from refork.web import page
from refork.web.http import Headers, Reader, Refused, Request, finish, plain, response
from refork.web.listener import Connection, Listener
from refork.web.problem import Problem
from refork.web.relay import relay

LIMIT = 256  # connections at a time; further ones wait in the backlog
BARE = "The program does not start. The reason is on refork's terminal."


class ErrorPage:
    """Shows a problem on the program's own addresses. One for the supervisor's life.

    `live_origin` is what `LiveReload.start` returned; None if live reload is off (an open page then
    asks its own address once a second).
    """

    def __init__(self, live_origin: str | None = None) -> None:
        self._live_origin = live_origin
        self._problem: Problem | None = None
        self._listener = Listener(self._answer, LIMIT)

    @property
    def is_shown(self) -> bool:
        return self._listener.is_open

    def show(self, problem: Problem, sockets: Sequence[socket.socket]) -> None:
        """Answer on duplicates of `sockets` (listening; AF_INET, AF_INET6, AF_UNIX) with `problem`.

        Call it again to show another problem. Needs a running selector event loop. Raises OSError
        if the sockets are not usable. Their O_NONBLOCK flag is changed, and put back by `hide`.
        """
        self._problem = problem
        self._listener.open(sockets)

    def hide(self) -> None:
        """Accept nothing more; see above for open connections. Without effect if hidden."""
        self._listener.shut()
        for connection in self._listener.connections:
            connection.wake()

    async def close(self) -> None:
        """Hide, and end every connection at once: for the supervisor's end."""
        await self._listener.close()

    async def _answer(self, connection: Connection) -> None:
        reader = Reader(connection)
        try:
            request = await reader.head(unless=lambda: connection.is_local and not self.is_shown)
        except Refused as refused:
            if refused.status is not None:
                await finish(
                    connection, plain(refused.status, "This is not a request for HTTP/1.1.")
                )
            return
        if request is not None:
            await finish(connection, self._page(connection, request))
        elif not reader.is_at_end:  # hidden meanwhile, and perhaps shown again since
            await relay(connection, bytes(reader.received))

    def _page(self, connection: Connection, request: Request) -> bytes:
        if self._problem is None or not (connection.is_local and request.is_for_loopback):
            return plain(503, BARE, [("Retry-After", "1")], method=request.method)
        return _render(self._problem, request, self._live_origin)


def _render(problem: Problem, request: Request, live_origin: str | None) -> bytes:
    nonce = secrets.token_urlsafe(16)
    headers: Headers = [
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Vary", "Accept"),
        ("X-Refork-Error", str(problem.generation)),
    ]
    kind = page.preferred(request.header("accept"))
    if kind == "html":
        is_repeatable = request.method in ("GET", "HEAD")
        body = page.as_html(problem, nonce, live_origin, is_repeatable=is_repeatable)
        headers = [*headers, ("Content-Security-Policy", page.policy(nonce, live_origin))]
    else:
        body = page.as_json(problem) if kind == "json" else page.as_text(problem)
    full = [("Content-Type", page.CONTENT_TYPES[kind]), *headers]
    return response(500, full, body.encode("utf-8", "replace"), method=request.method)
