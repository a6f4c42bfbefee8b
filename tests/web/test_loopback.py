"""Who counts as this machine: a mistake here shows source code to strangers."""

from __future__ import annotations

import pytest

from refork.adapters.loopback import (
    is_loopback_address,
    is_loopback_host,
    is_loopback_origin,
    was_forwarded,
)

HERE = ["localhost", "LOCALHOST", "localhost.", "shop.localhost", "127.0.0.1", "127.1.2.3", "[::1]"]
ELSEWHERE = [
    *("example.com", "localhost.example.com", "127.0.0.1.example.com", "127.example.com"),
    *("notlocalhost", "10.0.0.1", "0.0.0.0", "[::]", "[fe80::1]", "", " ", "127.0.0.1@evil.com"),
    *("evil.com/127.0.0.1", "evil.com#localhost", "localhost evil.com", "::1.evil.com", "127.0.0"),
]


@pytest.mark.parametrize("host", HERE)
def test_loopback_names(host: str) -> None:
    for written in (host, f"{host}:8000"):
        assert is_loopback_host(written)
        assert is_loopback_origin(f"http://{written}")
        assert is_loopback_origin(f"https://{written}")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_names(host: str) -> None:
    for written in (host, f"{host}:8000"):
        assert not is_loopback_host(written)
        assert not is_loopback_origin(f"http://{written}")


@pytest.mark.parametrize(
    "origin", ["null", "", "localhost", "file://localhost", "http://localhost/x", "ftp://localhost"]
)
def test_what_is_no_origin_of_a_page_here(origin: str) -> None:
    assert not is_loopback_origin(origin)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_loopback_addresses(address: str) -> None:
    assert is_loopback_address(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "::", "::ffff:10.0.0.1", "", "127.0.0.1.evil"])
def test_other_addresses(address: str) -> None:
    assert not is_loopback_address(address)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x-forwarded-for", "203.0.113.9", True),
        ("x-forwarded-for", "127.0.0.1, 203.0.113.9", True),
        ("x-forwarded-for", "203.0.113.9:4711", True),
        ("x-real-ip", "2001:db8::1", True),
        ("forwarded", 'proto=https;for="[2001:db8::1]:4711";by=1', True),
        ("forwarded", "for=unknown", True),
        ("x-forwarded-for", "127.0.0.1", False),
        ("x-forwarded-for", "::1", False),
        ("forwarded", 'for="[::1]:80", for=127.0.0.1', False),
        ("x-forwarded-proto", "https", False),
        ("accept", "for=203.0.113.9", False),
    ],
)
def test_a_forwarding_header_takes_trust_away(name: str, value: str, expected: bool) -> None:
    assert was_forwarded([("host", "localhost"), (name, value)]) is expected
