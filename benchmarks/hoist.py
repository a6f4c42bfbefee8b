"""What a twin saves: an edit of a statement, replayed exactly and with everything independent kept.

    python -m benchmarks.hoist --sizes 100,1000 --kinds django,service,wagtail

For the first, a middle and the last own module, in the order of loading, medians (and ranges) of the
milliseconds from save to the first new answer:

- cold: a save under `--strategy restart`, a cold start each time;
- exact: without twins, from the checkpoint before the changed statement;
- hoisted: with `--hoist`, once the twin is there; "none" says why there is none;
- bound: plain python's time for the module, its dependents and what comes after loading, with no server,
  no fork and no HTTP (see benchmarks.bound).

And what a twin costs: seconds from the last `ready` to it (one second of quiet is part of that), and the
memory that is its own. The projects: `django` and `service` are generated (benchmarks.projects,
benchmarks.service); `wagtail` is what `wagtail start` makes, with a view that the benchmark asks.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import bound, projects, service
from benchmarks.answers import NotServed, free_port
from benchmarks.projects import Project
from benchmarks.samples import milliseconds
from benchmarks.served import Served, end_on_sigterm, private_bytes
from benchmarks.sources import TAIL
from benchmarks.tools import BIN

PLACES = ("first", "middle", "last")
OPTIONS = {"cold": ("--strategy", "restart"), "exact": ("--no-hoist",), "hoisted": ("--hoist",)}


@dataclass(frozen=True)
class Kind:
    """A program that is measured: how it is made and started, and what its bound is."""

    generate: Callable[[Path, int], Project]
    command: tuple[str, ...]
    settings: str
    start: str


@dataclass
class Row:
    """One module of one program."""

    program: str
    module: str
    place: str
    bound: float = 0.0
    times: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds from save to served, by the way."""
    ready: dict[str, list[float]] = field(default_factory=dict)
    """The same until the program was ready."""
    kept: int = 0
    replayed: int = 0
    made: float = 0.0
    """Seconds until there was a twin."""
    memory: int = 0
    words: list[str] = field(default_factory=list)
    """What is left out, or why there is no twin."""


def wagtail(folder: Path, _size: int) -> Project:
    """The starter's site, with something to ask in its own modules."""
    from demo.site import create

    site = create(folder)
    for name in ("home/models.py", "search/views.py"):
        with open(site / name, "a", encoding="utf-8") as file:
            file.write(TAIL)
    urls = site / "mysite" / "urls.py"
    urls.write_text(f"{PROBE}{urls.read_text()}{PROBED}{TAIL}")
    return Project(site, ("home.models", "search.views", "mysite.urls"))


PROBE = """\
import sys
from django.http import HttpResponse
"""
PROBED = """

def probe(request, name):
    return HttpResponse(sys.modules[name].describe())


urlpatterns.insert(0, path("probe/<name>", probe))
"""

RUNSERVER = ("manage.py", "runserver", "127.0.0.1:{port}")
KINDS = {
    "django": Kind(projects.generate, RUNSERVER, "config.settings", bound.DJANGO),
    "service": Kind(service.generate, ("main.py", "{port}"), "", bound.PLAIN),
    "wagtail": Kind(wagtail, RUNSERVER, "mysite.settings.dev", bound.DJANGO),
}


class Bench:
    """The measurements on one program."""

    def __init__(
        self, options: argparse.Namespace, name: str, kind: Kind, project: Project, work: Path
    ) -> None:
        self.options = options
        self.name = name
        self.kind = kind
        self.project = project
        self.work = work
        self.edition = 0

    def rows(self) -> Iterator[Row]:
        """One row for each place."""
        trace = bound.trace(self.project, self.kind.start, self.kind.settings)
        for place in self.options.places.split(","):
            row = Row(self.name, self.project.place(place), place)
            row.bound = trace.dependent_work(row.module) * 1000
            for way in self.options.ways.split(","):
                self._measure(row, way)
            print(row, file=sys.stderr, flush=True)
            yield row

    def _measure(self, row: Row, way: str) -> None:
        with self._server(way) as server:
            server.first_answer(f"/probe/{row.module}", row.module)
            time.sleep(self.options.pause)
            self._save(server, row)  # the place is hot from now on
            if way == "hoisted":
                self._wait_for_twin(server, row)
            for _ in range(self.options.repeat):
                time.sleep(self.options.pause)
                ms, ready = self._save(server, row)
                row.times.setdefault(way, []).append(ms)
                row.ready.setdefault(way, []).append(ready["ms"])
                if way == "hoisted":
                    row.kept, row.replayed = ready.get("kept", 0), ready.get("replayed", 0)
            left = server.stop()
        if left:
            raise NotServed(f"{way} left processes behind: {left}")

    def _server(self, way: str) -> Served:
        port = free_port()
        events = self.work / f"events-{time.monotonic_ns()}"
        refork = (str(BIN / "refork"), "-v", "--events", str(events), *OPTIONS[way])
        command = [part.format(port=port) for part in self.kind.command]
        env = {"DJANGO_SETTINGS_MODULE": self.kind.settings} if self.kind.settings else {}
        log = self.work / "log"
        log.write_bytes(b"")
        return Served([*refork, *command], self.project.folder, port, log, events=events, env=env)

    def _save(self, server: Served, row: Row) -> tuple[float, dict[str, Any]]:
        """Save once; return milliseconds until it is served, and its `ready` event."""
        self.edition += 1
        file = self.project.file(row.module)
        text, marker = projects.statement_edit(file.read_text(), self.edition)
        server.new_events()
        seen = server.save(lambda: file.write_text(text), f"/probe/{row.module}", marker)
        return seen.ms, _wait_for(server, lambda event: event["event"] == "ready", 60.0)

    def _wait_for_twin(self, server: Served, row: Row) -> None:
        began = time.monotonic()
        said = ""
        while time.monotonic() - began < self.options.wait:
            for event in server.new_events():
                if event["event"] == "checkpoint" and event["kind"] == "twin":
                    row.made = time.monotonic() - began
                    row.memory = private_bytes(event["pid"])
                    row.words = self._explained("without")
                    return
            lines = server.tail(400).splitlines()
            said = next((line for line in lines if "no twin for" in line), "")
            if said:
                break
            time.sleep(0.05)
        row.made = time.monotonic() - began
        row.words = [said or f"none within {self.options.wait:.0f} s"]

    def _explained(self, word: str) -> list[str]:
        """The lines of `refork explain` that begin with a word."""
        done = subprocess.run(
            [str(BIN / "refork"), "explain"],
            cwd=self.project.folder,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = map(str.strip, done.stdout.splitlines())
        return [line for line in lines if line.startswith(word)]


def _wait_for(
    server: Served, wanted: Callable[[dict[str, Any]], bool], seconds: float
) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for event in server.new_events():
            if wanted(event):
                return event
        time.sleep(0.005)
    raise NotServed(f"an event did not come within {seconds:.0f} s\n{server.tail()}")


def table(rows: list[Row]) -> str:
    """A Markdown table, and below it what was left out."""
    lines = [
        "| program | edit in | cold | exact | hoisted | bound | kept | twin made in | its own |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    notes = []
    for row in rows:
        times = " | ".join(
            milliseconds(row.times[way]) if way in row.times else "-" for way in OPTIONS
        )
        kept = f"{row.kept} of {row.kept + row.replayed}" if row.kept else "none"
        made = f"{row.made:.1f} s | {row.memory >> 20} MB" if row.memory else "- | -"
        lines.append(
            f"| {row.program} | {row.module} ({row.place}) | {times} | {row.bound:,.0f} | {kept} | {made} |"
        )
        notes += [f"- {row.program}, {row.module}: {word}" for word in row.words]
    return "\n".join([*lines, "", *notes])


def arguments() -> argparse.Namespace:
    """The benchmark's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hoist",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", default="100,1000", help="modules of the generated programs")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which programs (all)")
    parser.add_argument("--places", default=",".join(PLACES), help="which modules (all)")
    parser.add_argument("--ways", default=",".join(OPTIONS), help="which ways (all)")
    parser.add_argument("--repeat", type=int, default=5, help="saves of each kind (5)")
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between saves (1.5)")
    parser.add_argument("--wait", type=float, default=120.0, help="seconds to wait for a twin")
    parser.add_argument("--json", type=Path, help="also write every row to this file")
    return parser.parse_args()


def programs(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """(name, kind, size) of every program that is asked for."""
    for kind in options.kinds.split(","):
        if kind == "wagtail":
            if os.path.exists(BIN / "wagtail"):
                yield "Wagtail's starter", kind, 0
            else:
                print("Wagtail is not installed: left out", file=sys.stderr)
            continue
        for size in map(int, options.sizes.split(",")):
            yield f"{kind}, {size:,} modules", kind, size


def main() -> int:
    """Measure and print, also what there is when it is interrupted."""
    options = arguments()
    end_on_sigterm()
    rows: list[Row] = []
    try:
        for name, kind, size in programs(options):
            with tempfile.TemporaryDirectory(prefix="refork-bench-hoist-") as folder:
                work = Path(folder)
                project = KINDS[kind].generate(work / "project", size)
                rows.extend(Bench(options, name, KINDS[kind], project, work).rows())
    except NotServed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    finally:
        if options.json:
            options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
        print(table(rows))
    print("\nmilliseconds: median (range); kept: of the modules that come later")
    return 0


if __name__ == "__main__":
    sys.exit(main())
