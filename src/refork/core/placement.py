"""Which checkpoints to let go of when there are too many: those that cost most and save least.

Letting go of a checkpoint loses no correctness, only time: an edit that would have resumed there
resumes at the one before. How much that takes longer is the time the program took from the one to
the other; how often it happens is taken to be as the time to the next one is to the whole, for
edits are as likely in one second of loading as in another. Only of hot places more is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """A checkpoint of a ladder, as far as its price goes."""

    id: int
    memory: int
    """Bytes that only its parked process holds; 0: not measured."""
    cost: float
    """Seconds the program took from the checkpoint before to this one."""
    hot: bool = False
    """Whether it stands where the next edit is expected."""


def surplus(ladder: Sequence[Rung], budget: int | None, most: int) -> list[int]:
    """Return the ids of the checkpoints to let go of, in that order.

    `ladder` is in the order in which they were taken; its last, the deepest, always stays. What is
    left holds at most `budget` bytes (None: any number), in at most `most` checkpoints.
    """
    rungs = list(ladder)
    dropped: list[int] = []
    while len(rungs) > 1:
        heavy = budget is not None and sum(rung.memory for rung in rungs) > budget
        if not heavy and len(rungs) <= most:
            break
        worst = min(range(len(rungs) - 1), key=lambda at: _worth(rungs, at, heavy))
        gone = rungs.pop(worst)
        dropped.append(gone.id)
        after = rungs[worst]
        # what comes next is now that much further from the one before
        rungs[worst] = Rung(after.id, after.memory, after.cost + gone.cost, after.hot)
    return dropped


def _worth(rungs: Sequence[Rung], at: int, heavy: bool) -> float:
    """Expected seconds that a checkpoint saves at an edit; for each byte, where those are short."""
    rung = rungs[at]
    whole = sum(one.cost for one in rungs) or 1.0
    share = 1.0 if rung.hot else rungs[at + 1].cost / whole
    saved = rung.cost * share
    return saved / max(rung.memory, 1) if heavy else saved
