"""Places where a checkpoint was taken in haste, and for nothing."""

from __future__ import annotations

from refork.program.barriers import Brinks


def test_a_place_is_passed_when_a_later_look_finds_no_barrier() -> None:
    brinks = Brinks()
    brinks.look("")
    brinks.add("x.py:1", 1)
    assert not brinks.is_passed("x.py:1"), "nobody knows yet"
    brinks.look("")
    assert brinks.is_passed("x.py:1")
    assert not brinks.is_passed("x.py:2")


def test_a_place_before_a_barrier_is_not_passed() -> None:
    brinks = Brinks()
    brinks.add("x.py:1", 1)
    brinks.look("an open socket")
    brinks.look("")  # whatever it was that was closed
    assert not brinks.is_passed("x.py:1")
