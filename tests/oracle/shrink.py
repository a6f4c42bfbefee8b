"""Makes a failing session small: fewer steps, then fewer blocks, then plainer saves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from .session import Session, Step
from .tree import Tree

Fails = Callable[[Session], bool]


class Shrinker:
    """Greedy: takes every simplification after which the session still fails."""

    def __init__(self, fails: Fails, seconds: float) -> None:
        self.fails, self.deadline = fails, time.monotonic() + seconds

    def shrink(self, session: Session, failing: int) -> Session:
        """The smallest failing session found in time; ``failing`` is the step that differed."""
        best = replace(session, steps=settled(session.steps[: failing + 1]))
        if not any(self.still(best) for _ in range(3)):
            return session
        for reduce in (fewer_steps, fewer_files, fewer_blocks, fewer_steps, fewer_files, plainer):
            best = self.fixpoint(best, reduce)
        return best

    def fixpoint(self, best: Session, reduce: Callable[[Session], Iterator[Session]]) -> Session:
        """Apply one kind of simplification until none of them is left that fails."""
        improved = True
        while improved:
            improved = False
            for candidate in reduce(best):
                if time.monotonic() > self.deadline:
                    return best
                if self.still(candidate):
                    best, improved = candidate, True
                    break
        return best

    def still(self, session: Session) -> bool:
        return self.fails(session)


def settled(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The last step is waited for."""
    return (*steps[:-1], replace(steps[-1], race=None)) if steps else steps


def fewer_steps(session: Session) -> Iterator[Session]:
    """Begin later; or leave out some of the steps before the last."""
    steps = session.steps
    for keep in (1, 2, 3, len(steps) // 2):
        if 0 < keep < len(steps):
            start = steps[-keep - 1].tree
            yield replace(session, start=start, steps=steps[-keep:])
    for size in (4, 2, 1):
        for at in range(0, len(steps) - size, size):
            yield replace(session, steps=(*steps[:at], *steps[at + size :]))


def fewer_blocks(session: Session) -> Iterator[Session]:
    """Leave statements out of every state of the program, many at first."""
    uids = sorted(
        {b.uid for t in trees(session) for f in t.files.values() for b in f if not b.fixed}
    )
    size = len(uids)
    while size >= 1:
        for at in range(0, len(uids), size):
            yield mapped(session, frozenset(uids[at : at + size]))
        size //= 2


def fewer_files(session: Session) -> Iterator[Session]:
    """Leave out whole files."""
    paths = {path for tree in trees(session) for path in tree.files}
    for path in sorted(paths - {"entry.py"}):
        start = session.start.without(path)
        steps = tuple(replace(s, tree=s.tree.without(path)) for s in session.steps)
        yield replace(session, start=start, steps=steps)


def plainer(session: Session) -> Iterator[Session]:
    """Save in place, and wait after each step."""
    for at, step in enumerate(session.steps):
        if step.ways and set(step.ways.values()) != {"atomic"}:
            ways = dict.fromkeys(step.ways, "atomic")
            yield with_step(session, at, replace(step, ways=ways))
        if step.gap:
            yield with_step(session, at, replace(step, gap=0.0))
        if step.race is not None:
            yield with_step(session, at, replace(step, race=None))


def with_step(session: Session, at: int, step: Step) -> Session:
    return replace(session, steps=(*session.steps[:at], step, *session.steps[at + 1 :]))


def trees(session: Session) -> list[Tree]:
    return [session.start, *(step.tree for step in session.steps)]


def mapped(session: Session, gone: frozenset[int]) -> Session:
    steps = tuple(replace(s, tree=s.tree.without_blocks(gone)) for s in session.steps)
    return replace(session, start=session.start.without_blocks(gone), steps=steps)
