"""Puts a session through refork, step by step, and compares each with plain python."""

from __future__ import annotations

import collections
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import cold
from .cold import Outcome
from .disk import apply_step, write_tree
from .live import Live, Seen
from .session import Session, Step
from .tree import Tree, changed_paths
from .verdict import difference

LIMIT = 20.0
"""Seconds in which the right state must be reached after an edit."""
DEAF = 6.0
"""Seconds without a reaction after which there will be none."""
QUIET = 1.0
"""Seconds without any event after which a wrong state counts as final."""
SILENCE = 0.15
"""Seconds without a reaction after which one is no longer expected, where none is needed."""
STAYS = "forever=True"
"""What stands in a script that does not end by itself."""
LISTS = re.compile(r"listdir|scandir|walk|glob|iter_modules")


@dataclass(frozen=True)
class Divergence:
    """refork and plain python differ after this step (-1: at the first start)."""

    step: int
    difference: str
    events: tuple[str, ...]


@dataclass
class Tally:
    """How much was compared, and by which gear it came."""

    edits: int = 0
    gears: collections.Counter[str] = field(default_factory=collections.Counter)

    def add(self, other: Tally) -> None:
        self.edits += other.edits
        self.gears += other.gears

    def resumed(self) -> int:
        return self.gears["replay"] + self.gears["graft"]

    def __str__(self) -> str:
        shares = ", ".join(f"{gear} {n}" for gear, n in self.gears.most_common())
        return f"{self.edits} edits compared: {shares}"


class Runner:
    """One session over one refork process."""

    def __init__(self, command: Sequence[str], session: Session, scratch: Path) -> None:
        self.session, self.scratch = session, scratch
        self.live_root, self.cold_root = scratch / "live", scratch / "cold"
        for folder in (self.live_root, self.cold_root, scratch / "out"):
            folder.mkdir()
        self.live = Live(command, self.live_root, scratch)
        self.tally = Tally()
        self.previous: Outcome | None = None
        self.shown = session.start  # the state of the program that was shown last
        self.strict = True
        self.stays = False

    def run(self) -> Divergence | None:
        """The first divergence, or None."""
        for root in (self.live_root, self.cold_root):
            write_tree(root, self.session.start)
        expected = self.cold()
        self.stays = STAYS in self.session.start.text("entry.py")
        with self.live:
            found = self.settle(-1, expected, self.session.start) or self.steps()
            self.count()
            return found or self.leave()

    def steps(self) -> Divergence | None:
        tree = self.session.start
        for number, step in enumerate(self.session.steps):
            found = self.step(number, tree, step)
            if found is not None:
                return found
            tree = step.tree
        return None

    def step(self, number: int, tree: Tree, step: Step) -> Divergence | None:
        """One edit: the truth first, then refork's reaction."""
        apply_step(self.cold_root, tree, step)
        if self.strict:
            self.live.mark()
            self.strict = self.stays or not self.live.running()
        if step.race is not None:
            apply_step(self.live_root, tree, step)
            time.sleep(step.race)
            self.strict = False
            return None
        expected = self.cold()
        apply_step(self.live_root, tree, step)
        self.tally.edits += 1
        self.stays = STAYS in step.tree.text("entry.py")
        found = self.settle(number, expected, step.tree)
        self.strict = True
        return found

    def cold(self) -> Outcome:
        done = cold.run(self.cold_root, self.scratch / "out")
        here, there = str(self.cold_root), str(self.live_root)
        out, err = done.out.replace(here, there), done.err.replace(here, there)
        return Outcome(out, err, done.digest, done.code)

    def settle(self, number: int, expected: Outcome, tree: Tree) -> Divergence | None:
        """Wait until refork shows what is expected, or has come to rest with something else."""
        began = active = time.monotonic()
        while True:
            if self.live.poll():
                active = time.monotonic()
            seen = self.live.seen()
            now = time.monotonic()
            wrong = self.wrong(expected, seen)
            if wrong is None:
                self.previous, self.shown = expected, tree
                return None
            if not seen.starts and self.silent(expected, tree, now - active):
                return None
            if now - began > LIMIT or self.live.process.poll() is not None:
                return self.divergence(number, wrong)
            if now - active > (QUIET if seen.end else DEAF):
                return self.divergence(number, wrong)
            time.sleep(0.002)

    def wrong(self, expected: Outcome, seen: Seen) -> str | None:
        """What is not yet, or not at all, as it must be."""
        if not seen.starts:
            return "no reaction"
        if seen.end is None and not (self.stays and seen.digest):
            return "the program has not come to its end"
        strict = self.strict and len(seen.starts) == 1
        missing = expected.digest is not None and seen.digest is None
        if missing and self.previous and seen.starts[-1].get("action") == "resume":
            # an account that stood before the checkpoint was given then
            seen = replace(seen, digest=self.previous.digest)
        return difference(expected, self.previous, seen, strict)

    def silent(self, expected: Outcome, tree: Tree, quiet: float) -> bool:
        """Whether it is right that nothing happens: nothing would show, or only a listing."""
        if self.previous is None or (self.live.running() and not self.stays):
            return False
        if expected == self.previous:
            return quiet > SILENCE
        return quiet > 3 * SILENCE and self.shown_by(listed(self.shown, tree), tree, expected)

    def shown_by(self, part: Tree | None, whole: Tree, expected: Outcome) -> bool:
        """Whether some of the changes alone make plain python show what is expected."""
        if part is None:
            return False
        apply_step(self.cold_root, whole, Step(part))
        shown = self.cold()
        apply_step(self.cold_root, part, Step(whole))
        return shown == expected

    def divergence(self, number: int, wrong: str) -> Divergence:
        code = self.live.process.poll()
        ended = "" if code is None else f"refork has ended with {code}\n"
        said = self.live.tail("stderr", 0)[-3000:]
        events = [str(e) for e in self.live.events[max(0, self.live.mark_events - 3) :]]
        text = f"{ended}{wrong}" + (f"\nstderr:\n{said}" if ended or "account" not in wrong else "")
        return Divergence(number, text, tuple(events))

    def count(self) -> None:
        for event in self.live.events:
            if event["event"] == "start":
                self.tally.gears[event.get("gear", "cold")] += 1
            elif event["event"] == "ignore":
                self.tally.gears["ignore"] += 1

    def leave(self) -> Divergence | None:
        """End refork; a process that outlives it is a divergence as well."""
        left = self.live.end()
        if left:
            return Divergence(len(self.session.steps), f"left running: {left}", ())
        return None


def listed(old: Tree, new: Tree) -> Tree | None:
    """The old program with the files that came or went and are known from a listing at most.

    A changed listing starts nothing by itself; it is the next start that must be right.
    """
    text = "".join(old.text(path) for path in old.modules())
    changed = set(changed_paths(old, new))
    both = {path for path in changed if path in old.files and path in new.files}
    names = {path: path.rpartition("/")[2].removesuffix(".py") for path in changed - both}
    listed_only = {path for path, name in names.items() if name not in text}
    if not LISTS.search(text) or not listed_only:
        return None
    kept = {path: file for path, file in old.files.items() if path not in listed_only}
    come = {path: file for path, file in new.files.items() if path in listed_only}
    return Tree({**kept, **come})


def run_session(command: Sequence[str], session: Session) -> tuple[Divergence | None, Tally]:
    """Run a session in a fresh folder."""
    scratch = Path(tempfile.mkdtemp(prefix="oracle-"))
    try:
        runner = Runner(command, session, scratch)
        try:
            found = runner.run()
        except cold.Endless:
            found = None  # nothing to compare with: chance has made an endless loop
        return found, runner.tally
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
