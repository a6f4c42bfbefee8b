"""What holds of thinning whatever the ladder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from refork.core.placement import Rung, surplus

RUNGS = st.builds(
    Rung,
    id=st.just(0),
    memory=st.integers(0, 1 << 30),
    cost=st.floats(0, 100),
    hot=st.booleans(),
)
LADDERS = st.lists(RUNGS, max_size=30).map(
    lambda rungs: [Rung(at, r.memory, r.cost, r.hot) for at, r in enumerate(rungs, start=1)]
)
BUDGETS = st.none() | st.integers(0, 8 << 30)


@given(LADDERS, BUDGETS, st.integers(1, 30))
def test_what_is_left_fits_and_has_the_deepest(
    ladder: list[Rung], budget: int | None, most: int
) -> None:
    gone = surplus(ladder, budget, most)
    left = [rung for rung in ladder if rung.id not in gone]
    assert len(set(gone)) == len(gone)
    assert len(left) + len(gone) == len(ladder)
    assert left[-1:] == ladder[-1:]
    assert len(left) <= most
    assert budget is None or len(left) <= 1 or sum(rung.memory for rung in left) <= budget


@given(LADDERS, BUDGETS, st.integers(1, 30))
def test_no_more_goes_than_has_to(ladder: list[Rung], budget: int | None, most: int) -> None:
    gone = surplus(ladder, budget, most)
    if not gone:
        return
    before = [rung for rung in ladder if rung.id not in gone[:-1]]
    heavy = budget is not None and sum(rung.memory for rung in before) > budget
    assert heavy or len(before) > most


@given(LADDERS, BUDGETS, st.integers(1, 30))
def test_what_fits_once_is_left_alone(ladder: list[Rung], budget: int | None, most: int) -> None:
    gone = surplus(ladder, budget, most)
    left = [rung for rung in ladder if rung.id not in gone]
    assert surplus(left, budget, most) == []
