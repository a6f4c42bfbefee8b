"""A file left in a watched directory, to see whether its event comes.

Some mounts and sandboxes accept a watch and never say a word. The only way to know is to try.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable

from refork.watch.base import Hints
from refork.watch.bell import Bell

DEADLINE = 0.5
"""Seconds after which an event that has not come is not expected any more. inotify says it within
the system call; macOS and Windows take some ten milliseconds."""

PREFIX = ".refork-probe-"


def is_probe(path: str) -> bool:
    """Whether *path* is a probe's, of this refork or another one."""
    return os.path.basename(path).startswith(PREFIX)


class Probe:
    """One try in one directory.

    Attributes:
        directory: where.
        path: the file, unique to this process.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, f"{PREFIX}{os.getpid()}")

    def leave(self) -> bool:
        """Write the file. False if nothing may be written there."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        except (OSError, ValueError):
            return False
        return True

    def remove(self) -> None:
        """Take the file away again."""
        try:
            os.unlink(self.path)
        except OSError:
            pass  # somebody was faster, or the directory is gone


class Trial:
    """Probes in several directories, until each was heard or the time is up.

    Args:
        directories: where. The back-end must watch them before ``leave()``.
        patience: seconds to wait for the last event.
        bell: rung when the time is up, so that somebody reads and judges.
    """

    def __init__(self, directories: Iterable[str], patience: float, bell: Bell) -> None:
        self._probes = {probe.path: probe for probe in map(Probe, directories)}
        self._patience = patience
        self._bell = bell
        self._deadline = 0.0
        self._timer: threading.Timer | None = None

    @property
    def directories(self) -> set[str]:
        """Where a probe is still unheard."""
        return {probe.directory for probe in self._probes.values()}

    @property
    def files(self) -> set[str]:
        """The probes that are still unheard."""
        return set(self._probes)

    def leave(self) -> None:
        """Write the probes; a directory that may not be written in is not tried."""
        for probe in list(self._probes.values()):
            if not probe.leave():
                del self._probes[probe.path]
        self._deadline = time.monotonic() + self._patience

    def wait(self) -> None:
        """Have the bell rung when the time is up."""
        if self._probes:
            self._timer = threading.Timer(self._patience, self._bell.ring)
            self._timer.daemon = True
            self._timer.start()

    def judge(self, hints: Hints) -> set[str]:
        """Take note of what was heard. Returns the directories that had their time in silence."""
        for path in self._probes.keys() & (hints.paths | hints.unfinished):
            self._probes.pop(path).remove()
        late = self.directories if time.monotonic() >= self._deadline else set()
        if late or not self._probes:
            self.end()
        return late

    def end(self) -> None:
        """Take away what was left."""
        for probe in self._probes.values():
            probe.remove()
        self._probes = {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
