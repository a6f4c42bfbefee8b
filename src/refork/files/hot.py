"""Which files are likely to be edited next: those edited last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refork.core.journal import Load
from refork.core.plan import Change, Judge
from refork.files.comparing import Comparer

KEPT = 6
"""Hot files at a time: each costs a checkpoint."""


class HotFiles:
    """Files edited lately, newest last, each with the step at which it was edited (-1: not known)."""

    def __init__(self, guessed: Mapping[str, int]) -> None:
        self._steps = dict(guessed)

    def steps(self) -> dict[str, int]:
        return dict(self._steps)

    def edited(self, judge: Judge, changes: Sequence[Change], comparer: Comparer) -> None:
        """Note an edit; a burst of many files is no hint of where work goes on."""
        for change in changes[:KEPT]:
            step = -1
            entry = judge.journal.latest(change.path)
            old = judge.texts.get(change.path, entry.fingerprint) if entry is not None else None
            if isinstance(entry, Load) and old is not None and change.text is not None:
                step = comparer.compare(change.path, old, change.text).common
            self._steps.pop(change.path, None)
            self._steps[change.path] = step
        for path in list(self._steps)[:-KEPT]:
            del self._steps[path]
