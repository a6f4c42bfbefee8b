"""How soon a save is seen, and what waiting for it costs: refork's back-ends beside the libraries.

    python -m benchmarks.watch --directories 5000

The delay counts from the moment the saving process has closed the file until the listening process
has read the clock, its own wake-up included. The CPU time is that of all threads. What is not
installed is left out; Watchman has to run already (`watchman version` starts it).
"""

from __future__ import annotations

import argparse
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.listeners import LISTENERS, SAVED, installed

DEAF = 3.0
"""Seconds after which a save counts as never seen."""

WIDTH = 50
"""Directories in a directory."""


@dataclass(frozen=True)
class Measured:
    """One listener: milliseconds until it listens, delays in milliseconds, share of a core."""

    ready: float
    delays: list[float]
    idle: float

    def delay(self, share: float) -> float:
        """The delay that *share* of the saves do not exceed."""
        return self.delays[round(share * (len(self.delays) - 1))]


def plant(top: Path, count: int) -> list[Path]:
    """*count* directories in *top*, with a file each."""
    files = []
    for n in range(count):
        folder = top / f"package{n // WIDTH}" / f"sub{n % WIDTH}"
        folder.mkdir(parents=True)
        files.append(folder / SAVED)
        files[-1].write_text("x = 1\n")
    return files


@contextmanager
def listening(name: str, top: Path) -> Iterator[tuple[int, IO[str]]]:
    """The process id of a listener and what it says."""
    command = [sys.executable, "-m", "benchmarks.listeners", name, str(top)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.pid, process.stdout
        finally:
            process.kill()


def cpu_seconds(pid: int) -> float:
    """Of all its threads, to the nanosecond (proc_pid_schedstat(5))."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(name: str, top: Path, files: list[Path], saves: int, seconds: float) -> Measured:
    """Let *name* listen, save, and wait."""
    with listening(name, top) as (pid, said):
        line = said.readline()
        if not line.strip().replace(".", "").isdigit():
            raise SystemExit(f"{name} does not listen: {line.strip()}")
        time.sleep(1)  # what starting leaves to be done in the background is not idling
        before = cpu_seconds(pid)
        time.sleep(seconds)
        idle = (cpu_seconds(pid) - before) / seconds
        delays = [_save(files[n * 37 % len(files)], said) for n in range(saves)]
    return Measured(float(line), sorted(delays), idle)


def _save(file: Path, said: IO[str]) -> float:
    """Milliseconds until *file*'s saving was seen; infinitely many if it is not."""
    time.sleep(0.1)  # saves of a person, not of a machine
    while _heard(said, 0):
        pass  # of the last one, once more
    file.write_text("x = 2\n")
    saved = time.monotonic()
    stamps = _heard(said, DEAF)
    return (stamps[0] - saved) * 1000 if stamps else math.inf


def _heard(said: IO[str], patience: float) -> list[float]:
    """The readings of the clock in what was *said*."""
    if not select.select([said], [], [], patience)[0]:
        return []
    return [float(stamp) for stamp in os.read(said.fileno(), 65536).split()]


def _said(delay: float) -> str:
    return "never" if delay == math.inf else f"{delay:.2f} ms"


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.watch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--directories", type=int, default=5000, help="how many (5000)")
    parser.add_argument("--saves", type=int, default=50, help="how many for each (50)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to idle (20)")
    parser.add_argument("--only", default=",".join(LISTENERS), help="names, with commas between")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refork-watch-") as folder:
        top = Path(folder) / "project"
        files = plant(top, options.directories)
        print(f"| {options.directories:,} directories | ready after | seen after | 95 % | idle |")
        print("|---|--:|--:|--:|--:|")
        for name in filter(installed, options.only.split(",")):
            got = measure(name, top, files, options.saves, options.seconds)
            print(
                f"| {name} | {got.ready:.0f} ms | {_said(got.delay(0.5))} "
                f"| {_said(got.delay(0.95))} | {got.idle:.2%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
