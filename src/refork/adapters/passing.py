"""Gives a connection that this generation will not answer to the next one, by way of the
supervisor.
"""

from __future__ import annotations

import os

from refork.program.freshness import settled, wait_readable
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_ours_to_answer(socket: Any, timeout: float | None = None) -> bool:
    """Wait until a request begins on a connection that has none; False: the next generation has it.

    `socket` is a connected one whose descriptor is used by nobody else. It stays open in any case,
    for its owner to close. `timeout` is in seconds; default: the socket's own.
    """
    ready = wait_readable(socket, socket.gettimeout() if timeout is None else timeout)
    if not ready or settled():
        return True  # without a byte: the read that follows says that it took too long
    return not pass_on(socket)


def goes_on_arriving(socket: Any) -> bool:
    """Wait for more of a request; False: this generation is to end, and nothing more has come."""
    ready = wait_readable(socket, socket.gettimeout())
    return not ready or socket.fileno() in ready


def pass_on(socket: Any, received: bytes = b"") -> bool:
    """Hand over an open connection of which `received` was read; return whether that was possible.

    What `socket` refers to afterwards is a connection of its own with nobody at the other end.
    """
    if hasattr(socket, "pending") or _is_over(socket):  # TLS is a matter of two processes only
        return False
    give(socket.fileno(), received)
    _detach(socket.fileno())
    return True


def give(fd: int, received: bytes) -> None:
    """Send the supervisor a connection; the descriptor stays open here."""
    journal.tell("connection", received, fds=[fd])


def _is_over(socket: Any) -> bool:
    """Whether the client has left, and nothing waits to be read."""
    import _socket

    plain = _socket.socket(fileno=os.dup(socket.fileno()))  # one of gevent's would wait
    try:
        return not plain.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        plain.close()


def _detach(fd: int) -> None:
    """Point a descriptor elsewhere: servers shut it down, which would shut the connection down."""
    from _socket import socketpair

    mine, other = socketpair()
    os.dup2(mine.fileno(), fd, os.get_inheritable(fd))
    mine.close()
    other.close()
