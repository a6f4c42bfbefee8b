"""From hints to changes: which files really differ from what the program observed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from refork.core.journal import Journal
from refork.core.plan import Change
from refork.process import files
from refork.program.journal import VANISHED

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor


class Changes:
    """Collects hints, and compares when asked."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor
        self.hints: set[str] = set()
        self.everything = False
        """Whether hints were lost, so that all has to be compared."""
        self._away = False
        """Whether the working folder was gone when it was looked for last."""
        self._missed: set[str] = set()
        """Files that were loaded though they were not there any more, by the last start or so."""

    def wanted(self, path: str) -> str:
        """Why a file that nobody was seen to read restarts the program, or ""."""
        if self.sup.patterns.restarts(path):
            return "matches --watch"
        if self.sup.registered.handled_by(path):
            return "was not dealt with in place"
        if self.sup.registered.restarts(path):
            return "is watched by the program"
        return "is new to the program" if self.sup.registered.appears(path) else ""

    async def offered(self, changes: list[Change]) -> list[Change]:
        """Let the program deal in place with what it asked for; return what is left."""
        found = {change.path: self.sup.registered.handled_by(change.path) for change in changes}
        offered = {path: patterns for path, patterns in found.items() if patterns}
        program = self.sup.program
        if not offered or program is None or program.ended.is_set():
            return changes
        handled, refused = await self.sup.offers.make(program, offered)
        for by in dict.fromkeys(handled.values()):
            self.sup.emit("refresh", files=[path for path in handled if handled[path] == by], by=by)
        for change in changes:
            if change.path in handled and self.sup.lineage.journal.concerns(change.path):
                self.accept(change)
        known = self.sup.lineage.journal.concerns
        return [
            change
            for change in changes
            if change.path not in handled
            and (change.path in refused or change.path not in offered or known(change.path))
        ]

    def compare(self) -> list[Change]:
        """Take what was hinted; return how the files are now that really differ."""
        if not self._at_home():
            self.hints = set()
            self.everything = False
            return []
        if self.sup.program is not None:
            self.sup.program.line.drain()  # the program says that it writes a file before it does
        self.sup.lineage.read_all()
        paths = self._concerned()
        judge = self.sup.deciding.judge()
        end = len(self.sup.lineage.journal.entries)
        changes = []
        same = []
        for path in sorted(paths):
            change = files.look(path)
            if self._missed_again(change):
                continue
            known = self.sup.lineage.journal.latest(path) is not None
            registered = self.sup.registered.changed(change, known)
            forced = self._forced(change)  # and so seen as it is now, whatever else is known of it
            if judge.really_changed(change, end) or forced or registered:
                changes.append(change)
            elif self._touched(change, end):
                same.append(change)
        if same and not changes:
            if self.sup.waits_after_failure():
                return same
            self.sup.emit(
                "ignore", files=[c.path for c in same], reason="the same contents as before"
            )
            for change in same:
                self.accept(change)
        return changes

    def _at_home(self) -> bool:
        """Nothing can be started in a folder that is gone; when it is back, everything is compared."""
        home = self.sup.home
        found = home.enter()
        if found == "gone" and not self._away:
            self.sup.bus.message(f"{home.path} is gone: waiting for it to come back", urgent=True)
        if found == "new":  # the parked processes are in the old one
            lineage = self.sup.lineage
            void = [parked for one in list(lineage.parked) if (parked := lineage.drop(one))]
            lineage.background(self.sup.thinning.dismiss(void))
        self.everything = self.everything or found == "new" or (self._away and found != "gone")
        self._away = found == "gone"
        return not self._away

    def _missed_again(self, change: Change) -> bool:
        """A file that is gone while it is loaded is worth another start; one that stays away is not."""
        if change.fingerprint is not None:
            self._missed.discard(change.path)
            return False
        known = self.sup.lineage.journal.latest(change.path)
        if known is None or known.fingerprint != VANISHED:
            return False  # this start has not come to it yet
        again = change.path in self._missed
        self._missed.add(change.path)
        return again

    def _forced(self, change: Change) -> bool:
        return self.sup.patterns.restarts(change.path) and self.sup.patterns.differs(change)

    def _touched(self, change: Change, end: int) -> bool:
        known = self.sup.lineage.journal.embodied(change.path, end)
        return known is not None and known.fingerprint != change.fingerprint

    def accept(self, change: Change) -> None:
        """The same contents under a new fingerprint, or a text in which nothing changed."""
        self.sup.dirty[change.path] = change
        self.sup.lineage.remember(change)
        self.sup.lineage.edited([change])

    def _concerned(self) -> set[str]:
        hints, self.hints = self.hints, set()
        journal = self.sup.lineage.journal
        if self.everything:
            self.everything = False
            hints |= set(journal.files()) | set(self.sup.dirty)
            hints |= self.sup.patterns.files() | self.sup.registered.files()
        found: set[str] = set()
        for path in hints:
            if not self.left_out(path):
                self.sup.assets.hinted(path)
                found |= self._files_at(path, journal)
        return found

    def left_out(self, path: str) -> bool:
        return (
            self.sup.patterns.ignores(path)
            or self.sup.lineage.journal.is_written(path)
            or self.sup.registered.excludes(path)
        )

    def look_into(self, folders: Iterable[str]) -> None:
        """These are watched from now on: look at what came into them, or changed there, before."""
        for folder in folders:
            if found := self._in_folder(folder):
                self.sup.hinted(found, False)

    def _in_folder(self, path: str) -> list[str]:
        """Files in a folder that differ from how they were seen last. Where a folder in it is not watched, it is
        looked into again as soon as it is."""
        asked = [one for one in (self.sup.registered, self.sup.patterns) if one.reaches(path)]
        found = []
        unwatched = False
        for folder, inner, names in os.walk(path) if asked else ():
            unwatched = unwatched or not self.sup.watching.has(folder)
            here = [os.path.join(folder, name) for name in names]
            found += [file for file in here if any(one.misses(file) for one in asked)]
            below = {name: os.path.join(folder, name) for name in inner}
            inner[:] = [name for name in below if any(one.reaches(below[name]) for one in asked)]
        if unwatched:
            self.sup.registered.find_folders()
            self.sup.watching.then(lambda: self.look_into([path]))
        gone = [file for file in self._seen_in(path) if not os.path.lexists(file)]
        found += [file for file in gone if any(one.misses(file) for one in asked)]
        return [file for file in found if not self.left_out(file)]

    def _seen_in(self, path: str) -> list[str]:
        """Files that were seen in a folder, which may be no more."""
        seen = self.sup.registered.seen() | self.sup.patterns.seen()
        return [file for file in seen if is_below(file, path)]

    def _files_at(self, path: str, journal: Journal) -> set[str]:
        """The files that a hint about `path` may be about, and that matter."""
        found: set[str] = set()
        if self.sup.registered.concerns(path) and not os.path.isdir(path):
            found.add(path)
        if os.path.isdir(path):
            found.update(self._in_folder(path))
        elif not os.path.lexists(path):
            found.update(self._seen_in(path))
        known = journal.concerns(path) or path in self.sup.dirty
        may_be_module = "." in os.path.basename(path) or not os.path.isfile(path)
        read = journal.latest(path) is not None
        watched = self.sup.patterns.restarts(path) and not os.path.isdir(path)
        if (known and may_be_module) or read or watched:
            found.add(path)
        found.update(self.sup.watching.below(path, journal))
        if journal.concerns(path):
            found.update(filter(journal.concerns, self.sup.watching.rival(path)))
        return found


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
