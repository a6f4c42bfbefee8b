"""What parked processes cost in memory, and whether gc.freeze() before the fork would pay.

    python -m benchmarks.memory [--size 100] [--checkpoints 12]

A generated Django project is loaded in a process that forks, again and again, as refork does: the
parent parks in a blocking read, the child goes on. At the end the private memory of each parked
process is read (smaps_rollup), and how long the forks took. Three ways:

plain      the collector is switched off in the parked process, and nothing else is done
unfrozen   gc.freeze() before the fork, gc.unfreeze() in the child: no side effect is left
frozen     gc.freeze() before the fork, and left so: the program's gc.get_objects() and
           gc.get_freeze_count() would show it, and no cycle among what was frozen is ever freed
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import projects
from benchmarks.tools import SETTINGS

WAYS = ("plain", "unfrozen", "frozen")

PROGRAM = '''
import gc, json, os, sys, time
import importlib.abc

way, most = sys.argv[1], int(sys.argv[2])
parked, forks = [], []

def checkpoint():
    reader, writer = os.pipe()
    began = time.perf_counter()
    if way != "plain":
        gc.freeze()
    child = os.fork()
    if child:
        gc.disable()
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    if way == "unfrozen":
        gc.unfreeze()
    forks.append(time.perf_counter() - began)
    os.close(reader)
    parked.append((os.getppid(), writer))

class Ladder(importlib.abc.MetaPathFinder):
    """A checkpoint each time a module is looked for and enough time has passed."""
    last = time.perf_counter()
    def find_spec(self, name, path, target=None):
        logging = sys.modules.get("logging")
        if getattr(getattr(logging, "_lock", None), "_is_owned", bool)():
            return  # a fork would renew the lock while it is held
        if len(parked) < most and time.perf_counter() - self.last > float(sys.argv[3]):
            checkpoint()
            Ladder.last = time.perf_counter()

sys.meta_path.insert(0, Ladder())
began = time.perf_counter()
import django
django.setup()
import config.urls
from django.core.checks import run_checks
run_checks()
took = time.perf_counter() - began
gc.collect()

def field(pid, names):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names))

print(json.dumps({
    "took": took,
    "forks": forks,
    "private": [field(pid, ("Private_",)) for pid, _writer in parked],
    "pss": [field(pid, ("Pss:",)) for pid, _writer in parked],
    "own": field(os.getpid(), ("Rss:",)),
}), flush=True)
for _pid, writer in reversed(parked):
    os.close(writer)
'''


def run(project: projects.Project, way: str, checkpoints: int, apart: float) -> dict[str, Any]:
    """Load the project once; what the program says of itself."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way, str(checkpoints), str(apart)],
        cwd=project.folder,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": SETTINGS},
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=300,
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def measure(project: projects.Project, checkpoints: int, repeat: int) -> dict[str, dict[str, Any]]:
    """Every way in turn, `repeat` times; the median of each figure."""
    took = run(project, "plain", 0, 0)["took"]
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(repeat):
        for way in WAYS:
            runs[way].append(run(project, way, checkpoints, took / (checkpoints + 1)))
    return {way: summary(said) for way, said in runs.items()}


def summary(said: list[dict[str, Any]]) -> dict[str, Any]:
    middle = statistics.median
    return {
        "count": middle(len(one["private"]) for one in said),
        "private": middle(statistics.mean(one["private"]) / 1024 for one in said),
        "largest": middle(max(one["private"]) / 1024 for one in said),
        "all": middle(sum(one["pss"]) / 1024 for one in said),
        "own": middle(one["own"] / 1024 for one in said),
        "fork": middle(statistics.median(one["forks"]) * 1000 for one in said),
        "took": middle(one["took"] * 1000 for one in said),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.memory")
    parser.add_argument("--size", type=int, default=100, help="own modules of the project")
    parser.add_argument("--checkpoints", type=int, default=12)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refork-bench-") as folder:
        project = projects.generate(Path(folder) / "project", options.size)
        found = measure(project, options.checkpoints, options.repeat)
    print(f"Python {sys.version.split()[0]}, {options.size} own modules, medians\n")
    print(
        "| way | checkpoints | private each, MB | largest, MB | PSS of all, MB | program, MB"
        " | fork, ms | loading, ms |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for way, one in found.items():
        print(
            f"| {way} | {one['count']:.0f} | {one['private']:.1f} | {one['largest']:.1f}"
            f" | {one['all']:.0f} | {one['own']:.0f} | {one['fork']:.1f} | {one['took']:.0f} |"
        )


if __name__ == "__main__":
    main()
