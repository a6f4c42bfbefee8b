"""Hunts for divergences: session after session, and makes each that it finds small."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .case import dump
from .runner import Divergence, Tally, run_session
from .session import Session, session
from .shrink import Shrinker

EDITS = 20
"""Edits put through one refork process."""
SHRINKING = 60.0
"""Seconds spent on making one failing session small."""


def refork_command(strategy: str = "auto", source: str | None = None) -> list[str]:
    """The refork under test, quiet so that standard error is the program's.

    ``source`` is the folder that holds its package, where another than the installed is meant.
    """
    run = ["-m", "refork"]
    if source is not None:
        start = "runpy.run_module('refork', run_name='__main__', alter_sys=True)"
        run = ["-c", f"import runpy, sys; sys.path.insert(0, {source!r}); {start}"]
    return [sys.executable, *run, "-q", "--strategy", strategy]


@dataclass(frozen=True)
class Finding:
    """A divergence and the smallest session found that shows one."""

    seed: int
    session: Session
    divergence: Divergence

    def __str__(self) -> str:
        events = "\n".join(self.divergence.events)
        head = f"seed {self.seed}, step {self.divergence.step}"
        case = dump(self.session)
        return f"{head}\n{case}=== difference\n{self.divergence.difference}\n=== events\n{events}\n"


def one(command: Sequence[str], made: Session, shrinking: float) -> tuple[Finding | None, Tally]:
    """Run one session; if it diverges, make it small."""
    divergence, tally = run_session(command, made)
    if divergence is None:
        return None, tally
    last: list[tuple[Session, Divergence]] = [(made, divergence)]

    def fails(candidate: Session) -> bool:
        found, _ = run_session(command, candidate)
        if found is None:
            return False
        last.append((candidate, found))
        return True

    small = Shrinker(fails, shrinking).shrink(made, divergence.step) if shrinking else made
    if small is made:
        return Finding(made.seed, ending(made, divergence.step), divergence), tally
    found = next((d for s, d in reversed(last) if s is small), divergence)
    return Finding(made.seed, small, found), tally


def ending(made: Session, step: int) -> Session:
    """The step that diverged and the program before it, where a session was not made small."""
    before = [made.start, *(s.tree for s in made.steps)][max(step, 0)]
    steps = made.steps[max(step, 0) : step + 1]
    return replace(made, start=before, steps=steps, says="Not made small: see the whole seed.")


def hunt(
    command: Sequence[str], seed: int, edits: int, seconds: float, shrinking: float = SHRINKING
) -> tuple[Finding | None, Tally]:
    """Sessions from ``seed`` on, until enough edits, enough time, or a divergence."""
    total, deadline = Tally(), time.monotonic() + seconds
    while total.edits < edits and time.monotonic() < deadline:
        finding, tally = one(command, session(seed, EDITS), shrinking)
        total.add(tally)
        if finding is not None:
            return finding, total
        seed += 1
    return None, total


def confirmed(command: Sequence[str], finding: Finding, runs: int = 3) -> int:
    """How often the small session fails again."""
    again = replace(finding.session, says="")
    return sum(run_session(command, again)[0] is not None for _ in range(runs))
