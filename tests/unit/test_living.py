"""The index of what lives in a process: all functions of a file, and no reference to any."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from refork.program.grafts.living import Index


def wrapped(function: Callable[[], int]) -> Callable[[], int]:
    @functools.wraps(function)
    def around() -> int:
        return function()

    return around


@wrapped
def plain() -> int:
    return 1


class Some:
    @property
    def value(self) -> int:
        return 2

    @staticmethod
    def still() -> int:
        return 3


HIDDEN = {"deep": [lambda: 4]}


def test_it_finds_all_functions_of_a_file() -> None:
    names = sorted(function.__qualname__ for function in Index().functions(__file__))
    assert names.count("plain") == 2, "the one that is wrapped, and the one around it"
    assert {"Some.value", "Some.still", "<lambda>", "wrapped"} <= set(names)
    assert Index().functions("/nowhere.py") == []


def test_it_keeps_no_reference() -> None:
    things = [plain, Some.still, HIDDEN["deep"][0], Some, sys.modules[__name__], __file__]
    before = [sys.getrefcount(thing) for thing in things]
    index = Index()
    assert [sys.getrefcount(thing) for thing in things] == before
    assert Some.still in index.functions(__file__)
    assert index.modules(__file__) == [sys.modules[__name__]]
