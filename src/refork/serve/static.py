"""Static files in front of a WSGI or ASGI application, for development."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

CHUNK = 65_536
Mount = tuple[str, str]  # address below which the folder's files are, folder
Headers = list[tuple[str, str]]


class File(NamedTuple):
    """A file to be sent: its status (200, 304), headers, and contents (None for 304 and HEAD)."""

    status: int
    headers: Headers
    body: BinaryIO | None


def mount(words: str) -> Mount:
    """Parse `/address=FOLDER`. Raises ValueError with the way out."""
    address, equals, folder = words.partition("=")
    if not equals or not address.startswith("/"):
        raise ValueError(f"{words!r}: write it as /address=FOLDER, such as /static=assets")
    if not os.path.isdir(folder):
        raise ValueError(f"{words!r}: there is no folder {folder!r}")
    return address.rstrip("/") + "/", os.path.realpath(folder)


class Static:
    """The files below some folders. What no file is found for is the application's."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._mounts = sorted(mounts, key=lambda one: -len(one[0]))

    def find(self, path: str) -> str | None:
        """The real path of the file at an address (percent-decoded); None if there is none.

        Nothing outside the folder is found, neither by `..` nor through a symbolic link.
        """
        for address, folder in self._mounts:
            if path.startswith(address) and "\0" not in path:
                inside = path[len(address) :] or "index.html"
                real = os.path.realpath(os.path.join(folder, inside.lstrip("/")))
                if real.startswith(folder.rstrip(os.sep) + os.sep) and os.path.isfile(real):
                    return real
        return None

    def answer(self, method: str, path: str, known: str) -> File | None:
        """What to send for a request, `known` being its If-None-Match; None if it is not for us."""
        real = self.find(path) if method in ("GET", "HEAD") else None
        if real is None:
            return None
        try:
            body = open(real, "rb")  # noqa: SIM115 - the server closes it
        except OSError:
            return None  # gone since, or not readable: the application says what that is
        return _file(body, real, method, known)


def _file(body: BinaryIO, real: str, method: str, known: str) -> File:
    facts = os.fstat(body.fileno())
    # No Last-Modified: its seconds would make two edits within one of them the same.
    tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"'
    headers = [("ETag", tag), ("Cache-Control", "no-cache")]
    is_known = tag in known
    if is_known or method == "HEAD":
        body.close()
    if is_known:
        return File(304, headers, None)
    length = ("Content-Length", str(facts.st_size))
    full = [("Content-Type", content_type(real)), length, *headers]
    return File(200, full, None if method == "HEAD" else body)


def content_type(path: str) -> str:
    """The media type by the file's name; text is taken for UTF-8."""
    kind, encoding = mimetypes.guess_type(path)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    is_text = kind.startswith("text/") or kind in ("application/javascript", "application/json")
    return f"{kind}; charset=utf-8" if is_text else kind


def _chunks(body: BinaryIO | None) -> Iterator[bytes]:
    if body is not None:
        with body:
            while chunk := body.read(CHUNK):
                yield chunk


class WSGIStatic(Static):
    """A WSGI application with static files in front."""

    def __init__(self, app: Callable[..., Iterable[bytes]], mounts: Sequence[Mount]) -> None:
        super().__init__(mounts)
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")
        known = environ.get("HTTP_IF_NONE_MATCH", "")
        file = self.answer(environ["REQUEST_METHOD"], path, known)
        if file is None:
            return self._app(environ, start_response)
        start_response("200 OK" if file.status == 200 else "304 Not Modified", file.headers)
        return _chunks(file.body)


class ASGIStatic(Static):
    """An ASGI application with static files in front."""

    def __init__(self, app: Callable[..., Awaitable[None]], mounts: Sequence[Mount]) -> None:
        super().__init__(mounts)
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        file = None
        if scope["type"] == "http":
            known = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
            file = self.answer(scope["method"], scope["path"], known)
        if file is None:
            await self._app(scope, receive, send)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in file.headers]
        await send({"type": "http.response.start", "status": file.status, "headers": headers})
        for chunk in _chunks(file.body):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
