"""Keeps the watcher looking at what the journal says, and brings its hints in."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from refork.core.journal import Journal, Load, Lookup, Read
from refork.process import files
from refork.program.journal import is_library
from refork.settings import Settings
from refork.sockets.freshness import Freshness
from refork.watch.base import UNFINISHED_FOR, Watcher
from refork.watch.choose import open_watcher

SOON = 0.03
"""Seconds after which new directories are watched together: most come in bursts."""

SHARE = 20
"""Looking at the journal takes at most one part in so many of the time: it grows with the program."""

KEPT = 500
"""Directories watched at most without a reason, but for twice as many as have one."""

REMEMBERED = 10_000
"""Hints about unknown files kept, in case the journal turns out to concern them."""


class Watching:
    """The watcher, and what it is to look at."""

    def __init__(
        self,
        settings: Settings,
        hinted: Callable[[Iterable[str], bool], None],
        say: Callable[[str], None],
        always: Callable[[], set[str]],
        came: Callable[[Iterable[str]], None],
        freshness: Freshness | None = None,
    ) -> None:
        """`always` are the directories that matter whatever the journal says; `came` is told of those that are
        watched from now on: what came into them before was seen by nobody.
        """
        self._hinted = hinted
        self._always = always
        self._came = came
        self._loop = asyncio.get_running_loop()
        self._directories: set[str] = set()
        self._real: dict[str, str] = {}
        """Real paths of files reached by symbolic links, each with the path the program used."""
        self._folders: set[str] = set()
        """Folders that would be found as packages if they had an `__init__.py`."""
        self._unchecked: list[Load | Read] = []
        self._heard: dict[str, None] = {}
        self._then: list[Callable[[], None]] = []
        self._scheduled = False
        self._cost = 0.0
        """Seconds of CPU that the last look at the journal took."""
        self._closed = False
        self._journal: Journal | None = None
        self.watcher: Watcher = open_watcher(settings.poll, [os.getcwd()], say)
        self.freshness = freshness or Freshness()
        self.freshness.attach(self.watcher.fileno())
        self._loop.add_reader(self.watcher.fileno(), self._readable)

    @property
    def count(self) -> int:
        """Files watched."""
        return 0 if self._journal is None else sum(1 for _ in self._journal.files())

    def add(self, entries: Iterable[Any], journal: Journal) -> None:
        """Look at what new journal entries concern, soon."""
        self._journal = journal
        for entry in entries:
            if isinstance(entry, (Load, Read)):
                self._unchecked.append(entry)
            elif isinstance(entry, Lookup):
                self._rivals(entry)
        again = [path for path in self._heard if journal.concerns(path)]
        for path in again:
            del self._heard[path]
        if again:
            self._hinted(again, False)
        self._watch_soon()

    def has(self, directory: str) -> bool:
        """Whether a directory is watched."""
        return directory in self._directories

    def then(self, action: Callable[[], None]) -> None:
        """Call `action` once, as soon as all that is known of now is watched."""
        self._then.append(action)
        self._watch_soon()

    def _watch_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            wait = max(SOON, SHARE * self._cost) if self._directories else 0
            self._loop.call_later(wait, self._watch)

    def follow(self, journal: Journal) -> None:
        """Hints are about this journal from now on, empty as it may be: what it does not know is kept in mind."""
        self._journal = journal

    def _watch(self) -> None:
        """Watch first, then compare: what was edited before the watch stood is found by comparing."""
        self._scheduled = False
        journal = self._journal
        if journal is None or self._closed:
            return
        began = time.thread_time()
        unchecked, self._unchecked = self._unchecked, []
        folders: dict[str, str] = {}
        for entry in unchecked:
            self._follow_links(entry.path, folders)
        always = self._always()
        directories = journal.directories() | always | self._folders
        directories |= set(map(os.path.dirname, self._real))
        if len(self._directories) < KEPT + 2 * len(directories):
            # a program that loads comes to the same ones again: nothing may be missed meanwhile
            directories |= self._directories
        paths = set(journal.files()) | set(self._real)
        self.watcher.watch(directories, paths)
        new, self._directories = directories - self._directories, directories
        self._look_into(new, journal)
        self._came(_topmost(new & always))
        late = [
            entry.path for entry in unchecked if files.fingerprint(entry.path) != entry.fingerprint
        ]
        if late:
            self._hinted(late, False)
        then, self._then = self._then, []
        for action in then:
            action()
        self._cost = time.thread_time() - began

    def _look_into(self, directories: Iterable[str], journal: Journal) -> None:
        """A module may have come between its lookup and the watch: Core can tell, if it hears of it."""
        found = _looked_up(directories, journal)
        if found:
            self._hinted(found, False)

    def _rivals(self, lookup: Lookup) -> None:
        """A folder of the name that was looked up becomes a package by an `__init__.py` of its own."""
        tail = lookup.name.rpartition(".")[2]
        for directory in lookup.directories:
            folder = os.path.join(directory, tail)
            if not is_library(directory + os.sep) and os.path.isdir(folder):
                self._folders.add(folder)  # watched soon, and looked into then

    def rival(self, folder: str) -> list[str]:
        """Watch a folder that may become a package; return what is in it now."""
        if folder in self._folders or not os.path.isdir(folder):
            return []
        self._folders.add(folder)
        if self._journal is not None:
            self._watch()
        return _entries(folder)

    def _follow_links(self, path: str, folders: dict[str, str]) -> None:
        """`folders`: those looked at just now, each with its real path."""
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        real = os.path.join(folders[folder], name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        if real != path:
            self._real[real] = path

    def _readable(self) -> None:
        was_shut = self.freshness.is_shut
        self.freshness.shut()
        hints = self.watcher.read()
        if not hints:
            if not was_shut:
                self.freshness.open()
            return
        self._hand_over(hints.paths, hints.lost)
        if hints.unfinished:
            self._loop.call_later(UNFINISHED_FOR, self._hand_over, hints.unfinished, False)

    def _hand_over(self, paths: Iterable[str], lost: bool) -> None:
        found = set(paths)
        found |= {self._real[path] for path in found if path in self._real}
        for path in found:
            if len(self._heard) < REMEMBERED and (
                self._journal is None or not self._journal.concerns(path)
            ):
                self._heard[path] = None
        self._hinted(found, lost)

    def below(self, path: str, journal: Journal) -> list[str]:
        """Files of the journal below a hinted directory: a hint about a folder stands for all in it."""
        if os.path.isfile(path):
            return []
        inside = path.rstrip(os.sep) + os.sep
        known = [file for file in journal.files() if file.startswith(inside)]
        if not os.path.isdir(path):
            return known
        folders = [one for one in self._directories if (one + os.sep).startswith(inside)]
        return known + _looked_up(folders, journal)

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self.watcher.fileno())
        self.watcher.close()
        self.freshness.close()


def _topmost(folders: Collection[str]) -> list[str]:
    """Those of some folders whose parents are none of them."""
    return [folder for folder in folders if os.path.dirname(folder) not in folders]


def _looked_up(folders: Iterable[str], journal: Journal) -> list[str]:
    """What is in these folders now that a lookup could have found, were it made now."""
    entries = [path for one in folders if not is_library(one + os.sep) for path in _entries(one)]
    end = len(journal.entries)
    return [path for path in entries if _may_be_module(path) and journal.lookups(path, end)]


def _entries(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in os.listdir(folder)]
    except OSError:
        return []


def _may_be_module(path: str) -> bool:
    return "." in os.path.basename(path) or os.path.isdir(path)
