"""An address that only the supervisor holds is free, to the program: a connection from there is refused.

Programs look by `connect` whether somebody listens already, or whether their own server has ended.
"""

from __future__ import annotations

import os
import sys

from refork.program import sockets
from refork.program.frames import hidden
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ECONNREFUSED = 61 if sys.platform == "darwin" else 111


def adapt(owner: Any) -> None:
    """Replace `connect` and `connect_ex` of a class of sockets."""
    sockets.put(owner, "connect", _connect(owner.connect))
    sockets.put(owner, "connect_ex", _connect_ex(owner.connect_ex))


def _connect(original: Any) -> Any:
    @hidden
    def connect(self: Any, address: Any) -> None:
        if _is_nobodys(self, address):
            raise ConnectionRefusedError(ECONNREFUSED, "Connection refused")
        original(self, address)

    return connect


def _connect_ex(original: Any) -> Any:
    @hidden
    def connect_ex(self: Any, address: Any) -> Any:
        return ECONNREFUSED if _is_nobodys(self, address) else original(self, address)

    return connect_ex


def _is_nobodys(socket: Any, address: Any) -> bool:
    """Whether a connection would reach a socket that no process of the program has."""
    if journal.channel is None or not isinstance(address, tuple) or len(address) < 2:
        return False
    if not _is_asked_about(address[1]) or not sockets.is_stream(socket):
        return False
    journal.quiet += 1
    try:
        name = sockets.resolved(socket, address)
        answer, _fds = sockets.ask("reached", name, int(socket.family))
        return answer == ("free",)
    finally:
        journal.quiet -= 1


def _is_asked_about(port: Any) -> bool:
    """Whether the supervisor may hold it; not where this process itself listens."""
    if not isinstance(port, int):
        return False
    if port not in sockets.listening_at:
        endings = f"', {port})", f"', {port},"  # of addresses for IPv4, and for IPv6
        return any(part in text for _family, text in sockets.held() for part in endings)
    fd, inode = sockets.listening_at[port]
    try:
        return os.fstat(fd).st_ino != inode
    except OSError:
        return True  # closed
