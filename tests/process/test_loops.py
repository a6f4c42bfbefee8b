"""Checkpoints within a running asyncio loop: the resumed program goes on in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live import Live

SCRIPT = """
import asyncio, os, signal
import refork

async def other(stop):
    await stop.wait()
    return "woken"

async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, lambda: print("signalled", flush=True))
    stop = asyncio.Event()
    task = loop.create_task(other(stop))
    await asyncio.sleep(0.01)
    print("begins", flush=True)
    assert refork.checkpoint()
    from later import text
    assert asyncio.get_running_loop() is loop
    assert asyncio.current_task() is not None
    assert asyncio.get_event_loop_policy().get_event_loop() is loop
    loop.call_later(0.01, stop.set)
    print(await task, text, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, print, "executed")
    os.kill(os.getpid(), signal.SIGUSR1)
    child = await asyncio.create_subprocess_exec("true")
    print("child", await child.wait(), flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("ends", flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "some.py").write_text(SCRIPT)
    (folder / "later.py").write_text("text = 'text0'\n")
    made = Live(folder, "some.py")
    yield made
    made.close()


def test_a_loop_goes_on(live: Live) -> None:
    live.says("child 0")
    for number in (1, 2):
        live.save("later.py", f"text = 'text{number}'\n")
        live.says(f"woken text{number}")
        live.says("child 0", count=number + 1)
        assert live.start(number + 1)["action"] == "resume"
    live.says("signalled", count=3)
    assert live.lines.count("executed") == 3
    assert live.lines.count("begins") == 1
    assert "Error" not in live.err


def test_a_signal_ends_it_as_ever(live: Live) -> None:
    import os
    import signal

    live.says("child 0")
    live.save("later.py", "text = 'text1'\n")
    live.says("child 0", count=2)
    os.killpg(live.process.pid, signal.SIGINT)
    assert live.code() == 130
    live.says("ends")
