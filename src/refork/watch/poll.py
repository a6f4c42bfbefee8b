"""Works everywhere: looks at everything again and again, in a thread of its own.

Files and directories are compared with ``!=``, never with "newer than": a file restored from a
backup, or checked out of another branch, is older than the one it replaces.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Mapping
from time import perf_counter
from types import MappingProxyType
from typing import NamedTuple

from refork.watch.base import Findings, Hints
from refork.watch.bell import Bell

INTERVAL = 1.0
"""Seconds between two looks, unless said otherwise."""

BUSIEST = 0.1
"""Looking takes at most this share of the time: a slow mount stretches the interval."""

Look = tuple[int, int, int, int]
"""size, mtime_ns, ctime_ns, inode. The change time tells of a rewrite that put size and
modification time back (``cp -p``, ``touch -r``)."""

LIST_EVERY = 5
"""Directories are listed anew when their stamp differs, and at every fifth look in any case:
listing costs three times as much, but not every remote file system stamps its directories."""


class Listing(NamedTuple):
    """A directory: device and inode; modification and change time; names."""

    identity: tuple[int, int]
    stamp: tuple[int, int]
    names: frozenset[str]


class PollWatcher:
    """The back-end for what gives no events. See :class:`refork.watch.base.Watcher`.

    Args:
        interval: seconds from the end of one look to the next.
        bell: rung when hints wait; its owner closes it. Without one, the watcher has its own.
    """

    name = "poll"
    blind: Mapping[str, str] = MappingProxyType({})

    def __init__(self, interval: float = INTERVAL, bell: Bell | None = None) -> None:
        self._interval = interval
        self._bell = bell or Bell()
        self._owns_bell = bell is None
        self._files: dict[str, Look | None] = {}
        self._listings: dict[str, Listing | None] = {}
        self._findings = Findings()
        self._lock = threading.Lock()  # guards the three above
        self._looks = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def fileno(self) -> int:
        return self._bell.fileno()

    def watch(self, directories: Collection[str], files: Collection[str]) -> None:
        with self._lock:
            for path in self._files.keys() - set(files):
                del self._files[path]
            for path in self._listings.keys() - set(directories):
                del self._listings[path]
            self._files.update({path: _look(path) for path in set(files) - self._files.keys()})
            self._listings.update(
                {path: _list(path) for path in set(directories) - self._listings.keys()}
            )
        if self._thread is None and (files or directories):
            self._thread = threading.Thread(target=self._run, name="refork-poll", daemon=True)
            self._thread.start()

    def read(self) -> Hints:
        self._bell.hush()
        with self._lock:
            found, self._findings = self._findings, Findings()
        return found.hints()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._owns_bell:
            self._bell.close()

    def _run(self) -> None:
        pause = self._interval
        while not self._stop.wait(pause):
            began = perf_counter()
            self._look_around()
            pause = max(self._interval, (perf_counter() - began) * (1 / BUSIEST - 1))

    def _look_around(self) -> None:
        """Look at everything once. The lock is not held while the file system answers."""
        with self._lock:
            files, listings = list(self._files), dict(self._listings)
        self._looks += 1
        if self._looks % LIST_EVERY == 0:
            listings = dict.fromkeys(listings)
        looks = {path: _look(path) for path in files}
        lists = {path: _list(path, known) for path, known in listings.items()}
        with self._lock:
            for path, look in looks.items():
                self._compare_file(path, look)
            for path, listing in lists.items():
                self._compare_listing(path, listing)
            found = bool(self._findings.hints())
        if found:
            self._bell.ring()

    def _compare_file(self, path: str, look: Look | None) -> None:
        if path not in self._files or look == self._files[path]:
            return
        self._files[path] = look
        if look is None:
            self._findings.later(path)
        else:
            self._findings.now(path)

    def _compare_listing(self, path: str, listing: Listing | None) -> None:
        if path not in self._listings or listing is self._listings[path]:
            return
        before, self._listings[path] = self._listings[path], listing
        if listing is None:
            self._findings.later(path)
        elif before is None or before.identity != listing.identity:
            self._findings.now(path)
        else:
            for name in before.names ^ listing.names:
                note = self._findings.now if name in listing.names else self._findings.later
                note(os.path.join(path, name))


def _look(path: str) -> Look | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # absent, unreadable, or no path at all (a NUL in it)
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _list(path: str, known: Listing | None = None) -> Listing | None:
    """What *path* holds; *known* itself if its stamp is still the same."""
    try:
        status = os.stat(path)
        identity = (status.st_dev, status.st_ino)
        stamp = (status.st_mtime_ns, status.st_ctime_ns)
        if known is not None and (identity, stamp) == known[:2]:
            return known
        return Listing(identity, stamp, frozenset(os.listdir(path)))
    except (OSError, ValueError):
        return None
