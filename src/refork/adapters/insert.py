"""Which pages get the live-reload script, and where it goes. Pure, but for the environment.

Stdlib only, and little of it: this runs inside the user's process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from refork.adapters import csp
from refork.adapters.loopback import is_loopback_address, is_loopback_host, was_forwarded

Headers = list[tuple[str, str]]

# A request for a page is made as if nothing were cached or compressed: the script goes into plain
# bytes, and an answer of 304 would show a page whose script names an earlier generation.
REMOVED_FROM_REQUEST = frozenset({"accept-encoding", "if-none-match", "if-modified-since"})
# True of the bytes as the program made them, and no longer.
_REMOVED_FROM_RESPONSE = frozenset(
    {"etag", "last-modified", "accept-ranges", "content-md5", "digest", "content-digest"}
    | {"repr-digest"}
)
_PAGES = ("document", "iframe", "frame", "embed", "object")
_END = b"</body"


class Insert:
    """Puts `tag` before the last `</body` of the chunk that has one; else at the end.

    Nothing is held back but the few bytes at a chunk's end which may be the start of `</body`.
    """

    def __init__(self, tag: bytes) -> None:
        self._tag = tag
        self._held = b""
        self._is_empty = True
        self._is_done = False

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to send for a chunk of the program's."""
        if self._is_done or not chunk:
            return chunk
        self._is_empty = False
        data = self._held + chunk
        at = data.lower().rfind(_END)
        if at >= 0:
            self._is_done, self._held = True, b""
            return data[:at] + self._tag + data[at:]
        keep = _partial(data)
        self._held = data[len(data) - keep :]
        return data[: len(data) - keep]

    def end(self) -> bytes:
        """The bytes to send after the program's last chunk; a page of no bytes stays so."""
        if self._is_done or self._is_empty:
            return b""
        self._is_done = True
        return self._held + self._tag


def _partial(data: bytes) -> int:
    """How many of the last bytes may be the beginning of _END."""
    tail = data[1 - len(_END) :].lower()
    return next((n for n in range(len(tail), 0, -1) if _END.startswith(tail[-n:])), 0)


class Page:
    """A request that a browser may show the answer of, from this machine."""

    def __init__(self, origin: str, method: str) -> None:
        self.origin = origin
        self._method = method

    @classmethod
    def of(cls, method: str, headers: Mapping[str, str], client: str) -> Page | None:
        """The page asked for; None if the answer must be left alone.

        `headers` have lower-case names; `client` is its address, "" for a UNIX socket.
        """
        origin = live_origin()
        is_here = not client or is_loopback_address(client)
        is_ours = is_here and is_loopback_host(headers.get("host", ""))
        if not (origin and is_ours) or was_forwarded(headers.items()):
            return None
        is_shown = method not in ("HEAD", "OPTIONS", "CONNECT", "TRACE") and _is_page(headers)
        return cls(origin, method) if is_shown else None

    def begin(self, status: int, headers: Headers) -> tuple[Insert | None, Headers]:
        """What puts the script into an answer, or None, and the headers of that answer."""
        if not _is_html(status, headers):
            return None, headers
        kept = [pair for pair in headers if pair[0].lower() not in _REMOVED_FROM_RESPONSE]
        policies = [at for at, (name, _) in enumerate(kept) if name.lower() in csp.HEADERS]
        allowed, nonce = csp.allow([kept[at][1] for at in policies], self.origin)
        for at, value in zip(policies, allowed):  # noqa: B905 - of one length
            kept[at] = (kept[at][0], value)
        tag = self._tag(nonce)
        return Insert(tag), [_longer(pair, len(tag)) for pair in kept]

    def _tag(self, nonce: str) -> bytes:
        return tag(self.origin, nonce, asks=self._method != "GET").encode("latin-1")


def tag(origin: str, nonce: str = "", *, asks: bool = False) -> str:
    """The tag that brings live reload into a page; `asks`: it may not be asked for again unasked."""
    generation = os.environ.get("REFORK_GENERATION", "")
    query = f"?generation={generation}" if generation.isdigit() else "?"
    ask = "&amp;ask" if asks else ""
    mark = f' nonce="{nonce}"' if nonce else ""
    return f'<script src="{origin}/client.js{query}{ask}" async=""{mark}></script>'


def live_origin() -> str:
    """The origin of live reload that REFORK_LIVE names; "" if it is off or no loopback origin."""
    origin = os.environ.get("REFORK_LIVE", "").rstrip("/")
    parts = urlsplit(origin)
    is_plain = origin == f"{parts.scheme}://{parts.netloc}" and parts.scheme == "http"
    return origin if is_plain and is_loopback_host(parts.netloc) else ""


def _is_page(headers: Mapping[str, str]) -> bool:
    """True for a navigation: as the browser says, or, where it does not, as the client takes."""
    destination = headers.get("sec-fetch-dest", "").lower()
    if destination:
        return destination in _PAGES
    if "x-requested-with" in headers or "hx-request" in headers:
        return False
    accept = headers.get("accept", "*/*").lower()
    return any(one in accept for one in ("text/html", "application/xhtml+xml", "*/*"))


def _is_html(status: int, headers: Headers) -> bool:
    if status < 200 or status in (204, 205, 206) or 300 <= status < 400:
        return False
    first: dict[str, str] = {}
    for name, value in headers:
        first.setdefault(name.lower(), value.strip().lower())
    kind, _, parameters = first.get("content-type", "").partition(";")
    is_markup = kind.strip() in ("text/html", "application/xhtml+xml")
    is_ascii_based = "utf-16" not in parameters and "utf-32" not in parameters
    is_plain = first.get("content-encoding", "identity") in ("identity", "")
    is_shown = not first.get("content-disposition", "").startswith("attachment")
    has_body = first.get("content-length") != "0"
    return is_markup and is_ascii_based and is_plain and is_shown and has_body


def _longer(pair: tuple[str, str], by: int) -> tuple[str, str]:
    name, value = pair
    is_length = name.lower() == "content-length" and value.strip().isdigit()
    return (name, str(int(value) + by)) if is_length else pair
