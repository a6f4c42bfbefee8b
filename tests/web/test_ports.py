"""A port that the program binds, closes, looks at and binds again: to the program it is as in plain Python."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.live import Live, descriptors
from support.ports import free_port

SERVER = """
import errno, os, signal, socket, sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer
LOADED = 1
HOST, PORT = "127.0.0.1", int(sys.argv[1])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n%d %s" % (LOADED, found.encode()))
    def log_message(self, *_):
        pass
def new():
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made
def bind(host=HOST, listens=False):
    with new() as made:
        try:
            made.bind((host, PORT))
            if listens:
                made.listen()
        except OSError as error:
            return errno.errorcode[error.errno]
    return "free"
def connect(host=HOST):
    with new() as made:
        try:
            made.connect((host, PORT))
        except ConnectionRefusedError as error:
            return "free" if str(error) == "[Errno 111] Connection refused" else str(error)
    return "taken"
def connect_ex():
    with new() as made:
        return "free" if made.connect_ex((HOST, PORT)) == errno.ECONNREFUSED else "taken"
def serve():
    HTTPServer((HOST, PORT), Handler).serve_forever()
"""

PROBES = {
    "bind": "found = bind()",
    "twice": "found = bind() and bind()",
    "listen": "found = bind(listens=True)",
    "any": "found = bind('')",
    "name": "found = bind('localhost', listens=True)",
    "connect": "found = connect()",
    "connect_to_name": "found = connect('localhost')",
    "connect_ex": "found = connect_ex()",
    "all": "found = ' '.join({bind(), bind('', True), connect(), bind(listens=True), connect_ex()})",
}

AGAIN = """
first = HTTPServer((HOST, PORT), Handler)
threading.Timer(0.1, first.shutdown).start()
first.serve_forever()
first.server_close()
found = connect()
"""
STILL = """
first = HTTPServer((HOST, PORT), Handler)
found = bind() + " " + bind("") + " " + connect()
first.serve_forever()
"""

Begin = Callable[[str], Live]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def begin(tmp_path: Path, port: int) -> Iterator[Begin]:
    started: list[Live] = []
    folder = tmp_path / "s"
    folder.mkdir()

    def start(text: str) -> Live:
        (folder / "app.py").write_text(text)
        started.append(Live(folder, "app.py", str(port)))
        return started[-1]

    yield start
    for live in started:
        live.close()


def asked(port: int, host: str = "127.0.0.1", timeout: float = 20) -> str:
    with socket.create_connection((host, port), timeout) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
    return data.rpartition(b"\r\n\r\n")[2].decode()


def answers(live: Live, port: int, text: str) -> None:
    """Ask until the answer is that, or a page with a line of it."""

    def look() -> bool:
        try:
            answer = asked(port)
        except OSError:
            return False
        return answer == text or text in answer.splitlines()

    live.wait(look, 20, f"{text!r} at port {port}")
    live.start(1)


def edit(live: Live, old: str, new: str) -> None:
    text = live.path("app.py").read_text()
    assert old in text
    live.save("app.py", text.replace(old, new))


@pytest.mark.parametrize("name", PROBES)
def test_a_program_that_looks_whether_its_port_is_free(begin: Begin, port: int, name: str) -> None:
    live = begin(SERVER + PROBES[name] + "\nserve()\n")
    answers(live, port, "1 free")
    for version in (2, 3):
        edit(live, f"LOADED = {version - 1}", f"LOADED = {version}")
        answers(live, port, f"{version} free")
    assert not live.all("error")


def test_a_server_that_is_closed_and_begins_anew(begin: Begin, port: int) -> None:
    live = begin(SERVER + AGAIN + "serve()\n")
    answers(live, port, "1 free")
    edit(live, "LOADED = 1", "LOADED = 2")
    answers(live, port, "2 free")


def test_a_port_that_the_program_still_has_is_in_use(begin: Begin, port: int) -> None:
    """The error is the program's own, and the socket is held on: nothing is refused afterwards."""
    live = begin(SERVER + STILL)
    answers(live, port, "1 EADDRINUSE EADDRINUSE taken")
    edit(live, "LOADED = 1", "time.sleep(1)\nLOADED = 2")
    live.start(2)
    assert asked(port) == "2 EADDRINUSE EADDRINUSE taken"


@pytest.mark.parametrize("probe", ["bind", "listen", "name", "any", "all"])
def test_who_waits_while_the_program_looks_is_answered(begin: Begin, port: int, probe: str) -> None:
    live = begin(SERVER + PROBES[probe] + "\nserve()\n")
    answers(live, port, "1 free")
    edit(live, "LOADED = 1", "time.sleep(1)\nLOADED = 2")
    live.start(2)
    got: list[str] = []
    client = threading.Thread(target=lambda: got.append(asked(port)))
    client.start()
    client.join(20)
    assert got == ["2 free"]


def test_the_host_is_edited_and_the_port_stays(begin: Begin, port: int) -> None:
    live = begin(SERVER + "found = HOST\nserve()\n")
    answers(live, port, "1 127.0.0.1")
    for old, new in (("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "localhost"), ("localhost", "")):
        edit(live, f'HOST, PORT = "{old}"', f'HOST, PORT = "{new}"')
        answers(live, port, f"1 {new}")
    assert not live.all("error")


def test_many_servers_in_a_row_cost_the_supervisor_nothing(begin: Begin, port: int) -> None:
    """As tests do that start one each, at a port of its own."""
    many = "for _ in range(300):\n    socket.create_server((HOST, 0)).close()\n"
    live = begin(SERVER + many + 'found = "free"\nserve()\n')
    live.wait(lambda: len(live.all("listening")) == 301, 20, "all sockets")
    assert descriptors(live.process.pid) < 150


def test_what_is_asked_of_the_supervisor_leaves_nothing_open(begin: Begin, port: int) -> None:
    live = begin(SERVER + PROBES["all"] + "\nserve()\n")
    answers(live, port, "1 free")
    counts = []
    for version in range(2, 10):
        edit(live, f"LOADED = {version - 1}", f"LOADED = {version}")
        answers(live, port, f"{version} free")
        counts.append(descriptors(live.process.pid))
    assert counts[-1] <= counts[1] + 3, counts


WOKEN = """
import signal, socket, sys, threading
LOADED = 1
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def end(*_):
    listening.shutdown(socket.SHUT_RDWR)
signal.signal(signal.SIGTERM, end)
def serve():
    while True:
        try:
            connection, _address = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n%d" % LOADED)
thread = threading.Thread(target=serve)
thread.start()
thread.join()
print("bye", flush=True)
"""


def test_a_server_that_wakes_itself_by_shutdown(begin: Begin, port: int) -> None:
    """It ends as it means to, and the next generation has those who wait."""
    live = begin(WOKEN)
    answers(live, port, "1")
    edit(live, "LOADED = 1", "import time; time.sleep(1)\nLOADED = 2")
    live.start(2)
    assert live.lines == ["bye"]
    assert asked(port) == "2"
    edit(live, "LOADED = 2", "LOADED = = 2")
    answers(live, port, "SyntaxError: invalid syntax")


def test_a_socket_that_is_dead_listens_again(begin: Begin, port: int) -> None:
    """The program shut it down before it was told to end; the port was chosen by the kernel."""
    text = WOKEN.replace("int(sys.argv[1])", "0").replace(
        "thread.join()", "thread.join(1)\nlistening.shutdown(2)\nraise ValueError(1)"
    )
    live = begin(text)
    port = live.event("listening")["address"][1]
    answers(live, port, "ValueError: 1")
    edit(live, "thread.join(1)", "thread.join()")
    answers(live, port, "1")
