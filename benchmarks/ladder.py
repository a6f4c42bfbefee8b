"""The checkpoints of a generated project once it serves: where they stand, what memory they hold.

python -m benchmarks.ladder --size 1000
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import projects
from benchmarks.served import end_on_sigterm, private_bytes, proportional_bytes
from benchmarks.tools import TOOLS, launch


def main() -> int:
    """Start, look, print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ladder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--size", type=int, default=1000, help="own modules of the project (1000)")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="refork-ladder-") as name:
        folder = Path(name)
        project = projects.generate(folder / "project", options.size)
        with launch(TOOLS["refork"], project.folder, folder) as server:
            module = project.place("last")
            server.first_answer(f"/probe/{module}", module)
            time.sleep(3)  # for what is done in the background after a start
            events = server.new_events()
            show([event for event in events if event["event"] == "checkpoint"], project.folder)
            pids = server.pids()
            total = sum(map(proportional_bytes, pids))
            print(
                f"\n{len(pids)} processes hold {total >> 20} MB (PSS), supervisor and program too"
            )
    return 0


def show(checkpoints: list[dict[str, Any]], project: Path) -> None:
    """A table of the checkpoints that are still there."""
    print("| checkpoint | kind | at | seconds after the first | private |")
    print("|--:|---|---|--:|--:|")
    first = checkpoints[0]["t"] if checkpoints else 0.0
    for event in checkpoints:
        if not os.path.exists(f"/proc/{event['pid']}"):
            continue
        at = event["at"].replace(f"{project}/", "")
        at = at.rpartition("site-packages/")[2].rpartition("lib/python")[2]
        held = private_bytes(event["pid"]) / 2**20
        print(
            f"| {event['id']} | {event['kind']} | {at} | {event['t'] - first:.2f} | {held:.1f} MB |"
        )


if __name__ == "__main__":
    sys.exit(main())
