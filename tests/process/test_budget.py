"""The ladder within its budget: what goes, what stays, and that nobody else is harmed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live, alive, descendants, state
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need Linux")

MB = 1 << 20
BUFFER = 8 * MB


def project(folder: Path, modules: int, size: int = BUFFER) -> None:
    """A program whose every module takes a checkpoint and changes what the one before changed.

    The files are old, so that no checkpoint is taken for one that may be edited next.
    """
    names = [f"part_{number}" for number in range(modules)]
    texts = {
        name: f"import refork, memory\nrefork.checkpoint()\nmemory.change({number % 256})\nV = 0\n"
        for number, name in enumerate(names)
    }
    texts["memory"] = (
        f"buffer = bytearray({size})\ndef change(value):\n    buffer[:] = bytes([value]) * {size}\n"
    )
    texts["app"] = (
        "".join(f"import {name}\n" for name in names)
        + f"print('up', sum(m.V for m in ({', '.join(names)},)), flush=True)\n"
        + "import time\ntime.sleep(600)\n"
    )
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
        os.utime(folder / f"{name}.py", (1e9, 1e9))


def private(pid: int) -> int:
    """Bytes that only this process holds; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def settled(live: Live, count: int) -> None:
    """Wait until that many checkpoints have been let go, and are gone without a trace."""
    live.wait(lambda: len(live.all("dismiss")) >= count, 10, f"{count} dismissed")
    gone = [event["pid"] for event in live.all("dismiss")]
    wait_for(lambda: not any(state(pid) for pid in gone), what="they were waited for")


def left(live: Live) -> dict[int, int]:
    """The checkpoints that were not let go, with their pids."""
    gone = {event["id"] for event in live.all("dismiss")}
    return {e["id"]: e["pid"] for e in live.all("checkpoint") if e["id"] not in gone}


def test_what_is_too_much_goes_and_the_rest_lives_on(folder: Path, start: Start) -> None:
    project(folder, modules=6)
    live = start("app.py", options=["--memory-budget", "36"])
    pid = live.event("ready")["pid"]
    taken = {event["id"]: event["pid"] for event in live.all("checkpoint")}
    assert sum(map(private, taken.values())) > 36 * MB
    settled(live, 1)
    wait_for(lambda: sum(map(private, left(live).values())) <= 36 * MB, what="within the budget")
    assert {event["reason"] for event in live.all("dismiss")} == {"the memory budget"}
    kept = left(live)
    assert 1 < len(kept) < len(taken)
    assert max(taken) in kept
    assert all(alive(one) for one in [pid, *kept.values()])
    assert live.lines == ["up 0"]


def test_with_room_nothing_goes(folder: Path, start: Start) -> None:
    project(folder, modules=4)
    live = start("app.py", options=["--memory-budget", "4000"])
    live.event("ready")
    seen = time.monotonic() + 2
    live.wait(lambda: time.monotonic() > seen, 5, "a look at the memory")
    assert live.all("dismiss") == []


def test_no_budget_takes_the_deepest(folder: Path, start: Start) -> None:
    project(folder, modules=4)
    live = start("app.py", options=["--memory-budget", "1"])
    live.event("ready")
    taken = [event["id"] for event in live.all("checkpoint")]
    settled(live, len(taken) - 1)
    assert list(left(live)) == [max(taken)]
    live.save("part_3.py", "V = 5\n")
    live.says("up 5")
    assert live.start(2)["gear"] == "cold"


def test_edits_after_thinning_resume_from_what_is_left(folder: Path, start: Start) -> None:
    project(folder, modules=6)
    live = start("app.py", options=["--memory-budget", "36"])
    live.event("ready")
    settled(live, 1)
    kept, last = left(live), live.all("dismiss")[-1]["id"]
    live.save("part_5.py", "V = 5\n")
    live.says("up 5")
    done = live.start(2)
    assert (done["gear"], done["checkpoint"] in kept) == ("replay", True)
    assert done["checkpoint"] <= max(kept)
    live.event("ready", generation=2)
    live.save("part_0.py", "V = 1\n")
    live.says("up 6")
    live.save("app.py", (folder / "app.py").read_text().replace("'up'", "'on'"))
    live.says("on 6")
    assert last not in [event["checkpoint"] for event in live.all("start")]


def test_the_program_ends_and_is_waited_for(folder: Path, start: Start) -> None:
    project(folder, modules=5)
    text = (folder / "app.py").read_text().replace("time.sleep(600)", "time.sleep(4)\nexit(7)")
    (folder / "app.py").write_text(text)
    os.utime(folder / "app.py", (1e9, 1e9))
    live = start("app.py", options=["--memory-budget", "20", "--on-exit", "follow"])
    live.event("ready")
    settled(live, 1)
    assert live.code() == 7


def test_kill_9_of_the_supervisor_leaves_none(folder: Path, start: Start) -> None:
    project(folder, modules=5)
    live = start("app.py", options=["--memory-budget", "20"])
    live.event("ready")
    settled(live, 1)
    live.process.kill()
    live.gone(timeout=3)


def test_a_long_first_start_keeps_a_bounded_number(folder: Path, start: Start) -> None:
    project(folder, modules=75, size=4096)
    live = start("app.py")
    live.event("ready", timeout=40)
    assert len(live.all("checkpoint")) > 50
    live.wait(lambda: len(left(live)) <= 24, 10, "24 checkpoints at most")
    settled(live, len(live.all("checkpoint")) - 24)
    assert len(descendants(live.process.pid)) <= 24 + 2
    ids = sorted(left(live))
    assert len(ids) <= 24 < max(ids)
    live.save("part_70.py", "V = 3\n")
    live.says("up 3", timeout=20)
    assert live.start(2)["gear"] == "replay"
