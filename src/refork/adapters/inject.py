"""Middleware that adds the live-reload script to the pages of a WSGI, ASGI or Django program.

Each takes the origin from REFORK_LIVE at each request, and is a plain pass-through without it, and
for whatever is not an HTML page for a browser on this machine (`insert.Page`).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any

from refork.adapters.insert import REMOVED_FROM_REQUEST, Headers, Insert, Page
from refork.program import freshness
from refork.program.frames import hidden

Environ = dict[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Write = Callable[[bytes], object]

_REMOVED_KEYS = tuple("HTTP_" + name.upper().replace("-", "_") for name in REMOVED_FROM_REQUEST)
# Ways for an ASGI program to have a file sent whose bytes this would never see.
_UNSEEN = ("http.response.pathsend", "http.response.zerocopysend")


class WSGIInject:
    """A WSGI application (PEP 3333) around another one."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    @hidden
    def __call__(self, environ: Environ, start_response: Callable[..., Write]) -> Iterable[bytes]:
        page = _page_of(environ)
        if mark := _mark():
            start_response = _marking(start_response, mark)
        if page is None:
            return self.app(environ, start_response)
        for key in _REMOVED_KEYS:
            environ.pop(key, None)
        answer = _Answer(page, start_response)
        return answer.body(self.app(environ, answer.start))


def _mark() -> tuple[str, str] | None:
    """The header of a last good generation's answers; None while there is a better one."""
    if not os.environ.get("REFORK_LAST_GOOD") or not freshness.stands_in():
        return None
    return "X-Refork", f"last-good generation={os.environ.get('REFORK_GENERATION', '')}"


def _marking(start_response: Callable[..., Write], mark: tuple[str, str]) -> Callable[..., Write]:
    @hidden
    def start(status: str, headers: Headers, *exc_info: Any) -> Write:
        return start_response(status, [*headers, mark], *exc_info)

    return start


def _marking_send(send: Send, mark: tuple[str, str]) -> Send:
    encoded = (mark[0].lower().encode(), mark[1].encode())

    @hidden
    def marking(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), encoded]}
        return send(message)

    return marking


class _Answer:
    """One answer of a WSGI application; it may start only when its body is iterated."""

    def __init__(self, page: Page, start_response: Callable[..., Write]) -> None:
        self._page = page
        self._start_response = start_response
        self._is_started = False
        self.insert: Insert | None = None

    def start(self, status: str, headers: Headers, *exc_info: Any) -> Write:
        self._is_started = True
        insert, headers = self._page.begin(int(status[:3]), headers)
        self.insert = insert
        write = self._start_response(status, headers, *exc_info)
        return write if insert is None else lambda data: write(insert.feed(data))

    def body(self, result: Iterable[bytes]) -> Iterable[bytes]:
        if self._is_started and self.insert is None:
            return result
        if self._is_started and self.insert is not None and type(result) in (list, tuple):
            # Stays a list of as many chunks: servers take the length of a single one from it.
            chunks = [self.insert.feed(chunk) for chunk in result]
            tail = self.insert.end()
            return [*chunks[:-1], chunks[-1] + tail] if chunks else [tail]
        return _Body(self, result)


class _Body:
    """A WSGI body, chunk for chunk, and one more at the end."""

    def __init__(self, answer: _Answer, result: Iterable[bytes]) -> None:
        self._answer = answer
        self._result = result
        self._chunks = iter(result)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            tail = self._answer.insert.end() if self._answer.insert else b""
            if not tail:
                raise
            return tail
        return self._answer.insert.feed(chunk) if self._answer.insert else chunk

    def close(self) -> None:
        close = getattr(self._result, "close", None)
        if close is not None:
            close()


class ASGIInject:
    """An ASGI 3 application around another one."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await self.call(scope, receive, send)

    @hidden
    def call(self, scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        """The application, with no frame of its own in the tracebacks of what fails in it."""
        page = _page_of_scope(scope) if scope["type"] == "http" else None
        if scope["type"] == "http" and (mark := _mark()):
            send = _marking_send(send, mark)
        if page is None:
            return self.app(scope, receive, send)
        return self.app(_seen_scope(scope), receive, _injecting(page, send))


def _page_of_scope(scope: Message) -> Page | None:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    client = scope.get("client")
    return Page.of(scope["method"], headers, str(client[0]) if client else "")


def _seen_scope(scope: Message) -> Message:
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name.decode("latin-1").lower() not in REMOVED_FROM_REQUEST
    ]
    extensions = scope.get("extensions") or {}
    seen = {name: value for name, value in extensions.items() if name not in _UNSEEN}
    return {**scope, "headers": headers, "extensions": seen}


def _injecting(page: Page, send: Send) -> Send:
    insert: Insert | None = None

    async def injecting(message: Message) -> None:
        nonlocal insert
        if message["type"] == "http.response.start":
            insert, message = _start(page, message)
        elif message["type"] == "http.response.body" and insert is not None:
            chunk = insert.feed(bytes(message.get("body", b"")))
            tail = b"" if message.get("more_body") else insert.end()
            message = {**message, "body": chunk + tail}
        await send(message)

    return injecting


def _start(page: Page, message: Message) -> tuple[Insert | None, Message]:
    decoded = [
        (bytes(name).decode("latin-1"), bytes(value).decode("latin-1"))
        for name, value in message.get("headers", ())
    ]
    insert, headers = page.begin(message["status"], decoded)
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return insert, {**message, "headers": encoded}


def django_inject(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A Django middleware, sync and async: `refork.adapters.inject.django_inject`, placed first."""

    async def in_async(request: Any) -> Any:
        page = _page_of_request(request)
        response = await get_response(request)
        return response if page is None else _django_response(page, response)

    def in_sync(request: Any) -> Any:
        page = _page_of_request(request)
        response = get_response(request)
        return response if page is None else _django_response(page, response)

    return in_async if inspect.iscoroutinefunction(get_response) else in_sync


django_inject.sync_capable = True  # type: ignore[attr-defined]
django_inject.async_capable = True  # type: ignore[attr-defined]


def _page_of_request(request: Any) -> Page | None:
    page = _page_of(request.META)
    if page is not None:
        for key in _REMOVED_KEYS:
            request.META.pop(key, None)
    return page


def _django_response(page: Page, response: Any) -> Any:
    insert, headers = page.begin(response.status_code, list(response.items()))
    if insert is None:
        return response
    if response.streaming:
        wrap = _async_chunks if getattr(response, "is_async", False) else _chunks
        response.streaming_content = wrap(insert, response.streaming_content)
    else:
        response.content = insert.feed(response.content) + insert.end()
    for name, _ in list(response.items()):
        del response[name]
    for name, value in headers:
        response[name] = value
    return response


def _chunks(insert: Insert, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield insert.feed(chunk)
    yield insert.end()


async def _async_chunks(insert: Insert, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield insert.feed(chunk)
    yield insert.end()


def _page_of(environ: Environ) -> Page | None:
    headers = {
        key[5:].replace("_", "-").lower(): str(value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    return Page.of(environ.get("REQUEST_METHOD", "GET"), headers, environ.get("REMOTE_ADDR", ""))
