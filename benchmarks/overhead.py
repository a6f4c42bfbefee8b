"""What refork costs before anything was edited: the first start, and its part of the program.

    python -m benchmarks.overhead

First start: the same program run to its end by plain python and by refork, in turn; once the whole
command from outside (with the supervisor's own start in it) and once what the program itself
measures from its first line to its last. Its part: names that sys.modules holds and anonymous
memory, of a program that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import projects
from benchmarks.tools import BIN, SETTINGS
from demo.site import create

PLAIN = (sys.executable,)
REFORK = (str(BIN / "refork"), "-q", "--on-exit", "follow")
WAYS = {
    "plain python": PLAIN,
    "refork --strategy restart": (*REFORK, "--strategy", "restart"),
    "refork": REFORK,
}

EMPTY = """
import sys
names = sorted(sys.modules)
import json
status = open("/proc/self/status").read()
memory = int(status.partition("RssAnon:")[2].split()[0])
print(json.dumps({"seconds": 0.0, "modules": names, "memory": memory}))
"""

LOADING = """
import time
began = time.perf_counter()
import json
import django
django.setup()
import {urls}
from django.core.checks import run_checks
run_checks()
print(json.dumps({{"seconds": time.perf_counter() - began}}))
"""


@dataclass(frozen=True)
class Program:
    """A script to be started, and the settings it names to Django."""

    name: str
    script: Path
    settings: str = ""


def run(command: tuple[str, ...], program: Program) -> dict[str, Any]:
    """Run a script that prints one JSON object last; that object with "wall" and "cpu" seconds.

    CPU is that of the command and everything it has waited for.
    """
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": program.settings}
    with tempfile.TemporaryFile("w+") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [*command, program.script.name],
            cwd=program.script.parent,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} ended with {process.returncode}")
        output.seek(0)
        said = json.loads(output.read().splitlines()[-1])
    return {**said, "wall": wall, "cpu": used.ru_utime + used.ru_stime}


def alternate(program: Program, repeat: int) -> dict[str, dict[str, list[float]]]:
    """Sorted seconds of each way to run a program, in turn after one warm-up."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(repeat + 1):
        for way, command in WAYS.items():
            result = run(command, program)
            if number:
                runs[way].append(result)
    return {
        way: {key: sorted(result[key] for result in results) for key in ("wall", "cpu", "seconds")}
        for way, results in runs.items()
    }


def starts(folder: Path, sizes: list[int], repeat: int) -> None:
    """Print how much longer the first start takes, and what it uses: the median, and the best in brackets."""
    print("| first start, median (best) | way | command | CPU | inside the program | more |")
    print("|---|---|--:|--:|--:|--:|")
    for program in _programs(folder, sizes):
        times = alternate(program, repeat)
        plain = times["plain python"]["seconds"]
        for way, taken in times.items():
            cells = [_shown(taken[key]) for key in ("wall", "cpu", "seconds")]
            more = _more(taken["seconds"], plain) if plain[0] and way != "plain python" else "-"
            print(f"| {program.name} | {way} | {' | '.join(cells)} | {more} |", flush=True)


def _shown(seconds: list[float]) -> str:
    median, best = statistics.median(seconds) * 1000, seconds[0] * 1000
    return f"{median:,.0f} ms ({best:,.0f})" if median else "-"


def _more(ours: list[float], plain: list[float]) -> str:
    median = statistics.median(ours) / statistics.median(plain) - 1
    return f"{median:+.1%} ({ours[0] / plain[0] - 1:+.1%})"


def _programs(folder: Path, sizes: list[int]) -> Iterator[Program]:
    yield _empty(folder)
    for size in sizes:
        project = projects.generate(folder / f"project{size}", size).folder
        name = f"Django, {size:,} own modules, with checks"
        yield Program(name, _loading(project, "config.urls"), SETTINGS)
    if not (BIN / "wagtail").exists():
        print("Wagtail is not installed: left out", file=sys.stderr)
        return
    site = create(folder / "wagtail")
    script = _loading(site, "mysite.urls")
    yield Program("Wagtail's starter, with checks", script, "mysite.settings.dev")


def _empty(folder: Path) -> Program:
    script = folder / "empty.py"
    script.write_text(EMPTY)
    return Program("an empty script", script)


def _loading(folder: Path, urls: str) -> Path:
    script = folder / "loading.py"
    script.write_text(LOADING.format(urls=urls))
    return script


def part(folder: Path) -> None:
    """Print what refork adds to a program that does nothing else."""
    program = _empty(folder)
    plain, ours = run(PLAIN, program), run(REFORK, program)
    added = sorted(set(ours["modules"]) - set(plain["modules"]))
    own = [name for name in added if name.split(".")[0] == "refork"]
    others = [name for name in added if name not in own]
    print(f"\n{len(own)} names of refork's own in sys.modules: {', '.join(own)}")
    print(f"{len(others)} others that plain python had not loaded: {', '.join(others) or '-'}")
    gone = sorted(set(plain["modules"]) - set(ours["modules"]))
    print(f"missing that plain python has: {', '.join(gone) or '-'}")
    more = ours["memory"] - plain["memory"]
    print(f"anonymous memory: {plain['memory']:,} kB plain, {ours['memory']:,} kB ({more:+,} kB)")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overhead",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", default="100,1000", help="own modules of the projects")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each (7)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="refork-overhead-") as folder:
        starts(Path(folder), [int(size) for size in options.sizes.split(",")], options.repeat)
        part(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
