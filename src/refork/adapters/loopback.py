"""Who is on this machine: addresses, Host and Origin headers, forwarding headers.

Shared by the injection (inside the user's process) and by the web servers of the supervisor, so it
is pure, and imports nothing but `re`, which every interpreter with a web program in it has loaded.

A name is loopback if the URL standards say that it can lead nowhere else: 127.0.0.0/8 and ::1
(RFC 1122 3.2.1.3, RFC 4291 2.5.3), `localhost` and `*.localhost` (RFC 6761 6.3). A name that merely
*resolves* to 127.0.0.1 is not: that is what DNS rebinding makes use of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_IPV4 = re.compile(r"127(?:\.\d{1,3}){3}")
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)*localhost\.?", re.IGNORECASE)
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+)(?::\d{0,5})?")
_ORIGIN = re.compile(r"https?://(?P<authority>[^/?#@\s]+)", re.IGNORECASE)
_FORWARDED_FOR = re.compile(r"for=\"?([^\";,\s]+)", re.IGNORECASE)


def is_loopback_address(address: str) -> bool:
    """True for a numeric address of this machine's loopback, as the kernel writes it."""
    plain = address.lower().strip("[]").partition("%")[0]
    return plain == "::1" or bool(_IPV4.fullmatch(plain.removeprefix("::ffff:")))


def is_loopback_host(host: str) -> bool:
    """True for a Host header (`name`, `name:port`) that can only mean this machine."""
    match = _HOST.fullmatch(host.strip())
    if match is None:
        return False
    name = match["host"]
    return bool(_NAME.fullmatch(name)) or is_loopback_address(name)


def is_loopback_origin(origin: str) -> bool:
    """True for an Origin header that can only mean a page served from this machine."""
    match = _ORIGIN.fullmatch(origin.strip())
    return match is not None and is_loopback_host(match["authority"])


def was_forwarded(headers: Iterable[tuple[str, str]]) -> bool:
    """True if a proxy says that the client is elsewhere. Such a header can only take trust away.

    `headers` are (lower-case name, value) pairs.
    """
    return any(
        not all(is_loopback_address(_without_port(one)) for one in _clients(name, value))
        for name, value in headers
    )


def _clients(name: str, value: str) -> list[str]:
    if name in ("x-forwarded-for", "x-real-ip"):
        return [one.strip() for one in value.split(",")]
    return _FORWARDED_FOR.findall(value) if name == "forwarded" else []


def _without_port(client: str) -> str:
    host, colon, port = client.rpartition(":")
    return host if colon and port.isdigit() and ("." in host or "]" in host) else client
