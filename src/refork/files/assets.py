"""Files that browsers show and no program has loaded: templates, styles, scripts, images.

A change of one is a refresh of the browser, and never a restart: the program reads it anew when it is
asked for. What the program did read while loading is a dependency, and none of these.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from refork.process import files
from refork.web.edits import IMAGES, STYLES

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor

SHOWN = STYLES | IMAGES | {".htm", ".html", ".jinja", ".jinja2", ".js", ".mjs"}
"""Suffixes of what a browser shows, be it by way of a template."""

LEFT_OUT = frozenset({"node_modules", "bower_components", "__pycache__", "site-packages"})
"""Folders with files of others, or none."""

MOST_FOLDERS = 2000
MOST_ENTRIES = 100_000
"""How far the working folder is searched; what lies beyond takes a `--refresh`."""

OFTEN = 5
WITHIN = 5.0
"""A file that changes more than OFTEN within so many seconds is written by what answers the browser:
to refresh would have it written again."""


class Assets:
    """Finds them below the working folder, and says which of the files that changed are such."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self._folders: set[str] = set()
        self._seen: dict[str, tuple[int, ...] | None] = {}
        self._lately: dict[str, deque[float]] = {}
        self._noisy: set[str] = set()
        self._changed: list[str] = []

    def directories(self) -> set[str]:
        """The folders to watch."""
        return self._folders

    def find(self) -> None:
        """The program listens: search the working folder, the first time and if browsers are told."""
        if self._changed:
            self.sup.hinted(self._changed, False)
        if self.sup.settings.live_reload and not self._folders:
            here = os.getcwd()
            self._folders = {here} | search(here, MOST_FOLDERS)
            for path in _files_in(self._folders):
                if os.path.splitext(path)[1].lower() in SHOWN:
                    self._seen[path] = files.fingerprint(path)
            self._watch(self._folders)

    def _watch(self, folders: set[str]) -> None:
        """Watch more folders; what changes before the watch stands is found by a look afterwards."""
        self.sup.watching.add((), self.sup.lineage.journal)
        self.sup.watching.then(lambda: self._look_again(folders))

    def _look_again(self, folders: set[str]) -> None:
        changed = self._changed_in(folders)
        if changed:
            self.sup.hinted(changed, False)

    def _changed_in(self, folders: set[str]) -> list[str]:
        return [
            path
            for path in _files_in(folders)
            if path in self._seen and self._seen[path] != files.fingerprint(path)
        ]

    def hinted(self, path: str) -> None:
        """Note a file that is to be refreshed; a new folder is looked into."""
        if os.path.isdir(path):
            if self._is_among(path):
                self._enter(path)
            for file in _files_in({path}):
                if self._is_asked_for(file):
                    self.hinted(file)
        elif self.is_asset(path) and self._differs(path) and not self._is_noisy(path):
            self._changed.append(path)

    def tell(self) -> None:
        """Have browsers take up what was noted, unless the program is still to read it."""
        program = self.sup.program
        if program is None or not program.ready:
            return
        changed, self._changed = self._changed, []
        shown = [path for path in dict.fromkeys(changed) if self.is_asset(path)]
        if shown:
            self.sup.emit("refresh", files=shown, by="browser")

    def is_asset(self, path: str) -> bool:
        """Whether a change of `path` is a refresh of the browser, and nothing more."""
        if self.sup.lineage.journal.latest(path) is not None:
            return False  # the program has it in itself
        if self._is_asked_for(path):
            return True
        if os.path.basename(path).startswith("."):
            return False  # an editor's, or one that is about to be renamed
        is_shown = os.path.splitext(path)[1].lower() in SHOWN
        if not is_shown or os.path.dirname(path) not in self._folders:
            return False
        wanted = self.sup.patterns.restarts(path) or self.sup.registered.concerns(path)
        return not wanted and not self.sup.lineage.journal.concerns(path)

    def _is_asked_for(self, path: str) -> bool:
        return self.sup.patterns.refreshes(path) or self.sup.registered.refreshes(path)

    def _differs(self, path: str) -> bool:
        now = files.fingerprint(path)
        before = self._seen.get(path)
        self._seen[path] = now
        return now is not None and now != before

    def _is_noisy(self, path: str) -> bool:
        lately = self._lately.setdefault(path, deque(maxlen=OFTEN + 1))
        lately.append(time.monotonic())
        if path in self._noisy:
            return True
        if len(lately) > OFTEN and lately[-1] - lately[0] < WITHIN:
            self._noisy.add(path)
            self.sup.bus.message(f"{path} changes all the time: browsers are not told any more")
            return True
        return False

    def _is_among(self, folder: str) -> bool:
        is_wanted = _is_wanted(os.path.dirname(folder), os.path.basename(folder))
        return is_wanted and os.path.dirname(folder) in self._folders

    def _enter(self, folder: str) -> None:
        new = ({folder} | search(folder, MOST_FOLDERS - len(self._folders))) - self._folders
        self._folders |= new
        for path in _files_in(new):
            self._seen.setdefault(path, None)
            self.hinted(path)
        if new:
            self._watch(new)


def search(folder: str, most: int) -> set[str]:
    """The folders below `folder`, without those that hold no sources of the project's own."""
    found: set[str] = set()
    waiting = deque([folder])
    entries = 0
    while waiting and len(found) < most and entries < MOST_ENTRIES:
        here = waiting.popleft()
        try:
            inside = list(os.scandir(here))
        except OSError:
            continue  # gone, or not readable
        entries += len(inside)
        for entry in inside:
            if entry.is_dir(follow_symlinks=False) and _is_wanted(here, entry.name):
                found.add(entry.path)
                waiting.append(entry.path)
    return found


def _is_wanted(folder: str, name: str) -> bool:
    is_venv = os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
    return not name.startswith(".") and name not in LEFT_OUT and not is_venv


def _files_in(folders: Iterable[str]) -> list[str]:
    found = []
    for folder in folders:
        try:
            found += [entry.path for entry in os.scandir(folder) if entry.is_file()]
        except OSError:
            continue  # gone meanwhile
    return found
