"""Clients that ask without a pause, and count what they must never see."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE = 15.0
"""Seconds for an answer: a connection that is neither answered nor cut counts as stuck."""

PAUSE = 0.001
"""Seconds between two requests of a client, so that others on the machine get their turn."""


@dataclass
class Counts:
    """What all clients saw. All but `answered` and `closed` are to stay zero."""

    seen: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    newest: int = 0
    slowest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str, example: str = "") -> None:
        with self._lock:
            self.seen[what] += 1
            if example and len(self.examples) < 20:
                self.examples.append(f"{time.monotonic():.6f} {what}: {example}")

    def answered(self, version: int, took: float) -> None:
        with self._lock:
            self.seen["answered"] += 1
            self.newest = max(self.newest, version)
            self.slowest = max(self.slowest, took)

    def wrong(self) -> dict[str, int]:
        return {what: n for what, n in self.seen.items() if what not in ("answered", "closed")}


class Crowd:
    """Some clients with a connection for each request, and some that keep theirs."""

    def __init__(self, address: tuple[str, int] | str, saved: Callable[[], int]) -> None:
        self.counts = Counts()
        self._address = address
        self._saved = saved
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, new: int = 3, kept: int = 1) -> None:
        for target, many in ((self._with_new, new), (self._with_kept, kept)):
            self._threads += [threading.Thread(target=target) for _ in range(many)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE + 5)

    def _with_new(self) -> None:
        while not self._stop.is_set():
            sock = None
            try:
                sock = self._connect()
                self._ask(sock, keep=False)
            except (OSError, http.client.HTTPException) as error:
                self._failed(error)
            finally:
                if sock is not None:
                    sock.close()
            time.sleep(PAUSE)

    def _with_kept(self) -> None:
        sock: socket.socket | None = None
        while not self._stop.is_set():
            is_fresh = sock is None
            try:
                sock = sock or self._connect()
                if not self._ask(sock, keep=True):
                    sock.close()
                    sock = None
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, http.client.RemoteDisconnected) and not is_fresh:
                    self.counts.add("closed")  # between two requests, as any server may
                else:
                    self._failed(error)
                if sock is not None:
                    sock.close()
                sock = None
            time.sleep(PAUSE)
        if sock is not None:
            sock.close()

    def _connect(self) -> socket.socket:
        if isinstance(self._address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(PATIENCE)
            sock.connect(self._address)
            return sock
        return socket.create_connection(self._address, PATIENCE)

    def _ask(self, sock: socket.socket, keep: bool) -> bool:
        """Send one request; count its answer; return whether the connection stays."""
        saved = self._saved()
        began = time.monotonic()
        connection = "keep-alive" if keep else "close"
        sock.sendall(
            f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n".encode()
        )
        answer = http.client.HTTPResponse(sock, method="GET")
        answer.begin()
        body = answer.read().decode()
        took = time.monotonic() - began
        if answer.status >= 500:
            self.counts.add("5xx", body[:300])
        elif not body.strip().isdigit():
            self.counts.add("odd", f"{answer.status} {body[:300]}")
        elif int(body) < saved:
            self.counts.add(
                "stale", f"{body} after {saved}, asked {began:.6f}, took {took * 1000:.1f} ms"
            )
        else:
            self.counts.answered(int(body), took)
        answer.close()
        return keep and not answer.will_close

    def _failed(self, error: Exception) -> None:
        if isinstance(error, ConnectionRefusedError):
            what = "refused"
        elif isinstance(error, TimeoutError):
            what = "stuck"
        elif isinstance(error, (ConnectionError, http.client.HTTPException)):
            what = "reset"
        else:
            what = "odd"
        self.counts.add(what, repr(error))
