"""What the program observed, in order, told to the supervisor.

Entries (each a tuple, the first item its name):

    ("path", id, directories)          a search path, named by `id` from here on
    ("lookup", name, id, found, portions)  a module looked up along a path; found: its file, "" for none;
                                       portions: the folders of a namespace package
    ("load", path, fingerprint, name)  a file read as the code of a module
    ("read", path, fingerprint)        a data file opened for reading; fingerprint None: it was absent
    ("wrote", path)                    a file the program itself writes: no dependency
    ("listing", directory, names)      a directory whose entries were listed, and what they were

A fingerprint is taken by the process that reads, before it reads: an edit in between is seen as a change.
"""

from __future__ import annotations

import os
import sys

from refork.program.channel import Channel, Gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    Fingerprint = tuple[int, ...] | None

BATCH = 64
"""Entries that are sent together at most."""

VANISHED = (0, 0, 0, 0)
"""The fingerprint of a file that was found and then gone: it equals none, so that it counts as changed."""

LIBRARY_FOLDERS = ("/site-packages/", "/dist-packages/")
STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def is_library(path: str) -> bool:
    """Whether a file belongs to the standard library or to an installed package."""
    known = _libraries.get(path)
    if known is None:
        site, dist = LIBRARY_FOLDERS
        known = path.startswith(STANDARD_LIBRARY) or site in path or dist in path
        _libraries[path] = known
    return known


_libraries: dict[str, bool] = {}


def is_standard(path: str) -> bool:
    """Whether a file belongs to the standard library, and not to a package installed below it."""
    return path.startswith(STANDARD_LIBRARY) and not any(part in path for part in LIBRARY_FOLDERS)


def fingerprint(path: str) -> Fingerprint:
    """Return (size, mtime, inode, ctime) of a file, times in nanoseconds, or None where there is none.

    An mtime can be set back and an inode number used again at once; a ctime (inode(7)) cannot be set.
    """
    try:
        return _fields(os.stat(path))
    except (OSError, ValueError):
        return None


def _fields(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def as_searched(entry: str) -> str:
    """A folder of a search path, spelled as in the paths of the modules that are found in it."""
    if entry[:1] != "/":
        try:
            entry = os.path.join(os.getcwd(), entry)
        except OSError:
            return entry  # the working folder is gone, and nothing is found there either
    return entry.rstrip("/") or "/"


class Journal:
    """The one journal of this process."""

    def __init__(self) -> None:
        self.channel: Channel | None = None
        self.fresh: list[int] = []
        """Descriptors that tell whether this program is still the one to answer (see `freshness`)."""
        self.pid = 0
        """The process that may take checkpoints; the program's own forked children only report."""
        self.generation = 0
        self.quiet = 0
        """Above zero while refork itself is at work: what the hooks see then is not the program's doing."""
        self.loading = True
        """Whether data files and listings still count: until the program serves."""
        self.loads = 0
        """Modules loaded so far: tells whether loading has gone on since the last checkpoint."""
        self.latest: tuple[str, Fingerprint] = ("", None)
        """The file that was loaded last, and its fingerprint."""
        self.reading: Any = None
        """The loader that is about to read that file."""
        self.met: tuple[str, os.stat_result | None] = ("", None)
        """The file that the import system found last, and its status: most are loaded at once."""
        self.still = 0
        """Files that were touched (ctime, in nanoseconds) before this have not been written lately."""
        self._waiting: list[tuple[object, ...]] = []
        self._paths: dict[tuple[str, ...], int] = {}
        self._given: dict[tuple[object, ...], int] = {}
        """The same by search paths as they were given, without relative ones."""
        self._swept = 0

    def note(self, *entry: object) -> None:
        """Add an entry, and send it at once: the program may wait for ever from here on, or be killed.

        Only a module put in its place waits for the next, a search path for the lookup, and a lookup that found
        something for the load.
        """
        self._waiting.append(entry)
        tag = entry[0]
        if tag == "load" or not (tag in ("path", "kept") or (tag == "lookup" and entry[3])):
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        while self._waiting:
            # one by one: the handler of a signal may come here in between, and each is told once
            batch: list[tuple[object, ...]] = []
            while self._waiting and len(batch) < BATCH:
                batch.append(self._waiting.pop(0))
            self._send("journal", batch)

    def tell(self, *message: object, fds: Sequence[int] = ()) -> None:
        """Send a message after all entries so far. Without a supervisor it goes nowhere."""
        self.flush()
        self._send(*message, fds=fds)

    def _send(self, *message: object, fds: Sequence[int] = ()) -> None:
        channel = self.channel
        if channel is None:
            return
        self.quiet += 1
        try:
            channel.send(*message, fds=fds)
        except Gone:
            self.channel = None
        finally:
            self.quiet -= 1

    def lookup(
        self, name: str, directories: Iterable[object], found: str, portions: list[str]
    ) -> None:
        """Record that module `name` was looked up along a path; `found` and `portions` as in the entry."""
        entries = tuple(directories)
        try:
            number = self._given.get(entries)
        except TypeError:  # there may be anything on a search path
            number = None
        if number is None:
            number = self._name_path(entries)
        self.note("lookup", name, number, found, portions)

    def _name_path(self, entries: tuple[object, ...]) -> int:
        given = tuple(entry for entry in entries if isinstance(entry, str))
        key = tuple(as_searched(entry) for entry in given)
        number = self._paths.get(key)
        if number is None:
            number = self._paths[key] = len(self._paths) + 1_000_000 * self.generation
            self.note("path", number, list(key))
        if len(given) == len(entries) and all(entry[:1] == "/" for entry in given):
            self._given[given] = number  # others depend on the working folder
        return number

    def forget_paths(self) -> None:
        """Tell of every search path again: who hears now has not been told of any."""
        self._paths.clear()
        self._given.clear()

    def load(self, path: str, name: str) -> None:
        """Record that the file at `path` is about to be read as the code of module `name`."""
        self.loads += 1
        met, status = self.met
        self.met = "", None
        # the status that the import system asked for a moment ago is as good as a newer one: it is older
        found = _fields(status) if status is not None and met == path else fingerprint(path)
        self.latest = path, found
        self.note("load", path, found or VANISHED, name)

    def sweep(self) -> None:
        """Record modules that came by loaders the hooks do not see, from the tail of sys.modules."""
        if len(sys.modules) == self._swept:
            return  # a list of all takes a reference to each, and so copies what is shared: 3 ms of 5,000
        modules = list(sys.modules.items())
        if len(modules) < self._swept:
            self._swept = 0
        for name, module in modules[self._swept :]:
            path = _foreign_file(module)
            if path:
                self.note("load", path, fingerprint(path), name)
        self._swept = len(modules)


def own_names(thing: Any) -> dict[str, Any]:
    """What a module, or what stands for one, holds by name, asked of nobody.

    There may be any object at all in `sys.modules`, and a lazy module loads when it is asked for anything.
    """
    try:
        names = object.__getattribute__(thing, "__dict__")
    except Exception:  # it has none, or one that its class makes up
        return {}
    return names if type(names) is dict else {}


def _foreign_file(module: Any) -> str:
    """The file of a module whose loader is not one of the hooked ones; "" where there is none."""
    spec = own_names(own_names(module).get("__spec__"))
    origin = spec.get("origin")
    if type(origin) is not str or _is_hooked(type(spec.get("loader"))):
        return ""
    return origin if os.path.isabs(origin) else ""


def _is_hooked(loader: type) -> bool:
    """Whether the hooks see what loaders of this type load."""
    known = _hooked.get(loader)
    if known is None:
        execute = getattr(loader, "exec_module", None)
        known = getattr(execute, "__module__", "").startswith("_frozen_importlib")
        _hooked[loader] = known
    return known


_hooked: dict[type, bool] = {}

journal = Journal()
