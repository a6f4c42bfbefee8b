"""Connections that are handed from one generation to the next: no byte is lost, and no chain grows."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from refork.sockets.handover import Handover
from support.waiting import wait_for
from web.stage import Stage, connect, rest_of


@pytest.fixture
def handover(stage: Stage) -> Iterator[Handover]:
    made = stage.call(Handover)
    yield made
    stage.run(made.close())


@pytest.fixture(params=["tcp", "tcp6", "unix"])
def held(
    request: pytest.FixtureRequest, tmp_path: Path, nothing_left: None
) -> Iterator[socket.socket]:
    if request.param == "unix":
        made = socket.socket(socket.AF_UNIX)
        made.bind(str(tmp_path / "s"))
        made.listen(64)
    elif request.param == "tcp6":
        made = socket.create_server(("::1", 0), family=socket.AF_INET6)
    else:
        made = socket.create_server(("127.0.0.1", 0))
    made.settimeout(10)
    with made:
        yield made


def name_of(held: socket.socket) -> tuple[str, int] | str:
    name = held.getsockname()
    return name if isinstance(name, str) else (name[0], name[1])


def accepted(held: socket.socket) -> socket.socket:
    connection, _address = held.accept()
    connection.settimeout(10)
    return connection


def give(stage: Stage, handover: Handover, connection: socket.socket, received: bytes) -> None:
    """As a program does: the supervisor gets a copy of the descriptor, and the program's is closed."""
    stage.call(handover.take, os.dup(connection.fileno()), received)
    connection.close()


def test_what_was_read_and_what_was_not_arrives(
    stage: Stage, handover: Handover, held: socket.socket
) -> None:
    with connect(name_of(held)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost")
        first = accepted(held)
        read = first.recv(7)
        give(stage, handover, first, read)
        client.sendall(b": x\r\n\r\n")
        with accepted(held) as second:
            data = b""
            while b"\r\n\r\n" not in data:
                data += second.recv(65536)
            assert data == b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
            second.sendall(b"answer")
        assert rest_of(client) == b"answer"
    wait_for(lambda: len(handover) == 0, what="let go of")


def test_one_that_is_handed_on_again_and_again_is_carried_once(
    stage: Stage, handover: Handover, held: socket.socket
) -> None:
    sent = b""
    with connect(name_of(held)) as client:
        connection = accepted(held)
        for turn in range(20):
            client.sendall(b"%02d" % turn)
            sent += b"%02d" % turn
            read = exactly(connection, turn)  # some of it; the rest is still under way
            give(stage, handover, connection, read)
            connection = accepted(held)
            assert len(handover) == 1
        assert exactly(connection, len(sent)) == sent
        connection.sendall(b"done")
        connection.close()
        assert rest_of(client) == b"done"
    wait_for(lambda: len(handover) == 0, what="let go of")


def test_one_that_is_handed_back_before_it_was_sent_anything_loses_nothing(
    stage: Stage, handover: Handover, held: socket.socket
) -> None:
    """The kernel connects at once; that generation may have accepted and ended before we hear of it."""

    async def back_at_once(fd: int) -> None:
        handover.take(fd, b"request")
        while not select.select([held], [], [], 0)[0]:
            await asyncio.sleep(0)  # until it has begun to connect: it has not heard that it is
        again = accepted(held)
        handover.take(again.detach(), b"")

    with connect(name_of(held)) as client:
        stage.run(back_at_once(accepted(held).detach()))
        with accepted(held) as served:
            assert exactly(served, 7) == b"request"
            served.sendall(b"done")
        assert rest_of(client) == b"done"


def test_one_is_carried_nowhere_while_nobody_would_keep_it(
    stage: Stage, handover: Handover, held: socket.socket
) -> None:
    """A generation that is being replaced accepts still, and would only give it back."""
    first, second = handover.held(), handover.held()
    with connect(name_of(held)) as client:
        connection = accepted(held)
        stage.call(first.__enter__)
        stage.call(second.__enter__)
        give(stage, handover, connection, b"request")
        stage.call(first.__exit__, None, None, None)
        for _turn in range(20):
            stage.run(asyncio.sleep(0))
        assert not select.select([held], [], [], 0)[0]
        stage.call(second.__exit__, None, None, None)
        with accepted(held) as served:
            assert exactly(served, 7) == b"request"
            served.sendall(b"done")
        assert rest_of(client) == b"done"


def exactly(connection: socket.socket, many: int) -> bytes:
    data = b""
    while len(data) < many:
        data += connection.recv(many - len(data))
    return data


def test_an_answer_that_was_under_way_arrives_before_the_next(
    stage: Stage, handover: Handover, held: socket.socket
) -> None:
    """A kept connection: what was answered before it was handed on is not lost."""
    with connect(name_of(held)) as client:
        give(stage, handover, accepted(held), b"")
        client.sendall(b"one")
        first = accepted(held)
        assert first.recv(3) == b"one"
        first.sendall(b"A" * 300_000)
        give(stage, handover, first, b"")
        client.sendall(b"two")
        assert exactly(client, 300_000) == b"A" * 300_000
        with accepted(held) as second:
            assert second.recv(3) == b"two"
            second.sendall(b"B")
        assert rest_of(client) == b"B"


def test_a_client_that_leaves_is_let_go_of(
    stage: Stage, handover: Handover, held: socket.socket
) -> None:
    client = connect(name_of(held))
    give(stage, handover, accepted(held), b"")
    with accepted(held) as second:
        client.close()
        assert second.recv(10) == b""
    wait_for(lambda: len(handover) == 0, what="let go of")


def test_a_flood_is_bounded(
    stage: Stage, handover: Handover, held: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refork.sockets.handover.MOST", 2)
    clients = [connect(name_of(held)) for _ in range(4)]
    for connection in [accepted(held) for _ in range(4)]:
        give(stage, handover, connection, b"")
    assert len(handover) == 2
    assert rest_of(clients[2]) == rest_of(clients[3]) == b""
    for client in clients:
        client.close()
    for connection in [accepted(held) for _ in range(2)]:
        connection.close()
    wait_for(lambda: len(handover) == 0, what="let go of")


def test_what_is_no_socket_is_closed(stage: Stage, handover: Handover) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    stage.call(handover.take, reader, b"")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    assert len(handover) == 0
