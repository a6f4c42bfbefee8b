"""A session: a program, and what is done to its files one step after the other."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .edits import Editor
from .forge import Forge
from .programs import program
from .tree import Tree, changed_paths

WAYS = ("inplace", "inplace", "atomic", "older", "same")
"""How a file is saved: written in place, replaced, given an older mtime, given its mtime back."""


@dataclass(frozen=True)
class Step:
    """The program's files as they are to be, how they are saved, and whether to wait after it."""

    tree: Tree
    ways: Mapping[str, str] = field(default_factory=dict)
    touched: tuple[str, ...] = ()
    gap: float = 0.0
    """Seconds between one file and the next, where several are saved."""
    race: float | None = None
    """Seconds until the next step when it comes while this one is still being loaded."""


@dataclass(frozen=True)
class Session:
    """What one refork process is put through. ``seed`` makes it again."""

    seed: int
    start: Tree
    steps: tuple[Step, ...]
    says: str = ""
    """In a sentence, for a named case: what went wrong."""


def session(seed: int, edits: int) -> Session:
    """The random session that belongs to a seed."""
    forge = Forge(random.Random(seed))
    start = program(forge)
    editor = Editor(forge)
    trees, steps = [start], []
    for _ in range(edits):
        steps.append(step(forge, editor, trees))
        trees.append(steps[-1].tree)
    return Session(seed, start, settled(steps))


def step(forge: Forge, editor: Editor, trees: list[Tree]) -> Step:
    """The next step: an edit, an undo, or a touch."""
    now = trees[-1]
    if forge.chance(0.03):
        return Step(now, touched=(forge.rng.choice(sorted(now.files)),))
    new = editor.change(now)
    if len(trees) > 1 and forge.chance(0.2 if compiles(now) else 0.7):
        new = trees[-2]
    ways = {p: forge.rng.choice(WAYS) for p in changed_paths(now, new)}
    race = forge.rng.choice([0.0, 0.005, 0.02, 0.05]) if forge.chance(0.05) else None
    gap = forge.rng.choice([0.0, 0.0, 0.002, 0.01])
    return Step(new, ways, gap=gap, race=race)


def compiles(tree: Tree) -> bool:
    """Whether every module of a program is valid Python; broken ones are mended soon."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for path in tree.modules():
                compile(tree.text(path), path, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def settled(steps: list[Step]) -> tuple[Step, ...]:
    """The last step is always waited for."""
    if steps:
        last = steps[-1]
        steps[-1] = replace(last, race=None)
    return tuple(steps)
