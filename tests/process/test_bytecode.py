"""The code of a module comes from its `.pyc` exactly when plain Python would take it from there."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import clean_environment

HIDDEN_FRAMES = sys.version_info >= (3, 11)
"""3.10 has no way to hide a frame but one that has frames of the import system trimmed, too."""

OLD, NEW = "VALUE = 'old'\n", "VALUE = 'new'\n"

SHOW = "import mod\nprint('value', mod.VALUE, flush=True)\n"

IN_BETWEEN = """\
import importlib.machinery
loader = importlib.machinery.SourceFileLoader
original = loader.METHOD
def METHOD(self, *args):
    print("METHOD", *args)
    return original(self, *args)
loader.METHOD = METHOD
"""


LONG_AGO = 1_000 * 10**9
"""When the source was written, in nanoseconds: not lately."""


def compiled(
    folder: Path, mode: py_compile.PycInvalidationMode | None = None, written: int = LONG_AGO
) -> Path:
    """`mod.py` with a `.pyc` of its first text, and its second text of the same time and size."""
    source = folder / "mod.py"
    source.write_text(OLD)
    os.utime(source, ns=(written, written))
    made = Path(str(py_compile.compile(str(source), invalidation_mode=mode)))
    source.write_text(NEW)
    os.utime(source, ns=(written, written))
    return made


def taken(folder: Path) -> None:
    compiled(folder)


def of_another_time(folder: Path) -> None:
    compiled(folder)
    os.utime(folder / "mod.py", (1001, 1001))


def of_another_size(folder: Path) -> None:
    compiled(folder)
    (folder / "mod.py").write_text(NEW + "\n")
    os.utime(folder / "mod.py", (1000, 1000))


def rounded_up(folder: Path) -> None:
    """A time that does not fit a float, in which it falls into the next second."""
    compiled(folder, written=1_700_000_000_999_999_999)


def by_hash_unchecked(folder: Path) -> None:
    compiled(folder, py_compile.PycInvalidationMode.UNCHECKED_HASH)


def by_hash_checked(folder: Path) -> None:
    compiled(folder, py_compile.PycInvalidationMode.CHECKED_HASH)


def cut_off(folder: Path) -> None:
    made = compiled(folder)
    made.write_bytes(made.read_bytes()[:-20])


def empty(folder: Path) -> None:
    compiled(folder).write_bytes(b"")


def no_code(folder: Path) -> None:
    made = compiled(folder)
    made.write_bytes(made.read_bytes()[:16] + b"N")


def of_another_python(folder: Path) -> None:
    made = compiled(folder)
    made.write_bytes(b"\0\0\r\n" + made.read_bytes()[4:])


def unreadable(folder: Path) -> None:
    made = compiled(folder)
    made.unlink()
    made.mkdir()


CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    **{
        make.__name__.replace("_", " "): (make, SHOW)
        for make in (
            taken,
            of_another_time,
            of_another_size,
            rounded_up,
            by_hash_unchecked,
            by_hash_checked,
            cut_off,
            empty,
            no_code,
            of_another_python,
            unreadable,
        )
    },
    "get_data replaced": (taken, IN_BETWEEN.replace("METHOD", "get_data") + SHOW),
    "path_stats replaced": (taken, IN_BETWEEN.replace("METHOD", "path_stats") + SHOW),
    "get_code replaced": (taken, IN_BETWEEN.replace("METHOD", "get_code") + SHOW),
    "under another name": (
        taken,
        "import importlib.util as u\nspec = u.spec_from_file_location('other', 'mod.py')\n"
        "mod = u.module_from_spec(spec)\nspec.loader.exec_module(mod)\nprint(mod.__name__, mod.VALUE)\n"
        "print(spec.loader.get_code('other').co_consts)\n"
        "try:\n    spec.loader.get_code('mod')\nexcept ImportError as error:\n    print(error)\n",
    ),
    "asked for again when it has changed": (
        taken,
        SHOW + "import os\nopen('mod.py', 'w').write(\"VALUE = 'newer'\")\n"
        "print(mod.__spec__.loader.get_code('mod').co_consts)\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_plain_python(folder: Path, start: Start, case: str) -> None:
    """Output and traceback, with a `.pyc` that holds another text than the source: so it shows which was taken."""
    make, script = CASES[case]
    # as a library's: of the project's own files, what lies in a `.pyc` is not trusted where it may be old
    place = folder / "site-packages"
    place.mkdir()
    script = "import sys\nsys.path.insert(0, 'site-packages')\n" + script.replace(
        "'mod.py'", f"'{place}/mod.py'"
    )
    (folder / "entry.py").write_text(script)
    make(place)
    plain = subprocess.run(
        [sys.executable, "entry.py"],
        cwd=folder,
        env=clean_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=30,
    )
    make_again(place, make)
    live = start(
        "entry.py",
        options=["--on-exit", "follow", "-q", "--strategy", "restart"],
        environ={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert live.code() == plain.returncode
    assert live.out == plain.stdout
    shown = live.err.partition("refork  ")[0]
    if HIDDEN_FRAMES:
        assert shown == plain.stderr
    else:
        assert shown.splitlines()[-1:] == plain.stderr.splitlines()[-1:]


def make_again(folder: Path, make: Callable[[Path], None]) -> None:
    for made in sorted(folder.rglob("*"), reverse=True):
        made.rmdir() if made.is_dir() else made.unlink()
    make(folder)


def test_it_is_read_in_fewer_steps(folder: Path, start: Start) -> None:
    """The import system's own reader is not even asked."""
    (folder / "entry.py").write_text(
        "import importlib._bootstrap_external as e\noriginal = e._classify_pyc\n"
        "def asked(*args):\n    print('asked', flush=True)\n    return original(*args)\n"
        "e._classify_pyc = asked\n" + SHOW
    )
    taken(folder)
    live = start("entry.py", options=["--on-exit", "follow", "-q", "--strategy", "restart"])
    assert live.code() == 0
    assert live.out == "value old\n"
