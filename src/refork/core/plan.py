"""From an edit to a plan. Pure: facts come in as values, and a decision goes out as a value with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from refork.core.journal import Checkpoint, Fingerprint, Journal, Load


@dataclass(frozen=True)
class Change:
    """How a file is now; `text` is its contents where it is there and can be read."""

    path: str
    fingerprint: Fingerprint
    text: bytes | None


@dataclass(frozen=True)
class Plan:
    """What to do about a change set, and why."""

    action: str
    """ignore · refresh · resume · restart"""
    reason: str
    gear: str = ""
    """graft · replay · cold; "" where nothing starts"""
    checkpoint: int | None = None
    grafts: tuple[str, ...] = ()
    """Files whose function bodies are to be grafted."""
    twin: int = 0
    """The twin to resume instead of its checkpoint; 0: none."""


class Texts:
    """The contents of files as they were when a fingerprint was taken."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, Fingerprint], bytes] = {}
        self._digests: dict[tuple[str, Fingerprint], bytes] = {}

    def put_digest(self, path: str, fingerprint: Fingerprint, text: bytes) -> None:
        """Keep only what tells this text from another."""
        self._digests.pop((path, fingerprint), None)
        self._digests[path, fingerprint] = _digest(text)

    def known(self, path: str, fingerprint: Fingerprint) -> bool:
        return (path, fingerprint) in self._texts or (path, fingerprint) in self._digests

    def same(self, path: str, fingerprint: Fingerprint, text: bytes) -> bool:
        """Whether the file had just these contents."""
        kept = self._digests.get((path, fingerprint))
        if kept is not None:
            return kept == _digest(text)
        return self._texts.get((path, fingerprint)) == text

    def put(self, path: str, fingerprint: Fingerprint, text: bytes) -> None:
        self._texts.pop((path, fingerprint), None)
        self._texts[path, fingerprint] = text  # the newest comes last

    def get(self, path: str, fingerprint: Fingerprint) -> bytes | None:
        return self._texts.get((path, fingerprint))

    def keep(self, wanted: Iterable[tuple[str, Fingerprint]]) -> None:
        """Forget all others but the newest of each file: a later start may read just that again."""
        kept = {*wanted, *{path: (path, one) for path, one in self._texts}.values()}
        kept |= {*{path: (path, one) for path, one in self._digests}.values()}
        for known in (self._texts, self._digests):
            for key in [key for key in known if key not in kept]:
                del known[key]


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


@dataclass(frozen=True)
class Differs:
    """How two texts of one module differ."""

    kind: str
    """same · bodies · different"""
    reason: str = ""
    common: int = 0
    """Leading steps that are the same in both."""


Compare = Callable[[str, bytes, bytes], Differs]
"""compare(path, old, new)"""


@dataclass(frozen=True)
class Verdict:
    """Whether one checkpoint is good for one changed file."""

    good: bool
    graft: bool = False
    reason: str = ""


GOOD = Verdict(good=True)


class Judge:
    """Judges the checkpoints of a journal against the changes of a moment."""

    def __init__(
        self, journal: Journal, texts: Texts, compare: Compare, shown: Callable[[str], str]
    ):
        self.journal = journal
        self.texts = texts
        self.compare = compare
        self.shown = shown
        """Makes a path short for people."""
        self.twins: set[int] = {0}
        """Twins all of which is still as it was; 0 stands for none."""

    def really_changed(self, change: Change, before: int) -> bool:
        """Whether a file differs from what was embodied before a position: bytes count, not times."""
        entries = self.journal.counting(change.path, before)
        if not entries:
            return self._appeared(change, before) != ""
        return any(self._differs(entry.fingerprint, change) for entry in entries)

    def _differs(self, before: Fingerprint, change: Change) -> bool:
        if before == change.fingerprint:
            return False
        if before is None or change.fingerprint is None or change.text is None:
            return True
        return not self.texts.same(change.path, before, change.text)

    def verdict(self, checkpoint: Checkpoint, change: Change) -> Verdict:
        """Rule on one checkpoint and one file (design §5)."""
        before = checkpoint.position
        name = self.shown(change.path)
        entry = self.journal.embodied(change.path, before)
        appeared = self._appeared(change, before)
        if appeared:
            return Verdict(False, reason=appeared)
        if entry is None or not self.really_changed(change, before):
            return GOOD
        if change.fingerprint is None:
            return Verdict(False, reason=f"{name} is gone")
        if self.journal.read_as_data(change.path, before) or not isinstance(entry, Load):
            return Verdict(False, reason=f"{name} was read before it")
        return self._module(checkpoint, change, entry)

    def _module(self, checkpoint: Checkpoint, change: Change, entry: Load) -> Verdict:
        old = self.texts.get(change.path, entry.fingerprint)
        name = self.shown(change.path)
        if old is None or change.text is None:
            return Verdict(False, reason=f"{name}: its former text is not known")
        differs = self.compare(change.path, old, change.text)
        if differs.kind == "same":
            return GOOD
        needed = dict(checkpoint.stack).get(change.path)
        again = self.journal.loaded_again(change.path, checkpoint.position)
        if needed is not None and differs.common >= needed and not again:
            return GOOD
        if differs.kind == "bodies":
            return Verdict(False, graft=True, reason=f"{name}: function bodies changed")
        return Verdict(
            False, reason=f"{name}: {differs.reason}" if differs.reason else f"{name} changed"
        )

    def _appeared(self, change: Change, before: int) -> str:
        """Why a file that came or went changes what was looked up or listed before a position."""
        name = self.shown(change.path)
        known = self.journal.embodied(change.path, before)
        existed = known is not None and known.fingerprint is not None
        for lookup in self.journal.lookups(change.path, before):
            if change.fingerprint is None:
                if change.path == lookup.found or change.path in lookup.portions:
                    return f"{name} is gone"
            elif not existed and lookup.prefers(change.path):
                missing = "is now found first" if lookup.found else "was looked up in vain"
                return f"{name} is new and {lookup.name} {missing}"
        return ""

    def void_twin(self, checkpoint: Checkpoint) -> str:
        """Why modules that are in a checkpoint unseen are not what would be loaded now, or ""."""
        return "" if checkpoint.twin in self.twins else "what was imported ahead has changed"

    def outdated_listing(self, checkpoint: Checkpoint, now: Mapping[str, tuple[str, ...]]) -> str:
        """Why what was listed before a checkpoint is no longer so, or ""."""
        for listing in self.journal.listed(checkpoint.position):
            names = now.get(listing.path)
            if names is not None and names != listing.names:
                return f"{self.shown(listing.path)} was listed, and has other entries now"
        return ""


TRIED = 3
"""Checkpoints tried for a replay: a parked process may have been killed, or not answer."""


def candidates(
    judge: Judge,
    changes: Sequence[Change],
    no_forks: str,
    listings: Mapping[str, tuple[str, ...]],
) -> list[Plan]:
    """Return the plans that may serve, best first; the last one always serves.

    `no_forks` says why there are no checkpoints at all, if so; `listings` are the names now in each
    directory that was listed. A graft still has to be agreed to by the parked process; the next plan
    serves if it refuses.
    """
    plans: list[Plan] = []
    reason = ""
    good = 0
    for checkpoint in reversed(judge.journal.checkpoints):
        outdated = judge.outdated_listing(checkpoint, listings) or judge.void_twin(checkpoint)
        if outdated:
            reason = outdated
            continue
        verdicts = [(change, judge.verdict(checkpoint, change)) for change in changes]
        bad = [verdict for _change, verdict in verdicts if not verdict.good]
        if not bad:
            plans.append(Plan("resume", reason or "edited", "replay", checkpoint.id))
            good += 1
            if good == TRIED:
                break
        elif all(verdict.graft for verdict in bad):
            grafts = tuple(change.path for change, verdict in verdicts if verdict.graft)
            plans.append(
                Plan("resume", "only function bodies changed", "graft", checkpoint.id, grafts)
            )
        if bad:
            reason = next((one.reason for one in bad if not one.graft), reason or bad[0].reason)
    reason = no_forks or reason
    plans.append(Plan("restart", reason or "no checkpoint", "cold"))
    return plans


def ignorable(judge: Judge, changes: Iterable[Change]) -> str:
    """Why nothing needs to be done about these changes, or ""."""
    end = len(judge.journal.entries)
    seen = False
    for change in changes:
        if judge.really_changed(change, end) and not _nothing_in_it(judge, change):
            return ""
        seen = True
    return "nothing in the code changed" if seen else ""


def _nothing_in_it(judge: Judge, change: Change) -> bool:
    entry = judge.journal.latest(change.path)
    if not isinstance(entry, Load) or change.text is None:
        return False
    if judge.journal.read_as_data(change.path, len(judge.journal.entries)):
        return False
    old = judge.texts.get(change.path, entry.fingerprint)
    return old is not None and judge.compare(change.path, old, change.text).kind == "same"
