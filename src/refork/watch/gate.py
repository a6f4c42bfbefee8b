"""One descriptor for a back-end that may be exchanged for another one."""

from __future__ import annotations

import select
from typing import Protocol

from refork.watch.bell import Bell


class HasFileno(Protocol):
    """What can be waited for."""

    def fileno(self) -> int: ...


class Gate:
    """Readable when the bell rings or one of the members is readable.

    An epoll instance can itself be waited for (epoll(7)), so the descriptor stays the same
    whoever comes and goes. Where there is no epoll, every back-end rings the bell instead.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            self._epoll.register(bell, select.EPOLLIN)

    def fileno(self) -> int:
        """The same from the beginning until ``close()``."""
        return self._bell.fileno() if self._epoll is None else self._epoll.fileno()

    def add(self, member: HasFileno) -> None:
        """Also readable when *member* is."""
        if self._epoll is not None and member.fileno() != self._bell.fileno():
            self._epoll.register(member, select.EPOLLIN)

    def remove(self, member: HasFileno) -> None:
        """Undo ``add()``; before *member* is closed."""
        if self._epoll is not None and member.fileno() != self._bell.fileno():
            self._epoll.unregister(member)

    def close(self) -> None:
        """Give the descriptor back; the members' and the bell's are their owners'."""
        if self._epoll is not None:
            self._epoll.close()
