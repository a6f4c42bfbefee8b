"""CPU time that a server uses while nothing happens: plain runserver beside refork, in turn.

    python -m benchmarks.idle --seconds 20

All processes of the tool count, checkpoints too. Memory is the sum of the proportional sizes (PSS).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import projects
from benchmarks.served import end_on_sigterm, proportional_bytes
from benchmarks.tools import Tool, chosen, launch


def idle(tool: Tool, size: int, seconds: float) -> tuple[float, int, int]:
    """CPU seconds used in `seconds`, number of processes, bytes of memory."""
    with tempfile.TemporaryDirectory(prefix="refork-idle-") as folder:
        project = projects.generate(Path(folder) / "project", size)
        with launch(tool, project.folder, Path(folder)) as server:
            module = project.place("last")
            server.first_answer(f"/probe/{module}", module)
            time.sleep(5)  # what a start leaves to be done in the background is not idling
            before = server.cpu_seconds()
            time.sleep(seconds)
            pids = server.pids()
            return server.cpu_seconds() - before, len(pids), sum(map(proportional_bytes, pids))


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.idle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=1000, help="own modules of the project (1000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to look (20)")
    parser.add_argument("--tools", default="runserver,refork")
    options = parser.parse_args()
    end_on_sigterm()
    print(f"| idle for {options.seconds:.0f} s, {options.size:,} modules | CPU | processes | PSS |")
    print("|---|--:|--:|--:|")
    for tool in chosen(options.tools):
        cpu, count, memory = idle(tool, options.size, options.seconds)
        share = cpu / options.seconds
        print(f"| {tool.name} | {cpu * 1000:.0f} ms ({share:.2%}) | {count} | {memory >> 20} MB |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
