"""A stage for the servers, and a check that nothing is left of them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refork.web.error_page import ErrorPage
from refork.web.live import LiveReload
from refork.web.problem import Problem
from support.waiting import wait_for
from web.stage import Stage


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails when a test leaves a file descriptor or a thread behind."""
    threads, descriptors = set(threading.enumerate()), _descriptors()
    yield
    wait_for(lambda: set(threading.enumerate()) <= threads, what="threads gone")
    wait_for(lambda: _descriptors() <= descriptors, what="file descriptors closed")


@pytest.fixture
def stage(nothing_left: None) -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()
    assert made.faults == []


@pytest.fixture
def listening(nothing_left: None) -> Iterator[socket.socket]:
    """A held socket: listening, and blocking as the program made it."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as sock:
        yield sock


@pytest.fixture
def page(stage: Stage) -> Iterator[ErrorPage]:
    made = ErrorPage()
    yield made
    stage.run(made.close())


@pytest.fixture
def live(stage: Stage) -> Iterator[LiveReload]:
    made = LiveReload()
    stage.run(made.start())
    yield made
    stage.run(made.close())


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[], Problem]:
    """A problem in a file that exists."""
    file = tmp_path / "views.py"
    file.write_text("import os\n\n\ndef index(request):\n    return reponse\n\nindex(None)\n")
    places = [(str(file), 7, "<module>"), (str(file), 5, "index")]

    def make() -> Problem:
        return Problem.read(
            "NameError", "name 'reponse' is not defined", places, changed=[str(file)], generation=4
        )

    return make
