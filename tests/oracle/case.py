"""Named cases: sessions as text that a person can read and write.

The first lines say in a sentence what went wrong. Then the states of the program follow, each
state giving only the files that are new in it::

    A sentence.
    === start
    --- entry.py
    print("one")
    === step save=atomic race=0.02
    --- entry.py
    print("two")
    --- o_local.py deleted
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .session import Session, Step
from .tree import Block, Tree, changed_paths

CASES = Path(__file__).parent / "cases"
STATE = re.compile(r"^=== ?(.*)\n", re.MULTILINE)


def dump(session: Session) -> str:
    """The text of a case."""
    parts = [session.says.strip() + "\n", "=== start\n", *files(Tree(), session.start)]
    tree = session.start
    for step in session.steps:
        ways = sorted(set(step.ways.values()))
        parts.append(f"=== step save={ways[0] if ways else 'atomic'}")
        parts.append(f" gap={step.gap}" if step.gap else "")
        parts.append("\n" if step.race is None else f" race={step.race}\n")
        parts += files(tree, step.tree)
        parts += [f"--- {path} touched\n" for path in step.touched]
        tree = step.tree
    return "".join(parts)


def files(old: Tree, new: Tree) -> Iterator[str]:
    for path in changed_paths(old, new):
        yield f"--- {path}\n{new.text(path)}" if path in new.files else f"--- {path} deleted\n"


def load(text: str) -> Session:
    """The session that a case's text describes."""
    says, *rest = STATE.split(text)
    tree = Tree()
    steps = []
    for head, body in zip(rest[::2], rest[1::2], strict=True):
        tree, changed, touched = state(tree, body)
        keys = dict(word.split("=") for word in head.split()[1:])
        ways = dict.fromkeys(changed, keys.get("save", "atomic"))
        race = float(keys["race"]) if "race" in keys else None
        steps.append(Step(tree, ways, touched, float(keys.get("gap", 0)), race))
    return Session(0, steps[0].tree, tuple(steps[1:]), says.strip())


def state(tree: Tree, body: str) -> tuple[Tree, list[str], tuple[str, ...]]:
    """The next state of the program; which files it changes, which it only touches."""
    pieces = re.split(r"^--- (.*)\n", body, flags=re.MULTILINE)
    changed, touched = [], []
    for head, text in zip(pieces[1::2], pieces[2::2], strict=True):
        path, _, what = head.partition(" ")
        if what == "touched":
            touched.append(path)
            continue
        changed.append(path)
        whole = (Block(len(changed), text),)
        tree = tree.without(path) if what == "deleted" else tree.with_file(path, whole)
    return tree, changed, tuple(touched)


def named() -> dict[str, Session]:
    """All named cases."""
    return {path.stem: load(path.read_text()) for path in sorted(CASES.glob("*.case"))}
