"""Slow, huge, forged and meaningless requests to all of refork's ports, with the real supervisor.

The grace is far longer than any of these tests may take: what waited for a hostile client would show.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.live import Live
from support.ports import free_port
from web.stage import exchange, get, headers_of, status_of

GRACE = "40"
QUICK = 8.0
"""Seconds a reload may take here, on a machine with much else to do."""

WSGI = """
LOADED = 1
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "8")])
    return [b"<body>%02d" % LOADED]
"""
ASGI = """
LOADED = 1
async def app(scope, receive, send):
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/html"), (b"content-length", b"8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<body>%02d" % LOADED})
"""
SERVE = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import make_server, WSGIServer
import app
class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
make_server("127.0.0.1", PORT, app.app, Server).serve_forever()
"""
SERVERS = {
    "wsgiref with threads": (("serve.py",), {"app.py": WSGI, "serve.py": SERVE}),
    "wsgiref": (
        ("serve.py",),
        {"app.py": WSGI, "serve.py": SERVE.replace("app.app, Server", "app.app")},
    ),
    "uvicorn": (("-m", "uvicorn", "app:app", "--port", "PORT"), {"app.py": ASGI}),
    "gunicorn": (("-m", "gunicorn", "-b", "127.0.0.1:PORT", "app:app"), {"app.py": WSGI}),
    "gunicorn threads": (
        ("-m", "gunicorn", "--threads", "8", "-b", "127.0.0.1:PORT", "app:app"),
        {"app.py": WSGI},
    ),
}


class Victim:
    """A server under refork, with the addresses of its ports."""

    def __init__(self, folder: Path, name: str) -> None:
        words, files = SERVERS[name]
        self.address = ("127.0.0.1", free_port())
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text.replace("PORT", str(self.address[1])))
        words = tuple(word.replace("PORT", str(self.address[1])) for word in words)
        home = {"HOME": str(folder.parent)}
        self.live = Live(folder, *words, options=["--grace", GRACE], environ=home)
        self.live.event("listening", timeout=20)
        self.live.wait(lambda: self.text() == "01", 20, "the first answer")

    def text(self) -> str:
        try:
            answer = exchange(self.address, get("/", "Connection: close", host="localhost"))
        except OSError:
            return ""
        found = re.search(rb"<body>(\d\d)", answer)
        return found[1].decode() if found else ""

    def live_address(self) -> tuple[str, int]:
        """Where live reload is: a page says it."""
        answer = exchange(self.address, get("/", "Connection: close", host="localhost"))
        found = re.search(rb"http://127\.0\.0\.1:(\d+)/client\.js", answer)
        assert found, answer
        return "127.0.0.1", int(found[1])

    def reloads(self, version: int) -> float:
        """Save the next version; return the seconds until it is served."""
        text = self.live.path("app.py").read_text()
        began = time.monotonic()
        self.live.save("app.py", re.sub(r"LOADED = \d+", f"LOADED = {version}", text))
        self.live.event("listening", timeout=QUICK, generation=version)
        self.live.wait(lambda: self.text() == f"{version:02}", QUICK, f"version {version}")
        return time.monotonic() - began


Begin = Callable[[str], Victim]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started: list[Victim] = []

    def start(name: str) -> Victim:
        for module in ("uvicorn", "gunicorn"):
            if name.startswith(module):
                pytest.importorskip(module)
        started.append(Victim(tmp_path / "site", name))
        return started[-1]

    yield start
    for victim in started:
        victim.live.close()


def slow(stack: ExitStack, address: tuple[str, int], begun: bytes, many: int) -> None:
    """Open connections that send so much and no more."""
    for _ in range(many):
        sock = stack.enter_context(socket.create_connection(address, 10))
        sock.sendall(begun)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localh"])
def test_slow_clients_do_not_stall_a_reload(begin: Begin, name: str, begun: bytes) -> None:
    victim = begin(name)
    one_at_a_time = name in ("wsgiref", "gunicorn")
    with ExitStack() as stack:
        slow(stack, victim.address, begun, 1 if one_at_a_time else 6)
        slow(stack, victim.live_address() if not one_at_a_time else victim.address, b"", 0)
        text = victim.live.path("app.py").read_text()
        began = time.monotonic()
        victim.live.save("app.py", text.replace("LOADED = 1", "LOADED = 2"))
        victim.live.event("start", timeout=QUICK, generation=2)
        victim.live.event("listening", timeout=QUICK, generation=2)
        assert time.monotonic() - began < QUICK
    victim.live.wait(lambda: victim.text() == "02", 20, "version 2")


def test_slow_clients_of_live_reload_do_not_stall_it(begin: Begin) -> None:
    victim = begin("wsgiref with threads")
    port = victim.live_address()
    with ExitStack() as stack:
        for begun in (b"", b"GET /ev", get("/events", host="localhost")):
            slow(stack, port, begun, 40)
        assert victim.reloads(2) < QUICK
        assert status_of(exchange(port, get("/client.js", host="localhost"))) == 200


def test_slow_clients_of_the_error_page_do_not_stall_it(begin: Begin) -> None:
    victim = begin("wsgiref with threads")
    text = victim.live.path("app.py").read_text()
    victim.live.save("app.py", text + "raise RuntimeError\n")
    victim.live.exit(2)
    with ExitStack() as stack:
        for begun in (b"", b"POST / HTTP/1.1\r\nContent-Le"):
            slow(stack, victim.address, begun, 40)
        began = time.monotonic()
        victim.live.save("app.py", text.replace("LOADED = 1", "LOADED = 3"))
        victim.live.event("listening", timeout=QUICK, generation=3)
        assert time.monotonic() - began < QUICK
    victim.live.wait(lambda: victim.text() == "03", QUICK, "version 3")


HUGE = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n"
NONSENSE = [b"\x16\x03\x01\x02\x00\x01\x00" + bytes(200), b"\r\n" * 2000, bytes(range(256)) * 40]


def provoked(address: tuple[str, int], data: bytes) -> bytes:
    """What comes back; a connection that is cut has said nothing."""
    with socket.create_connection(address, 15) as sock:
        answer = b""
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
        return answer


@pytest.mark.parametrize("data", [HUGE, *NONSENSE], ids=["huge", "tls", "lines", "bytes"])
def test_nonsense_is_cut_and_harms_nothing(begin: Begin, data: bytes) -> None:
    victim = begin("wsgiref with threads")
    port = victim.live_address()
    answer = provoked(port, data)
    assert not answer or 400 <= status_of(answer) < 500
    text = victim.live.path("app.py").read_text()
    victim.live.save("app.py", text + "raise RuntimeError\n")
    victim.live.exit(2)
    answer = provoked(victim.address, data)
    assert not answer or 400 <= status_of(answer) < 500
    assert b"RuntimeError" not in answer
    victim.live.save("app.py", text.replace("LOADED = 1", "LOADED = 3"))
    victim.live.wait(lambda: victim.text() == "03", QUICK, "version 3")


def test_only_pages_of_this_machine_are_told(begin: Begin) -> None:
    victim = begin("wsgiref with threads")
    port = victim.live_address()
    assert status_of(exchange(port, get("/client.js", host="evil.example"))) == 403
    assert status_of(exchange(port, get("/events", host="evil.example"))) == 403
    forged = get("/events", "Origin: http://evil.example", host="localhost")
    assert status_of(exchange(port, forged)) == 403
    forwarded = get("/events", "X-Forwarded-For: 9.9.9.9", host="localhost")
    assert status_of(exchange(port, forwarded)) == 403
    assert status_of(exchange(port, get("/../../etc/passwd", host="localhost"))) == 404
    assert status_of(exchange(port, get("/%2e%2e/app.py", host="localhost"))) == 404
    # a page for somebody else gets no script
    answer = exchange(victim.address, get("/", "Connection: close", host="evil.example"))
    assert b"client.js" not in answer


def test_the_traceback_is_for_this_machine_only(begin: Begin) -> None:
    victim = begin("wsgiref with threads")
    text = victim.live.path("app.py").read_text()
    victim.live.save("app.py", text + "raise RuntimeError('a secret of mine')\n")
    victim.live.exit(2)
    victim.live.wait(lambda: b"a secret" in exchange(victim.address, get("/")), 10, "the page")
    for request in (
        get("/", host="evil.example"),
        get("/", "X-Forwarded-For: 9.9.9.9", host="localhost"),
    ):
        answer = exchange(victim.address, request)
        assert status_of(answer) == 503
        assert b"a secret" not in answer
        assert "x-refork-error" not in headers_of(answer)
