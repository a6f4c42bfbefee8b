"""What is ruled out by how a path begins would not have matched anyway."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from refork.files import patterns

NAMES = ("a", "b", "ab", ".h", "x.po", "c")
PARTS = (*NAMES, "*", "?", "**", "a*", "[ab]", "[[]b", "*.po", ".*")


def paths(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    parts = st.lists(st.sampled_from(names), min_size=1, max_size=4)
    return parts.map(lambda chosen: os.sep + os.sep.join(chosen))


@given(path=paths(NAMES), pattern=paths(PARTS))
def test_each_part_by_itself_says_the_same(path: str, pattern: str) -> None:
    parts, wanted = path.split(os.sep), pattern.split(os.sep)
    if patterns._parts_match(parts, wanted, False):
        assert patterns.matches(path, pattern)
    elif not path.startswith(pattern + os.sep):
        assert not patterns.matches(path, pattern)
    folders = os.path.dirname(pattern).split(os.sep)
    if any(
        patterns._parts_match(parts, folders[:end], False) for end in range(1, len(folders) + 1)
    ):
        assert patterns.reaches(path, pattern)
    elif not patterns.matches(path, pattern):
        assert not patterns.reaches(path, pattern)
