"""A descriptor that a thread makes readable: how the back-ends with threads wake the loop.

A socket pair and not a pipe, because on Windows only sockets can be waited for.
"""

from __future__ import annotations

import socket


class Bell:
    """Rung from any thread, waited for by ``fileno()``. Ringing it twice is ringing it once."""

    def __init__(self) -> None:
        self._hear, self._pull = socket.socketpair()
        self._hear.setblocking(False)
        self._pull.setblocking(False)

    def fileno(self) -> int:
        """Readable from ``ring()`` until ``hush()``."""
        return self._hear.fileno()

    def ring(self) -> None:
        """Make it readable. Does nothing after ``close()``."""
        try:
            self._pull.send(b"!")
        except (BlockingIOError, OSError):
            pass  # full: it rings already; closed: nobody listens any more

    def hush(self) -> None:
        """Make it silent again. Hush first and look afterwards, or a ring may be missed."""
        try:
            while self._hear.recv(4096):
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Give both ends back."""
        self._hear.close()
        self._pull.close()
