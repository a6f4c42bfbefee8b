"""`--on-error last-good`: the previous good generation serves while the new code does not start."""

from __future__ import annotations

import http.client
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.live import Live, alive

APP = """
import os
VERSION = "one"
def app(environ, start_response):
    text = f"{VERSION} {os.getpid()}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
"""
SERVE = """
from wsgiref.simple_server import make_server, WSGIRequestHandler
import app
WSGIRequestHandler.log_message = lambda *_: None
make_server("127.0.0.1", 0, app.app).serve_forever()
"""

Start = Callable[..., Live]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Live] = []
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "serve.py").write_text(SERVE)

    def begin(*options: str) -> Live:
        live = Live(folder, "serve.py", options=["--on-error", "last-good", *options])
        started.append(live)
        live.event("listening")
        return live

    yield begin
    for live in started:
        live.close()


def ask(live: Live) -> tuple[str, str | None, int]:
    """Body, X-Refork header and pid of an answer."""
    port = live.all("listening")[0]["address"][1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        text, pid = answer.read().decode().split()
        return text, answer.getheader("X-Refork"), int(pid)
    finally:
        connection.close()


BROKEN = "raise RuntimeError('not today')\n" + APP


@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_the_last_good_one_serves_until_the_mended_one_does(start: Start, strategy: str) -> None:
    live = start("--strategy", strategy)
    text, mark, first = ask(live)
    assert (text, mark) == ("one", None)
    live.save("app.py", BROKEN)
    live.exit(2)
    live.complains("generation 1 goes on serving")
    assert ask(live) == ("one", "last-good generation=1", first)
    live.save("app.py", BROKEN.replace("one", "still broken"))
    live.exit(3)
    assert ask(live) == ("one", "last-good generation=1", first)
    live.save("app.py", APP.replace("one", "mended"))
    live.event("listening", generation=4)
    text, mark, last = ask(live)
    assert (text, mark) == ("mended", None)
    assert last != first
    live.wait(lambda: not alive(first), 5, "the old one is gone")


def test_without_an_error_it_is_a_reload_like_any_other(start: Start) -> None:
    live = start()
    for number in range(2, 5):
        _text, _mark, before = ask(live)
        live.save("app.py", APP.replace("one", f"v{number}"))
        live.event("listening", generation=number)
        assert ask(live)[:2] == (f"v{number}", None)
        live.wait(lambda pid=before: not alive(pid), 5, "the old one is gone")  # type: ignore[misc]


def test_it_goes_when_refork_goes(start: Start) -> None:
    live = start()
    assert ask(live)[0] == "one"  # it serves, and does not only listen
    live.save("app.py", BROKEN)
    live.exit(2)
    live.complains("goes on serving")
    assert live.end(signal.SIGINT) == 130


def test_the_error_page_shows_when_it_dies(start: Start) -> None:
    live = start()
    _text, _mark, pid = ask(live)
    live.save("app.py", BROKEN)
    live.complains("goes on serving")
    os.kill(pid, signal.SIGKILL)
    port = live.all("listening")[0]["address"][1]

    def page() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    live.wait(lambda: page() == 500, 5, "the error page")
    live.save("app.py", APP.replace("one", "mended"))
    live.event("listening", generation=3)
    assert ask(live)[:2] == ("mended", None)
