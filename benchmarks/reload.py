"""Save to first new answer, on generated Django projects, with the tools' real command lines.

    python -m benchmarks.reload --sizes 10,100,1000 --tools runserver,refork --json out.json

For every size and tool: the time from the command to the first answer, then edits (a function's
body, a body with lines moved, a class attribute and constant) in the first, a middle and the last
own module in the order of loading, each several times. The first save of a kind is shown apart:
from the second on the place is hot. Every save is written in place, as most editors do, and the
pause before it is random, so that a reloader that looks once a second is met at any moment of it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks import projects
from benchmarks.answers import NotServed, Seen
from benchmarks.projects import Project
from benchmarks.samples import Sample, is_refork, losses, table
from benchmarks.served import Served, end_on_sigterm
from benchmarks.tools import USUAL, Tool, chosen, launch

EDITS: dict[str, Callable[[str, int], tuple[str, str]]] = {
    "body": projects.body_edit,
    "lines": projects.lines_edit,
    "statement": projects.statement_edit,
}
PLACES = ("first", "middle", "last")


class Bench:
    """The measurements on one project with one tool."""

    def __init__(
        self, options: argparse.Namespace, size: int, project: Project, tool: Tool, work: Path
    ) -> None:
        self.options = options
        self.size = size
        self.project = project
        self.tool = tool
        self.work = work
        self.number = 0
        self.random = random.Random(size)

    def run(self) -> Iterator[Sample]:
        """All starts and saves; stops the server at the end."""
        for number in range(self.options.starts - 1):
            with self._server(number) as server:
                yield self._cold(server, number)
        with self._server(self.options.starts) as server:
            yield self._cold(server, self.options.starts)
            for edit in self.options.edits.split(","):
                for place in PLACES:
                    yield from self._saves(server, edit, place)
            left = server.stop()
        if left and is_refork(self.tool.name):
            raise NotServed(f"{self.tool.name} left processes behind: {left}")

    def _server(self, number: int) -> Served:
        return launch(self.tool, self.project.folder, self.work, str(number))

    def _cold(self, server: Served, number: int) -> Sample:
        module = self.project.place("last")
        seen = server.first_answer(f"/probe/{module}", module)
        return self._sample("cold", "", module, number, seen, server)

    def _saves(self, server: Served, edit: str, place: str) -> Iterator[Sample]:
        repeat = self.options.repeat
        if not is_refork(self.tool.name):
            repeat = min(repeat, self.options.repeat_peers)
        for number in range(repeat):
            time.sleep(self.options.pause * (1 + self.random.random()))
            yield self._save(server, edit, place, number)

    def _save(self, server: Served, edit: str, place: str, number: int) -> Sample:
        self.number += 1
        module = self.project.place(place)
        file = self.project.file(module)
        text, marker = EDITS[edit](file.read_text(), self.number)
        server.new_events()
        path = f"/probe/{module}"
        try:
            seen = server.save(
                lambda: file.write_text(text), path, marker, seconds=self.options.wait
            )
        except NotServed as error:
            if self.tool.exact:
                raise
            print(f"{self.tool.name}, {edit}, {place}: {str(error).splitlines()[0]}", flush=True)
            return Sample(self.size, self.tool.name, edit, place, module, number, None)
        return self._sample(edit, place, module, number, seen, server)

    def _sample(
        self, edit: str, place: str, module: str, number: int, seen: Seen, server: Served
    ) -> Sample:
        start: dict[str, str] = {}
        ready = None
        for event in server.new_events():
            start = event if event["event"] == "start" else start
            ready = event["ms"] if event["event"] == "ready" else ready
        sample = Sample(
            self.size,
            self.tool.name,
            edit,
            place,
            module,
            number,
            round(seen.ms, 1),
            seen.refused,
            seen.cut,
            seen.stale,
            start.get("gear", ""),
            ready,
            start.get("reason", ""),
        )
        if self.options.verbose:
            print(f"    {sample}", file=sys.stderr, flush=True)
        return sample


def measure(options: argparse.Namespace, samples: list[Sample]) -> None:
    """Every size with every tool, each tool on a project of its own; adds to samples."""
    for size in (int(part) for part in options.sizes.split(",")):
        for tool in chosen(options.tools):
            with tempfile.TemporaryDirectory(prefix="refork-bench-project-") as folder:
                work = Path(folder)
                project = projects.generate(work / "project", size)
                print(f"{size} modules, {tool.name} …", file=sys.stderr, flush=True)
                samples.extend(Bench(options, size, project, tool, work).run())


def arguments() -> argparse.Namespace:
    """The benchmark's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reload",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", default="10,100,1000", help="own modules of the projects")
    parser.add_argument("--tools", default=",".join(USUAL), help='comma-separated, or "all"')
    parser.add_argument("--edits", default="body,statement", help=f"of {', '.join(EDITS)}")
    parser.add_argument("--repeat", type=int, default=6, help="saves of a kind with refork (6)")
    parser.add_argument("--repeat-peers", type=int, default=3, help="and with the others (3)")
    parser.add_argument("--starts", type=int, default=3, help="starts of the command (3)")
    parser.add_argument(
        "--pause", type=float, default=1.0, help="seconds between saves, once to twice (1)"
    )
    parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for an answer")
    parser.add_argument("--json", type=Path, help="also write every sample to this file")
    parser.add_argument("--verbose", action="store_true", help="every sample, as it comes")
    return parser.parse_args()


def main() -> int:
    """Measure and print, also what there is when it is interrupted; 1 when an exact tool failed."""
    options = arguments()
    end_on_sigterm()
    samples: list[Sample] = []
    try:
        measure(options, samples)
    except NotServed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        report(options, samples)
    return 0


def report(options: argparse.Namespace, samples: list[Sample]) -> None:
    """Print the table, and write the samples where --json says."""
    if options.json:
        options.json.write_text(json.dumps([asdict(sample) for sample in samples], indent=1))
    print(f"{table(samples)}\n\n{losses(samples)}")
    print("milliseconds from save to the first new answer: median (range); cold: from the command")


if __name__ == "__main__":
    sys.exit(main())
