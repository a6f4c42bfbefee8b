"""Which checkpoints go first."""

from __future__ import annotations

from refork.core.placement import Rung, surplus

MB = 1 << 20


def ladder(*rungs: tuple[int, float]) -> list[Rung]:
    """A ladder of (megabytes, seconds since the one before), numbered from 1."""
    return [Rung(at, memory * MB, cost) for at, (memory, cost) in enumerate(rungs, start=1)]


def test_nothing_goes_while_there_is_room() -> None:
    assert surplus(ladder((10, 1), (10, 1), (10, 1)), 30 * MB, 3) == []
    assert surplus(ladder((10, 1), (10, 1)), None, 24) == []
    assert surplus([], 0, 0) == []


def test_the_deepest_stays_whatever_it_holds() -> None:
    assert surplus(ladder((1, 1), (999, 1)), 10 * MB, 24) == [1]
    assert surplus(ladder((999, 1)), 10 * MB, 0) == []


def test_of_two_that_save_as_much_the_heavier_goes() -> None:
    assert surplus(ladder((5, 1), (20, 1), (5, 1), (5, 1)), 20 * MB, 24) == [2]


def test_of_two_as_heavy_the_one_that_saves_less_goes() -> None:
    assert surplus(ladder((5, 1), (5, 0.01), (5, 1), (5, 1)), 15 * MB, 24) == [2]


def test_when_there_are_too_many_memory_does_not_count() -> None:
    assert surplus(ladder((5, 1), (1, 0.01), (50, 1), (5, 1)), None, 3) == [2]


def test_a_hot_one_stays_longest() -> None:
    rungs = ladder((5, 1), (5, 1), (5, 1), (5, 1), (5, 1))
    rungs[2] = Rung(3, 5 * MB, 1, hot=True)
    assert set(surplus(rungs, 10 * MB, 24)) == {1, 2, 4}


def test_what_is_left_of_an_even_ladder_is_spread_over_it() -> None:
    rungs = ladder(*[(1, 1.0)] * 17)
    left = [rung.id for rung in rungs if rung.id not in surplus(rungs, None, 5)]
    gaps = [after - before for before, after in zip([0, *left], left, strict=False)]
    assert len(left) == 5
    assert left[-1] == 17
    assert max(gaps) <= 8
