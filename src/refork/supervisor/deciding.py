"""Brings together what core needs to decide, and what settings and program have a say in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refork.core import plan as planning
from refork.core.journal import Journal
from refork.core.plan import Change, Compare, Judge, Plan
from refork.ladder.lineage import shown
from refork.process import files

if TYPE_CHECKING:
    from refork.supervisor.loop import Supervisor


class Deciding:
    """From changes to plans. Asked when files have changed, and about what would be if they did."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.sup = supervisor

    def judge(self, compare: Compare | None = None) -> Judge:
        """A judge of the present ladder; `compare` is another one for what is only supposed."""
        return self.judge_of(self.sup.lineage.journal, compare)

    def judge_of(self, journal: Journal, compare: Compare | None = None) -> Judge:
        """A judge of what another process than the program embodies."""
        return Judge(journal, self.sup.lineage.texts, compare or self.sup.comparer.compare, shown)

    def decide(self, judge: Judge, changes: Sequence[Change]) -> list[Plan]:
        """The plans that may serve, best first; or one plan to ignore the changes."""
        end = len(self.sup.lineage.journal.entries)
        for change in changes:
            wanted = self.sup.changes.wanted(change.path)
            if wanted and not judge.really_changed(change, end):
                return [Plan("restart", f"{shown(change.path)} {wanted}", "cold")]
        reason = planning.ignorable(judge, changes)
        if reason and not self.sup.waits_after_failure():
            return [Plan("ignore", reason)]
        listings = {path: files.names(path) for path in self.sup.lineage.journal.listings()}
        dirty = {**self.sup.dirty, **{change.path: change for change in changes}}
        twins = self.sup.twins.good(dirty)
        judge.twins = {0, *(twin.number for twin in twins)}
        plans = planning.candidates(judge, list(dirty.values()), self.sup.no_forks, listings)
        return self.sup.twins.with_twins(plans, twins)
