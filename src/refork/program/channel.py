"""The in-program end of a channel to the supervisor.

A channel is a SOCK_SEQPACKET socketpair: a packet is one message, whole or not at all, so the program's own
forked children can report on the same channel. File descriptors travel with a packet (SCM_RIGHTS, unix(7)).
`_socket` and not `socket`: the latter would bring `selectors`, `enum` and more into the user's process.
"""

from __future__ import annotations

import _socket
import os
import sys

from refork.core.wire import LARGEST, pack, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

INT = 4
"""Bytes of a C int, the unit of SCM_RIGHTS."""

MOST_FDS = 64
WHOLE = 1 << 18


class Gone(Exception):
    """The supervisor is no longer there."""


NO_SIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)


class Channel:
    """One end of a channel; owns its file descriptor."""

    __slots__ = ("socket",)

    passes_fds = True
    kind = getattr(_socket, "SOCK_SEQPACKET", _socket.SOCK_STREAM)

    def __init__(self, fd: int) -> None:
        self.socket = _socket.socket(fileno=out_of_the_way(fd))

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, *message: object, fds: Sequence[int] = ()) -> None:
        """Send a message, with open file descriptors. Raises `Gone` when nobody is there any more."""
        data = pack(message)
        if len(data) > LARGEST:
            self._send_large(data, fds)
            return
        try:
            if fds:
                self.socket.sendmsg([data], _rights(fds), NO_SIGNAL)
            else:
                self.socket.send(data, NO_SIGNAL)
        except BlockingIOError:
            raise
        except OSError as error:
            raise Gone from error

    def _send_large(self, data: bytes, fds: Sequence[int]) -> None:
        """A message too large for a packet travels as a file in memory, whose descriptor comes last."""
        body = os.memfd_create("refork-message")
        try:
            with open(body, "wb", closefd=False) as file:
                file.write(data)
            self.send("large", len(data), fds=[*fds, body])
        finally:
            os.close(body)

    def receive(self) -> tuple[tuple[object, ...], list[int]]:
        """Wait for a message; return it and the descriptors that came along.

        Raises `Gone` at the end, and BlockingIOError where the socket does not wait and nothing is there.
        """
        space = _socket.CMSG_SPACE(MOST_FDS * INT)
        try:
            data, ancillary, _flags, _address = self.socket.recvmsg(WHOLE, space)
        except BlockingIOError:
            raise  # the supervisor's end never waits
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        fds = _received(ancillary)
        message = unpack(data)
        if message[0] == "large":
            message = _read_large(fds.pop())
        return message, fds

    def is_ended(self) -> bool:
        """Whether the supervisor has said its last word here."""
        flags = _socket.MSG_PEEK | _socket.MSG_DONTWAIT
        try:
            return not self.socket.recv(1, flags)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.socket.close()


class StreamChannel(Channel):
    """A channel where there are no packets (macOS, Windows): each message comes after its length.

    The program's forked children must not report on it. Descriptors travel where the platform can pass them.
    """

    __slots__ = ("_fds", "_pending")

    passes_fds = hasattr(_socket, "SCM_RIGHTS") and hasattr(_socket.socket, "recvmsg")
    kind = _socket.SOCK_STREAM

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self.socket = _socket.socket(fileno=fd)
        self._pending = b""
        self._fds: list[int] = []

    def send(self, *message: object, fds: Sequence[int] = ()) -> None:
        data = pack(message)
        data = len(data).to_bytes(INT, "big") + len(fds).to_bytes(1, "big") + data
        try:
            if fds:
                data = data[self.socket.sendmsg([data], _rights(fds), NO_SIGNAL) :]
            self.socket.sendall(data, NO_SIGNAL)
        except BlockingIOError:
            raise
        except OSError as error:
            raise Gone from error

    def receive(self) -> tuple[tuple[object, ...], list[int]]:
        while not self._complete():
            data = self._more()
            if not data:
                raise Gone
            self._pending += data
        end = HEAD + int.from_bytes(self._pending[:INT], "big")
        many = self._pending[INT]
        message, self._pending = self._pending[HEAD:end], self._pending[end:]
        fds, self._fds = self._fds[:many], self._fds[many:]  # they came with its first byte
        return unpack(message), fds

    def _more(self) -> bytes:
        try:
            if not self.passes_fds:
                return self.socket.recv(WHOLE)
            space = _socket.CMSG_SPACE(MOST_FDS * INT)
            data, ancillary, _flags, _address = self.socket.recvmsg(WHOLE, space)
        except BlockingIOError:
            raise
        except OSError as error:
            raise Gone from error
        self._fds += _received(ancillary)
        return data

    def _complete(self) -> bool:
        have = len(self._pending)
        return have >= HEAD and have >= HEAD + int.from_bytes(self._pending[:INT], "big")


HEAD = INT + 1
"""Bytes before a message on a stream: its length, and how many descriptors came with it."""


HIGH = range(255, 231, -1)
"""Where a channel's descriptor goes: the low numbers are the program's, as without refork. Below 256,
which is the smallest usual limit (RLIMIT_NOFILE on macOS)."""


def out_of_the_way(fd: int) -> int:
    """Move a descriptor to a high number that is free."""
    for number in HIGH:
        try:
            os.fstat(number)
        except OSError:
            os.dup2(fd, number, inheritable=False)
            os.close(fd)
            return number
    os.set_inheritable(fd, False)
    return fd


def _rights(fds: Sequence[int]) -> list[tuple[int, int, bytes]]:
    rights = b"".join(fd.to_bytes(INT, sys.byteorder) for fd in fds)
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)]


def _received(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds: list[int] = []
    for level, kind, rights in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            for index in range(0, len(rights) - len(rights) % INT, INT):
                fd = int.from_bytes(rights[index : index + INT], sys.byteorder)
                os.set_inheritable(fd, False)
                fds.append(fd)
    return fds


def _read_large(fd: int) -> tuple[object, ...]:
    with open(fd, "rb") as file:
        file.seek(0)
        return unpack(file.read())


def pair(like: type[Channel] = Channel) -> tuple[Channel, int]:
    """Return a new channel of this kind and the descriptor of its other end."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, like.kind)
    return like(ours.detach()), theirs.detach()
