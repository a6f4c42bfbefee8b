"""Every server keeps its address from one generation to the next: port 0 is the same port again.

TCP over both versions of IP, and UNIX sockets where a server has them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.live import Live
from web.leaving_sites import AIOHTTP, ASGI, DJANGO, FLASK, TORNADO, WSGI

ASYNCIO = """
import asyncio
LOADED = 1

async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    writer.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n%d" % LOADED)
    await writer.drain()
    writer.close()

async def main():
    server = await asyncio.START
    await server.serve_forever()

asyncio.run(main())
"""
UVLOOP = ASYNCIO.replace("asyncio.run(main())", "import uvloop\nuvloop.run(main())")
SOCKETSERVER = """
import socket, socketserver
LOADED = 1
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\n%d" % LOADED)
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.FAMILY
Server(WHERE, Handler).serve_forever()
"""
WSGIREF = """
import socket, wsgiref.simple_server
import app
class Server(wsgiref.simple_server.WSGIServer):
    address_family = socket.FAMILY
wsgiref.simple_server.make_server(*WHERE, app.app, Server).serve_forever()
"""
WAITRESS = "import app, waitress\nwaitress.serve(app.app, LISTEN)\n"
RUN_AIOHTTP = AIOHTTP.replace('host="127.0.0.1", port=PORT', "PLACE")
RUN_TORNADO = TORNADO.replace('listen(PORT, "127.0.0.1")', "listen(0, 'A_HOST')")

HOSTS = {"v4": "127.0.0.1", "v6": "::1"}
BOUND = {"v4": "127.0.0.1:0", "v6": "[::1]:0", "unix": "unix:s.sock"}
TEXTS = {
    "FAMILY": {"v4": "AF_INET", "v6": "AF_INET6"},
    "WHERE": {"v4": "('127.0.0.1', 0)", "v6": "('::1', 0)"},
    "START": {
        "v4": "start_server(answer, '127.0.0.1', 0)",
        "v6": "start_server(answer, '::1', 0)",
        "unix": "start_unix_server(answer, 's.sock')",
    },
    "LISTEN": {
        "v4": "listen='127.0.0.1:0'",
        "v6": "listen='[::1]:0'",
        "unix": "unix_socket='s.sock'",
    },
    "PLACE": {
        "v4": "host='127.0.0.1', port=0",
        "v6": "host='::1', port=0",
        "unix": "path='s.sock'",
    },
    "A_HOST": HOSTS,
    "BOUND": BOUND,
}
"""What stands for a place in the words and files of a server."""

SERVERS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "socketserver": (("app.py",), {"app.py": SOCKETSERVER}),
    "wsgiref": (("serve.py",), {"app.py": WSGI, "serve.py": WSGIREF}),
    "werkzeug": (
        ("-m", "flask", "run", "--host", "A_HOST", "--port", "0"),
        {"app.py": FLASK},
    ),
    "django": (("manage.py", "runserver", "BOUND"), DJANGO),
    "asyncio": (("app.py",), {"app.py": ASYNCIO}),
    "uvloop": (("app.py",), {"app.py": UVLOOP}),
    "uvicorn": (("-m", "uvicorn", "app:app", "--host", "A_HOST", "--port", "0"), {"app.py": ASGI}),
    "hypercorn": (("-m", "hypercorn", "-b", "BOUND", "app:app"), {"app.py": ASGI}),
    "waitress": (("serve.py",), {"app.py": WSGI, "serve.py": WAITRESS}),
    "gunicorn": (("-m", "gunicorn", "-b", "BOUND", "app:app"), {"app.py": WSGI}),
    "aiohttp": (("app.py",), {"app.py": RUN_AIOHTTP}),
    "tornado": (("app.py",), {"app.py": RUN_TORNADO}),
}
UNIX = ("asyncio", "uvloop", "hypercorn", "waitress", "gunicorn", "aiohttp")
"""Others are in `test_sockets`, or have none."""

CASES = [(name, kind) for name in SERVERS for kind in ("v4", "v6")]
CASES += [(name, "unix") for name in UNIX]


def filled(text: str, kind: str) -> str:
    for name, values in TEXTS.items():
        text = text.replace(name, values.get(kind, name))
    return text


Begin = Callable[..., Live]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started: list[Live] = []

    def start(name: str, kind: str, *options: str, **environ: str) -> Live:
        if name not in ("socketserver", "wsgiref", "asyncio"):
            pytest.importorskip(name)
        words, files = SERVERS[name]
        folder = tmp_path / "s"
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(filled(text, kind))
        environ["HOME"] = str(tmp_path)
        words = tuple(filled(word, kind) for word in words)
        started.append(Live(folder, *words, options=options, environ=environ))
        return started[-1]

    yield start
    for live in started:
        live.close()


def asked(live: Live, address: list[object] | str) -> str:
    try:
        if isinstance(address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(20)
            sock.connect(str(live.path(address)))
        else:
            sock = socket.create_connection((str(address[0]), int(str(address[1]))), 20)
        with sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
    except OSError as error:
        return repr(error)
    return data.partition(b"\r\n\r\n")[2].decode()


def check(live: Live) -> None:
    """Two saves, each answered at the first address by the new code, without a try that failed."""
    first = live.event("listening", timeout=30)["address"]
    live.wait(lambda: "1" in asked(live, first), 30, "the first answer")
    for version in (2, 3):
        text = live.path("app.py").read_text()
        live.save("app.py", text.replace(f"LOADED = {version - 1}", f"LOADED = {version}"))
        answer = asked(live, first)  # waits in the backlog, or is handed over
        assert str(version) in answer, answer
        assert live.event("listening", timeout=30, generation=version)["address"] == first


@pytest.mark.parametrize(("name", "kind"), CASES, ids=lambda word: str(word))
def test_the_address_is_kept(begin: Begin, name: str, kind: str) -> None:
    check(begin(name, kind))


@pytest.mark.parametrize("kind", ["v4", "v6"])
@pytest.mark.parametrize("way", ["restart", "portable"])
@pytest.mark.parametrize("name", ["socketserver", "uvicorn", "gunicorn", "asyncio"])
def test_it_is_kept_where_each_generation_is_a_cold_start(
    begin: Begin, name: str, way: str, kind: str
) -> None:
    if way == "restart":
        check(begin(name, kind, "--strategy", "restart"))
    else:
        check(begin(name, kind, REFORK_PORTABLE="1"))
