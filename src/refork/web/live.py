"""Live reload: tells open pages, over one event stream a browser, what has changed.

It is the supervisor's own server on a port of its own, so it outlives every generation and never
keeps a program's shutdown waiting. A page reaches it by the script tag that the adapters inject, or
by one written by hand: `<script src="ORIGIN/client.js" async></script>`.

Who may connect: clients on this machine, naming it by a loopback Host (else a page whose name was
made to lead here could read paths), from pages of a loopback Origin.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from refork.web.deadline import within
from refork.web.history import History
from refork.web.http import (
    WRITE_SECONDS,
    Reader,
    Refused,
    Request,
    finish,
    plain,
    response,
    stream_head,
)
from refork.web.listener import Connection, Listener

LIMIT = 1024  # connections at a time
STREAMS = 768  # of which are event streams; the rest is left for the script
HEARTBEAT = 20.0  # seconds; finds out clients that are gone without a word
RETRY = 500  # milliseconds; asked of clients that reconnect by themselves
_CLIENT = Path(__file__).parent / "client.js"


class LiveReload:
    """The event stream and its client. One for the supervisor's life; its port never changes."""

    def __init__(self) -> None:
        self._history = History(secrets.token_hex(4))
        self._listener = Listener(self._answer, LIMIT)
        self._news = asyncio.Event()
        self._streams = 0
        self.origin = ""

    @property
    def streams(self) -> int:
        """How many event streams are open: about one for each browser and origin of its pages."""
        return self._streams

    async def start(self, port: int = 0, listening: socket.socket | None = None) -> str:
        """Listen on 127.0.0.1 (`port` 0: a free one), or by a socket that does so already.

        Returns the origin. Raises OSError.
        """
        with listening or socket.create_server(("127.0.0.1", port), backlog=128) as sock:
            self.origin = f"http://127.0.0.1:{sock.getsockname()[1]}"
            self._listener.open([sock])
        return self.origin

    def notify(self, kind: str, files: Sequence[str] = (), generation: int = 0) -> None:
        """Tell all pages. `kind` is one of

        - `ready`: `generation` answers now. Pages made by an earlier one reload.
        - `error`: `generation` did not start, and the error page answers. The same pages reload.
        - `css`, `image`: `files` changed; they are swapped in place.
        - `reload`: `files` changed that only a reload takes up (a template, a script).

        Pages that are not connected learn it when they are. Raises ValueError for another kind.
        """
        self._history.add(kind, files, generation)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def close(self) -> None:
        """Stop listening and end all streams at once."""
        await self._listener.close()

    async def _answer(self, connection: Connection) -> None:
        reader = Reader(connection)
        try:
            request = await reader.head()
        except Refused as refused:
            if refused.status is not None:
                await finish(
                    connection, plain(refused.status, "This is not a request for HTTP/1.1.")
                )
            return
        if request is None:
            return
        refusal = self._refusal(connection, request)
        if refusal is not None:
            await finish(connection, plain(*refusal, method=request.method))
        elif request.path == "/events":
            await self._stream(connection, request)
        else:
            await finish(connection, self._script(request))

    def _refusal(self, connection: Connection, request: Request) -> tuple[int, str] | None:
        if not (connection.is_local and request.is_for_loopback):
            return 403, "refork's live reload is for this machine only."
        if request.method not in ("GET", "HEAD"):
            return 405, "Only GET and HEAD."
        if request.path == "/client.js":
            return None
        if request.path != "/events":
            return 404, "There are /client.js and /events."
        if not request.is_from_loopback_page or request.method != "GET":
            return 403, "Only for pages of this machine."
        return (503, "Too many event streams.") if self._streams >= STREAMS else None

    def _script(self, request: Request) -> bytes:
        # The id of the last event is part of the script, so nothing is missed between loading it
        # and connecting.
        facts = json.dumps({"origin": self.origin, "since": self._history.id()})
        body = _CLIENT.read_text("utf-8").replace("__FACTS__", facts, 1)
        headers = [
            ("Content-Type", "text/javascript; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "cross-origin"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        return response(200, headers, body.encode(), method=request.method)

    async def _stream(self, connection: Connection, request: Request) -> None:
        self._streams += 1
        loop = asyncio.get_running_loop()
        gone = loop.create_task(_ended(connection))
        telling = loop.create_task(self._tell(connection, request))
        try:
            await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._streams -= 1
            gone.cancel()
            telling.cancel()
            await asyncio.gather(gone, telling, return_exceptions=True)
        if not telling.cancelled():
            telling.result()

    async def _tell(self, connection: Connection, request: Request) -> None:
        since = request.header("last-event-id") or request.query.get("since", "")
        await _write(connection, stream_head(_stream_headers(request)))
        await _write(connection, f"retry: {RETRY}\n\n".encode())
        number = 0
        events = self._history.greeting(since)
        while True:
            news = self._news
            for event in events:
                await _write(connection, self._history.encode(event))
                number = event.number
            events = self._history.after(number)
            if not events:
                await self._wait(connection, news)

    async def _wait(self, connection: Connection, news: asyncio.Event) -> None:
        try:
            await within(HEARTBEAT, news.wait())
        except (TimeoutError, asyncio.TimeoutError):
            await _write(connection, b":\n\n")


def _stream_headers(request: Request) -> list[tuple[str, str]]:
    headers = [
        ("Content-Type", "text/event-stream"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Vary", "Origin"),
    ]
    origin = request.header("origin")
    return [*headers, ("Access-Control-Allow-Origin", origin)] if origin else headers


async def _write(connection: Connection, data: bytes) -> None:
    """Send. Raises OSError if the client is gone or does not read; it may reconnect."""
    try:
        await within(WRITE_SECONDS, connection.write(data))
    except asyncio.TimeoutError:  # no OSError before Python 3.11
        raise TimeoutError("the client does not read") from None


async def _ended(connection: Connection) -> None:
    while await connection.read_some():
        pass
