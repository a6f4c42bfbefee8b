"""Whatever the differ calls bodies only can be grafted, and then equals a fresh start."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from property.modules import edits, joined, modules
from property.worlds import World, unlike
from refork.core.differ import BODIES, DIFFERENT, SAME, compare, compare_codes

RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def loaded(source: bytes) -> World | None:
    try:
        return World(source)
    except Exception:  # a random module may do anything; such a one has nothing to be grafted
        return None


def outcome(old: bytes, new: bytes) -> str:
    """Check one edit against a fresh start; say what came of it."""
    world = loaded(old)
    if world is None:
        return "does not load"
    diff = compare(old, new, "sample.py")
    if diff.kind == DIFFERENT:
        assert diff.reason
        return "different"
    if any(world.has_run(path) for _, _, path in diff.changed):
        return "ran while loading"
    if diff.kind == BODIES and not world.graft(new, diff):
        return "a generator keeps old code"
    difference = unlike(world.describe(), World(new).describe())
    assert not difference, difference
    return diff.kind if not diff.changed else f"{diff.kind}, changed"


@given(st.data())
@RELAXED
def test_a_graft_equals_a_fresh_start(data: st.DataObject) -> None:
    parts = data.draw(modules())
    event(outcome(joined(parts), joined(data.draw(edits(parts)))))


@given(modules())
@RELAXED
def test_a_text_is_the_same_as_itself(parts: list[str]) -> None:
    assert compare(joined(parts), joined(parts), "sample.py").kind in (SAME, DIFFERENT)
    source = joined(parts)
    assume(loaded(source))
    assert compare(source, source, "sample.py").kind == SAME


@given(modules(), st.integers(1, 40))
@RELAXED
def test_a_module_that_moved_has_the_same_bodies(parts: list[str], shift: int) -> None:
    source = joined(parts)
    assume(loaded(source))
    diff = compare(source, b"\n" * shift + source, "sample.py")
    assert (diff.kind, diff.changed) == (BODIES, ())
    assert outcome(source, b"\n" * shift + source) in (BODIES, "a generator keeps old code")


@given(st.data())
@RELAXED
def test_what_is_noted_is_so(data: st.DataObject) -> None:
    parts = data.draw(modules())
    old, new = joined(parts), joined(data.draw(edits(parts)))
    assume(loaded(old) and loaded(new))
    diff = compare(old, new, "sample.py")
    backwards = compare(new, old, "sample.py")
    assert backwards.kind == diff.kind
    assert [name for name, _, _ in backwards.changed] == [name for name, _, _ in diff.changed]
    assert len(backwards.moved) == len(diff.moved)
    assert set(diff.lines) <= set(diff.moved)
    assert not set(diff.changed) & set(diff.moved)
    before, after = (compile(text, "sample.py", "exec", dont_inherit=True) for text in (old, new))
    assert compare_codes(before, after).kind == diff.kind
