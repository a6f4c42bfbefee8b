"""The journal as the supervisor keeps it, and what may be asked of it.

Positions are indices into one list of entries. A checkpoint stands at a position: what is before it is what
the parked process has observed, and what it still embodies however the files have changed since.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Fingerprint = tuple[int, ...] | None
"""(size in bytes, mtime in nanoseconds, inode, ctime in nanoseconds); None: there is no such file.

Compared with `!=`. An mtime can be set back, and an inode number used again at once; a ctime cannot be set.
"""


@dataclass(frozen=True)
class Load:
    """A file read as the code of a module."""

    path: str
    fingerprint: Fingerprint
    name: str = ""
    """That of the module; "" where nothing was run, but a text is known to count."""


@dataclass(frozen=True)
class Read:
    """A data file opened for reading; fingerprint None: it was absent."""

    path: str
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Listing:
    """A directory whose entries were listed, and their names then.

    Another listing later starts nothing by itself; but what was taken after this one has seen these names.
    """

    path: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lookup:
    """A module looked up along a path; `found` is its file, "" where there was none.

    `portions` are the folders of a namespace package (PEP 420), which has no file.
    """

    name: str
    directories: tuple[str, ...]
    found: str
    portions: tuple[str, ...] = ()

    def prefers(self, path: str) -> bool:
        """Whether the import system would take `path`, if it is there, rather than what was found."""
        if path == self.found or path in self.portions:
            return False
        rank = self._rank(path)
        if rank is None:
            return False
        if "." not in posixpath.basename(path):
            return not self.found  # a mere folder: part of a namespace, and only if nothing else is
        if not self.found:
            return True
        found = self._rank(self.found)
        return found is not None and rank < found

    def _rank(self, path: str) -> tuple[int, int, int] | None:
        """The place of a file in the order in which the import system looks (`FileFinder.find_spec`)."""
        directory = _home(self.name, path)
        if directory not in self.directories:
            return None
        alone = directory == posixpath.dirname(path)  # else it is a package
        return (self.directories.index(directory), int(alone), _ending(posixpath.basename(path)))


K = TypeVar("K")

Entry = Load | Read | Listing | Lookup


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of the present lineage."""

    id: int
    pid: int
    at: str
    kind: str
    position: int
    stack: tuple[tuple[str, int], ...] = ()
    """Modules in progress that run by steps: path, and how many leading steps a new text must share."""
    twin: int = 0
    """The twin some of whose modules are in it, unseen as yet; 0: none."""


class Journal:
    """Entries in order, the checkpoints among them, and indices into both."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.checkpoints: list[Checkpoint] = []
        self._written: dict[str, int] = {}
        """Files that the program itself has written, with the position it first did at."""
        self._formerly: set[str] = set()
        """Those that only programs wrote which are gone: that one file is written may depend on another."""
        self._files: dict[str, list[int]] = {}
        self._listings: dict[str, list[int]] = {}
        self._tails: dict[tuple[str, str], list[int]] = {}
        self._search: dict[int, tuple[int, tuple[str, ...]]] = {}
        """Search paths by the number that the program gave them, with the position it told them at."""

    def take(self, entry: tuple[Any, ...]) -> Entry | None:
        """Add an entry as the program sent it; return it, or None where it only helps to read others."""
        kind = entry[0]
        made: Entry
        if kind == "path":
            self._search[int(entry[1])] = len(self.entries), tuple(entry[2])
            return None
        if kind == "wrote":
            self._written.setdefault(str(entry[1]), len(self.entries))
            return None
        if kind == "lookup":
            _position, search = self._search.get(entry[2], (0, ()))
            made = _lookup(str(entry[1]), search, str(entry[3]), tuple(entry[4]))
        elif kind in ("load", "kept"):  # kept: imported ahead, and put in its place now
            made = Load(str(entry[1]), _fingerprint(entry[2]), str(entry[3]))
        elif kind == "read":
            made = Read(str(entry[1]), _fingerprint(entry[2]))
        elif kind == "listing":
            made = Listing(str(entry[1]), tuple(entry[2]))
        else:
            raise ValueError(f"no such entry: {kind!r}")
        self.add(made)
        return made

    def add(self, entry: Entry) -> None:
        position = len(self.entries)
        self.entries.append(entry)
        if isinstance(entry, (Load, Read)):
            self._files.setdefault(entry.path, []).append(position)
            self._formerly.discard(entry.path)
        elif isinstance(entry, Listing):
            self._listings.setdefault(entry.path, []).append(position)
        else:
            tail = _tail(entry.name)
            for directory in entry.directories:
                self._tails.setdefault((directory, tail), []).append(position)

    def checkpoint(
        self,
        number: int,
        pid: int,
        at: str,
        kind: str,
        stack: tuple[tuple[str, int], ...],
        twin: int = 0,
    ) -> Checkpoint:
        made = Checkpoint(number, pid, at, kind, len(self.entries), stack, twin)
        self.checkpoints.append(made)
        return made

    def return_to(self, checkpoint: Checkpoint) -> list[Checkpoint]:
        """Forget what came after a checkpoint; return the deeper checkpoints, which are void now."""
        void = [other for other in self.checkpoints if other.id > checkpoint.id]
        self.checkpoints = [other for other in self.checkpoints if other.id <= checkpoint.id]
        while len(self.entries) > checkpoint.position:
            self._forget_last()
        # one that was told at this very position was told by the program that is gone: a lookup follows each
        told = self._search.items()
        self._search = {one: path for one, path in told if path[0] < checkpoint.position}
        gone = [path for path, at in self._written.items() if at >= checkpoint.position]
        for path in gone:
            del self._written[path]
        self._formerly.update(gone)
        return void

    def _forget_last(self) -> None:
        """Undo the last `add`; what came before costs nothing, however much it is."""
        entry = self.entries.pop()
        if isinstance(entry, (Load, Read)):
            _pop(self._files, entry.path)
        elif isinstance(entry, Listing):
            _pop(self._listings, entry.path)
        else:
            tail = _tail(entry.name)
            for directory in entry.directories:
                _pop(self._tails, (directory, tail))

    def drop(self, number: int) -> None:
        """Forget a checkpoint whose process is gone."""
        self.checkpoints = [other for other in self.checkpoints if other.id != number]

    # Questions -------------------------------------------------------------------------------------------

    def embodied(self, path: str, before: int) -> Load | Read | None:
        """The last that was read of `path` before a position."""
        for position in reversed(self._files.get(path, ())):
            if position < before:
                entry = self.entries[position]
                return entry if isinstance(entry, (Load, Read)) else None
        return None

    def counting(self, path: str, before: int) -> list[Load | Read]:
        """What of `path` still counts before a position: the last that was read, and the last that was run.

        A module's text read as data afterwards (its traceback is shown, say) does not renew what was run.
        """
        last = self.embodied(path, before)
        if not isinstance(last, Read):
            return [] if last is None else [last]
        positions = reversed(self._files[path])
        entries = (self.entries[position] for position in positions if position < before)
        run = next((entry for entry in entries if isinstance(entry, Load)), None)
        return [last] if run is None else [last, run]

    def revised(self) -> set[str]:
        """Files that were read in more than one version: some checkpoint embodies another than the last."""
        found = set()
        for path, positions in self._files.items():
            if len(positions) > 1:
                entries = [self.entries[position] for position in positions]
                seen = {entry.fingerprint for entry in entries if isinstance(entry, Load | Read)}
                if len(seen) > 1:
                    found.add(path)
        return found

    def read_as_data(self, path: str, before: int) -> bool:
        return any(
            position < before and isinstance(self.entries[position], Read)
            for position in self._files.get(path, ())
        )

    def loaded_again(self, path: str, before: int) -> bool:
        """Whether a file was run as a module more than once: under two names, or by `importlib.reload`."""
        loads = 0
        for position in self._files.get(path, ()):
            entry = self.entries[position]
            loads += position < before and isinstance(entry, Load) and bool(entry.name)
        return loads > 1

    def latest(self, path: str) -> Load | Read | None:
        return self.embodied(path, len(self.entries))

    def is_written(self, path: str) -> bool:
        """Whether the program itself writes a file, which is then no dependency.

        A file that was written before the program went back is one until it is read, and not written, from there.
        """
        return path in self._written or path in self._formerly

    def files(self) -> Iterator[str]:
        """All files the program depends on."""
        return (path for path in self._files if not self.is_written(path))

    def directories(self) -> set[str]:
        """All directories in which something that counts may change."""
        found = {posixpath.dirname(path) for path in self.files()}
        found.update(directory for directory, _tail in self._tails)
        return found

    def listings(self) -> Iterator[str]:
        """All directories that were listed."""
        return iter(self._listings)

    def listed(self, before: int) -> Iterator[Listing]:
        """What was listed before a position."""
        for positions in self._listings.values():
            for position in positions:
                entry = self.entries[position]
                if position < before and isinstance(entry, Listing):
                    yield entry

    def lookups(self, path: str, before: int) -> list[Lookup]:
        """Lookups before a position that would, or did, find a module at `path`."""
        keys = _names_of(path)
        found = []
        for key in keys:
            for position in self._tails.get(key, ()):
                if position < before:
                    entry = self.entries[position]
                    assert isinstance(entry, Lookup)
                    found.append(entry)
        return found

    def concerns(self, path: str) -> bool:
        """Whether anything observed has to do with `path`."""
        return path in self._files or any(key in self._tails for key in _names_of(path))


def _pop(index: dict[K, list[int]], key: K) -> None:
    positions = index[key]
    positions.pop()
    if not positions:
        del index[key]


SUFFIXES = (".so", ".pyd", ".py", ".pyw", ".pyc")
"""In the order in which the import system tries them (`_get_supported_file_loaders`)."""


def _ending(name: str) -> int:
    return next((at for at, ending in enumerate(SUFFIXES) if name.endswith(ending)), len(SUFFIXES))


def _lookup(
    name: str, directories: tuple[str, ...], found: str, portions: tuple[str, ...]
) -> Lookup:
    """Only directories up to that of the file found were searched."""
    if portions:
        return Lookup(name, directories, "", portions)
    if found:
        home = _home(name, found)
        if home in directories:  # one of them may lie within another
            return Lookup(name, directories[: directories.index(home) + 1], found)
        for index, directory in enumerate(directories):
            if found.startswith(directory.rstrip("/") + "/") or directory in ("", found):
                return Lookup(name, directories[: index + 1], found)
    return Lookup(name, directories, found)


def _home(name: str, found: str) -> str:
    """The directory of a search path in which a file was found as the module `name`."""
    directory, file = posixpath.split(found)
    if file.partition(".")[0] == "__init__" and posixpath.basename(directory) == _tail(name):
        return posixpath.dirname(directory)
    return directory


def _tail(name: str) -> str:
    return name.rpartition(".")[2]


def _names_of(path: str) -> list[tuple[str, str]]:
    """The (directory, module name) pairs that a file or folder at `path` would answer to."""
    directory, name = posixpath.split(path)
    tail = name.partition(".")[0]
    keys = []
    if name == tail:
        keys.append((directory, name))  # a folder: a package, or part of a namespace
    elif name.endswith(SUFFIXES):
        keys.append((directory, tail))
        if tail == "__init__":
            keys.append(posixpath.split(directory))
    return keys


def _fingerprint(value: Any) -> Fingerprint:
    if value is None:
        return None
    return tuple(int(number) for number in value)
