"""What a page that was away is told when it comes back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refork.web.history import KEPT, MAX_FILES, History


def kinds(history: History, since: str) -> list[str]:
    """All that a page is told that knows `since`."""
    first = history.greeting(since)
    later = history.after(first[-1].number)
    return [event.kind for event in [*first, *later]]


def test_a_new_page_is_greeted_and_hears_what_comes() -> None:
    history = History("b")
    history.add("css", ["/a.css"], 1)
    assert kinds(history, "") == ["hello"]
    since = history.id()
    assert kinds(history, since) == ["hello"]
    history.add("image", ["/a.png"], 1)
    assert kinds(history, since) == ["hello", "image"]


def test_a_page_hears_which_generation_answers() -> None:
    history = History("b")
    history.add("ready", [], 3)
    history.add("css", [], 3)
    assert history.greeting("")[0].generation == 3


@pytest.mark.parametrize(
    "since", ["other-1", "b-", "b-99", "b-x", "b", "-1", "b-1-1", "b-²", "x" * 999]
)
def test_an_id_that_is_not_ours_means_a_reload(since: str) -> None:
    history = History("b")
    history.add("css", [], 1)
    assert kinds(history, since) == ["hello", "reload"]


def test_what_is_forgotten_means_a_reload() -> None:
    history = History("b")
    since = history.id()
    for _ in range(KEPT):
        history.add("css", [], 1)
    assert kinds(history, since) == ["hello", *["css"] * KEPT]
    history.add("css", [], 1)
    assert kinds(history, since) == ["hello", "reload"]


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match="'restart' is none of"):
        History("b").add("restart", [], 1)


@given(st.lists(st.text(), max_size=100), st.integers(0, 10**9))
def test_an_event_is_one_event_on_the_wire(files: list[str], generation: int) -> None:
    history = History("b")
    event = history.encode(history.add("css", files, generation)).decode("ascii")
    head, data, *rest = event.split("\n")
    assert (head, rest) == ("id: b-1", ["", ""])
    facts = json.loads(data.removeprefix("data: "))
    assert facts["files"] == files[:MAX_FILES]
    assert (facts["id"], facts["kind"], facts["generation"]) == ("b-1", "css", generation)
