"""What an edit would cost at least: the work that cannot be left out, without refork or any fork.

    python -m benchmarks.bound --sizes 100,1000

Plain python loads a generated project once, noting when each module's body ran and which modules
it imported. For an edit in the first, a middle and the last own module:

- all: the whole start, from the first line to the end of Django's checks;
- from there: what comes after the beginning of the module, which an exact replay has to do;
- dependents: the module's own body, the bodies of those that import it, directly or not, and what
  comes after all loading; that is what a twin with everything else in it would have to do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import projects
from benchmarks.projects import Project
from benchmarks.tools import SETTINGS

TRACER = """
import _frozen_importlib as system, builtins, json, sys, time
from importlib.machinery import SourceFileLoader

clock = time.perf_counter
began = clock()
stack, spans, edges = [], {}, []
plain_exec, plain_import = SourceFileLoader.exec_module, builtins.__import__
plain_load = system._find_and_load

def exec_module(self, module):
    name = module.__name__
    stack.append([name, 0.0, False])
    start = clock()
    try:
        plain_exec(self, module)
    finally:
        took = clock() - start
        inside = stack.pop()[1]
        spans[name] = (start - began, took - inside)

def find_and_load(name, import_):
    if not stack or stack[-1][2]:  # a package on the way to its module
        return plain_load(name, import_)
    mine = stack[-1]
    mine[2] = True
    start = clock()
    try:
        return plain_load(name, import_)
    finally:
        mine[1] += clock() - start
        mine[2] = False

def import_(name, globals=None, locals=None, fromlist=(), level=0):
    found = plain_import(name, globals, locals, fromlist, level)
    if stack:
        whole = name
        if level:
            package = (globals.get("__package__") or "").split(".")
            base = package[: len(package) - level + 1]
            whole = ".".join([*base, name] if name else base)
        for part in (whole, *(f"{whole}.{item}" for item in fromlist or ())):
            if part in sys.modules:
                edges.append((stack[-1][0], part))
    return found

SourceFileLoader.exec_module, builtins.__import__ = exec_module, import_
system._find_and_load = find_and_load
{start}
print(json.dumps({"all": clock() - began, "loaded": loaded, "spans": spans, "edges": edges}))
"""

DJANGO = """
import django, importlib, os
django.setup()
importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"].partition(".")[0] + ".urls")
loaded = clock() - began
from django.core.checks import run_checks
run_checks()
"""
"""What a Django project does before it serves."""

PLAIN = """
import main
loaded = clock() - began
"""
"""What a program whose main module is `main` does."""


@dataclass(frozen=True)
class Trace:
    """One start: seconds in all, and until everything was loaded; (start, own seconds) of every
    module; (importer, imported) pairs."""

    all: float
    loaded: float
    spans: dict[str, tuple[float, float]]
    edges: list[tuple[str, str]]

    def from_there(self, module: str) -> float:
        """Seconds from the beginning of a module's body to the end."""
        return self.all - self.spans[module][0]

    def dependents(self, module: str) -> set[str]:
        """The module and everything that imports it, directly or not."""
        found = {module}
        while True:
            more = {importer for importer, imported in self.edges if imported in found} - found
            if not more:
                return found
            found |= more

    def dependent_work(self, module: str) -> float:
        """Seconds in the bodies of the dependents, and after all loading."""
        bodies = (self.spans[name][1] for name in self.dependents(module) if name in self.spans)
        return sum(bodies) + self.all - self.loaded


def trace(project: Project, start: str = DJANGO, settings: str = SETTINGS) -> Trace:
    """Load a project once, with everything in the file system's cache and compiled."""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": settings}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", TRACER.replace("{start}", start)],
            cwd=project.folder,
            env=env,
            check=True,
            capture_output=True,
            text=True,
        )
    return Trace(**json.loads(done.stdout))


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bound",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sizes", default="10,100,1000", help="own modules of the projects")
    options = parser.parse_args()
    print("| modules | edit in | all | from there | dependents | of them own |")
    print("|--:|---|--:|--:|--:|--:|")
    for size in (int(part) for part in options.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="refork-bound-") as folder:
            project = projects.generate(Path(folder), size)
            _rows(size, project, trace(project))
    print(
        "\nmilliseconds of plain python; of them own: modules of the project among the dependents"
    )
    return 0


def _rows(size: int, project: Project, seen: Trace) -> None:
    for place in ("first", "middle", "last"):
        module = project.place(place)
        own = sum(1 for name in seen.dependents(module) if name in project.modules)
        times = (seen.all, seen.from_there(module), seen.dependent_work(module))
        cells = " | ".join(f"{seconds * 1000:,.0f}" for seconds in times)
        print(f"| {size:,} | {module} ({place}) | {cells} | {own} |")


if __name__ == "__main__":
    sys.exit(main())
