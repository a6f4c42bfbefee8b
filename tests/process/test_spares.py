"""A spare: what is forked ahead of an edit is as good as what is forked for it, and no more than one is kept."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live, children
from support.waiting import passed, wait_for

SHOP = """\
def answer():
    return 1
"""

ENTRY = """\
import shop
print("up", flush=True)
print("answer", shop.answer(), flush=True)
import time
time.sleep(600)
"""


def spares(live: Live) -> set[int]:
    """Processes that are neither the supervisor, its root, the program nor a checkpoint."""
    ended = {event["id"] for event in live.all("dismiss")}
    parked = {event["pid"] for event in live.all("checkpoint") if event["id"] not in ended}
    program = live.all("start")[-1]["pid"]
    going = {event["pid"] for event in live.all("ready")[-1:]}
    root = set(children(live.process.pid))
    return set(live.processes()) - {live.process.pid, program} - parked - root - going


def spare_of(live: Live) -> int:
    """The pid of the spare, as soon as there is just one."""
    return another_than(set(), live)


def another_than(others: set[int], live: Live) -> int:
    """The pid of the spare, as soon as there is just one, and none of these."""
    found: set[int] = set()

    def look() -> bool:
        found.clear()
        found.update(spares(live))
        return len(found) == 1 and not found & others

    live.wait(look, 15, "one spare")
    return found.pop()


@pytest.fixture
def live(folder: Path, start: Start) -> Live:
    """A program that has answered, with a spare beside it that will not be made anew soon."""
    (folder / "shop.py").write_text(SHOP)
    (folder / "entry.py").write_text(ENTRY)
    live = start("entry.py")
    live.says("answer 1")
    settled(live)
    return live


def settled(live: Live) -> None:
    """The first look at the memory, for which the spare is made anew, is over."""
    another_than({spare_of(live)}, live)


def body(live: Live, number: int) -> None:
    live.save("shop.py", SHOP.replace("return 1", f"return {number}"))
    live.says(f"answer {number}")


def test_a_graft_goes_into_it(live: Live) -> None:
    spare = spare_of(live)
    body(live, 2)
    assert live.start(2)["gear"] == "graft"
    assert live.start(2)["pid"] == spare
    assert spare_of(live) != spare


def test_a_replay_goes_on_in_it(live: Live) -> None:
    """Where the deepest checkpoint is good for the edit."""
    spare = spare_of(live)
    live.save("entry.py", ENTRY.replace('"answer", shop', '"now", shop'))
    live.says("now 1")
    assert live.start(2)["gear"] == "replay"
    assert live.start(2)["pid"] == spare


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGINT])
def test_whatever_becomes_of_it(live: Live, number: int) -> None:
    """Killed it is not there, stopped it is woken; other signals were not for the program it will be."""
    spare = spare_of(live)
    os.kill(spare, number)
    body(live, 2)
    assert (live.start(2)["pid"] == spare) == (number != signal.SIGKILL)
    assert live.start(2)["gear"] == "graft"
    body(live, 3)
    assert not live.all("error")
    assert not live.all("exit")


def test_killed_at_the_moment_of_a_save(live: Live) -> None:
    for number in range(2, 12):
        spare = spare_of(live)
        live.save("shop.py", SHOP.replace("return 1", f"return {number}"))
        wait_for(partial(passed, time.monotonic() + number * 0.001))
        with contextlib.suppress(ProcessLookupError):
            os.kill(spare, signal.SIGKILL)
        # killed after it was let go it was the program: that is an end, and the next save starts it again
        live.wait(partial(answered, live, number), 10, "an answer, or an end")
        if live.all("exit"):
            return


def answered(live: Live, number: int) -> bool:
    return f"answer {number}" in live.out or bool(live.all("exit"))


def test_never_more_than_one(live: Live) -> None:
    count = len(live.processes())
    for number in range(2, 12):
        body(live, number)
        if number % 3 == 0:
            live.save("entry.py", ENTRY + f"# {number}\nprint({number})\n")
            live.start(len(live.all("start")))
    spare_of(live)
    assert len(live.processes()) <= count + 1


def test_an_open_file_is_read_from_where_it_was(folder: Path, start: Start) -> None:
    """The place in a file is each process's own."""
    (folder / "data.txt").write_text("one\ntwo\nthree\n")
    (folder / "shop.py").write_text(SHOP)
    (folder / "entry.py").write_text(
        "import os, time\nimport shop\nfile = os.open('data.txt', os.O_RDONLY)\nos.read(file, 4)\nprint('up')\n"
        "print('answer', shop.answer(), os.read(file, 3).decode(), flush=True)\ntime.sleep(600)\n"
    )
    live = start("entry.py")
    live.says("answer 1 two")
    settled(live)
    for number in (2, 3):
        live.save("shop.py", SHOP.replace("return 1", f"return {number}"))
        live.says(f"answer {number} two")
