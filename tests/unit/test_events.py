"""The `--events` file."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from refork.errors import UsageError
from refork.events import EventLog

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="named pipes and /dev")


def test_each_event_is_a_line_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = EventLog(str(path))
    before = time.monotonic()
    log.emit("start", 1, action="restart", changed=(), checkpoint=None)
    log.emit("change", 1, files={"/b", "/a"})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    log.close()
    assert before <= lines[0].pop("t") <= lines[1].pop("t") <= time.monotonic()
    assert lines == [
        {
            "event": "start",
            "generation": 1,
            "action": "restart",
            "changed": [],
            "checkpoint": None,
        },
        {"event": "change", "generation": 1, "files": ["/a", "/b"]},
    ]


def test_what_was_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("before\n")
    log = EventLog(str(path))
    log.emit("ready", 1, ms=2.5)
    log.close()
    assert path.read_text().startswith("before\n{")


def test_names_that_are_no_text_and_paths_are_written(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = EventLog(str(path))
    log.emit("change", 1, files=["a\udc80\n", tmp_path])
    log.close()
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line)["files"] == ["a\udc80\n", str(tmp_path)]


def test_a_value_that_nobody_could_read_back_is_a_mistake(tmp_path: Path) -> None:
    log = EventLog(str(tmp_path / "log.jsonl"))
    with pytest.raises(TypeError, match="cannot hold"):
        log.emit("change", 1, files=object())
    log.close()


def test_without_a_path_nothing_happens() -> None:
    log = EventLog(None)
    log.emit("change", 1, files=object())
    log.close()
    log.close()


def test_closing_gives_the_descriptor_back(tmp_path: Path) -> None:
    spare = os.dup(0)
    os.close(spare)
    log = EventLog(str(tmp_path / "log.jsonl"))
    log.close()
    log.close()
    again = os.dup(0)
    os.close(again)
    assert again == spare


@pytest.mark.parametrize("name", ["missing/log", ".", "a\0b", "\ud800"])
def test_a_path_that_cannot_be_written_is_a_usage_error(tmp_path: Path, name: str) -> None:
    path = os.path.join(str(tmp_path), name)
    with pytest.raises(UsageError) as caught:
        EventLog(path)
    assert str(caught.value).startswith("--events ")
    assert "\n" not in str(caught.value)
    assert "\0" not in str(caught.value)


@POSIX
def test_a_pipe_that_nobody_reads_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="No such device"):
        EventLog(str(pipe))


@POSIX
def test_a_reader_that_sleeps_loses_events_and_one_that_left_ends_the_log(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = EventLog(str(pipe))
    for _ in range(200):
        log.emit("change", 1, files=["x" * 1000])
    assert log.failure is None
    os.close(reader)
    log.emit("ready", 1, ms=1)
    assert log.failure is not None
    assert str(pipe) in log.failure
    log.failure = None
    log.emit("ready", 1, ms=1)
    assert log.failure is None
    log.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_ends_the_log() -> None:
    log = EventLog("/dev/full")
    log.emit("ready", 1, ms=1)
    assert log.failure == "/dev/full: No space left on device: no more events are written"
    log.close()
