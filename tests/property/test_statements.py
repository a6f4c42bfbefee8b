"""Steps in the order of the text; steps in common are really the same."""

from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from property.modules import PRELUDE, edits, fragments
from property.stepping import Runner
from property.worlds import unlike
from refork.core.statements import common, steps

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="the runner here does not know deferred annotations"
)

HEADS = ["", "", "'words'\n", "# words\n", "from __future__ import annotations\n"]
HEADS += ["'words'\nfrom __future__ import annotations\n", "w: 'int' = 1\n"]
LINES = ["here()", "here(); here()", "here(\n  1)", "q: 'int' = here()", "'text'", "here() or nope"]
LINES += ["if here:\n    here()\nelse:\n    here(1)", "@keep\ndef k(): pass", "x = 1; y = 2"]
LINES += ["try:\n    here()\nfinally:\n    here()", "assert k", "global g\ng = 3", "del q"]
GUARDS = ["if __name__ == '__main__':", "if '__main__' == __name__:", "if __name__ == 'other':"]
TAILS = [
    " + 1",
    "; here()",
    "  # words",
    "\nelse:\n    here()",
    ".x",
    "\n\n\n",
    "\n",
    " \\\n",
    ", 2",
]


@st.composite
def scripts(draw: st.DrawFn) -> list[str]:
    """A module as a list of parts: head, statements, and maybe some of them in a guard."""
    parts = [draw(st.sampled_from(HEADS)) + PRELUDE]
    for n in range(draw(st.integers(1, 4))):
        parts.append(draw(st.one_of(fragments(n), st.sampled_from(LINES), st.sampled_from(LINES))))
    if draw(st.booleans()):
        body = "\n".join(draw(st.lists(st.sampled_from(LINES), min_size=1, max_size=3)))
        guarded = "\n".join("    " + line for line in body.split("\n"))
        parts.append(draw(st.sampled_from(GUARDS)) + "\n" + guarded)
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(LINES)))
    return parts


@st.composite
def edited(draw: st.DrawFn, parts: list[str]) -> list[str]:
    """An edit of a statement, of a head, or of what follows a line."""
    kind = draw(st.sampled_from(["statement", "statement", "tail", "tail", "head", "more", "less"]))
    new = list(parts)
    at = draw(st.integers(0, len(new) - 1))
    if kind == "statement":
        new = new[:1] + draw(edits(new[1:])) if len(new) > 1 else new
    elif kind == "tail":
        lines = new[at].split("\n")
        line = draw(st.integers(0, len(lines) - 1))
        lines[line] += draw(st.sampled_from(TAILS))
        new[at] = "\n".join(lines)
    elif kind == "head":
        new[0] = draw(st.sampled_from(HEADS)) + PRELUDE
    elif kind == "more":
        new.insert(at + 1, draw(st.sampled_from(LINES)))
    elif at > 0:
        del new[at]
    return new


def joined(parts: list[str]) -> bytes:
    return ("\n".join(parts) + "\n").encode()


def compiles(source: bytes) -> bool:
    try:
        steps(source)
    except SyntaxError:
        return False
    return True


def same(first: Runner, second: Runner) -> None:
    difference = unlike(first.outcome(), second.outcome())
    assert not difference, difference


@given(scripts())
@RELAXED
def test_steps_stand_in_the_order_of_the_text(parts: list[str]) -> None:
    source = joined(parts)
    assume(compiles(source))
    for before, after in itertools.pairwise(steps(source)):
        assert before.start <= before.end <= after.start
        assert after.depth <= before.depth + 1


@given(scripts())
@RELAXED
def test_a_text_has_all_in_common_with_itself(parts: list[str]) -> None:
    source = joined(parts)
    assert common(source, source) == (len(steps(source)) if compiles(source) else 0)


@given(st.data())
@RELAXED
def test_an_edited_step_is_not_in_common(data: st.DataObject) -> None:
    source = joined(data.draw(scripts()))
    assume(compiles(source))
    found = steps(source)
    at = data.draw(st.integers(0, len(found) - 1))
    step = found[at]
    assume(
        step.start < step.end
    )  # the beginning of a `try` is a mere place, as is the end of a `with`
    old = source[step.start : step.end]
    new = data.draw(st.sampled_from([b"here()", b"pass", b"x = 7", b"(" + old + b")", old + b"()"]))
    assume(new != old)
    assert common(source, source[: step.start] + new + source[step.end :]) <= at


@given(st.data())
@RELAXED
def test_what_follows_a_step_does_not_matter_to_it(data: st.DataObject) -> None:
    source = joined(data.draw(scripts()))
    assume(compiles(source))
    assert common(source, source + b"here(5)\n") == len(steps(source))
    assert common(source, source + b"# words\n") == len(steps(source))
