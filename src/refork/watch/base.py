"""What every back-end of the watcher promises.

Events are hints; fingerprints are the truth. A back-end never decides that a file has changed:
it names paths worth comparing. It may name too many, and it must not name too few.

The contract, checked by one suite against every back-end (``tests/watch``):

* A hint spells a path as ``directory + "/" + name``, with the directory spelled as it was given
  to ``watch()``, whatever symbolic links lie on the way. A directory given in two spellings is
  hinted in both.
* A hinted directory stands for everything below it.
* What happened before ``watch()`` returned is not hinted. Watch first, then compare.
* A directory that does not exist yet is hinted when it appears, and watched from then on; one
  that goes and comes back is hinted both times. The same when a directory further up goes, comes,
  is renamed, or is a symbolic link that is turned elsewhere.
* No thread, file descriptor or process outlives ``close()``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from refork.errors import ReforkError

UNFINISHED_FOR = 0.1
"""Seconds to leave an unfinished path alone, unless something more is heard of it."""


@dataclass(frozen=True)
class Hints:
    """Paths worth comparing with what the journal recorded.

    Attributes:
        paths: files or directories that may have changed; complete as far as can be known, so
            compare them at once.
        lost: events were lost, anything may have changed: compare everything.
        unfinished: files or directories that are probably in the middle of being replaced:
            truncated or written by somebody who has not closed them, newly created and still
            empty, or gone (editors and version control often remove a file and then create it).
            The end of it usually follows within a millisecond and comes as a path of ``paths``.
            If it does not come within :data:`UNFINISHED_FOR` seconds, compare them as they are.
    """

    paths: frozenset[str] = frozenset()
    lost: bool = False
    unfinished: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.paths or self.lost or self.unfinished)

    def __or__(self, later: Hints) -> Hints:
        """These hints and then *later* ones, as if they had been read at once."""
        return Hints(
            paths=(self.paths - later.unfinished) | later.paths,
            lost=self.lost or later.lost,
            unfinished=(self.unfinished - later.paths) | later.unfinished,
        )


class Watcher(Protocol):
    """A back-end. All methods are called from one thread."""

    @property
    def name(self) -> str:
        """``inotify``, ``watchfiles``, ``watchman`` or ``poll``."""
        ...

    @property
    def blind(self) -> Mapping[str, str]:
        """Directories asked for that must be polled besides → why; empty where it is no news."""
        ...

    def fileno(self) -> int:
        """A descriptor that is readable when hints wait. It stays the same until ``close()``."""
        ...

    def watch(self, directories: Collection[str], files: Collection[str]) -> None:
        """Watch exactly these from now on.

        Called often: what is watched already costs next to nothing.

        Args:
            directories: absolute paths; some may not exist.
            files: absolute paths of the files that matter in them. Back-ends that get events
                hint other names too; polling hints another name when it comes or goes.

        Raises:
            WatchLimit: the system does not let us watch that many.
        """
        ...

    def read(self) -> Hints:
        """All hints that wait; never blocks.

        Raises:
            WatchLimit: the system does not let us go on watching.
        """
        ...

    def close(self) -> None:
        """Stop watching. Calling it again does nothing."""
        ...


class WatchLimit(ReforkError):
    """A back-end cannot go on, because of a limit or because it broke. Another one may."""


class Findings:
    """Collects hints in the order things happened: the last word on a path holds."""

    def __init__(self) -> None:
        self._finished: dict[str, bool] = {}
        self.lost = False

    def now(self, path: str) -> None:
        """*path* is as complete as it will be: compare it at once."""
        self._finished[path] = True

    def later(self, path: str) -> None:
        """*path* is probably in the middle of being replaced."""
        self._finished[path] = False

    def hints(self) -> Hints:
        """What was collected."""
        return Hints(
            paths=frozenset(path for path, done in self._finished.items() if done),
            lost=self.lost,
            unfinished=frozenset(path for path, done in self._finished.items() if not done),
        )
