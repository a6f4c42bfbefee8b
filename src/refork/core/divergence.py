"""Where two processes that should be alike differ: the smallest case, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Fact = tuple[str, str, int]
"""Where (`module.Class.name`), what is there, and the line it comes from; 0: none."""


@dataclass(frozen=True)
class Divergence:
    """One difference."""

    path: str
    line: int
    message: str


def find(
    grafted: Mapping[str, Sequence[Fact]], exact: Mapping[str, Sequence[Fact]]
) -> Divergence | None:
    """Return the first difference in what two processes said of files; None: they are alike."""
    for path in sorted(grafted.keys() | exact.keys()):
        found = _in_file(path, grafted.get(path, ()), exact.get(path, ()))
        if found is not None:
            return found
    return None


def _in_file(path: str, grafted: Sequence[Fact], exact: Sequence[Fact]) -> Divergence | None:
    ours, theirs = _by_place(grafted), _by_place(exact)
    for where in dict.fromkeys([*theirs, *ours]):
        mine, other = ours.get(where), theirs.get(where)
        if mine is None or other is None:
            which = "a graft" if other is None else "a cold start"
            line = (mine or other or ("", 0))[1]
            return Divergence(path, line, f"{where} is there only after {which}")
        if mine != other:
            now, cold = (f"{what}, line {line}" if line else what for what, line in (mine, other))
            both = f"{now} after a graft, and {cold} after a cold start"
            return Divergence(path, other[1], f"{where} is {both}")
    if list(ours) != list(theirs):
        at = next(place for place, other in zip(ours, theirs, strict=True) if place != other)
        return Divergence(path, ours[at][1], f"{at} is at another place after a cold start")
    return None


def _by_place(facts: Sequence[Fact]) -> dict[str, tuple[str, int]]:
    return {where: (what, line) for where, what, line in facts}
