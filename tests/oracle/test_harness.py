"""The oracle is itself put to the test: it must tell a wrong reloader from a right one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from . import toy
from .case import dump, load
from .hunt import hunt
from .runner import Divergence, run_session
from .session import Session, Step, session
from .shrink import Shrinker
from .tree import Block, Tree

FAULTS = ("stale", "half", "deaf", "late", "mute", "quiet", "code", "trace")
SEEDS = {"deaf": 17}
"""Where to begin, if not at 0: few random edits change nothing but a data file that matters."""


def command(fault: str) -> list[str]:
    return [sys.executable, str(Path(toy.__file__)), fault]


@pytest.mark.timeout(180)
def test_plain_python_started_anew_never_diverges() -> None:
    finding, tally = hunt(command("none"), seed=0, edits=60, seconds=60.0, shrinking=0.0)
    assert finding is None, str(finding)
    assert tally.gears["cold"] > tally.edits / 2


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault: str) -> None:
    finding, _ = hunt(
        command(fault), seed=SEEDS.get(fault, 0), edits=300, seconds=120.0, shrinking=0.0
    )
    assert finding is not None


def program(text: str, path: str = "entry.py") -> Tree:
    show = Block(1, "import oracle_digest\noracle_digest.show()\n", fixed=True)
    tree = Tree({"entry.py": (show,)})
    return tree.with_file(path, (Block(2, text), *tree.files.get(path, ())))


def test_a_difference_in_the_output_is_told() -> None:
    steps = (Step(program("print('two')\n")),)
    found, _ = run_session(command("mute"), Session(0, program("print('one')\n"), steps))
    assert isinstance(found, Divergence)
    assert "-two" in found.difference


def test_a_step_that_changes_nothing_needs_no_reaction() -> None:
    tree = program("print('one')\n")
    steps = (Step(tree), Step(program("x = 1\n", "o_unused.py")))
    found, tally = run_session(command("none"), Session(0, tree, steps))
    assert found is None
    assert tally.edits == 2


def test_shrinking_keeps_the_failure_and_drops_the_rest() -> None:
    made = session(3, 6)
    wanted = made.steps[4].tree.files["entry.py"][0].uid

    def fails(candidate: Session) -> bool:
        trees = [candidate.start, *(step.tree for step in candidate.steps)]
        return any(b.uid == wanted for tree in trees for f in tree.files.values() for b in f)

    small = Shrinker(fails, 10.0).shrink(made, 5)
    assert fails(small)
    assert len(small.steps) == 1
    left = [b for f in small.start.files.values() for b in f if not b.fixed and b.uid != wanted]
    assert not left


def test_a_case_is_read_back_as_it_was_written() -> None:
    for seed in range(20):
        made = session(seed, 5)
        again = load(dump(made))
        assert again.start.texts() == made.start.texts()
        assert [s.tree.texts() for s in again.steps] == [s.tree.texts() for s in made.steps]
        assert [s.race for s in again.steps] == [s.race for s in made.steps]


def test_a_seed_makes_the_same_session_again() -> None:
    assert session(11, 10) == session(11, 10)
    assert session(11, 10) != session(12, 10)
