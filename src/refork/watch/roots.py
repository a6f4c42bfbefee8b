"""For back-ends that watch whole trees: which trees, and whose paths they report.

FSEvents, ReadDirectoryChangesW and Watchman watch a tree as cheaply as a directory, and starting
a watch is dear. So the trees below the topmost directories are watched. The topmost of the
directories that matter are those of the import path (the project, site-packages, the standard
library), a handful.

They report real paths, and from inside the trees only. What they cannot tell of, the *edges*, is
looked at by polling besides; there are few: the topmost directories themselves (they may be
renamed or removed), those that do not exist, those reached through a symbolic link (it may be
turned), and those that are too wide to watch the tree below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable

from refork.watch.trail import Trail, Walk


class Roots:
    """The directories asked for, and the trees they lie in.

    Attributes:
        tops: real directories → device and inode; the trees below them hold everything asked
            for, but the edges.
        shaken: whether a top was reported to have come or gone since the last ``update()``.
        edges: directories, as asked for, that must be polled besides; see ``Watcher.blind``.
    """

    def __init__(self) -> None:
        self.tops: dict[str, tuple[int, int]] = {}
        self.shaken = False
        self.edges: dict[str, str] = {}
        self._tops: list[str] = []
        self._trails: dict[str, Trail] = {}
        self._leaves: dict[str, set[str]] = {}  # real directory → as asked for
        self._above: dict[str, set[str]] = {}  # a real directory on the way → as asked for

    def update(self, directories: Collection[str]) -> None:
        """These directories are asked for now. Known ones are walked to again only if they are
        edges; the others are told of by the trees they are in, see :meth:`hint`."""
        wanted = frozenset(directories)
        known = self._trails.keys() & (wanted - self.edges.keys())
        walk = Walk()
        trails = {
            directory: self._trails[directory] if directory in known else walk.trail(directory)
            for directory in wanted
        }
        if trails != self._trails:
            self._trails = trails
            self._index()
        self.tops = {top: identity for top in self._tops if (identity := _identity(top))}
        self.shaken = False

    def _index(self) -> None:
        self._leaves, self._above = {}, {}
        for directory, trail in self._trails.items():
            if trail.real is not None:
                self._leaves.setdefault(_key(trail.real), set()).add(directory)
            for path in (*trail.passed, *(os.path.join(*joint) for joint in trail.joints)):
                self._above.setdefault(_key(path), set()).add(directory)
        self._tops = topmost([trail.real for trail in self._trails.values() if trail.real])
        self.edges = {path: "" for path, trail in self._trails.items() if self._is_edge(trail)}

    def _is_edge(self, trail: Trail) -> bool:
        if trail.real is None or trail.joints:
            return True
        return trail.real in self._tops or is_wide(trail.real)

    def hint(self, path: str, note: Callable[[str], None]) -> bool:
        """Note *path*, reported by a tree, in all its spellings.

        Returns:
            Whether directories asked for came or went with it: ``update()`` is due.
        """
        parent, name = os.path.split(path)
        for directory in self._leaves.get(_key(parent), ()):
            note(os.path.join(directory, name))
        key = _key(path)
        below = self._leaves.get(key, set()) | self._above.get(key, set())
        for directory in below:
            note(directory)
            trail = self._trails.pop(directory, None)
            self.shaken |= trail is None or trail.real in self.tops
        return bool(below)


def topmost(directories: Iterable[str]) -> list[str]:
    """Those of the real *directories* that lie in no other one and are not too wide."""
    tops: list[str] = []
    for directory in sorted(set(directories), key=lambda path: path.rstrip(os.sep) + os.sep):
        inside = tops and directory.startswith(tops[-1].rstrip(os.sep) + os.sep)
        if not inside and not is_wide(directory):
            tops.append(directory)
    return tops


def is_wide(directory: str) -> bool:
    """Whether the tree below is likely to hold half the machine: a root, or next to it, or the
    home directory."""
    parent = os.path.dirname(directory)
    return os.path.dirname(parent) == parent or directory == os.path.expanduser("~")


def _identity(directory: str) -> tuple[int, int] | None:
    try:
        status = os.stat(directory)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


def _key(path: str) -> str:
    """Equal for equal paths (on Windows, case does not matter)."""
    return os.path.normcase(path)
