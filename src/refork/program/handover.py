"""What the program's process hands over to the child that goes on as the program: signals, and open files.

Both block all signals during the fork. One that came before it waits in the parent, which has parked; one that
comes after it is for the child anyway, unless it was meant for the parent's pid alone: the supervisor sees to that.
"""

from __future__ import annotations

import _signal
import os

from refork.program.barriers import FDS, O_ACCMODE, description, read_small
from refork.program.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


@hidden  # as the next one: a Ctrl-C that has come is raised in here
def block_signals() -> set[Any]:
    """Block all signals in this thread; return those that were blocked before.

    Blocking first runs the handlers of those that have come (PyErr_CheckSignals in `signal.pthread_sigmask`):
    where one raises, as that of Ctrl-C does, nothing stays blocked.
    """
    before: set[Any] = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
    try:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    except BaseException:  # whatever a handler raises
        unblock_signals(before)
        raise
    return before


@hidden
def unblock_signals(before: set[Any]) -> None:
    """Have again only those blocked that were; handlers of those that came meanwhile run, and may raise."""
    _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def take_signals(parent: int) -> list[int]:
    """In the child: be sent what waits in the parent and not here; return the numbers of these signals."""
    before = _pending(parent)
    missed = sorted(before - {int(number) for number in _signal.sigpending()})
    for number in missed:
        os.kill(os.getpid(), number)
    return missed


def drop_signals() -> None:
    """Forget what has come while all signals were blocked: it was for the program of that time."""
    while waiting := _signal.sigpending():
        _signal.sigwait(waiting)


def _pending(pid: int) -> set[int]:
    """The signals that wait in a process, sent to it or to its main thread (proc(5))."""
    mask = 0
    try:
        status = read_small(f"/proc/{pid}/status")
    except OSError:
        return set()  # somebody killed it
    for line in status.splitlines():
        if line.startswith((b"SigPnd:", b"ShdPnd:")):
            mask |= int(line.split()[1], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def renew_files(known: Iterable[int]) -> None:
    """Open the regular files of this process again, so that offsets, and locks to come, are no longer shared.

    `/proc/self/fd/N` opens the same inode even if its name is gone.
    """
    known = set(known)
    for entry in os.listdir(FDS):
        fd = int(entry)
        if fd not in known and fd > 2:
            _renew_file(fd)


def _renew_file(fd: int) -> None:
    try:
        if not os.readlink(f"{FDS}/{fd}").startswith("/"):
            return
        flags = description(fd)[0] & (O_ACCMODE | os.O_APPEND)
        if flags != os.O_RDONLY and not flags & os.O_APPEND:
            return
        position = os.lseek(fd, 0, os.SEEK_CUR)
        again = os.open(f"{FDS}/{fd}", flags | os.O_CLOEXEC)
    except OSError:
        return  # not seekable, or not to be opened: nothing to share
    inheritable = os.get_inheritable(fd)
    os.lseek(again, position, os.SEEK_SET)
    os.dup2(again, fd, inheritable)
    os.close(again)
