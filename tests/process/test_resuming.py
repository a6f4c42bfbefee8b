"""Resumed again and again: every answer is the new code's, and nothing piles up.

``RESUMES`` sets how many times (default: as many as fit into an ordinary run).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live, descriptors
from support.waiting import passed, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need Linux")

TIMES = int(os.environ.get("RESUMES", "120"))
MB = 1 << 20
MOST = 6 * MB
"""What any process may hold more at the end than after the first third: allocators are not exact."""

ENTRY = """import time
import early
import late
import json, string, decimal
print("up", early.V, late.V, late.answer(), {number}, flush=True)
time.sleep(600)
"""


def numbered(round_: int) -> dict[str, str]:
    """The three files, one of which differs from the round before: statement, body, bottom of the script."""
    early, late, entry = (round_ + 2) // 3, (round_ + 1) // 3, round_ // 3
    filler = "".join(f"x{n} = {n}\n" for n in range(400))
    return {
        "early.py": f"V = {early}\n{filler}",
        "late.py": f"V = 1\n{filler}\ndef answer():\n    return {late}\n",
        "x.py": ENTRY.format(number=entry),
    }


def shown(round_: int) -> str:
    return f"up {(round_ + 2) // 3} 1 {(round_ + 1) // 3} {round_ // 3}"


def private(pid: int) -> int:
    """Bytes that this process alone holds; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Private_")
    )


def rests(live: Live) -> dict[int, int]:
    """Wait until what was dismissed is gone; return descriptors by process."""
    counts: list[int] = []

    def same() -> bool:
        counts.append(len(live.processes()))
        return len(counts) > 20 and len(set(counts[-20:])) == 1

    wait_for(same, 20, "no process comes or goes")
    return {pid: descriptors(pid) for pid in live.processes()}


@pytest.mark.timeout(60 + TIMES)
def test_thousands_of_resumes_leave_nothing(folder: Path, start: Start) -> None:
    for name, text in numbered(0).items():
        (folder / name).write_text(text)
    live = start("x.py")
    live.says(shown(0))
    first: dict[int, int] = {}
    held: dict[int, int] = {}
    before = numbered(0)
    for round_ in range(1, TIMES + 1):
        now = numbered(round_)
        for name in now:
            if now[name] != before[name]:
                live.save(name, now[name])
        before = now
        live.says(shown(round_), timeout=20)
        if round_ == TIMES // 3 // 3 * 3:
            first = rests(live)
            held = {pid: private(pid) for pid in first}
    last = rests(live)
    gears = [event["gear"] for event in live.all("start")]
    assert gears.count("cold") <= 1 + TIMES // 100, live.all("start", gear="cold")
    assert {"graft", "replay"} <= set(gears)
    assert abs(len(last) - len(first)) <= 2
    assert max(last.values()) <= max(first.values()) + 2
    supervisor = live.process.pid
    assert last[supervisor] - first[supervisor] <= 4 * (abs(len(last) - len(first)) + 1)
    for pid in set(first) & set(last):  # the supervisor, the root, the checkpoints that stayed
        assert private(pid) - held[pid] < MOST, (pid, supervisor)


SLOW = """import time
print("begun", {number}, flush=True)
import late
time.sleep({seconds})
print("up", {number}, flush=True)
time.sleep(600)
"""


def slow(folder: Path, start: Start) -> Live:
    """A program that is still loading."""
    (folder / "late.py").write_text("V = 1\n")
    (folder / "x.py").write_text(SLOW.format(number=1, seconds=600))
    live = start("x.py")
    live.says("begun 1")
    return live


def test_a_program_killed_while_it_loads(folder: Path, start: Start) -> None:
    (folder / "late.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    (folder / "x.py").write_text(SLOW.format(number=1, seconds=0))
    live = start("x.py")
    assert live.exit(1)["signal"] == signal.SIGKILL
    live.save("late.py", "V = 1\n")
    live.says("up 1")


@pytest.mark.parametrize("whose", ["all checkpoints", "the root", "all but the supervisor"])
def test_killed_while_a_resumed_program_loads(folder: Path, start: Start, whose: str) -> None:
    live = slow(folder, start)
    live.save("x.py", SLOW.format(number=2, seconds=600))
    live.says("begun 2")
    live.start(2)
    root = next(pid for pid in live.processes() if parent(pid) == live.process.pid)
    checkpoints = [event["pid"] for event in live.all("checkpoint")]
    others = [pid for pid in live.processes() if pid != live.process.pid]
    chosen = {"all checkpoints": checkpoints, "the root": [root]}.get(whose, others)
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    live.save("x.py", SLOW.format(number=3, seconds=0))
    live.says("up 3", timeout=20)
    assert live.all("start")[-1]["reason"]
    live.save("x.py", SLOW.format(number=4, seconds=0))
    live.says("up 4", timeout=20)


def test_a_checkpoint_killed_at_the_moment_of_a_save(folder: Path, start: Start) -> None:
    """Whether it is gone before the resume, during it, or after: the new code runs."""
    live = slow(folder, start)
    live.wait(lambda: live.all("checkpoint"), 10, "a checkpoint")
    for number in range(2, 14):
        deepest = live.all("checkpoint")[-1]["pid"]
        live.save("x.py", SLOW.format(number=number, seconds=0))
        wait_for(partial(passed, time.monotonic() + number * 0.0007))
        with contextlib.suppress(ProcessLookupError):
            os.kill(deepest, signal.SIGKILL)
        live.says(f"up {number}", timeout=20)


def test_a_supervisor_that_was_stopped_for_a_while(folder: Path, start: Start) -> None:
    """The program fills its channel, and goes on when somebody reads again; a save meanwhile is not lost."""
    for number in range(300):
        (folder / f"m{number}.py").write_text(f"V = {number}\n")
    imports = "".join(f"import m{number}\n" for number in range(300))
    (folder / "x.py").write_text(f"{imports}print('up', m7.V, flush=True)\n")
    live = start("x.py")
    live.says("up 7")
    live.exit(1)
    live.save("m3.py", "V = 33\n")
    os.kill(live.process.pid, signal.SIGSTOP)
    live.save("m7.py", "V = 77\n")
    os.kill(live.process.pid, signal.SIGCONT)
    live.says("up 77", timeout=20)


def parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])
    return 0


PROBES = """
import socket
kept = bytearray(b"x") * (200 << 20)
def probe():
    socket.socket().close()
for number in range(4):
    __import__(f"part{number}")
    probe()
print("up", flush=True)
"""


def test_a_probe_that_is_over_at_once_is_no_brink_again(folder: Path, start: Start) -> None:
    """A fork of a large process costs tens of milliseconds, and libraries try sockets and databases out."""
    (folder / "x.py").write_text(PROBES)
    for number in range(4):
        (folder / f"part{number}.py").write_text("")
    live = start("x.py")
    live.says("up")
    assert 1 <= len(live.all("checkpoint", kind="brink")) <= 2, (
        "the next one finds the first undone"
    )


def test_what_urllib3_tries_when_it_is_imported_is_no_brink(folder: Path, start: Start) -> None:
    pytest.importorskip("urllib3")
    (folder / "x.py").write_text("import urllib3\nprint('up', flush=True)\n")
    live = start("x.py")
    live.says("up")
    live.exit(1)
    assert not live.all("checkpoint", kind="brink")


COLLECTING = """import hot
import gc
gc.collect()
print("up", hot.V, flush=True)
import socket
held = socket.create_server(("127.0.0.1", 0))
print("serves", hot.V, flush=True)
import time
time.sleep(600)
"""


def test_a_full_collection_on_the_way_is_made_once_and_before(folder: Path, start: Start) -> None:
    """It copies what is shared with the checkpoint: the next replay makes it first, and parks once more then."""
    (folder / "x.py").write_text(COLLECTING)
    (folder / "hot.py").write_text("V = 1\n")
    live = start("x.py")
    live.event("listening", generation=1)
    taken = []
    for number in range(2, 6):
        live.save("hot.py", f"V = {number}\n")
        live.says(f"up {number}")
        live.event("listening", generation=number)
        live.says(
            f"serves {number}"
        )  # it tells of the collection after it has told that it listens
        taken.append(live.start(number)["checkpoint"])
    before = [one for one in live.all("checkpoint") if one["at"].endswith("hot.py:0")]
    assert len(before) == 2, "the place is hot, and parked at once more"
    first, second = (one["id"] for one in before)
    assert taken[-3:] == [first, second, second], "and from then on the second one serves"
    assert [one["id"] for one in live.all("dismiss")] == [first]
