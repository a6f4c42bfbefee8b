"""Live reload's server over real sockets."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from refork.web import http
from refork.web import live as module
from refork.web.live import LiveReload
from support.waiting import wait_for
from web.stage import Stage, body_of, connect, exchange, get, headers_of, rest_of, status_of

PAGE = "Origin: http://localhost:8000"


def address(live: LiveReload) -> tuple[str, int]:
    parts = urlsplit(live.origin)
    return str(parts.hostname), int(parts.port or 0)


class Tab:
    """A client of the event stream."""

    def __init__(self, live: LiveReload, since: str = "", *headers: str) -> None:
        self.sock = connect(address(live))
        self.sock.sendall(get(f"/events?since={since}", *(headers or (PAGE,))))
        self._data = b""

    def until(self, kind: str) -> list[dict[str, object]]:
        """All events up to the next one of `kind`."""
        while True:
            events = self._events()
            if any(event["kind"] == kind for event in events):
                self._data = b""
                return events
            chunk = self.sock.recv(65_536)
            assert chunk, f"the stream ended before {kind!r}: {self._data!r}"
            self._data += chunk

    def _events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in re.findall(rb"data: (.*)\n\n", self._data)]

    def close(self) -> None:
        self.sock.close()


@pytest.fixture
def tab(live: LiveReload) -> Iterator[Tab]:
    made = Tab(live)
    made.until("hello")
    yield made
    made.close()


def test_a_tab_hears_what_changed(stage: Stage, live: LiveReload, tab: Tab) -> None:
    stage.call(live.notify, "css", ["/p/a.css"], 1)
    stage.call(live.notify, "ready", [], 2)
    events = tab.until("ready")
    assert [event["kind"] for event in events] == ["css", "ready"]
    assert events[0]["files"] == ["/p/a.css"]
    assert events[1]["generation"] == 2


def test_a_tab_that_was_away_hears_what_it_missed(stage: Stage, live: LiveReload, tab: Tab) -> None:
    stage.call(live.notify, "css", ["/p/a.css"], 1)
    known = str(tab.until("css")[-1]["id"])
    tab.close()
    stage.call(live.notify, "reload", ["/p/a.html"], 1)
    for headers in ((), (PAGE, f"Last-Event-ID: {known}")):
        again = Tab(live, known, *headers)
        assert [event["kind"] for event in again.until("reload")] == ["hello", "reload"]
        again.close()


def test_many_tabs(stage: Stage, live: LiveReload) -> None:
    tabs = [Tab(live) for _ in range(150)]
    for one in tabs:
        one.until("hello")
    assert live.streams == 150
    stage.call(live.notify, "ready", [], 2)
    for one in tabs:
        one.until("ready")
        one.close()
    wait_for(lambda: stage.call(lambda: live.streams) == 0, what="streams closed")


def test_close_ends_the_streams_at_once(stage: Stage, live: LiveReload, tab: Tab) -> None:
    stage.run(live.close())
    assert rest_of(tab.sock) == b""


def test_a_client_that_does_not_read_is_dropped(
    stage: Stage, live: LiveReload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WRITE_SECONDS", 0.2)
    slow, quick = Tab(live), Tab(live)
    quick.until("hello")
    files = ["/p/" + "x" * 4000] * 60
    for number in range(200):
        stage.call(live.notify, "css", files, number)
        quick.until("css")
    wait_for(lambda: stage.call(lambda: live.streams) == 1, what="the slow one dropped")
    slow.close()
    quick.close()


def test_heartbeats(live: LiveReload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    one = Tab(live)
    data = b""
    while b"\n:\n\n:\n\n" not in data:
        data += one.sock.recv(65_536)
    one.close()


def test_the_client_script(stage: Stage, live: LiveReload) -> None:
    stage.call(live.notify, "css", [], 1)
    answer = exchange(address(live), get("/client.js?generation=7"))
    assert status_of(answer) == 200
    assert headers_of(answer)["content-type"] == "text/javascript; charset=utf-8"
    assert headers_of(answer)["cross-origin-resource-policy"] == "cross-origin"
    facts = re.search(r"const facts = (.*);", body_of(answer))
    assert facts is not None
    assert json.loads(facts[1])["origin"] == live.origin
    assert json.loads(facts[1])["since"].endswith("-1")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/events", "Origin: http://evil.example"), 403),
        (get("/events", "Origin: null"), 403),
        (get("/events", "Sec-Fetch-Site: cross-site"), 403),
        (get("/events", PAGE, host="evil.example"), 403),
        (get("/client.js", host="evil.example:80"), 403),
        (get("/client.js", "X-Forwarded-For: 203.0.113.9"), 403),
        (get("/events", PAGE, method="POST"), 405),
        (get("/events", PAGE, method="HEAD"), 403),
        (get("/../../etc/passwd"), 404),
        (get("/"), 404),
    ],
)
def test_who_may_not(live: LiveReload, request_: bytes, status: int) -> None:
    assert status_of(exchange(address(live), request_)) == status


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://[::1]", "http://a.localhost"])
def test_pages_of_this_machine_may(live: LiveReload, origin: str) -> None:
    one = Tab(live, "", f"Origin: {origin}")
    data = b""
    while b"\r\n\r\n" not in data:
        data += one.sock.recv(65_536)
    one.close()
    assert status_of(data) == 200
    assert headers_of(data)["access-control-allow-origin"] == origin


def test_hostile_clients_do_not_hold_it_up(
    stage: Stage, live: LiveReload, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = [connect(address(live)) for _ in range(100)]
    for sock in idle[:50]:
        sock.sendall(b"GET /eve")
    for noise in (b"\x16\x03\x01" * 50, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 9000):
        try:
            exchange(address(live), noise, ends=True)
        except ConnectionResetError:
            pass  # more than it wanted to read
    stage.call(live.notify, "ready", [], 2)
    tab.until("ready")
    for sock in idle:
        sock.close()


def test_too_many_streams(live: LiveReload, tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STREAMS", 1)
    assert status_of(exchange(address(live), get("/events", PAGE))) == 503
    assert status_of(exchange(address(live), get("/client.js"))) == 200


def test_a_slow_request_is_cut_off(live: LiveReload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    with connect(address(live)) as sock:
        sock.sendall(b"GET /events HTTP/1.1\r\n")
        assert status_of(rest_of(sock)) == 408


def test_it_listens_on_loopback_only(live: LiveReload) -> None:
    assert address(live)[0] == "127.0.0.1"
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", address(live)[1])) != 0
