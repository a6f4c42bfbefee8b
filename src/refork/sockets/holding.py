"""The listening sockets of the program, held while one generation follows another."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from refork.process import kernel
from refork.program.sockets import DEEP, kept_name

Key = tuple[int, str]
"""The family, and the address that was asked for."""

MANY = 64
"""Sockets from which on it is looked whether the program still has them: tests may start one server each."""


@dataclass(eq=False)
class Held:
    """One socket; `generation` is the one that has it now, `served` the last one that listened on it."""

    key: Key
    socket: socket.socket
    address: Any
    """What is shown of it."""
    name: Any
    generation: int
    served: int


class Holding:
    """All of them, in the order in which they began to listen."""

    def __init__(self, carry: Callable[[int, bytes], None]) -> None:
        """`carry` is given the connections that wait at what is let go of for another host of the same port."""
        self._held: list[Held] = []
        self._carry = carry

    def __len__(self) -> int:
        return len(self._held)

    def keys(self) -> list[Key]:
        return [held.key for held in self._held]

    def sockets(self) -> list[socket.socket]:
        """All of them, and all listen."""
        self._listen_again()
        return [held.socket for held in self._held]

    def offer(self) -> list[Key]:
        """The keys of all, for the next generation."""
        self._listen_again()
        return self.keys()

    def _listen_again(self) -> None:
        """Whatever the last generation has done to its sockets: one may have been shut down."""
        for held in self._held:
            if not _listens(held.socket):
                _revive(held)

    def keep(self, key: Key, fd: int, address: Any, generation: int) -> None:
        """Take a copy of a socket that has begun to listen; owns `fd`."""
        made = socket.socket(fileno=fd)
        for held in self._held:
            if _inode(held.socket) == _inode(made):
                held.key, held.generation, held.served = key, generation, generation
                made.close()
                return
        self._held = [held for held in self._held if held.key != key or not _is_lost(held.socket)]
        if len(self._held) >= MANY:
            self._let_go([held for held in self._idle() if held.served == generation])
        self._held.append(Held(key, made, address, made.getsockname(), generation, generation))

    def claim(self, key: Key, generation: int) -> int | None:
        """Return the descriptor of a socket held for `key` that this generation does not have yet."""
        for held in self._held:
            if held.key == key and held.generation != generation:
                held.generation = generation
                return held.socket.fileno()
        return None

    def make_way(self, name: tuple[Any, ...], generation: int) -> int | None:
        """The program finds `name`, a host and a port, in use. Of what is held on that port, and no process has,
        return the descriptor if it is the same address; let go of all else.
        """
        idle = [held for held in self._idle() if held.name[1] == name[1]]
        for held in idle:
            if held.name[:2] == name:
                held.generation = generation
                return held.socket.fileno()
        for held in idle:
            for fd in _waiting(held.socket):
                self._carry(fd, b"")
        self._let_go(idle)
        return None

    def is_free(self, name: tuple[Any, ...], family: int) -> bool:
        """Whether a connection to `name`, a host and a port, would reach what only we have."""
        hosts = (name[0], "0.0.0.0", "::")
        reached = {
            held
            for held in self._held
            if held.socket.family == family and held.name[1] == name[1] and held.name[0] in hosts
        }
        return bool(reached) and reached.issubset(self._idle())

    def _idle(self) -> list[Held]:
        """Those on a port that only we have open: the program has closed them, or not asked for them yet."""
        if not sys.platform.startswith("linux"):
            return []  # nobody knows who has what
        elsewhere = kernel.sockets_of(kernel.descendants(os.getpid()))
        return [
            held
            for held in self._held
            if isinstance(held.name, tuple) and _inode(held.socket) not in elsewhere
        ]

    def misses(self, generation: int) -> bool:
        """Whether sockets are held, and a generation has not come to listen on any of them."""
        return bool(self._held) and all(held.served != generation for held in self._held)

    def release(self, generation: int) -> None:
        """Let go of what `generation` did not ask for."""
        self._let_go([held for held in self._held if held.generation != generation])

    def close(self) -> None:
        self._let_go(self._held)

    def _let_go(self, gone: list[Held]) -> None:
        self._held = [held for held in self._held if held not in gone]
        for held in gone:
            if held.socket.family == socket.AF_UNIX and isinstance(held.address, str):
                with contextlib.suppress(OSError):
                    os.unlink(kept_name(os.path.abspath(held.address)))
            held.socket.close()


def _waiting(sock: socket.socket) -> Iterator[int]:
    """Take all connections that wait; nobody else has the socket."""
    sock.setblocking(False)
    while True:
        try:
            yield sock.accept()[0].detach()
        except OSError:
            return


def _inode(sock: socket.socket) -> int:
    """What is the same for two descriptors of one socket."""
    return os.fstat(sock.fileno()).st_ino


def _is_lost(sock: socket.socket) -> bool:
    """Whether nobody reaches it any more, now that its address is bound anew: a path leads to one socket."""
    if sock.family != socket.AF_UNIX and _listens(sock):
        return False
    sock.close()
    return True


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _revive(held: Held) -> None:
    """Listen again. With the shutdown it has lost a port that the kernel had chosen, and no other."""
    if isinstance(held.name, tuple):
        with contextlib.suppress(OSError):
            held.socket.bind(held.name)
    with contextlib.suppress(OSError):
        held.socket.listen(DEEP)
