"""Code in unusual places: extension modules, editable installs, watched and ignored paths."""

from __future__ import annotations

import importlib.util
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from process.conftest import Start

EXTENSION = importlib.util.find_spec("_statistics")
FINDER = """
import importlib.util, sys
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "package":
            return importlib.util.spec_from_file_location(
                name, {root!r} + "/__init__.py", submodule_search_locations=[{root!r}])
        return None
sys.meta_path.append(Finder)
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.skipif(
    EXTENSION is None or not str(EXTENSION.origin).endswith(".so"), reason="it is built in"
)
def test_an_extension_module(folder: Path, start: Start) -> None:
    assert EXTENSION is not None
    assert EXTENSION.origin is not None
    own = folder / os.path.basename(EXTENSION.origin)
    shutil.copy(EXTENSION.origin, own)
    write(folder / "x.py", "import _statistics\nprint(_statistics.__file__, flush=True)\n")
    live = start("x.py")
    live.says(str(own))
    live.exit(1)
    os.utime(own, (1_000_000_000, 1_000_000_000))
    assert live.event("ignore")["files"] == [str(own)]
    built = own.read_bytes() + b"\0"
    (folder / "built").write_bytes(built)
    (folder / "built").chmod(0o755)
    os.replace(folder / "built", own)
    live.says(str(own), count=2)
    assert live.start(2)["changed"] == [str(own)]


def test_an_editable_install_by_a_pth_file(folder: Path, start: Start, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "package" / "__init__.py", "V = 1\n")
    write(outside / "package" / "part.py", "W = 1\n")
    write(folder / "site" / "package.pth", f"{outside}\n")
    write(
        folder / "x.py",
        "import site\nsite.addsitedir('site')\nimport package.part\n"
        "print(package.V, package.part.W, flush=True)\n",
    )
    live = start("x.py")
    live.says("1 1")
    live.exit(1)
    write(outside / "package" / "__init__.py", "V = 2\n")
    live.says("2 1")
    write(outside / "package" / "part.py", "W = 2\n")
    live.says("2 2")


def test_an_editable_install_by_a_hook(folder: Path, start: Start, tmp_path: Path) -> None:
    root = tmp_path / "outside" / "package"
    write(root / "__init__.py", "V = 1\ntry:\n    from . import more\nexcept ImportError: pass\n")
    write(root / "part.py", "W = 1\n")
    write(folder / "hook.py", FINDER.format(root=str(root)))
    write(
        folder / "x.py",
        "import hook\nimport package.part\nprint(package.V, package.part.W, flush=True)\n",
    )
    live = start("x.py")
    live.says("1 1")
    live.exit(1)
    write(root / "__init__.py", "V = 2\ntry:\n    from . import more\nexcept ImportError: pass\n")
    live.says("2 1")
    write(root / "part.py", "W = 2\n")
    live.says("2 2")
    live.exit(3)
    write(root / "more.py", "print('more', flush=True)\n")
    live.says("more")


def test_a_library(folder: Path, start: Start, tmp_path: Path) -> None:
    """Every loaded module is watched, those in site-packages too."""
    library = write(tmp_path / "lib" / "site-packages" / "library.py", "V = 1\n")
    write(
        folder / "x.py",
        f"import sys\nsys.path.append({str(library.parent)!r})\n"
        "import library\nprint(library.V, flush=True)\n",
    )
    live = start("x.py")
    live.says("1")
    live.exit(1)
    library.write_text("V = 2\n")
    live.says("2")
    library.touch()
    live.event("ignore")


def test_watch(folder: Path, start: Start) -> None:
    write(folder / "x.py", "print('run', flush=True)\n")
    write(folder / "data" / "a.txt", "1")
    write(folder / "other.txt", "1")
    write(folder / "tree" / "deep" / "b.html", "1")
    live = start("x.py", options=["--watch", "data/*.txt", "--watch", "tree", "--watch", "single"])
    live.says("run")
    live.exit(1)
    edits = [
        ("data/a.txt", "2"),
        ("data/new.txt", "1"),
        ("tree/deep/b.html", "2"),
        ("tree/deep/new.css", "1"),
        ("tree/new/folder/c", "1"),
        ("single", "1"),
    ]
    for count, (name, text) in enumerate(edits, start=2):
        write(folder / "other.txt", f"{count}")
        write(folder / name, text)
        live.exit(count)
    live.save("data/a.txt", "2")  # the same as before
    (folder / "data" / "new.txt").unlink()
    assert live.start(len(edits) + 2)["changed"] == [str(folder / "data" / "new.txt")]
    live.exit(len(edits) + 2)
    starts = live.all("start")
    assert {event["gear"] for event in starts} == {"cold"}
    assert all("--watch" in event["reason"] for event in starts[1:])


def test_ignore(folder: Path, start: Start) -> None:
    write(folder / "x.py", "import made.one, dep\nprint(made.one.V, dep.V, flush=True)\n")
    write(folder / "made" / "one.py", "V = 1\n")
    write(folder / "dep.py", "V = 1\n")
    live = start("x.py", options=["--ignore", "made/**", "--ignore", "no*.py"])
    live.says("1 1")
    live.exit(1)
    write(folder / "made" / "one.py", "V = 2\n")
    write(folder / "notes.py", "")
    write(folder / "dep.py", "V = 2\n")
    live.exit(2)
    assert len(live.all("start")) == 2
    assert live.start(2)["changed"] == [str(folder / "dep.py")]


def test_a_watched_folder_that_comes_empty(folder: Path, start: Start) -> None:
    """It is watched from then on, though no file in it matters yet."""
    write(folder / "x.py", "import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    (folder / "data").mkdir()
    live = start("x.py", options=["--watch", "data/**", "--refresh", "told.txt"])
    live.says("up")
    live.event("ready")
    (folder / "data" / "new").mkdir()
    live.settle("told.txt")  # which came later: the folder has been dealt with
    live.save("data/new/one.txt", "1")
    assert live.start(2)["reason"] == "data/new/one.txt matches --watch"


def test_a_glob_in_the_middle_of_a_watched_path(folder: Path, start: Start) -> None:
    write(folder / "x.py", "import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    (folder / "apps" / "empty").mkdir(parents=True)
    live = start("x.py", options=["--watch", "apps/*/c.yaml"])
    live.says("up")
    live.save("apps/empty/c.yaml", "1")
    assert live.start(2)["reason"] == "apps/empty/c.yaml matches --watch"


def test_a_watched_folder_is_moved_away(folder: Path, start: Start) -> None:
    write(folder / "x.py", "import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    write(folder / "data" / "deep" / "one.txt", "1")
    live = start("x.py", options=["--watch", "data"])
    live.says("up")
    os.rename(folder / "data" / "deep", folder.with_name("away"))
    assert live.start(2)["reason"] == "data/deep/one.txt matches --watch"


def test_what_the_program_writes_into_a_new_watched_folder(folder: Path, start: Start) -> None:
    """It writes there at each start, and would start for ever."""
    write(
        folder / "x.py",
        "import os, time\nname = f'data/run-{time.time_ns()}'\nos.mkdir(name)\n"
        "open(f'{name}/out.txt', 'w').close()\nprint('up', flush=True)\ntime.sleep(600)\n",
    )
    (folder / "data").mkdir()
    live = start("x.py", options=["--watch", "data/**", "--refresh", "told.txt"])
    live.says("up")
    live.settle("told.txt")  # which came later: the folder has been dealt with
    assert len(live.all("start")) == 1


def test_polling(folder: Path, start: Start) -> None:
    write(folder / "x.py", "import dep\nprint(dep.V, flush=True)\n")
    write(folder / "dep.py", "V = 1\n")
    live = start("x.py", options=["--poll", "0.1"])
    live.says("1")
    live.exit(1)
    live.save("dep.py", "V = 2\n")
    live.says("2")


def test_the_folder_of_the_program_is_renamed_away_and_back(folder: Path, start: Start) -> None:
    write(folder / "x.py", "import dep\nprint(dep.V, flush=True)\n")
    write(folder / "dep.py", "V = 1\n")
    live = start("x.py")
    live.says("1")
    live.exit(1)
    away = folder.with_name("away")
    os.rename(folder, away)
    write(away / "dep.py", "V = 2\n")
    os.rename(away, folder)
    live.says("2")


def test_a_working_folder_that_vanishes_while_it_runs(folder: Path, start: Start) -> None:
    write(folder / "x.py", "import time\nprint('up', flush=True)\ntime.sleep(600)\n")
    live = start("x.py")
    live.says("up")
    shutil.rmtree(folder)
    live.complains(f"{folder} is gone")
    folder.mkdir()
    live.save("x.py", "print('back', flush=True)\n")
    live.says("back")
    live.exit(2)
    live.save("x.py", "import os\nprint('in', os.getcwd(), flush=True)\n")
    live.says(f"in {folder}")


def test_a_script_that_is_replaced_by_a_folder_and_back(folder: Path, start: Start) -> None:
    write(folder / "x.py", "print('one', flush=True)\n")
    live = start("x.py")
    live.says("one")
    live.exit(1)
    (folder / "x.py").unlink()
    (folder / "x.py").mkdir()
    live.exit(2)
    (folder / "x.py").rmdir()
    write(folder / "x.py", "print('two', flush=True)\n")
    live.says("two")


def test_names_that_are_hard_to_print(folder: Path, start: Start) -> None:
    name = "na\u00efve \U0001f40d\nline.py"
    write(folder / name, "import d\u00e9p\nprint(d\u00e9p.V, flush=True)\n")
    write(folder / "d\u00e9p.py", "V = 1\n")
    live = start(name, environ={"LC_ALL": "C", "LANG": "C"})
    live.says("1")
    live.exit(1)
    live.save("d\u00e9p.py", "V = 2\n")
    live.says("2")


def test_a_script_named_in_bytes_that_are_no_text(folder: Path, start: Start) -> None:
    name = os.fsdecode(b"odd\xff.py")
    (folder / name).write_text("print('one', flush=True)\n")
    live = start(name)
    live.says("one")
    live.exit(1)
    (folder / name).write_text("print('two', flush=True)\n")
    live.says("two")


def test_a_working_folder_that_is_made_again(folder: Path, start: Start) -> None:
    """As by `rm -rf` and `git clone`; with something to resume from, which is in the old one."""
    write(folder / "dep.py", "V = 1\n")
    write(folder / "late.py", "import os\nprint('in', os.getcwd(), flush=True)\n")
    write(folder / "x.py", "import dep\nimport late\n")
    live = start("x.py")
    live.says(f"in {folder}")
    live.exit(1)
    away = folder.with_name("away")
    os.rename(folder, away)
    shutil.copytree(away, folder)
    write(folder / "late.py", "import os\nprint('now in', os.getcwd(), flush=True)\n")
    live.says(f"now in {folder}")


@pytest.mark.parametrize("portable", ["", "1"])
def test_a_program_in_a_zip(folder: Path, start: Start, portable: str) -> None:
    """What is watched is the archive."""

    def pack(number: int) -> None:
        with zipfile.ZipFile(folder / "new", "w") as archive:
            archive.writestr("__main__.py", "import part\nprint('V', part.V, flush=True)\n")
            archive.writestr("part.py", f"V = {number}\n")
        os.replace(folder / "new", folder / "app.zip")

    pack(1)
    live = start("app.zip", environ={"REFORK_PORTABLE": portable})
    live.says("V 1")
    live.exit(1)
    pack(2)
    live.says("V 2")
    live.exit(2)
    assert live.lines == ["V 1", "V 2"], "each ran once"
