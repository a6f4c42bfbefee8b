"""The shape of the code: who may import whom, who may print, how large things get.

The rooms and the reasons stand in CONTRIBUTING.md; a room that is missing in the tables here fails.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.sources import (
    PACKAGE,
    ROOT,
    calls,
    functions,
    imports,
    module_name,
    modules,
    tree,
)

LEAVES = {"refork.errors", "refork.usage"}
SHARED = LEAVES | {"refork.core"}

BOTH_ENDS = {f"refork.program.{name}" for name in ("channel", "frames", "journal", "sockets")}
"""Of the program's part, what the supervisor uses too: what both ends must agree on."""

OUTER = {*SHARED, *BOTH_ENDS, "refork.process"}
"""What most rooms of the supervisor's build upon."""

MAY_IMPORT: dict[str, set[str]] = {
    # the pure middle
    "errors": set(),
    "core": SHARED,
    # inside the user's process: each other, and what both sides must agree on
    "program": {
        *("refork.program", "refork.adapters"),
        *("refork.core.wire", "refork.core.codes", "refork.core.differ"),
    },
    "adapters": {"refork.program", "refork.adapters", "refork.core.wire"},
    "serve": {"refork.serve", "refork.adapters", "refork.program.api"},
    # what programs import; everything in it is imported when it is called
    "": {"refork.around", "refork.program"},
    # the supervisor's rooms, each of which knows those above it
    "process": {*OUTER, "refork", "refork.target"},
    "watch": {*SHARED, "refork.watch"},
    "web": {*SHARED, "refork.web", "refork.settings", "refork.adapters.loopback"},
    "sockets": {*OUTER, "refork.sockets", "refork.web"},
    "ladder": {*OUTER, "refork.ladder"},
    "twins": {*OUTER, "refork.twins", "refork.ladder"},
    "generations": {*OUTER, "refork.generations", "refork.ladder", "refork.target"},
    "files": {
        *OUTER,
        *("refork.files", "refork.generations", "refork.sockets", "refork.watch", "refork.web"),
        *("refork.settings", "refork.target"),
    },
    "supervisor": {
        *OUTER,
        *("refork.supervisor", "refork.files", "refork.generations", "refork.ladder"),
        *("refork.sockets", "refork.twins", "refork.web"),
        *("refork.report", "refork.settings", "refork.target"),
    },
    "commands": {*OUTER, "refork.commands", "refork.settings", "refork.watch"},
}
"""What each room may import of refork's own: names of modules, or of packages with all in them. What is
imported for the type checker does not count: collaborators of the supervisor are given it whole."""

NOT_THE_PROGRAMS = {"refork.program", "refork.adapters", "refork.serve"}
"""What the files beside the rooms may not import, BOTH_ENDS apart: it runs elsewhere."""

IMPURE = {
    *("asyncio", "ctypes", "fcntl", "logging", "multiprocessing", "os", "pathlib", "random"),
    *("select", "selectors", "shutil", "signal", "socket", "subprocess", "tempfile", "threading"),
    *("time", "urllib", "http", "importlib", "posix", "_thread", "_socket"),
}
"""What core does without: time and facts arrive as values."""

QUIET = {
    # loaded in every Python before the first line of a program
    *("_abc", "_codecs", "_imp", "_io", "_signal", "_thread", "_warnings", "_weakref", "abc"),
    *("builtins", "codecs", "io", "marshal", "os", "posix", "posixpath", "stat", "sys", "time"),
    "__future__",
    # built into the interpreter, or the one extension module that passes file descriptors
    *("gc", "_socket", "errno", "itertools", "atexit"),
    # what `socket` has loaded, wherever this is needed
    "select",
}
"""What program/ and adapters/ may import when they are imported themselves."""

FRAMEWORKS_HAVE = QUIET | {
    "asyncio",
    "collections",
    "functools",
    "inspect",
    "re",
    "typing",
    "urllib",
    "weakref",
}
"""What adapters/ may import as well: every framework that they are for has it loaded already."""

PRINTERS = {"refork.report", "refork.cli"}

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MEDIAN_FUNCTION = 10

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

SOURCES = sorted(modules().items())
TESTS = [
    path
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if path.name.startswith(("test_", "conftest"))
]


def room(name: str) -> str:
    """`core` for refork.core.plan, `settings` for refork.settings."""
    return [*name.split("."), ""][1]


def within(name: str, allowed: set[str]) -> bool:
    """Whether a module is one of those allowed, or in a package of them."""
    packages = {one for one in allowed if (PACKAGE.parent / one.replace(".", "/")).is_dir()} - {
        "refork"
    }
    return name in allowed or any(name.startswith(f"{package}.") for package in packages)


def violations(name: str, path: Path) -> list[str]:
    """The imports of refork's own that a module may not have."""
    allowed = MAY_IMPORT.get(room(name))
    found = []
    for line, imported in imports(path):
        if imported.split(".")[0] != "refork":
            continue
        if allowed is None:
            good = imported in BOTH_ENDS or not within(imported, NOT_THE_PROGRAMS)
        else:
            good = within(imported, allowed)
        if not good:
            found.append(f"{path.relative_to(ROOT)}:{line}: {name} imports {imported}")
    return found


@pytest.mark.parametrize(("name", "path"), SOURCES, ids=[name for name, _ in SOURCES])
def test_who_may_import_whom(name: str, path: Path) -> None:
    assert violations(name, path) == []


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(MAY_IMPORT) - {"", "errors"}


def test_importing_the_package_imports_nothing_of_it() -> None:
    assert [name for _, name in imports(modules()["refork"], lazy=False)] == ["__future__"]


def test_only_the_command_line_imports_the_supervisor() -> None:
    importers = {
        name
        for name, path in SOURCES
        for _, found in imports(path)
        if found.startswith("refork.supervisor") and room(name) != "supervisor"
    }
    assert importers == {"refork.cli"}


CORE = [(name, path) for name, path in SOURCES if room(name) == "core"]


@pytest.mark.parametrize(("name", "path"), CORE, ids=[name for name, _ in CORE])
def test_core_is_pure(name: str, path: Path) -> None:
    for line, imported in imports(path):
        top = imported.split(".")[0]
        assert top == "refork" or top in sys.stdlib_module_names, f"{path}:{line}: {imported}"
        assert top not in IMPURE, f"{path}:{line}: {imported} is not pure"
    for line, called in calls(path):
        assert called not in {"open", "print", "input", "exec", "eval"}, (
            f"{path}:{line}: {called}()"
        )


INSIDE = [(name, path) for name, path in SOURCES if room(name) in ("program", "adapters")]


@pytest.mark.parametrize(("name", "path"), INSIDE, ids=[name for name, _ in INSIDE])
def test_the_programs_part_loads_next_to_nothing(name: str, path: Path) -> None:
    allowed = QUIET if room(name) == "program" else FRAMEWORKS_HAVE
    for line, imported in imports(path, lazy=False):
        top = imported.split(".")[0]
        if top != "refork":
            assert top in allowed, f"{path}:{line}: importing {name} imports {imported}"


@pytest.mark.parametrize(("name", "path"), SOURCES, ids=[name for name, _ in SOURCES])
def test_only_the_report_prints(name: str, path: Path) -> None:
    if name not in PRINTERS:
        assert [line for line, called in calls(path) if called in {"print", "pprint"}] == []


def test_imports_have_no_effect() -> None:
    """No module of the supervisor's side starts anything when it is imported."""
    effects = {"open", "print", "os.fork", "signal.signal", "subprocess.Popen", "subprocess.run"}
    for _, path in SOURCES:
        for statement in tree(path).body:
            called = called_by(getattr(statement, "value", None))
            assert called not in effects, f"{path}:{statement.lineno}: {called} at import"


def called_by(node: object) -> str:
    """The dotted name that an expression calls, or nothing."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@pytest.mark.parametrize(("name", "path"), SOURCES, ids=[name for name, _ in SOURCES])
def test_files_and_functions_stay_small(name: str, path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{name} has {lines} lines"
    for function, line, length in functions(path):
        assert length <= LONGEST_FUNCTION, f"{path}:{line}: {function} has {length} lines"


def test_the_median_function_is_short() -> None:
    lengths = [length for _, path in SOURCES for _, _, length in functions(path)]
    assert statistics.median(lengths) < MEDIAN_FUNCTION


@pytest.mark.parametrize("path", [path for _, path in SOURCES], ids=[name for name, _ in SOURCES])
def test_every_module_says_what_it_is(path: Path) -> None:
    module = tree(path)
    assert ast.get_docstring(module) or not module.body, f"{path} has no docstring"


@pytest.mark.parametrize("path", TESTS, ids=[str(path.relative_to(ROOT)) for path in TESTS])
def test_tests_wait_for_evidence(path: Path) -> None:
    """A bare sleep proves nothing; tests/support has waits with a deadline."""
    asleep = list(waits(path))
    assert asleep == [], f"{path}: sleeps in lines {asleep}"


def waits(path: Path) -> Iterator[int]:
    """Lines that sleep; what a test puts in another's place (a function in a function) may."""
    outer = [node for node in ast.walk(tree(path)) if isinstance(node, FUNCTIONS)]
    nested = {inner for node in outer for inner in ast.walk(node) if inner is not node}
    stand_ins = [node for node in outer if node in nested]
    excused = {id(part) for node in stand_ins for part in ast.walk(node)}
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or id(node) in excused:
            continue
        if ast.unparse(node.func) in {"time.sleep", "sleep"}:
            yield node.lineno


def test_the_trees_are_read_as_meant(tmp_path: Path) -> None:
    """The reader of imports itself: what it must see, and what it must not."""
    file = tmp_path / "some.py"
    file.write_text(
        "import os.path\nfrom refork.core import wire\nTYPE_CHECKING = False\n"
        "if TYPE_CHECKING:\n    import typing\n"
        "def later():\n    import asyncio\n"
    )
    assert list(imports(file)) == [(1, "os.path"), (2, "refork.core.wire"), (7, "asyncio")]
    assert [name for _, name in imports(file, lazy=False)] == ["os.path", "refork.core.wire"]
    assert module_name(PACKAGE / "core" / "__init__.py") == "refork.core"
