"""What is being answered when a save is made: requests are finished, what has no end is not waited for.

The grace is far longer than a reload may take here, except where it is what is tested.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

import pytest

from support.live import Live
from support.ports import free_port
from web.leaving_sites import PLACES

CLOSE = "Connection: close"
GRACE = 60.0
LONG = 30.0
"""Seconds for anything here on a busy machine, and far less than the grace."""

pytestmark = pytest.mark.timeout(180)


class Place:
    """A server under refork, and one client of it."""

    def __init__(self, folder: Path, name: str, options: tuple[str, ...]) -> None:
        place = PLACES[name]
        if place.needs:
            pytest.importorskip(place.needs)
        self.address = ("127.0.0.1", free_port())
        port = str(self.address[1])
        folder.mkdir()
        for file, text in place.files.items():
            (folder / file).write_text(text.replace("PORT", port))
        words = [word.replace("PORT", port) for word in place.words]
        home = {"HOME": str(folder.parent)}
        self.live = Live(folder, *words, options=options, environ=home)
        self.live.event("listening", timeout=LONG)
        self.live.wait(lambda: self.text() == "1", LONG, "the first answer")

    def ask(self, path: str, *headers: str) -> socket.socket:
        sock = socket.create_connection(self.address, LONG)
        lines = (f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", "")
        sock.sendall("\r\n".join(lines).encode())
        return sock

    def text(self) -> str:
        """The body of the answer, which is its version; "" where there is none."""
        with contextlib.suppress(OSError, HTTPException), self.ask("/", CLOSE) as sock:
            return answer_of(sock)
        return ""

    def save(self, version: int) -> float:
        text = self.live.path("app.py").read_text()
        self.live.save("app.py", text.replace(f"LOADED = {version - 1}", f"LOADED = {version}"))
        self.live.wait(lambda: self.noticed(version), LONG, "the save was noticed")
        return time.monotonic()

    def noticed(self, version: int) -> bool:
        """Whether refork knows of the save; where a worker was still loading, it starts again without a word."""
        return bool(self.live.all("change") or self.live.all("start", generation=version))

    def serves(self, version: int) -> None:
        self.live.event("listening", timeout=LONG, generation=version)
        self.live.wait(lambda: self.text() == str(version), LONG, f"version {version}")


def answer_of(sock: socket.socket) -> str:
    """The body of an answer. Raises HTTPException or OSError if it is cut."""
    answer = HTTPResponse(sock, method="GET")
    answer.begin()
    assert answer.status == 200
    return answer.read().decode()


def everything(sock: socket.socket) -> bytes:
    """All that comes; an end by a reset is an end."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


def until(sock: socket.socket, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        chunk = sock.recv(65536)
        assert chunk, data
        data += chunk
    return data


Begin = Callable[..., Place]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started: list[Place] = []

    def start(name: str, grace: float = GRACE, *options: str) -> Place:
        words = ("--grace", str(grace), *options)
        started.append(Place(tmp_path / "site", name, words))
        return started[-1]

    yield start
    for place in started:
        place.live.close()


ONCE = [name for name in PLACES if "quiet" not in name]


@pytest.mark.parametrize("name", ONCE)
def test_a_request_that_runs_is_finished_first(begin: Begin, name: str) -> None:
    place = begin(name)
    with place.ask("/slow", CLOSE) as slow:
        place.live.wait(place.live.path("begun").exists, LONG, "the request has begun")
        place.save(2)
        with place.ask("/", CLOSE) as next_one:
            assert not place.live.all("listening", generation=2), "two generations at a time"
            place.live.path("finish").touch()
            assert answer_of(slow) == "1"
            assert answer_of(next_one) == "2"
    place.serves(2)


@pytest.mark.parametrize("name", PLACES)
def test_an_event_stream_does_not_hold_a_reload_up(begin: Begin, name: str) -> None:
    place = begin(name)
    with place.ask("/events") as stream:
        until(stream, b"data: x")
        saved = place.save(2)
        place.serves(2)
        assert time.monotonic() - saved < LONG
        everything(stream)  # it has an end


@pytest.mark.parametrize("name", [name for name, place in PLACES.items() if place.sockets])
def test_a_websocket_does_not_hold_a_reload_up(begin: Begin, name: str) -> None:
    place = begin(name)
    asked = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    with place.ask("/socket", *asked, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") as sock:
        assert until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        saved = place.save(2)
        place.serves(2)
        assert time.monotonic() - saved < LONG
        everything(sock)


@pytest.mark.parametrize("name", ["django", "uvicorn", "gunicorn", "wsgiref", "tornado"])
@pytest.mark.parametrize("grace", [0, 0.5])
def test_a_request_that_does_not_end_is_cut_after_the_grace(
    begin: Begin, name: str, grace: float
) -> None:
    place = begin(name, grace)
    with place.ask("/slow", CLOSE) as slow:
        place.live.wait(place.live.path("begun").exists, LONG, "the request has begun")
        place.save(2)
        place.serves(2)
        with pytest.raises((HTTPException, ConnectionError)):
            answer_of(slow)
