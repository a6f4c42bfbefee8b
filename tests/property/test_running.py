"""The runner in the program and `core.statements` agree on steps and on what an edit leaves."""

from __future__ import annotations

import sys

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from property.stepping import PATH, Runner
from property.test_statements import compiles, edited, joined, same, scripts
from refork.core.statements import ENTER, TEST, TRY, Step, common, steps
from refork.program.running import Running, run
from refork.program.steps import Steps

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="modules with annotations run whole there"
)


class Resumed(Runner):
    """Runs a text by the program's own runner, and goes on with another one before a step."""

    def run(self, old: bytes, new: bytes, at: int) -> bool:
        """Whether step `at`, or a later one, was reached with the new text still good; it was taken then."""
        running = Running(Steps(old, PATH), self.namespace)
        taken: list[int] = []
        most = common(old, new)

        def before(running: Running) -> None:
            if running.index >= at and not taken and 0 < running.needs() <= most:
                taken.append(at)
                running.edited = new

        try:
            run(running, before)
        except Exception as error:  # random statements fail in any way; it is compared
            lines, place = [], error.__traceback__
            while place is not None:
                if place.tb_frame.f_code.co_filename == PATH:
                    lines.append(place.tb_lineno)
                place = place.tb_next
            self.error = (repr(error), lines)
        return bool(taken)


@given(scripts())
@RELAXED
def test_steps_are_numbered_alike(parts: list[str]) -> None:
    source = joined(parts)
    assume(compiles(source))
    found, own = steps(source), Steps(source, PATH)
    assert len(found) == len(own)
    for number, step in enumerate(found):
        assert own.all[number].kind == step.kind
        if step.kind in (TEST, TRY, ENTER):
            inner = [n for n in range(number + 1, len(found)) if found[n].depth <= step.depth]
            end = inner[0] if inner else len(found)
            if step.kind == TEST:
                first = [n for n in range(number + 1, end) if not _other_arm(found, number, n)]
                assert own.following(number, truth=True) == number + 1
                assert own.following(number, truth=False) == first[-1] + 1
            else:
                assert own.rest(number) == end


@given(scripts(), st.sampled_from(["__main__", "sample"]))
@RELAXED
def test_steps_one_by_one_are_the_module(parts: list[str], name: str) -> None:
    source = joined(parts)
    assume(compiles(source))
    whole, stepped = Runner(name), Resumed(name)
    whole.whole(source)
    stepped.run(source, source, len(steps(source)) + 1)
    same(stepped, whole)
    event("fails" if whole.error else "runs")


def _other_arm(found: tuple[Step, ...], test: int, at: int) -> bool:
    """Whether step `at` is in the other arm of the `if` whose test is step `test`."""
    depth = found[test].depth + 1
    return any(step.depth == depth and step.arm for step in found[test + 1 : at + 1])


@given(st.data(), st.sampled_from(["__main__", "sample"]))
@RELAXED
def test_going_on_with_the_new_text_is_a_fresh_start(data: st.DataObject, name: str) -> None:
    parts = data.draw(scripts())
    old, new = joined(parts), joined(data.draw(edited(parts)))
    assume(compiles(old) and compiles(new))
    at = data.draw(st.integers(0, common(old, new)))
    resumed, fresh = Resumed(name), Runner(name)
    reached = resumed.run(old, new, at)
    fresh.whole(new if reached else old)
    same(resumed, fresh)
    event("resumed" if reached else "run through")
