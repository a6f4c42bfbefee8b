"""The error page over real sockets: what friendly, careless and hostile clients get."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refork.web import error_page, http
from refork.web.error_page import ErrorPage
from refork.web.problem import Problem
from support.waiting import wait_for
from web.stage import (
    Stage,
    body_of,
    connect,
    exchange,
    get,
    headers_of,
    rest_of,
    status_of,
)

Make = Callable[[], Problem]


@pytest.fixture
def shown(
    stage: Stage, page: ErrorPage, listening: socket.socket, broken: Make
) -> Iterator[tuple[str, int]]:
    """The address of an error page that is shown."""
    stage.call(page.show, broken(), [listening])
    yield listening.getsockname()
    stage.call(page.hide)


def test_a_browser_gets_the_page(shown: tuple[str, int]) -> None:
    answer = exchange(shown, get("/", "Accept: text/html,*/*;q=0.8"))
    headers = headers_of(answer)
    assert status_of(answer) == 500
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["x-refork-error"] == "4"
    assert headers["cache-control"] == "no-store"
    assert "'unsafe-inline'" not in headers["content-security-policy"]
    assert "return</i> reponse" in body_of(answer)
    assert int(headers["content-length"]) == len(answer.partition(b"\r\n\r\n")[2])


def test_curl_gets_text_and_api_clients_json(shown: tuple[str, int]) -> None:
    text = exchange(shown, get("/", "Accept: */*"))
    assert body_of(text).endswith("NameError: name 'reponse' is not defined\n")
    answer = exchange(shown, get("/", "Accept: application/json"))
    assert json.loads(body_of(answer))["error"]["type"] == "NameError"


def test_head_has_no_body(shown: tuple[str, int]) -> None:
    answer = exchange(shown, get(method="HEAD"))
    assert status_of(answer) == 500
    assert int(headers_of(answer)["content-length"]) > 0
    assert body_of(answer) == ""


def test_no_environment_and_no_variables(
    stage: Stage, page: ErrorPage, shown: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "s3cr3t-value")
    for accept in ("text/html", "application/json", "*/*"):
        assert b"s3cr3t-value" not in exchange(shown, get("/", f"Accept: {accept}"))


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:8000"},
        {"forwarded": "X-Forwarded-For: 203.0.113.9"},
        {"forwarded": "Forwarded: for=203.0.113.9"},
    ],
)
def test_strangers_learn_nothing(shown: tuple[str, int], headers: dict[str, str]) -> None:
    more = [headers["forwarded"]] if "forwarded" in headers else []
    request = get("/", "Accept: text/html", *more, host=headers.get("host", "localhost"))
    answer = exchange(shown, request)
    assert status_of(answer) == 503
    assert body_of(answer) == error_page.BARE + "\n"
    assert "x-refork-error" not in headers_of(answer)


def test_a_client_from_elsewhere_learns_nothing(
    stage: Stage, page: ErrorPage, broken: Make
) -> None:
    address = _address_of_another_interface()
    with socket.create_server((address, 0)) as sock:
        stage.call(page.show, broken(), [sock])
        assert status_of(exchange(sock.getsockname(), get(host="localhost"))) == 503
        stage.call(page.hide)


def _address_of_another_interface() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; only chooses the interface
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def test_ipv6(stage: Stage, page: ErrorPage, broken: Make) -> None:
    try:
        sock = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with sock:
        stage.call(page.show, broken(), [sock])
        address = sock.getsockname()[:2]
        assert status_of(exchange(address, get(host=f"[::1]:{address[1]}"))) == 500
        stage.call(page.hide)


def test_several_sockets_of_several_kinds(
    stage: Stage, page: ErrorPage, listening: socket.socket, broken: Make, tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        stage.call(page.show, broken(), [listening, sock])
        assert status_of(exchange(path, get(host="localhost"))) == 500
        assert status_of(exchange(path, get(host="evil.example"))) == 503
        assert status_of(exchange(listening.getsockname(), get())) == 500
        stage.call(page.hide)


def test_the_next_problem_replaces_the_first(
    stage: Stage, page: ErrorPage, shown: tuple[str, int], listening: socket.socket
) -> None:
    stage.call(page.show, Problem("Other", "one", generation=5), [listening])
    assert "Other: one" in body_of(exchange(shown, get()))


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # a TLS hello
        b"\x00\x01\x02\x03\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\r\n\r\n\r\n \r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_close(shown: tuple[str, int], noise: bytes) -> None:
    assert closed_after(shown, noise) == b""


def closed_after(address: tuple[str, int], noise: bytes) -> bytes:
    """What comes back until the end; a reset is an end as well here."""
    with connect(address) as sock:
        sock.sendall(noise)
        try:
            return rest_of(sock)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 503),  # no Host, and no browser's version
        (b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000, 431),
        (b"GET / HTTP/1.0\r\n\r\n", 500),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 500),
    ],
)
def test_odd_requests(shown: tuple[str, int], request_: bytes, status: int) -> None:
    assert status_of(exchange(shown, request_)) == status


def test_a_large_upload_still_gets_the_answer(shown: tuple[str, int]) -> None:
    """The client sends all before it reads, as most do; a close too early would reset it."""
    size = 30_000_000
    head = get("/", f"Content-Length: {size}", method="POST")
    with connect(shown) as sock:
        sock.sendall(head)
        sock.sendall(bytes(size))
        sock.shutdown(socket.SHUT_WR)
        assert status_of(rest_of(sock)) == 500


def test_a_chunked_upload_gets_the_answer(shown: tuple[str, int]) -> None:
    head = get("/", "Transfer-Encoding: chunked", method="POST")
    assert status_of(exchange(shown, head + b"5\r\nhello\r\n0\r\n\r\n")) == 500


def test_the_answer_to_a_form_asks_before_it_is_sent_again(shown: tuple[str, int]) -> None:
    answer = exchange(shown, get("/", "Accept: text/html", "Content-Length: 0", method="POST"))
    assert 'data-ask="1"' in body_of(answer)
    assert 'data-ask="0"' in body_of(exchange(shown, get("/", "Accept: text/html")))


def test_a_slow_client_is_cut_off(shown: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.2)
    with connect(shown) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert status_of(rest_of(sock)) == 408
    with connect(shown) as sock:
        assert rest_of(sock) == b""


def test_trickling_does_not_extend_the_deadline(
    shown: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)
    started = time.monotonic()
    with connect(shown) as sock:
        stop = threading.Event()
        trickle = threading.Thread(target=_trickle, args=(sock, stop))
        trickle.start()
        answer = rest_of(sock)
        stop.set()
        trickle.join()
    assert status_of(answer) == 408
    assert time.monotonic() - started < 5


def _trickle(sock: socket.socket, stop: threading.Event) -> None:
    try:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        while not stop.wait(0.02):
            sock.sendall(b"X")
    except OSError:
        pass  # cut off, as it should be


def test_a_client_that_never_reads_is_let_go(
    stage: Stage, page: ErrorPage, shown: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "LINGER_SECONDS", 0.1)
    with connect(shown) as sock:
        sock.sendall(get())
        wait_for(lambda: stage.call(_open, page) == 1, what="accepted")
        wait_for(lambda: stage.call(_open, page) == 0, what="let go")


def _open(page: ErrorPage) -> int:
    return len(page._listener.connections)


def test_a_flood_waits_in_the_backlog(
    stage: Stage, page: ErrorPage, shown: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More connections than the limit: none is refused; they are answered as others end."""
    monkeypatch.setattr(page._listener, "_limit", 4)
    idle = [connect(shown) for _ in range(4)]
    wait_for(lambda: stage.call(_open, page) == 4, what="full")
    with connect(shown) as late:
        late.sendall(get())
        for sock in idle:
            sock.close()
        assert status_of(rest_of(late)) == 500


def test_a_reset_is_no_event(stage: Stage, page: ErrorPage, shown: tuple[str, int]) -> None:
    for _ in range(20):
        sock = connect(shown)
        sock.sendall(get())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sock.close()
    assert status_of(exchange(shown, get())) == 500
    wait_for(lambda: stage.call(_open, page) == 0, what="all let go")


def test_the_sockets_blocking_mode_is_put_back(
    stage: Stage, page: ErrorPage, listening: socket.socket, broken: Make
) -> None:
    for blocking in (True, False):
        os.set_blocking(listening.fileno(), blocking)
        stage.call(page.show, broken(), [listening])
        assert status_of(exchange(listening.getsockname(), get())) == 500
        stage.call(page.hide)
        assert os.get_blocking(listening.fileno()) is blocking
