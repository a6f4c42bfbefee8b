"""The way the kernel goes from the root to a directory, and everything on it that could turn.

inotify follows inodes, not names: a watched directory that is renamed keeps its watch, and when
one of its ancestors is renamed, or a symbolic link on the way is turned elsewhere, it says nothing
at all. So a watched path is walked component by component, as the kernel would, and what is met on
the way is kept: the directories passed, and the places where a name decides.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

MAX_LINKS = 40
"""As many symbolic links as Linux follows in one path (path_resolution(7))."""


class Trail(NamedTuple):
    """Where a path leads at the moment.

    Attributes:
        real: the directory it leads to, free of symbolic links; None while there is none.
        passed: the real directories on the way, without the last.
        joints: (real directory, name) where that name decides where the way goes on: a symbolic
            link, or the first name that is missing.
    """

    real: str | None
    passed: tuple[str, ...] = ()
    joints: tuple[tuple[str, str], ...] = ()


class Walk:
    """One look at the file system. Beginnings of paths are remembered, so that thousands of
    directories cost little more than one; make a new one for the next look."""

    def __init__(self) -> None:
        self._seen: dict[str, Trail] = {}

    def trail(self, path: str) -> Trail:
        """Walk the absolute *path*."""
        ahead: list[tuple[str, str]] = []
        while path not in self._seen:
            parent, name = os.path.split(path)
            if parent == path:
                self._seen[path] = Trail(path)
            else:
                ahead.append((path, name))
                path = parent
        trail = self._seen[path]
        for path, name in reversed(ahead):
            trail = self._seen[path] = _step(trail, name, 0)
        return trail


def _step(at: Trail, name: str, links: int) -> Trail:
    """From *at* on by one *name*."""
    if at.real is None or name in ("", "."):
        return at
    if name == "..":
        return Trail(os.path.dirname(at.real), at.passed, at.joints)
    here = os.path.join(at.real, name)
    passed = (*at.passed, at.real)
    try:
        mode = os.lstat(here).st_mode
        if stat.S_ISDIR(mode):
            return Trail(here, passed, at.joints)
        target = os.readlink(here) if stat.S_ISLNK(mode) and links < MAX_LINKS else None
    except (OSError, ValueError):  # not there, not allowed, gone between the two, or a NUL in it
        target = None
    joints = (*at.joints, (at.real, name))
    if target is None:
        return Trail(None, passed, joints)
    return _follow(target, Trail(at.real, passed, joints), links + 1)


def _follow(target: str, at: Trail, links: int) -> Trail:
    """From *at* on along the *target* of a symbolic link, the *links*-th in a row."""
    drive, rest = os.path.splitdrive(target)
    if os.path.isabs(target):
        at = Trail(drive + os.sep, at.passed, at.joints)
    for part in rest.split(os.sep):
        at = _step(at, part, links)
    return at
