"""`refork serve` as a process: what it finds, what it says, how it ends."""

from __future__ import annotations

import functools
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from refork.serve.__main__ import address_of
from refork.serve.application import NotFound, interface_of, load
from refork.serve.static import ASGIStatic, Static, content_type, mount
from support.waiting import wait_for
from web.stage import body_of, connect, exchange, get, headers_of, rest_of, status_of

WSGI = """
import threading
released = threading.Event()

def app(environ, start):
    path = environ["PATH_INFO"]
    if path == "/slow":
        start("200 OK", [("Content-Type", "text/plain")])
        return slow()
    if path == "/stream":
        start("200 OK", [("Content-Type", "text/event-stream")])
        return stream()
    body = f"<body>{path} {environ['REMOTE_ADDR']}</body>".encode()
    start("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]

def slow():
    yield b"begun "
    threading.Event().wait(0.7)
    yield b"done"

def stream():
    while True:
        yield b"data: x\\n\\n"
        threading.Event().wait(0.05)

class shop:
    wsgi = app

def make():
    return app
"""

ASGI = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    kind = b"text/event-stream" if scope["path"] == "/stream" else b"text/html"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    while scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
        await asyncio.sleep(0.05)
    body = f"<body>{scope['path']}</body>".encode()
    await send({"type": "http.response.body", "body": body})
"""


class Server:
    """`python -m refork.serve`, and its address."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        self.log = folder / "log"
        bind = () if "--bind" in arguments else ("--bind", "127.0.0.1:0")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "refork.serve", *bind, *arguments],
                cwd=folder,
                env={**os.environ, **environ},
                stderr=log,
                stdout=log,
            )

    @functools.cached_property
    def address(self) -> tuple[str, int]:
        wait_for(self._address, 20, "listening")
        return self._address() or ("", 0)

    def _address(self) -> tuple[str, int] | None:
        assert self.process.poll() is None, self.log.read_text()
        port = _listening_port(self.process.pid)
        return ("127.0.0.1", port) if port else None

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


def _listening_port(pid: int) -> int | None:
    """The port that a process listens on, by its sockets in /proc."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.update(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}")))
        except OSError:
            continue
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:
            return int(fields[1].rpartition(":")[2], 16)
    return None


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("finds the port in /proc")
    (tmp_path / "web_app.py").write_text(WSGI)
    (tmp_path / "async_app.py").write_text(ASGI)
    started: list[Server] = []

    def start(*arguments: str, **environ: str) -> Server:
        started.append(Server(tmp_path, *arguments, **environ))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def test_wsgi(serve: Callable[..., Server]) -> None:
    server = serve("web_app:app")
    answer = exchange(server.address, get("/a/b", "Connection: close"))
    assert body_of(answer) == "<body>/a/b 127.0.0.1</body>"
    assert server.stop() == 0
    assert "Serving WSGI" in server.log.read_text()


def test_asgi(serve: Callable[..., Server]) -> None:
    pytest.importorskip("uvicorn")
    server = serve("async_app")
    assert "<body>/x</body>" in exchange(server.address, get("/x", "Connection: close")).decode()
    server.stop()


@pytest.mark.parametrize("words", ["web_app:shop.wsgi", "web_app:make()"])
def test_other_ways_to_name_it(serve: Callable[..., Server], words: str) -> None:
    server = serve(words)
    assert status_of(exchange(server.address, get("/"))) == 200


def test_the_script_is_injected_under_refork(serve: Callable[..., Server]) -> None:
    for app in ("web_app:app", "async_app:app"):
        if app.startswith("async"):
            pytest.importorskip("uvicorn")
        server = serve(app, REFORK_LIVE="http://127.0.0.1:1", REFORK_GENERATION="3")
        answer = exchange(server.address, get("/", "Connection: close"))
        assert 'src="http://127.0.0.1:1/client.js?generation=3"' in answer.decode()


def test_it_ends_after_the_requests_that_run(serve: Callable[..., Server]) -> None:
    server = serve("web_app:app")
    with connect(server.address) as idle, connect(server.address) as slow:
        slow.sendall(get("/slow"))
        data = b""
        while not data.endswith(b"begun "):
            data += slow.recv(65_536)
        server.process.terminate()
        assert rest_of(slow).endswith(b"done")
        assert server.process.wait(20) == 0
        assert rest_of(idle) == b""


@pytest.mark.parametrize("app", ["web_app:app", "async_app:app"])
def test_an_event_stream_does_not_hold_it_up(serve: Callable[..., Server], app: str) -> None:
    if app.startswith("async"):
        pytest.importorskip("uvicorn")
    server = serve(app)
    with connect(server.address) as stream:
        stream.sendall(get("/stream"))
        data = b""
        while b"data: x" not in data:
            data += stream.recv(65_536)
        server.process.terminate()
        server.process.wait(3)
    assert "Traceback" not in server.log.read_text()


def test_interrupt_ends_it_with_130(serve: Callable[..., Server]) -> None:
    server = serve("web_app:app")
    assert server.address
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 130
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["web_app:ap"], 2, "did you mean 'app'?"),
        (["nowhere:app"], 2, "there is no module 'nowhere' here"),
        (["web_app:released"], 2, "is no WSGI or ASGI application"),
        (["web_app:app", "--bind", "here"], 2, "write it as HOST:PORT"),
        (["web_app:app", "--static", "/s=absent"], 2, "there is no folder 'absent'"),
        (["web_app:app", "--static", "s"], 2, "write it as /address=FOLDER"),
        (["web_app:app", "--bind", "203.0.113.1:1"], 1, "cannot listen on http://203.0.113.1:1"),
    ],
)
def test_bad_input_is_one_line(
    serve: Callable[..., Server], arguments: list[str], code: int, message: str
) -> None:
    server = serve(*arguments)
    assert server.process.wait(20) == code
    log = server.log.read_text()
    assert message in log.splitlines()[-1]
    assert "Traceback" not in log


def test_an_error_while_importing_comes_through(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "sick.py").write_text("import not_there_at_all\n")
    server = serve("sick:app")
    assert server.process.wait(20) == 1
    assert "ModuleNotFoundError: No module named 'not_there_at_all'" in server.log.read_text()


def test_a_unix_socket(serve: Callable[..., Server], tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    serve("web_app:app", "--bind", f"unix:{path}")
    wait_for(lambda: _answers(path), 20, "listening")
    assert body_of(exchange(path, get("/u"))) == "<body>/u </body>"


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(path) == 0


@pytest.mark.parametrize("app", ["web_app:app", "async_app:app"])
def test_static_files(serve: Callable[..., Server], tmp_path: Path, app: str) -> None:
    if app.startswith("async"):
        pytest.importorskip("uvicorn")
    assets = tmp_path / "assets"
    (assets / "deep").mkdir(parents=True)
    (assets / "deep" / "ü.css").write_text("p {}")
    (tmp_path / "secret.txt").write_text("secret")
    server = serve(app, "--static", "/static=assets")
    found = exchange(server.address, get("/static/deep/%C3%BC.css", "Connection: close"))
    assert (status_of(found), body_of(found)) == (200, "p {}")
    headers = headers_of(found)
    assert headers["content-type"] == "text/css; charset=utf-8"
    known = get("/static/deep/%C3%BC.css", f"If-None-Match: {headers['etag']}", "Connection: close")
    assert status_of(exchange(server.address, known)) == 304
    head = get("/static/deep/%C3%BC.css", "Connection: close", method="HEAD")
    assert body_of(exchange(server.address, head)) == ""
    for path in ("/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static//etc/passwd"):
        assert "<body>" in exchange(server.address, get(path, "Connection: close")).decode()


def test_nothing_outside_the_folder_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "index.html").write_text("x")
    (tmp_path / "public-not").mkdir()
    (tmp_path / "public-not" / "a.txt").write_text("x")
    (folder / "link.txt").symlink_to(tmp_path / "public-not" / "a.txt")
    static = Static([mount(f"/={folder}")])
    assert static.find("/") == static.find("/index.html") == str(folder.resolve() / "index.html")
    for path in ("/../public-not/a.txt", "/link.txt", "/a\0b", "/..", "/.", "//etc/passwd", "x"):
        assert static.find(path) is None


def test_the_longest_address_wins(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    static = Static([mount(f"/={tmp_path / 'a'}"), mount(f"/s={tmp_path / 'b'}")])
    assert str(static.find("/s/f")).endswith("/b/f")
    assert str(static.find("/f")).endswith("/a/f")


def test_content_types() -> None:
    assert content_type("a.html") == "text/html; charset=utf-8"
    assert content_type("a.png") == "image/png"
    assert content_type("a.tar.gz") == content_type("a") == "application/octet-stream"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("unix:/run/s", "/run/s"),
    ],
)
def test_addresses(words: str, expected: object) -> None:
    assert address_of(words) == expected


def test_addresses_that_are_none() -> None:
    for words in ("", "host", "host:", "host:99999", "host:-1"):
        with pytest.raises(ValueError, match="HOST:PORT"):
            address_of(words)


async def _coroutine(scope: Any, receive: Any, send: Any) -> None: ...


def _wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


class _Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


def test_interfaces() -> None:
    assert interface_of(_coroutine) == "asgi"
    assert interface_of(ASGIStatic(_coroutine, [])) == "asgi"
    assert interface_of(functools.partial(_coroutine)) == "asgi"
    assert interface_of(_wsgi) == interface_of(_Wsgi()) == "wsgi"


def test_interfaces_of_frameworks() -> None:
    flask = pytest.importorskip("flask")
    starlette = pytest.importorskip("starlette.applications")
    assert interface_of(flask.Flask("x")) == "wsgi"
    assert interface_of(starlette.Starlette()) == "asgi"


def test_load_names_what_is_missing() -> None:
    with pytest.raises(NotFound, match="MODULE:APP"):
        load(":app")
    with pytest.raises(NotFound, match=r"no module 'json\.nothing'"):
        load("json.nothing:app")
    with pytest.raises(NotFound, match=r"did you mean 'dumps'\?"):
        load("json:dump_s")
