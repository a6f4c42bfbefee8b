"""Workers that a program forks load its modules one by one: none of them keeps a text that is not the saved one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from process.conftest import Start

WORKERS = """
import os, time

def work(number):
    while not os.path.exists(f"go{number}"):
        time.sleep(0.01)
    import late
    os.write(1, f"worker {number} has {late.TEXT}\\n".encode())  # in one piece: two write at a time
    time.sleep(600)

for number in (1, 2):
    if os.fork() == 0:
        work(number)
        os._exit(0)
time.sleep(600)
"""


@pytest.mark.parametrize("turn", range(3))
def test_one_that_loads_what_was_just_saved_does_not_hide_the_other(
    folder: Path, start: Start, turn: int
) -> None:
    """The supervisor sleeps meanwhile: it hears of the save and of the second worker at once."""
    (folder / "entry.py").write_text(WORKERS)
    (folder / "late.py").write_text("TEXT = 'one'\n")
    (folder / "go1").touch()
    live = start("entry.py")
    live.says("worker 1 has one")
    os.kill(live.process.pid, signal.SIGSTOP)
    try:
        live.save("late.py", "TEXT = 'two'\n")
        (folder / "go2").touch()
        live.says("worker 2 has two")
    finally:
        os.kill(live.process.pid, signal.SIGCONT)
    live.says("worker 1 has two", timeout=20)
