"""Two processes compared: what each tells of a file, and the smallest case where they differ."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from refork.core.divergence import find
from refork.program.grafts import verify

A = "/p/a.py"
SAME = [("a.f", "function f", 3), ("a.C", "class C()", 0), ("a.x", "of type int", 0)]


def test_what_is_alike_is_alike() -> None:
    assert find({A: SAME}, {A: list(SAME)}) is None
    assert find({}, {}) is None


@pytest.mark.parametrize(
    ("exact", "line", "words"),
    [
        (SAME[:2], 0, "a.x is there only after a graft"),
        ([*SAME, ("a.y", "of type int", 0)], 0, "a.y is there only after a cold start"),
        ([("a.f", "function f", 4), *SAME[1:]], 4, "a.f is function f, line 3 after a graft, and"),
        ([*SAME[:2], ("a.x", "of type str", 0)], 0, "a.x is of type int after a graft, and"),
        ([SAME[1], SAME[0], SAME[2]], 3, "a.f is at another place after a cold start"),
        ([], 3, "a.f is there only after a graft"),
    ],
)
def test_the_first_difference_is_named(
    exact: list[tuple[str, str, int]], line: int, words: str
) -> None:
    found = find({A: SAME}, {A: exact})
    assert found is not None
    assert (found.path, found.line) == (A, line)
    assert found.message.startswith(words)


TEXT = """\
import functools

def plain(a, b=2):
    "Of two."
    return {1, 2}

@functools.wraps(plain)
def wrapped(*args):
    return [n for n in args]

class C:
    x = 1
    def method(self):
        return (lambda: self)()
    @property
    def both(self):
        return 1

hidden = [lambda: 5]
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[types.ModuleType]:
    path = tmp_path / "verified.py"
    made = types.ModuleType("verified")
    made.__file__ = str(path)
    exec(compile(TEXT, str(path), "exec", dont_inherit=True), vars(made))
    sys.modules["verified"] = made
    yield made
    del sys.modules["verified"]


def told(module: types.ModuleType, text: str = TEXT) -> dict[str, str]:
    facts = verify._File(str(module.__file__), text.encode()).facts()
    return {where: what for where, what, _line in facts}


def wrong(facts: dict[str, str]) -> list[str]:
    """The places that hold code which the source does not say."""
    return [where for where, what in facts.items() if "does not say" in where + what]


def test_all_that_the_source_says_is_found_so(module: types.ModuleType) -> None:
    facts = told(module)
    assert wrong(facts) == []
    assert {"verified.plain", "verified.wrapped.__wrapped__", "verified.C.both.fget"} <= set(facts)
    assert "each <lambda> made at line 19" in facts


def test_a_function_that_was_not_renewed_is_found(module: types.ModuleType) -> None:
    assert wrong(told(module, TEXT.replace("{1, 2}", "{1, 3}")))[0] == "verified.plain"


def test_a_function_that_is_in_no_namespace_is_found(module: types.ModuleType) -> None:
    (found,) = wrong(told(module, TEXT.replace("lambda: 5", "lambda: 6")))
    assert found.startswith("each <lambda> made at line 19")


def test_lines_that_moved_without_the_code_are_found(module: types.ModuleType) -> None:
    found = wrong(told(module, "\n" + TEXT))
    assert {"verified.plain", "verified.C.method", "verified.C.both.fget"} <= set(found)


def test_constants_that_are_merely_equal_are_told_apart(module: types.ModuleType) -> None:
    assert "verified.C.both.fget" in wrong(told(module, TEXT.replace("return 1", "return True")))
