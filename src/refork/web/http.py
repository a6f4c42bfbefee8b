"""HTTP/1.1 as far as one request and one answer go; the protocol itself is h11's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

import h11

from refork.adapters.loopback import is_loopback_host, is_loopback_origin, was_forwarded
from refork.web.deadline import within
from refork.web.listener import Connection

MAX_HEAD = 32_768  # bytes of request line and headers
HEAD_SECONDS = 5.0  # for all of the head, however it trickles in
WRITE_SECONDS = 5.0
LINGER_SECONDS = 5.0
Headers = Sequence[tuple[str, str]]

_LOOKS_LIKE_HTTP = re.compile(rb"[A-Za-z]{1,20} ")


@dataclass(frozen=True)
class Request:
    """The head of a request. Header names are in lower case."""

    method: str
    target: str
    http_version: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """All values of a header, comma-joined; empty if there is none."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        fields = parse_qs(self.target.partition("?")[2], max_num_fields=20)
        return {name: values[-1] for name, values in fields.items()}

    @property
    def is_for_loopback(self) -> bool:
        """True if Host and the forwarding headers are those of a client on this machine.

        Host is what tells a page of ours from one whose name was made to lead here (DNS rebinding).
        HTTP/1.0 may have none; no browser speaks that.
        """
        host = self.header("host")
        is_ours = is_loopback_host(host) if host else self.http_version == "1.0"
        return is_ours and not was_forwarded(self.headers)

    @property
    def is_from_loopback_page(self) -> bool:
        """True if no page but one of this machine can have sent it (Origin, Sec-Fetch-Site)."""
        origin = self.header("origin")
        if origin:
            return is_loopback_origin(origin)
        return self.header("sec-fetch-site") in ("", "none", "same-origin", "same-site")


class Refused(Exception):
    """What came is no request that can be answered. `status` is None if it is not HTTP at all."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


class Reader:
    """Reads the head of one request; `received` are the very bytes that came so far."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.received = bytearray()
        self.is_at_end = False  # the client has left
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    async def head(self, unless: Callable[[], bool] = lambda: False) -> Request | None:
        """The request; None if the client left first, or `unless` became true while waiting.

        Raises Refused for what is no request, is too long, or takes too long.
        """
        try:
            return await within(HEAD_SECONDS, self._head(unless))
        except (TimeoutError, asyncio.TimeoutError):  # two types before Python 3.11
            raise Refused(408 if self.received else None) from None

    async def _head(self, unless: Callable[[], bool]) -> Request | None:
        while not unless():
            data = self.connection.read()
            if data is None:
                await self.connection.wait()
            elif not data:
                self.is_at_end = True
                return None
            elif (request := self._feed(data)) is not None:
                return request
        return None

    def _feed(self, data: bytes) -> Request | None:
        self.received += data
        try:
            self._h11.receive_data(data)
            event = self._h11.next_event()
        except h11.RemoteProtocolError as error:
            is_http = _LOOKS_LIKE_HTTP.match(self.received)
            raise Refused(error.error_status_hint if is_http else None) from error
        return _request(event) if isinstance(event, h11.Request) else None


def _request(event: h11.Request) -> Request:
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
    )
    return Request(
        event.method.decode("latin-1"),
        event.target.decode("latin-1"),
        event.http_version.decode("latin-1"),
        headers,
    )


def response(status: int, headers: Headers, body: bytes, *, method: str = "GET") -> bytes:
    """The bytes of a whole answer that ends its connection; without its body for HEAD."""
    protocol = h11.Connection(h11.SERVER)
    full = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
    head = protocol.send(h11.Response(status_code=status, headers=full, reason=_reason(status)))
    return (head or b"") + (b"" if method == "HEAD" else body)


def stream_head(headers: Headers) -> bytes:
    """The bytes that begin an endless answer, which only the end of the connection ends."""
    # A protocol that has seen no request frames as for HTTP/1.0: the end of the connection ends it.
    protocol = h11.Connection(h11.SERVER)
    full = [*headers, ("Connection", "close")]
    return protocol.send(h11.Response(status_code=200, headers=full, reason=b"OK")) or b""


def plain(status: int, text: str, headers: Headers = (), *, method: str = "GET") -> bytes:
    """A short answer in plain text."""
    full = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"), *headers]
    return response(status, full, f"{text}\n".encode(), method=method)


def _reason(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode()


async def finish(connection: Connection, answer: bytes) -> None:
    """Send `answer`, end the output, and read on until the client ends too.

    To close with bytes unread would reset the connection, and the client would lose the answer
    (RFC 9112, 9.6). Bounded by time; what is read is dropped. Raises OSError if the client is gone.
    """
    try:
        await within(WRITE_SECONDS, connection.write(answer))
        connection.end_output()
        await within(LINGER_SECONDS, _drain(connection))
    except (TimeoutError, asyncio.TimeoutError):
        pass  # it had its time


async def _drain(connection: Connection) -> None:
    while await connection.read_some():
        # A client on this machine can send without a pause; others have to get their turn.
        await asyncio.sleep(0)
