"""Whatever happens, the terminal gets whole lines and no error."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from refork.report import Report

NAMES = st.sampled_from(
    [
        "start",
        "ready",
        "change",
        "ignore",
        "refresh",
        "error",
        "exit",
        "barrier",
        "checkpoint",
        "listening",
    ]
)
KEYS = st.sampled_from(
    [
        "gear",
        "reason",
        "changed",
        "grafted",
        "checkpoint",
        "files",
        "by",
        "ms",
        "type",
        "message",
        "file",
        "line",
        "code",
        "signal",
        "then",
        "address",
        "at",
        "watching",
        "id",
        "kind",
    ]
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(0, 1e12),
    st.text(),
    st.lists(st.text(), max_size=6),
    st.sampled_from(["graft", "replay", "cold", "wait", "SIGKILL"]),
)
EVENTS = st.lists(st.tuples(NAMES, st.dictionaries(KEYS, VALUES)), max_size=12)


@given(EVENTS, st.integers(-1, 2), st.booleans(), st.sampled_from(["utf-8", "ascii"]))
def test_any_history_makes_whole_printable_lines(
    events: list[tuple[str, dict[str, object]]], verbosity: int, colour: bool, encoding: str
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="\n")
    environ = {"FORCE_COLOR": "1"} if colour else {}
    report = Report(stream, verbosity, environ=environ, cwd="/home")
    for generation, (name, keys) in enumerate(events, start=1):
        report.event(name, generation, **keys)
    text = raw.getvalue().decode(encoding)
    lines = text.split("\n")
    assert lines.pop() == ""
    assert len(lines) <= len(events)
    for line in lines:
        plain = line
        for code in ("36", "31", "2", "0"):
            plain = plain.replace(f"\033[{code}m", "")
        assert plain.startswith("refork  ")
        assert plain.isprintable()
        assert colour or plain == line


@given(st.lists(st.tuples(NAMES, st.dictionaries(KEYS, VALUES)), max_size=12))
def test_more_verbosity_never_says_less(events: list[tuple[str, dict[str, object]]]) -> None:
    def count(verbosity: int) -> int:
        stream = io.StringIO()
        report = Report(stream, verbosity, environ={}, cwd="/home")
        for name, keys in events:
            report.event(name, 2, **keys)
        return stream.getvalue().count("\n")

    assert count(-1) <= count(0) <= count(1) <= count(2)
