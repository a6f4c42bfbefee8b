"""What the settings say of files: --watch, --refresh and --ignore."""

from __future__ import annotations

import fnmatch
import functools
import glob
import os

from refork.core.plan import Change
from refork.files.sightings import Sightings
from refork.settings import Settings


class Patterns:
    """Paths and globs, relative to the folder refork was started in; `**` crosses folders."""

    def __init__(self, settings: Settings) -> None:
        self._here = os.getcwd()
        self._watch = [self._absolute(pattern) for pattern in settings.watch]
        self._refresh = [self._absolute(pattern) for pattern in settings.refresh]
        self._ignore = [self._anywhere(pattern) for pattern in settings.ignore]
        self._seen = Sightings()
        for path in self.files():
            self._seen.look(path)

    def _absolute(self, pattern: str) -> str:
        return os.path.normpath(os.path.join(self._here, pattern))

    def _anywhere(self, pattern: str) -> str:
        """A glob of a mere name (`*.log`) means it in every folder, as it does for those who keep files out."""
        is_name = glob.has_magic(pattern) and os.path.basename(pattern) == pattern
        return self._absolute(os.path.join("**", pattern) if is_name else pattern)

    def add(self, pattern: str) -> None:
        """Watch one more path or glob."""
        absolute = self._absolute(pattern)
        if absolute not in self._watch:
            self._watch.append(absolute)
            for path in matching(absolute):
                self._seen.look(path)

    def files(self) -> set[str]:
        """All files that --watch matches now, or matched before."""
        return {path for pattern in self._watch for path in matching(pattern)} | self._seen.paths()

    def directories(self) -> set[str]:
        """Directories in which a file that matters by a pattern may change or appear."""
        found: set[str] = set()
        for pattern in (*self._watch, *self._refresh):
            found |= folders_of(pattern)
        return found

    def reaches(self, folder: str) -> bool:
        """Whether a file that --watch names may be in a folder, or below it."""
        return any(reaches(folder, pattern) for pattern in self._watch)

    def misses(self, path: str) -> bool:
        """Whether --watch names a file that is not as it was seen last."""
        return self.restarts(path) and self._seen.is_other(path)

    def seen(self) -> set[str]:
        """The files that --watch named, as they were seen last."""
        return self._seen.paths()

    def restarts(self, path: str) -> bool:
        return any(matches(path, pattern) for pattern in self._watch)

    def refreshes(self, path: str) -> bool:
        return any(matches(path, pattern) for pattern in self._refresh)

    def ignores(self, path: str) -> bool:
        return any(matches(path, pattern, hidden=True) for pattern in self._ignore)

    def differs(self, change: Change) -> bool:
        """Whether a watched file differs from how it was last seen; it is seen now."""
        same = (
            self._seen.is_same(change) if change.path in self._seen else change.fingerprint is None
        )
        self._seen.take(change)
        return not same


def matching(pattern: str) -> list[str]:
    """The files that a pattern names now."""
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "**")
    return [path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path)]


def matches(path: str, pattern: str, hidden: bool = False) -> bool:
    """Whether a path is what a pattern names, or lies in a folder it names.

    As for a shell, names that begin with a dot are meant only by a pattern that has the dot, unless `hidden`: in
    a folder they are mostly what editors leave there for a moment.
    """
    if not (path + os.sep).startswith(_above(pattern)):
        return False  # as most: Django has three patterns for each application
    if path == pattern:
        return True
    if path.startswith(pattern + os.sep):
        return hidden or not any(map(_is_hidden, path[len(pattern) + 1 :].split(os.sep)))
    if not glob.has_magic(pattern):
        return False
    return _parts_match(path.split(os.sep), pattern.split(os.sep), hidden)


@functools.lru_cache(maxsize=16_384)
def _above(pattern: str) -> str:
    """The folder that lies above all that a pattern may match, with a separator at its end."""
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return os.path.join(folder, "")


def _parts_match(parts: list[str], patterns: list[str], hidden: bool) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        if _parts_match(parts, patterns[1:], hidden):
            return True
        may_cross = bool(parts) and (hidden or not _is_hidden(parts[0]))
        return may_cross and _parts_match(parts[1:], patterns, hidden)
    return (
        bool(parts)
        and (hidden or not _is_hidden(parts[0]) or _is_hidden(patterns[0]))
        and fnmatch.fnmatchcase(parts[0], patterns[0])
        and _parts_match(parts[1:], patterns[1:], hidden)
    )


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def reaches(folder: str, pattern: str) -> bool:
    """Whether a file that a pattern names may be in a folder, or in one below it."""
    above = _above(pattern)
    if above.startswith(folder + os.sep):
        return True
    if not folder.startswith(above):
        return False
    if matches(folder, pattern):
        return True
    parts = folder[len(above) :].split(os.sep)
    wanted = os.path.dirname(pattern)[len(above) :].split(os.sep)
    return any(_parts_match(parts, wanted[:end], False) for end in range(1, len(wanted) + 1))


def folders_of(pattern: str) -> set[str]:
    """The directories in which a file that a pattern names may change or appear, or a folder on the way to it."""
    fixed = os.path.dirname(_above(pattern)) if glob.has_magic(pattern) else pattern
    if fixed == pattern and not os.path.isdir(pattern):
        return {os.path.dirname(pattern)}
    found = {fixed}
    for folder, inner, _files in os.walk(fixed):
        inner[:] = [name for name in inner if reaches(os.path.join(folder, name), pattern)]
        found.update(os.path.join(folder, name) for name in inner)
    return found
