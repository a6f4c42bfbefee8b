"""Held sockets of all kinds: nothing is refused between two generations, and nothing is left over."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from load.clients import Crowd
from support.live import Live
from support.ports import free_port

WSGI = """
LOADED = 1
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
    return [str(LOADED).encode()]
"""
ASGI = """
LOADED = 1
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": str(LOADED).encode()})
"""
RAW = """
import os, socket, socketserver, threading
LOADED = 1
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        text = str(LOADED).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 1\\r\\n\\r\\n" + text)
"""
UNIX = (
    RAW
    + """
if os.path.exists("s.sock"):
    os.unlink("s.sock")
socketserver.ThreadingUnixStreamServer("s.sock", Handler).serve_forever()
"""
)
SEVERAL = (
    RAW
    + """
class Six(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
class Shared(socketserver.ThreadingTCPServer):
    allow_reuse_port = True
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()
port = int(open("port").read())
servers = [
    socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler),
    Six(("::1", 0), Handler),
    Shared(("127.0.0.1", port), Handler),
    Shared(("127.0.0.1", port), Handler),
]
for server in servers[1:]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
"""
)

Start = Callable[..., Live]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Live] = []
    folder = tmp_path / "s"
    folder.mkdir()

    def begin(*words: str, **files: str) -> Live:
        for name, text in files.items():
            (folder / name.replace("_py", ".py")).write_text(text)
        started.append(Live(folder, *words, environ={"HOME": str(tmp_path)}))
        started[-1].event("listening", timeout=20)
        return started[-1]

    yield begin
    for live in started:
        live.close()


def edit(live: Live, name: str, version: int, timeout: float = 20.0) -> None:
    text = live.path(name).read_text()
    live.save(name, text.replace(f"LOADED = {version - 1}", f"LOADED = {version}"))
    live.event("listening", timeout, generation=version)


def asked(address: object, family: int) -> str:
    with socket.socket(family) as sock:
        sock.settimeout(10)
        sock.connect(address)  # type: ignore[arg-type]
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
    return data.rpartition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("app.py",), UNIX),
        (("-m", "uvicorn", "--uds", "s.sock", "--log-level", "error", "app:app"), ASGI),
        (("-m", "gunicorn", "-b", "unix:s.sock", "--log-level", "error", "app:app"), WSGI),
    ],
    ids=["socketserver", "uvicorn", "gunicorn"],
)
def test_unix_sockets(start: Start, words: tuple[str, ...], text: str) -> None:
    live = start(*words, app_py=text)
    path = str(live.path("s.sock"))
    live.wait(lambda: os.path.exists(path), 10, "the socket")
    saved = [1]
    crowd = Crowd(path, lambda: saved[0])
    crowd.start(new=2, kept=0)
    try:
        live.wait(lambda: crowd.counts.newest, 20, f"{crowd.counts}")
        for version in range(2, 6):
            edit(live, "app.py", version)
            live.wait(lambda now=version: crowd.counts.newest >= now, 20, f"{crowd.counts}")  # type: ignore[misc]
            saved[0] = version
    finally:
        crowd.stop()
    assert crowd.counts.wrong() == {}, crowd.counts.examples
    live.end(signal.SIGINT)
    left = {entry.name for entry in live.folder.iterdir()} - {"app.py", "__pycache__"}
    # what plain Python leaves: socketserver does not remove the name it bound
    assert left == ({"s.sock"} if text is UNIX else set())


def has_four(live: Live, generation: int) -> bool:
    return len(live.all("listening", generation=generation)) == 4


def test_several_of_several_kinds(start: Start) -> None:
    live = start("app.py", app_py=SEVERAL, port=str(free_port()))
    live.wait(lambda: len(live.all("listening")) == 4, 10, "four sockets")
    first = [event["address"] for event in live.all("listening")]
    for version in (2, 3):
        edit(live, "app.py", version)
        live.wait(partial(has_four, live, version), 10, "four sockets")
        assert [event["address"] for event in live.all("listening", generation=version)] == first
        for host, number in first:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            assert asked((host, number), family) == str(version)


def test_a_changed_address_lets_go_of_the_old_one(start: Start) -> None:
    text = RAW + (
        "socketserver.TCPServer.allow_reuse_address = True\n"
        'socketserver.ThreadingTCPServer(("127.0.0.1", PORT), Handler).serve_forever()\n'
    )
    old, new = free_port(), free_port()
    live = start("app.py", app_py=text.replace("PORT", str(old)))
    assert asked(("127.0.0.1", old), socket.AF_INET) == "1"
    live.save("app.py", text.replace("PORT", str(new)))
    live.event("listening", generation=2)
    assert asked(("127.0.0.1", new), socket.AF_INET) == "1"

    def refused() -> bool:
        try:
            asked(("127.0.0.1", old), socket.AF_INET)
        except ConnectionError:
            return True
        return False

    live.wait(refused, 10, "the old address is free")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", old))


def test_an_address_in_use_is_the_programs_own_error(tmp_path: Path) -> None:
    text = RAW + 'socketserver.TCPServer(("127.0.0.1", PORT), Handler).serve_forever()\n'
    folder = tmp_path / "s"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (folder / "app.py").write_text(text.replace("PORT", str(port)))
        live = Live(folder, "app.py")
        try:
            live.exit(1)
            assert "OSError: [Errno 98] Address already in use" in live.err
            taken.close()
            live.save("app.py", text.replace("PORT", str(port)) + "\n")
            live.event("listening", generation=2)
            assert asked(("127.0.0.1", port), socket.AF_INET) == "1"
        finally:
            live.close()


def test_a_blocking_server_without_a_framework(start: Start) -> None:
    """A loop around `accept`: the connection that comes during the reload is the next generation's."""
    text = """
import socket
LOADED = 1
with socket.create_server(("127.0.0.1", 0)) as server:
    while True:
        connection, _address = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n%d" % LOADED)
"""
    live = start("app.py", app_py=text)
    address = ("127.0.0.1", live.all("listening")[0]["address"][1])
    results: list[str] = []
    for version in (2, 3, 4):
        edit_begins = threading.Thread(
            target=lambda: results.append(asked(address, socket.AF_INET))
        )
        text_now = live.path("app.py").read_text()
        live.save("app.py", text_now.replace(f"LOADED = {version - 1}", f"LOADED = {version}"))
        edit_begins.start()
        edit_begins.join(15)
        live.event("listening", generation=version)
    assert results == ["2", "3", "4"]


LATE = (
    RAW
    + """
import signal
port = int(open("port").read())
def serve(*_):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler)
    if LOADED == 1:
        os._exit(0)
    server.serve_forever()
if LOADED == 1:
    signal.signal(signal.SIGTERM, serve)
    socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler).serve_forever()
serve()
"""
)


def test_one_that_begins_while_the_next_generation_waits(start: Start) -> None:
    """A save right after the start: the next one has been made when this one begins to listen."""
    port = free_port()
    live = start("app.py", app_py=LATE, port=str(port))
    live.save("app.py", LATE.replace("LOADED = 1", "LOADED = 2"))
    live.event("listening", generation=2)
    assert len(live.all("listening", generation=1)) == 2
    assert asked(("127.0.0.1", port), socket.AF_INET) == "2"
    assert not live.all("error")


ROBBED = (
    RAW
    + """
class Robbed(socketserver.TCPServer):
    def get_request(self):
        fd, _address = self.socket._accept()
        os.close(fd)
        return super().get_request()
Robbed(("127.0.0.1", 0), Handler).serve_forever()
"""
)


def test_one_that_waits_for_a_connection_somebody_took(start: Start) -> None:
    """It is between a connection that it saw and its handler, and must hear that it is to end."""
    patient = {"pyproject.toml": "[tool.refork]\ngrace = 60\n"}
    live = start("app.py", app_py=ROBBED, **patient)
    host, port = live.all("listening")[0]["address"]
    with socket.create_connection((host, port), 10) as client:
        assert not client.recv(1)
    edit(live, "app.py", 2)
