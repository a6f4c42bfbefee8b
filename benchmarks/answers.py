"""Asking a server over HTTP, one new connection a question, as a browser would after a save."""

from __future__ import annotations

import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One HTTP answer: status and body as text."""

    status: int
    body: str


@dataclass(frozen=True)
class Seen:
    """How an edit came through.

    ms: milliseconds from just before the save to the end of the first new answer.
    refused: connections refused in between.
    cut: connections in between that were accepted and closed without an answer.
    stale: answers in between that still came from the old code.
    """

    ms: float
    refused: int = 0
    cut: int = 0
    stale: int = 0


class NotServed(Exception):
    """The expected text did not come in time; the message says what came instead."""


def free_port() -> int:
    """A loopback TCP port that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


REFUSED = Answer(0, "")
CUT = Answer(-1, "")
"""What comes in place of an answer when there is none."""


def ask(port: int, path: str, timeout: float = 60.0) -> Answer:
    """The answer to GET path, or REFUSED or CUT."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    except ConnectionRefusedError:
        return REFUSED
    except (OSError, http.client.HTTPException):
        return CUT
    finally:
        connection.close()


def answers(port: int, path: str, deadline: float) -> Iterator[Answer]:
    """Ask again and again until the monotonic clock passes deadline."""
    while time.monotonic() < deadline:
        answer = ask(port, path)
        yield answer
        time.sleep(0.001 if answer.status > 0 else 0.003)


def wait_for(
    port: int,
    path: str,
    marker: str,
    seconds: float,
    since: float,
    running: Callable[[], bool],
) -> Seen:
    """Ask until marker is in an answer; times count from `since` (monotonic seconds).

    Raises NotServed when that has not happened within `seconds`, or the server is not running.
    """
    seen: Counter[Answer] = Counter()
    last = REFUSED
    for answer in answers(port, path, time.monotonic() + seconds):
        if marker in answer.body:
            ms = (time.monotonic() - since) * 1000
            old = seen.total() - seen[REFUSED] - seen[CUT]
            return Seen(ms, seen[REFUSED], seen[CUT], old)
        if answer is REFUSED and not running():
            raise NotServed("the server has ended")
        seen[answer] += 1
        last = answer
    raise NotServed(
        f"{marker!r} was not served at {path} within {seconds:.0f} s: {seen[REFUSED]} refused,"
        f" {seen[CUT]} cut of {seen.total()}; the last: {last.status} {last.body[:300]!r}"
    )
