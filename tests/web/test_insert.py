"""Which answers get the script, and where it goes, in whatever pieces the page comes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import refork
from refork.adapters.insert import Headers, Insert, Page, live_origin

LIVE = "http://127.0.0.1:4123"
BROWSER = {"host": "localhost:8000", "sec-fetch-dest": "document", "accept": "text/html,*/*;q=0.8"}
TAG = b"<T>"


@pytest.fixture(autouse=True)
def _under_refork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFORK_LIVE", LIVE)
    monkeypatch.setenv("REFORK_GENERATION", "7")


def inserted(*chunks: bytes) -> bytes:
    insert = Insert(TAG)
    return b"".join([*map(insert.feed, chunks), insert.end()])


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<body>x</body></html>", b"<body>x<T></body></html>"),
        (b"<body>x</BODY >", b"<body>x<T></BODY >"),
        (b"<script>'</body>'</script></body>", b"<script>'</body>'</script><T></body>"),
        (b"<p>no end", b"<p>no end<T>"),
        (b"x</bo", b"x</bo<T>"),
        (b"", b""),
    ],
)
def test_where_the_script_goes(page: bytes, expected: bytes) -> None:
    assert inserted(page) == expected


@given(
    before=st.text("<>/boydx \n", max_size=40).map(str.encode),
    after=st.text("<>/htmlx \n", max_size=20).map(str.encode),
    cuts=st.lists(st.integers(0, 80), max_size=6),
)
def test_the_pieces_do_not_matter(before: bytes, after: bytes, cuts: list[int]) -> None:
    before = before.replace(b"</body", b"")
    if b"</body" in before:
        return
    page = before + b"</body>" + after
    bounds = [0, *sorted(cuts), len(page)]
    chunks = [page[a:b] for a, b in pairwise(bounds)]
    assert inserted(*chunks) == before + TAG + b"</body>" + after


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_nothing_of_the_page_is_lost(chunks: list[bytes]) -> None:
    out = inserted(*chunks)
    assert out.replace(TAG, b"", 1) == b"".join(chunks) or TAG in b"".join(chunks)
    assert len(out) == len(b"".join(chunks)) + (len(TAG) if any(chunks) else 0)


def test_a_stream_is_not_held_back() -> None:
    insert = Insert(TAG)
    assert insert.feed(b"<p>first</p>") == b"<p>first</p>"
    assert insert.feed(b"<p>second</") == b"<p>second"
    assert insert.feed(b"p>") == b"</p>"


def page(method: str = "GET", client: str = "127.0.0.1", **headers: str) -> Page | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Page.of(method, {**BROWSER, **named}, client)


def test_a_browsers_navigation_is_a_page() -> None:
    assert page() is not None
    assert page(sec_fetch_dest="iframe") is not None
    assert page("POST") is not None
    assert page(client="") is not None  # a UNIX socket
    assert Page.of("GET", {"host": "localhost", "accept": "*/*"}, "::1") is not None


@pytest.mark.parametrize("destination", ["empty", "script", "image", "style", "worker"])
def test_a_request_of_a_page_is_not_one(destination: str) -> None:
    assert page(sec_fetch_dest=destination) is None


def test_who_gets_no_script() -> None:
    assert page("HEAD") is None
    assert page(client="192.168.1.5") is None
    assert page(host="example.com") is None
    assert page(x_forwarded_for="203.0.113.9") is None
    assert Page.of("GET", {}, "127.0.0.1") is None
    old = {"host": "localhost", "accept": "*/*"}
    assert Page.of("GET", {**old, "x-requested-with": "XMLHttpRequest"}, "::1") is None
    assert Page.of("GET", {**old, "accept": "application/json"}, "::1") is None


@pytest.mark.parametrize(
    "origin", ["", "http://evil.com:1", 'http://127.0.0.1:1/"><b>', "javascript:alert(1)", "x"]
)
def test_the_origin_has_to_be_one_of_this_machine(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFORK_LIVE", origin)
    assert live_origin() == ""
    assert page() is None


def begun(status: int = 200, *headers: tuple[str, str]) -> tuple[Insert | None, Headers]:
    made = page()
    assert made is not None
    return made.begin(status, [("Content-Type", "text/html; charset=utf-8"), *headers])


def test_the_headers_become_those_of_the_longer_page() -> None:
    insert, headers = begun(200, ("Content-Length", "10"), ("ETag", '"x"'), ("X-Own", "1"))
    assert insert is not None
    added = len(insert.feed(b"</body>")) - len(b"</body>")
    assert headers[1:] == [("Content-Length", str(10 + added)), ("X-Own", "1")]


def test_the_tag_names_the_origin_and_the_generation() -> None:
    insert, _ = begun()
    assert insert is not None
    tag = f'<script src="{LIVE}/client.js?generation=7" async=""></script>'
    assert insert.feed(b"</body>").decode() == f"{tag}</body>"


def test_the_answer_to_a_form_asks_before_it_is_sent_again() -> None:
    made = page("POST")
    assert made is not None
    insert, _ = made.begin(200, [("Content-Type", "text/html")])
    assert insert is not None
    assert b"?generation=7&amp;ask" in insert.feed(b"</body>")


@pytest.mark.parametrize("status", [100, 204, 205, 206, 301, 302, 304])
def test_answers_without_a_page_of_their_own(status: int) -> None:
    headers = [("Content-Type", "text/html; charset=utf-8"), ("ETag", "x")]
    assert begun(status, headers[1]) == (None, headers)


@pytest.mark.parametrize(
    "header",
    [
        ("Content-Encoding", "gzip"),
        ("Content-Disposition", "attachment; filename=x.html"),
        ("Content-Length", "0"),
    ],
)
def test_bodies_that_are_left_alone(header: tuple[str, str]) -> None:
    insert, headers = begun(200, header)
    assert insert is None
    assert header in headers


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "text/htmlx", "text/html; charset=UTF-16", ""]
)
def test_only_html_gets_the_script(kind: str) -> None:
    made = page()
    assert made is not None
    assert made.begin(200, [("Content-Type", kind)])[0] is None


def test_errors_get_it_too() -> None:
    assert begun(404)[0] is not None
    assert begun(500)[0] is not None


def test_the_tag_for_pages_without_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("REFORK", "1"),
        ("REFORK_LIVE", "http://127.0.0.1:5"),
        ("REFORK_GENERATION", "7"),
    ):
        monkeypatch.setenv(name, value)
    wanted = '<script src="http://127.0.0.1:5/client.js?generation=7" async=""></script>'
    assert refork.live_script() == wanted
    monkeypatch.setenv("REFORK_LIVE", "http://evil.example")
    assert refork.live_script() == ""
    monkeypatch.delenv("REFORK_LIVE")
    assert refork.live_script() == ""
    monkeypatch.delenv("REFORK")
    assert refork.live_script() == ""
