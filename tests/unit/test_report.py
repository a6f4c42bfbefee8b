"""What the terminal shows: histories of events, and the lines they make."""

from __future__ import annotations

import io
from typing import Any

import pytest

from refork.events import EventLog
from refork.report import Bus, Report, duration, wants_colour

Event = tuple[str, dict[str, Any]]
CWD = "/home/me/shop"


FAILED: Event = ("exit", {"code": 1, "then": "wait"})


def told(*events: Event, verbosity: int = 0, generation: int = 2) -> list[str]:
    """Lines printed for a history, without the leading word."""
    stream = io.StringIO()
    report = Report(stream, verbosity, environ={}, cwd=CWD)
    for name, keys in events:
        report.event(name, **{"generation": generation, **keys})
    lines = stream.getvalue().splitlines()
    assert all(line.startswith("refork  ") for line in lines)
    return [line.removeprefix("refork  ") for line in lines]


def start(gear: str, *changed: str, **keys: object) -> Event:
    action = "restart" if gear == "cold" else "resume"
    return "start", {"action": action, "gear": gear, "changed": list(changed), **keys}


def ready(ms: float, **keys: object) -> Event:
    return "ready", {"ms": ms, **keys}


# ── one line a generation ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("history", "line"),
    [
        (
            [start("graft", f"{CWD}/views.py", grafted=["index"], checkpoint=9), ready(21.3)],
            "views.py: 1 function grafted · 21 ms",
        ),
        (
            [start("graft", f"{CWD}/a.py", f"{CWD}/b.py", grafted=["f", "g", "h"]), ready(8)],
            "a.py, b.py: 3 functions grafted · 8 ms",
        ),
        (
            [
                start(
                    "replay",
                    f"{CWD}/models.py",
                    checkpoint=7,
                    reason="Order.total ran while loading (apps.py:14)",
                ),
                ready(310),
            ],
            "models.py: Order.total ran while loading (apps.py:14)"
            " → replay from checkpoint 7 · 310 ms",
        ),
        (
            [start("replay", f"{CWD}/plot.py", checkpoint=3, reason=""), ready(4)],
            "plot.py → replay from checkpoint 3 · 4 ms",
        ),
        (
            [start("replay", checkpoint=3, reason="refork.checkpoint"), ready(4)],
            "refork.checkpoint → replay from checkpoint 3 · 4 ms",
        ),
        (
            [start("cold", f"{CWD}/settings.py", reason="no checkpoint is older"), ready(2100)],
            "settings.py: cold start: no checkpoint is older · 2.1 s",
        ),
        (
            [start("cold", f"{CWD}/a.py", reason="a.py: its encoding changed"), ready(9)],
            "a.py: cold start: its encoding changed · 9 ms",
        ),
        ([start("cold", "/usr/lib/x.py"), ready(2100)], "/usr/lib/x.py: cold start · 2.1 s"),
        (
            [start("cold", reason="the program exited with 3"), ready(50)],
            "cold start: the program exited with 3 · 50 ms",
        ),
    ],
)
def test_a_generation_gets_one_line(history: list[Event], line: str) -> None:
    assert told(*history) == [line]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"watching": 1591}, "watching 1,591 files · ready in 900 ms"),
        ({"watching": 1}, "watching 1 file · ready in 900 ms"),
        ({}, "ready in 900 ms"),
    ],
)
def test_the_first_generation_says_what_is_watched(keys: dict[str, object], line: str) -> None:
    assert told(start("cold", reason="first start"), ready(900, **keys), generation=1) == [line]


def test_a_second_ready_says_nothing_new() -> None:
    assert len(told(start("cold", f"{CWD}/a.py"), ready(1), ready(2))) == 1


def test_more_than_three_files_are_counted() -> None:
    files = [f"{CWD}/{name}.py" for name in ("a", "b", *range(498))]
    assert told(start("cold", *files), ready(9)) == ["a.py, b.py and 498 more: cold start · 9 ms"]
    three = [f"{CWD}/{name}.py" for name in "abc"]
    assert told(start("cold", *three), ready(9)) == ["a.py, b.py, c.py: cold start · 9 ms"]


def test_a_neighbour_folder_is_not_below_the_working_directory() -> None:
    (line,) = told(start("cold", f"{CWD}2/a.py"), ready(9))
    assert line.startswith(f"{CWD}2/a.py: ")


# ── failures and endings ─────────────────────────────────────────────────────────────────────────

CHANGED = ("change", {"files": [f"{CWD}/a.py"]})


def test_an_error_is_the_line_of_the_generation_it_ended() -> None:
    error = {
        "type": "SyntaxError",
        "message": "invalid syntax (a.py, line 3)",
        "file": f"{CWD}/a.py",
        "line": 3,
    }
    history = [start("cold", f"{CWD}/a.py", reason="a.py: syntax error"), ("error", error)]
    assert told(*history, ready(4), FAILED) == [
        "a.py:3: SyntaxError: invalid syntax · waiting for a change"
    ]


def test_an_error_elsewhere_says_what_was_changed() -> None:
    error = {"type": "NameError", "message": "no x", "file": f"{CWD}/b.py", "line": 3}
    assert told(start("cold", f"{CWD}/a.py"), ("error", error), FAILED) == [
        "a.py → b.py:3: NameError: no x · waiting for a change"
    ]
    assert told(start("cold"), ("error", error), FAILED, generation=1) == [
        "b.py:3: NameError: no x · waiting for a change"
    ]


def test_an_error_that_nobody_placed() -> None:
    error = {"type": "MemoryError", "message": "", "file": None, "line": None}
    (line,) = told(("error", error), FAILED)
    assert line == "MemoryError · waiting for a change"


def test_of_a_long_message_the_first_line_is_shown() -> None:
    error = {"type": "E", "message": "\none\ntwo\n", "file": None, "line": None}
    (line,) = told(("error", error), FAILED)
    assert line == "E: one … · waiting for a change"


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        ({"code": 0}, ["the program has ended"]),
        ({"code": 1}, ["the program ended with code 1"]),
        ({"code": 3}, []),
        ({"code": 0, "then": "wait"}, ["the program has ended · waiting for a change"]),
        ({"code": 1, "then": "wait"}, ["the program ended with code 1 · waiting for a change"]),
        ({"code": 1, "then": "end"}, []),
        ({"code": 4, "then": "again"}, []),
        ({"signal": 9, "then": "end"}, ["the program was ended by SIGKILL"]),
        ({"signal": 11}, ["the program was ended by SIGSEGV"]),
        ({"signal": "SIGKILL"}, ["the program was ended by SIGKILL"]),
        ({"signal": 250}, ["the program was ended by signal 250"]),
        ({"signal": 2}, []),
        ({"signal": 15}, []),
    ],
)
def test_an_end_that_refork_did_not_ask_for(keys: dict[str, object], lines: list[str]) -> None:
    assert told(("exit", keys)) == lines


def test_the_end_of_a_replaced_generation_goes_without_saying() -> None:
    assert told(CHANGED, ("exit", {"signal": 9})) == []
    ignored = ("ignore", {"files": [f"{CWD}/a.py"], "reason": "same bytes"})
    assert told(CHANGED, ignored, ("exit", {"signal": 9})) != []
    assert told(CHANGED, start("cold", f"{CWD}/a.py"), ready(1), ("exit", {"signal": 9}))[1:] != []


def test_a_script_that_ends_each_time_is_told_of_once() -> None:
    run = [start("cold", f"{CWD}/a.py"), ready(1), ("exit", {"code": 0})]
    lines = told(*run, CHANGED, *run, CHANGED, *run)
    assert lines.count("the program has ended") == 1
    assert lines.count("a.py: cold start · 1 ms") == 3


# ── more and less ────────────────────────────────────────────────────────────────────────────────

QUIET_ONES: list[tuple[Event, int, str]] = [
    (
        ("ignore", {"files": [f"{CWD}/app.py"], "reason": ""}),
        1,
        "app.py changed, nothing in it: ignored",
    ),
    (
        ("barrier", {"at": f"{CWD}/views.py:3", "reason": "opens a socket"}),
        1,
        "no checkpoint past views.py:3: opens a socket",
    ),
    (("listening", {"address": "127.0.0.1:8000"}), 1, "listening on 127.0.0.1:8000"),
    (
        ("checkpoint", {"id": 4, "pid": 1, "at": f"{CWD}/a.py:7", "kind": "hot"}),
        2,
        "checkpoint 4 (hot) at a.py:7",
    ),
    (
        ("refresh", {"files": [f"{CWD}/a.css"], "by": "browser"}),
        0,
        "a.css: refreshed (browser)",
    ),
    (("exit", {"signal": 15}), 1, "the program was ended by SIGTERM"),
    (("exit", {"signal": 11}), -1, "the program was ended by SIGSEGV"),
]


def test_an_error_is_said_below_its_traceback_also_when_quiet() -> None:
    """The program prints the traceback as it ends: the line comes after that, at the exit."""
    error = ("error", {"type": "E", "message": "m"})
    assert told(error, verbosity=-1) == []
    assert told(error, FAILED, verbosity=-1) == ["E: m · waiting for a change"]
    assert told(error, ("exit", {"code": 1, "then": "end"})) == ["E: m"]


@pytest.mark.parametrize(("event", "level", "line"), QUIET_ONES)
def test_each_line_has_its_level(event: Event, level: int, line: str) -> None:
    for verbosity in (-1, 0, 1, 2):
        expected = [line] if verbosity >= level else []
        assert told(event, verbosity=verbosity) == expected


def test_quiet_says_nothing_of_a_generation_that_came_up() -> None:
    assert told(start("cold", f"{CWD}/a.py"), ready(1), verbosity=-1) == []


def test_an_event_of_a_later_version_is_passed_over() -> None:
    assert told(("from_the_future", {"x": 1}), verbosity=2) == []


# ── streams ──────────────────────────────────────────────────────────────────────────────────────


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error
        self.tried = 0

    def write(self, text: str) -> int:
        self.tried += 1
        raise self.error

    def flush(self) -> None:
        raise self.error

    def isatty(self) -> bool:
        raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed"), BlockingIOError()])
def test_a_stream_that_is_gone_is_no_trouble(error: Exception) -> None:
    stream = Broken(error)
    Report(stream, environ={}).message("hello")
    assert stream.tried == 1
    Report(None, environ={}).message("hello")


def test_a_closed_file_is_no_trouble() -> None:
    stream = io.StringIO()
    stream.close()
    Report(stream, environ={}).message("hello")


def test_an_ascii_stream_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    report = Report(stream, environ={}, cwd=CWD)
    report.event("start", 2, gear="replay", changed=[f"{CWD}/é.py"], checkpoint=1)
    report.event("ready", 2, ms=5)
    assert raw.getvalue() == b"refork  \\xe9.py -> replay from checkpoint 1 - 5 ms\n"


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\033[2Jb", "a\udc80b", "a\u202eb"])
def test_a_name_cannot_leave_its_line(name: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors="strict")
    Report(stream, environ={}).message(name)
    text = raw.getvalue().decode("utf-8")
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "xterm"}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_when_there_is_colour(environ: dict[str, str], terminal: bool, expected: bool) -> None:
    stream = Terminal() if terminal else io.StringIO()
    assert wants_colour(stream, environ) is expected
    Report(stream, environ=environ).message("hello")
    assert ("\033[" in stream.getvalue()) is expected


def test_without_a_usable_stream_there_is_no_colour() -> None:
    assert not wants_colour(Broken(ValueError("closed")), {})
    assert not wants_colour(None, {})


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (20.6, "21 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (2100, "2.1 s"),
        (59_949, "59.9 s"),
        (59_951, "1 min 0 s"),
        (65_000, "1 min 5 s"),
    ],
)
def test_duration(ms: float, text: str) -> None:
    assert duration(ms) == text


def test_the_bus_sends_to_both_and_tells_once_that_the_log_broke() -> None:
    stream = io.StringIO()
    log = EventLog(None)
    bus = Bus(log, Report(stream, -1, environ={}))
    log.failure = "/x: No space left on device: no more events are written"
    bus.emit("error", 1, type="E", message="m")
    bus.emit("ready", 1, ms=3)
    bus.emit("exit", 1, code=1, then="wait")
    bus.close()
    bus.close()
    assert stream.getvalue() == (
        "refork  /x: No space left on device: no more events are written\n"
        "refork  E: m · waiting for a change\n"
    )
