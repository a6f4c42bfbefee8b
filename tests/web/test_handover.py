"""Between the error page and the next generation no connection is refused, reset, or told of an old
error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from refork.web.error_page import ErrorPage
from refork.web.problem import Problem
from support.waiting import wait_for
from web.stage import Stage, body_of, connect, exchange, get, rest_of, status_of

Make = Callable[[], Problem]
NEW = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnew"


class Program:
    """A plain blocking server on the held socket: the next generation."""

    def __init__(self, held: socket.socket) -> None:
        self._sock = held.dup()
        self._stop, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="program")
        self.requests: list[bytes] = []
        self._thread.start()

    def _serve(self) -> None:
        import select

        while True:
            ready, _, _ = select.select([self._sock, self._stop], [], [])
            if self._stop in ready:
                return
            connection, _ = self._sock.accept()
            with connection:
                connection.settimeout(10)
                self.requests.append(_head(connection))
                connection.sendall(NEW)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass

    def close(self) -> None:
        self._wake.close()
        self._thread.join(10)
        self._stop.close()
        self._sock.close()


def _head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        if not chunk:
            break
        data += chunk
    return data


@pytest.fixture
def program(listening: socket.socket) -> Iterator[Callable[[], Program]]:
    started: list[Program] = []

    def start() -> Program:
        started.append(Program(listening))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_after_hide_connections_wait_for_the_program(
    stage: Stage,
    page: ErrorPage,
    listening: socket.socket,
    broken: Make,
    program: Callable[[], Program],
) -> None:
    address = listening.getsockname()
    stage.call(page.show, broken(), [listening])
    assert status_of(exchange(address, get())) == 500
    stage.call(page.hide)
    with connect(address) as early:
        early.sendall(get())
        program()
        assert body_of(rest_of(early)) == "new"


@pytest.mark.parametrize("begun", [b"", b"GET /x HT", get("/x")[:-2]])
def test_a_connection_without_a_request_yet_goes_to_the_program(
    begun: bytes,
    stage: Stage,
    page: ErrorPage,
    listening: socket.socket,
    broken: Make,
    program: Callable[[], Program],
) -> None:
    """A browser connects ahead of its requests; what it then asks is answered by the new code."""
    stage.call(page.show, broken(), [listening])
    with connect(listening.getsockname()) as early:
        early.sendall(begun)
        wait_for(lambda: stage.call(lambda: len(page._listener.connections)), what="accepted")
        stage.call(page.hide)
        new = program()
        request = get("/x")
        early.sendall(request[len(begun) :])
        assert body_of(rest_of(early)) == "new"
        assert new.requests == [request]


def test_the_passed_on_connection_meets_the_next_error(
    stage: Stage, page: ErrorPage, listening: socket.socket, broken: Make
) -> None:
    stage.call(page.show, broken(), [listening])
    with connect(listening.getsockname()) as early:
        wait_for(lambda: stage.call(lambda: len(page._listener.connections)), what="accepted")
        stage.call(page.hide)
        stage.call(page.show, Problem("Next", "error", generation=5), [listening])
        early.sendall(get())
        assert "Next: error" in body_of(rest_of(early))


def test_hidden_and_shown_in_one_breath_drops_nothing(
    stage: Stage, page: ErrorPage, listening: socket.socket, broken: Make
) -> None:
    stage.call(page.show, broken(), [listening])
    with connect(listening.getsockname()) as early:
        wait_for(lambda: stage.call(lambda: len(page._listener.connections)), what="accepted")

        def blink() -> None:
            page.hide()
            page.show(Problem("Next", "error", generation=5), [listening])

        stage.call(blink)
        early.sendall(get())
        assert "Next: error" in body_of(rest_of(early))


def test_closing_ends_every_connection(
    stage: Stage, page: ErrorPage, listening: socket.socket, broken: Make
) -> None:
    stage.call(page.show, broken(), [listening])
    with connect(listening.getsockname()) as idle, connect(listening.getsockname()) as passed_on:
        wait_for(lambda: stage.call(lambda: len(page._listener.connections)) == 2, what="both")
        stage.call(page.hide)
        stage.run(page.close())
        assert rest_of(idle) == rest_of(passed_on) == b""


def test_nothing_is_lost_while_page_and_program_take_turns(
    stage: Stage,
    page: ErrorPage,
    listening: socket.socket,
    broken: Make,
) -> None:
    """Clients without a pause, through many hand-overs: each gets a whole answer of one of them."""
    address = listening.getsockname()
    done = threading.Event()
    problem = broken()

    def client() -> list[int]:
        statuses = []
        while not done.is_set():
            statuses.append(status_of(exchange(address, get())))
        return statuses

    with ThreadPoolExecutor(4) as clients:
        running = [clients.submit(client) for _ in range(4)]
        try:
            for _ in range(40):
                stage.call(page.show, problem, [listening])
                assert status_of(exchange(address, get())) in (200, 500)
                stage.call(page.hide)
                new = Program(listening)
                assert status_of(exchange(address, get())) in (200, 500)
                new.close()
        finally:
            stage.call(page.show, problem, [listening])
            done.set()
        statuses = [status for one in running for status in one.result()]
        stage.call(page.hide)
    assert set(statuses) == {200, 500}
