"""Which modules depend on a file, and which of those loaded after it do not (design §5.3).

What is known comes from one exact run: who was loaded by whom, and who imported what, each import charged
to the module whose body was being executed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """One module while its body was executed: from the beginning of its load to the end."""

    name: str
    parent: str
    """The module whose body was being executed when it was loaded."""


@dataclass(frozen=True)
class Graph:
    """What was seen of the loading that comes after a checkpoint."""

    busy: tuple[str, ...]
    """Modules in progress at the checkpoint, the innermost last: all of them import what is innermost."""
    present: frozenset[str]
    """Modules that were loaded then, those in progress too."""
    windows: tuple[Window, ...]
    """In the order in which loading began."""
    imports: Mapping[str, frozenset[str]]
    """What each window imported, whether or not it was loaded already."""


def independent(graph: Graph, left_out: Collection[str] = ()) -> list[str]:
    """Return the modules that may be imported before the file, in their old order.

    `left_out` are modules that cannot be for other reasons; what imports them cannot be either.
    """
    tainted = dependents(graph, left_out)
    found: list[str] = []
    known = set(graph.present)
    for window in graph.windows:
        package = window.name.rpartition(".")[0]
        if window.name not in tainted and (not package or package in known):
            found.append(window.name)
            known.add(window.name)
    return found


def dependents(graph: Graph, left_out: Collection[str] = ()) -> set[str]:
    """Return what depends on the modules in progress, or on those left out; they count themselves.

    A module whose package would have to be loaded by what depends on them is one of them.
    """
    users: dict[str, set[str]] = {}
    for user, used in _edges(graph):
        users.setdefault(used, set()).add(user)
    found: set[str] = set()
    waiting = [*graph.busy, *left_out]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += users.get(name, ())
    return found


def _edges(graph: Graph) -> Iterator[tuple[str, str]]:
    """(user, used). Importing a module also loads its package, if it is not loaded yet."""
    for window in graph.windows:
        yield window.parent, window.name
        package = window.name.rpartition(".")[0]
        if package and package not in graph.present:
            yield window.name, package
        for used in graph.imports.get(window.name, ()):
            yield window.name, used


def alike(graph: Graph, names: Collection[str]) -> set[str]:
    """Return the modules that import all that `names` have in common: what these do in the way of others,
    the next of them is likely to do when they are left out. None, where they have nothing in common.
    """
    uses = [graph.imports.get(name, frozenset()) for name in names]
    common = frozenset.intersection(*uses) if uses else frozenset()
    if not common:
        return set()
    return {one.name for one in graph.windows if common <= graph.imports.get(one.name, frozenset())}


TRIFLE = 0.05
"""Seconds of an exact replay within which nobody would notice what a twin saves or costs."""

SHARE = 0.33
"""The part of a longer one that a twin has to save. Chosen, not measured: a generation from a twin has costs
of its own, and following imports makes the exact run of the background slower than a replay is."""


def worthwhile(exact: float, hoisted: float) -> bool:
    """Whether a replay with a twin is worth it; both in seconds of the processor."""
    return exact < TRIFLE or exact - hoisted > SHARE * exact
