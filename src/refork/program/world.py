"""What few programs do to the world, or take from it, while they load: each is heard of by an audit event.

Loaded when the first of these events comes.
"""

from __future__ import annotations

import os
import sys
from stat import S_ISDIR

from refork.program import audit
from refork.program.barriers import FDS, barriers
from refork.program.evidence import place_of
from refork.program.journal import fingerprint, is_library, is_standard, journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROBING = {"ctypes.util", "platform", "sysconfig", "uuid", "webbrowser"}
"""Modules of the standard library that ask other programs what machine this is."""

CHECKS = {("django.core.management.base", "check_migrations")}
"""Functions that look into a database for a line of output: that is there already, as all output is."""

LOCK = 1 | 2
"""LOCK_SH and LOCK_EX, which `flock` and `lockf` have in common."""

SETLK = (6, 7, 37, 38)
"""F_SETLK, F_SETLKW, F_OFD_SETLK and F_OFD_SETLKW (fcntl(2)) of Linux."""


def on_process(_args: tuple[Any, ...]) -> None:
    _is_over("it ran a process")


def on_fork(_args: tuple[Any, ...]) -> None:
    _is_over("it forked")


def on_talk(_args: tuple[Any, ...]) -> None:
    _is_over("it talked over a socket")


def on_database(args: tuple[Any, ...]) -> None:
    frame: Any = sys._getframe()
    while frame is not None:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) in CHECKS:
            return
        frame = frame.f_back
    audit.changes(f"it opened the database {os.fsdecode(args[0])}")


def _is_over(what: str) -> None:
    """It leaves no trace here; but others were told something, or have told what is different by the next start."""
    if not barriers.changed and not _is_probe(sys._getframe()):
        path, _colon, line = place_of(audit.nearest_cause()).rpartition(":")
        barriers.changed = f"{what} ({os.path.basename(path)}:{line})"


def _is_probe(frame: Any) -> bool:
    """Whether a library finds out what the machine can do: when it is imported, or by what is there for that.

    What it is told stays the same while the program is worked on.
    """
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_globals.get("__name__")
        if name in PROBING:
            return True
        if audit.is_ours(frame) or path[:1] == "<":
            pass
        elif name == "__main__" or not is_library(path):
            return False
        elif frame.f_code.co_name == "<module>" and not is_standard(path):
            return True
        frame = frame.f_back
    return False


def on_remove(args: tuple[Any, ...]) -> None:
    name = audit.path_of(*args[:2])
    if _is_older(name):
        audit.changes(f"it removed {name}")


def on_rename(args: tuple[Any, ...]) -> None:
    source, target = audit.path_of(args[0], args[2]), audit.path_of(args[1], args[3])
    if audit.real(source) in barriers.made and not os.path.lexists(target):
        barriers.made_here(audit.real(target), f"it made {target}")
    else:
        audit.changes(f"it renamed {source}")


def on_make(args: tuple[Any, ...]) -> None:
    name = audit.path_of(args[0], args[2])
    if not os.path.lexists(name):
        audit.brink(f"makes {name}")
        barriers.made_here(audit.real(name), f"it made {name}")


def on_link(args: tuple[Any, ...]) -> None:
    on_make((args[1], None, args[-1]))


def on_status(args: tuple[Any, ...]) -> None:
    """Mode, owner or times: the last argument is the folder that the name is in."""
    _on_change(audit.path_of(args[0], args[-1]))


def on_change(args: tuple[Any, ...]) -> None:
    _on_change(audit.path_of(args[0]))


def _on_change(name: str) -> None:
    if _is_older(name):
        audit.changes(f"it changed {name}")


def _is_older(name: str) -> bool:
    """Whether this is a file that the program has found, and not made."""
    if audit.is_cache(name) or audit.is_no_file(name):
        return False
    return os.path.lexists(name) and audit.real(name) not in barriers.made


def on_flock(args: tuple[Any, ...]) -> None:
    if args[1] & LOCK:
        audit.brink("locks a file")


def on_control(args: tuple[Any, ...]) -> None:
    if args[1] in SETLK:
        audit.brink("locks a file")


def on_library(args: tuple[Any, ...]) -> None:
    """A native library is loaded by `ctypes`: by its path it is a file like any other."""
    name = args[0]
    if not isinstance(name, (str, bytes)) or b"/" not in os.fsencode(name):
        return  # looked for where those of the system are
    path = os.path.abspath(os.fsdecode(name))
    if not is_library(path):
        journal.note("read", path, fingerprint(path))


def on_input(_args: tuple[Any, ...]) -> None:
    audit.changes("it asked for input")


def possible(name: str) -> list[str]:
    """What a relative path may mean to `os.open`: its event does not tell of `dir_fd`, so all folders that are
    open may be the one."""
    found = [os.path.abspath(name)]
    for entry in os.listdir(FDS):
        try:
            if S_ISDIR(os.fstat(int(entry)).st_mode):
                found.append(os.path.abspath(os.path.join(os.readlink(f"{FDS}/{entry}"), name)))
        except OSError:
            continue  # the listing's own descriptor, closed by now
    return list(dict.fromkeys(found))
