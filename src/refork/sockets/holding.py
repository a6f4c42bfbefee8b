"""The listening sockets of the program, held while one generation follows another."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import Any

from refork.program.sockets import kept_name

Key = tuple[int, str]
"""The family, and the address that was asked for."""


@dataclass
class Held:
    """One socket; `generation` is the one that has it now, `served` the last one that listened on it."""

    key: Key
    socket: socket.socket
    address: Any
    generation: int
    served: int


class Holding:
    """All of them, in the order in which they began to listen."""

    def __init__(self) -> None:
        self._held: list[Held] = []

    def __len__(self) -> int:
        return len(self._held)

    def keys(self) -> list[Key]:
        return [held.key for held in self._held]

    def sockets(self) -> list[socket.socket]:
        return [held.socket for held in self._held]

    def keep(self, key: Key, fd: int, address: Any, generation: int) -> None:
        """Take a copy of a socket that has begun to listen; owns `fd`."""
        made = socket.socket(fileno=fd)
        for held in self._held:
            if held.key == key and _same(held.socket, made):
                held.generation = held.served = generation
                made.close()
                return
        self._held.append(Held(key, made, address, generation, generation))

    def claim(self, key: Key, generation: int) -> int | None:
        """Return the descriptor of a socket held for `key` that this generation does not have yet."""
        for held in self._held:
            if held.key == key and held.generation != generation:
                held.generation = generation
                return held.socket.fileno()
        return None

    def misses(self, generation: int) -> bool:
        """Whether sockets are held, and a generation has not come to listen on any of them."""
        return bool(self._held) and all(held.served != generation for held in self._held)

    def release(self, generation: int) -> None:
        """Let go of what `generation` did not ask for."""
        for held in self._held:
            if held.generation != generation:
                _drop(held)
        self._held = [held for held in self._held if held.generation == generation]

    def close(self) -> None:
        for held in self._held:
            _drop(held)
        self._held = []


def _same(one: socket.socket, other: socket.socket) -> bool:
    """Whether two descriptors are of one socket: their inodes tell."""
    return os.fstat(one.fileno()).st_ino == os.fstat(other.fileno()).st_ino


def _drop(held: Held) -> None:
    if held.socket.family == socket.AF_UNIX and isinstance(held.address, str):
        with contextlib.suppress(OSError):
            os.unlink(kept_name(os.path.abspath(held.address)))
    held.socket.close()
