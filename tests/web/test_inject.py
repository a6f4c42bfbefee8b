"""The middleware as servers see it: WSGI (checked by wsgiref's validator), ASGI, Django."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

from refork.adapters.inject import ASGIInject, WSGIInject, django_inject

LIVE = "http://127.0.0.1:4123"
TAG = f'<script src="{LIVE}/client.js?generation=7" async=""></script>'
HTML = [("Content-Type", "text/html")]
Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def _under_refork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFORK_LIVE", LIVE)
    monkeypatch.setenv("REFORK_GENERATION", "7")


class Answer:
    """What a WSGI server gets from an application for one request."""

    def __init__(self, app: Any, **environ: str) -> None:
        self.status = ""
        self.headers: dict[str, str] = {}
        self.written: list[bytes] = []
        made: dict[str, Any] = {"HTTP_HOST": "localhost", "QUERY_STRING": "", **environ}
        made.setdefault("REMOTE_ADDR", "127.0.0.1")
        setup_testing_defaults(made)
        self.result = validator(WSGIInject(validator(app)))(made, self._start)
        self.chunks = self.written + list(self.result)
        self.result.close()  # type: ignore[attr-defined]
        self.body = b"".join(self.chunks).decode()

    def _start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        self.status, self.headers = status, dict(headers)
        return self.written.append


def plain(body: list[bytes], *headers: tuple[str, str]) -> Any:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [*HTML, *headers])
        return body

    return app


def test_wsgi_page() -> None:
    answer = Answer(plain([b"<body>x</body>"], ("Content-Length", "14")))
    assert answer.body == f"<body>x{TAG}</body>"
    assert answer.headers["Content-Length"] == str(len(answer.body))


def test_wsgi_generator_that_starts_late() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterator[bytes]:
        start("200 OK", HTML)
        yield b"<body>"
        yield b"x</bo"
        yield b"dy>"

    assert Answer(app).body == f"<body>x{TAG}</body>"


def test_wsgi_write_function() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        write = start("200 OK", HTML)
        write(b"<body>a")
        return [b"b</body>"]

    assert Answer(app).body == f"<body>ab{TAG}</body>"


def test_wsgi_error_replaces_the_first_start() -> None:
    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", HTML)
        try:
            raise KeyError("x")
        except KeyError as error:
            start("500 Error", [("Content-Type", "text/plain")], (KeyError, error, None))
        return [b"</body>"]

    answer = Answer(app)
    assert (answer.status, answer.body) == ("500 Error", "</body>")


class Closing:
    """A body that notes its close."""

    def __init__(self) -> None:
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"<body>"])

    def close(self) -> None:
        self.is_closed = True


def test_wsgi_body_is_closed() -> None:
    body = Closing()

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", HTML)
        return body

    assert Answer(app).body == f"<body>{TAG}"
    assert body.is_closed


def test_wsgi_file_is_passed_as_it_is() -> None:
    file = FileWrapper(io.BytesIO(b"PNG"))

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "image/png")])
        return file

    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "REQUEST_METHOD": "GET"}
    assert WSGIInject(app)(environ, lambda *_: lambda _: None) is file


def test_wsgi_list_stays_a_list_of_one() -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "REQUEST_METHOD": "GET"}
    result = WSGIInject(plain([b"x"]))(environ, lambda *_: lambda _: None)
    assert result == [b"x" + TAG.encode()]


def test_wsgi_program_is_asked_for_plain_bytes() -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        seen.update(environ)
        start("200 OK", HTML)
        return [b"x"]

    headers = {"HTTP_ACCEPT_ENCODING": "gzip", "HTTP_IF_NONE_MATCH": "x", "HTTP_ACCEPT": "*/*"}
    Answer(app, **headers)
    assert set(headers) & set(seen) == {"HTTP_ACCEPT"}
    Answer(app, HTTP_SEC_FETCH_DEST="empty", **headers)
    assert set(headers) <= set(seen)


def test_wsgi_policy_is_extended() -> None:
    answer = Answer(plain([b"x"], ("Content-Security-Policy", "script-src 'self'")))
    assert answer.headers["Content-Security-Policy"] == f"script-src 'self' {LIVE}"


def test_nothing_is_done_without_live_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REFORK_LIVE")
    body = [b"<body></body>"]
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", "REQUEST_METHOD": "GET"}
    assert WSGIInject(plain(body))(environ, lambda *_: lambda _: None) is body


def asgi(app: Any, *headers: tuple[bytes, bytes], **facts: Any) -> list[dict[str, Any]]:
    """The messages that a server gets."""
    sent: list[dict[str, Any]] = []
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/"}
    scope.update(client=("127.0.0.1", 1), headers=[(b"host", b"localhost"), *headers], **facts)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    asyncio.run(ASGIInject(app)(scope, receive, send))  # type: ignore[arg-type]
    return sent


def asgi_app(*chunks: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        full = [(b"content-type", b"text/html"), *headers]
        await send({"type": "http.response.start", "status": 200, "headers": full})
        for chunk in chunks[:-1]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": chunks[-1]})

    return app


def text_of(messages: list[dict[str, Any]]) -> str:
    return b"".join(message.get("body", b"") for message in messages).decode()


def test_asgi_page() -> None:
    sent = asgi(asgi_app(b"<body>", b"</body>", headers=[(b"content-length", b"13")]))
    assert text_of(sent) == f"<body>{TAG}</body>"
    assert dict(sent[0]["headers"])[b"content-length"] == str(13 + len(TAG)).encode()
    assert [message.get("more_body", False) for message in sent[1:]] == [True, False]


def test_asgi_page_without_an_end() -> None:
    assert text_of(asgi(asgi_app(b"<p>", b""))) == f"<p>{TAG}"


def test_asgi_ways_around_the_body_are_not_offered() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)
        await asgi_app(b"x")(scope, receive, send)

    extensions: dict[str, object] = {"http.response.pathsend": {}, "http.response.trailers": {}}
    asgi(app, (b"accept-encoding", b"br"), extensions=extensions)
    assert seen["extensions"] == {"http.response.trailers": {}}
    assert dict(seen["headers"]) == {b"host": b"localhost"}


def test_asgi_other_protocols_and_clients_pass_through() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, send))

    async def send(message: Any) -> None: ...

    async def receive() -> Any: ...

    stranger = {"type": "http", "method": "GET", "headers": [], "client": ("10.0.0.1", 1)}
    for scope in ({"type": "lifespan"}, {"type": "websocket", "headers": []}, stranger):
        asyncio.run(ASGIInject(app)(scope, receive, send))
        assert seen.pop() == (scope, send)


@pytest.fixture
def django() -> Any:
    """Django, configured once in this process."""
    pytest.importorskip("django")
    from django.conf import settings

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], DEFAULT_CHARSET="utf-8")
    import django.http

    return django.http


def django_request(**meta: str) -> Any:
    from django.test import RequestFactory

    return RequestFactory().get("/", HTTP_HOST="localhost", HTTP_ACCEPT_ENCODING="gzip", **meta)


def test_django_page(django: Any) -> None:
    def view(request: Any) -> Any:
        assert "HTTP_ACCEPT_ENCODING" not in request.META
        headers = {"Content-Length": "13", "ETag": '"x"', "Content-Security-Policy": "img-src *"}
        return django.HttpResponse("<body></body>", headers=headers)

    response = django_inject(view)(django_request())
    assert response.content.decode() == f"<body>{TAG}</body>"
    assert response["Content-Length"] == str(len(response.content))
    assert "ETag" not in response


def test_django_json_is_left_alone(django: Any) -> None:
    response = django_inject(lambda _: django.JsonResponse({"a": "</body>"}))(django_request())
    assert b"script" not in response.content


def test_django_stream(django: Any) -> None:
    def view(request: Any) -> Any:
        return django.StreamingHttpResponse(iter([b"<bo", b"dy></b", b"ody>"]))

    response = django_inject(view)(django_request())
    assert response.getvalue().decode() == f"<body>{TAG}</body>"


def test_django_async(django: Any) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"<body>"
        yield b"</body>"

    async def view(request: Any) -> Any:
        return django.StreamingHttpResponse(chunks())

    async def whole() -> str:
        response = await handler(django_request())
        return b"".join([chunk async for chunk in response]).decode()

    handler: Callable[[Any], Awaitable[Any]] = django_inject(view)
    assert asyncio.run(whole()) == f"<body>{TAG}</body>"
