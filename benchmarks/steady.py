"""What a request costs once the program serves: plain runserver beside refork.

    python -m benchmarks.steady --requests 500

The tools are asked in turn, a block of requests at a time, each request on a new connection.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks import projects
from benchmarks.answers import ask
from benchmarks.served import Served, end_on_sigterm
from benchmarks.tools import chosen, launch

BLOCK = 50


def block(server: Served, path: str) -> list[float]:
    """Milliseconds of each of a block of requests."""
    times = []
    for _ in range(BLOCK):
        began = time.perf_counter()
        if ask(server.port, path).status != 200:
            raise SystemExit(f"no answer from {' '.join(server.command)}")
        times.append((time.perf_counter() - began) * 1000)
    return times


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steady",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=100, help="own modules of the project (100)")
    parser.add_argument("--requests", type=int, default=500, help="to each tool (500)")
    parser.add_argument("--tools", default="runserver,refork")
    options = parser.parse_args()
    end_on_sigterm()
    times: dict[str, list[float]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="refork-steady-")))
        servers = {}
        for tool in chosen(options.tools):
            work = folder / tool.name
            project = projects.generate(work / "project", options.size)
            path = f"/probe/{project.place('last')}"
            servers[tool.name] = stack.enter_context(launch(tool, project.folder, work))
            servers[tool.name].first_answer(path, project.place("last"))
        for _ in range(0, options.requests, BLOCK):
            for name, server in servers.items():
                times.setdefault(name, []).extend(block(server, path))
    print("| a request | median | best |\n|---|--:|--:|")
    for name, found in times.items():
        print(f"| {name} | {median(found):.2f} ms | {min(found):.2f} ms |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
