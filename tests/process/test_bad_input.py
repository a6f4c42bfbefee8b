"""What cannot be run or is no wish that makes sense: one line that names it and the way out.

Nothing hangs, and nothing is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import clean_environment

DEADLINE = 30.0


def refused(folder: Path, *words: str, **variables: str) -> str:
    """Run `refork WORDS`, which is to end with 2; return the one line that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "refork", *words],
        cwd=folder,
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert not done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("refork: ")
    return done.stderr


def circle(folder: Path) -> None:
    (folder / "bad.py").symlink_to("other.py")
    (folder / "other.py").symlink_to("bad.py")


def archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "bad.py", "w") as file:
        file.writestr("module.py", "")


TARGETS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "missing": (lambda folder: None, "bad.py", "check its name"),
    "missing in a folder": (lambda folder: None, "no/bad.py", "check its name"),
    "nearly there": (lambda f: (f / "bard.py").write_text(""), "bad.py", "did you mean bard.py?"),
    "no suffix": (lambda f: (f / "bad.py").write_text(""), "bad", "did you mean bad.py?"),
    "with dots": (lambda f: (f / "bad.py").mkdir(), "bad.py", "without __main__.py"),
    "folder": (lambda f: (f / "sub").mkdir(), "./sub", "name the file in it to run"),
    "circle of links": (circle, "bad.py", "in a circle: name the file itself"),
    "link to nothing": (lambda f: (f / "bad.py").symlink_to("gone"), "bad.py", "does not exist"),
    "zip": (archive, "bad.py", "a zip without __main__.py"),
    "pipe": (lambda f: os.mkfifo(f / "bad.py"), "bad.py", "save the program to one"),
    "device": (lambda folder: None, "/dev/null", "save the program to one"),
    "standard input": (lambda folder: None, "-", "save it to a file"),
    "binary": (lambda f: (f / "bad").write_bytes(b"\x7fELF\0"), "./bad", "not a Python script"),
    "line break": (lambda folder: None, "a\nb.py", r"a\nb.py: no such file"),
    "nothing": (lambda folder: None, "", "name a script"),
    "too long": (lambda folder: None, "x" * 5000 + ".py", "cannot be read"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_that_cannot_be_run(folder: Path, kind: str) -> None:
    make, name, way_out = TARGETS[kind]
    make(folder)
    assert way_out in refused(folder, name)


def test_a_file_that_may_not_be_read(folder: Path) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may read everything")
    (folder / "bad.py").write_text("print('never')\n")
    (folder / "bad.py").chmod(0)
    folder.parent.chmod(0o755)
    launch = []
    if os.geteuid() == 0:
        for one in (folder, *folder.parents):
            if one.stat().st_mode & 0o005 != 0o005:
                pytest.skip(f"nobody but root may look into {one}")
        launch = ["setpriv", "--reuid=65534", "--clear-groups"]
        if subprocess.run([*launch, sys.executable, "-c", ""], check=False).returncode:
            pytest.skip("this Python is root's")
    done = subprocess.run(
        [*launch, sys.executable, "-m", "refork", "bad.py"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "bad.py: it may not be read: change its permissions" in done.stderr


WISHES = {
    "a watch that is empty": (["--watch", ""], {}, "--watch: expected a path or pattern"),
    "events in no folder": (["--events", "no/x"], {}, "--events no/x: No such file or directory"),
    "events in a folder's place": (["--events", "."], {}, "name a file in a folder"),
    "no time": (["--grace", "soon"], {}, "--grace: expected a number of seconds"),
    "a wrong variable": ([], {"REFORK_POLL": "x"}, "REFORK_POLL: expected a number of seconds"),
    "an unknown variable": ([], {"REFORK_GRACES": "1"}, "the nearest is REFORK_GRACE"),
    "an unknown watcher": ([], {"REFORK_WATCHER": "eyes"}, "there are inotify, watchfiles"),
    "an unknown option": (["--watsch", "x"], {}, "the nearest is --watch"),
}


@pytest.mark.parametrize("kind", WISHES)
def test_a_wish_that_makes_no_sense(folder: Path, kind: str) -> None:
    words, variables, line = WISHES[kind]
    (folder / "ok.py").write_text("open('ran', 'w')\n")
    assert line in refused(folder, *words, "ok.py", **variables)
    assert not (folder / "ran").exists(), "it was not even begun"


PROJECTS = {
    "no TOML": (b"[tool.refork\n", "not valid TOML"),
    "not UTF-8": (b"[tool.refork]\nwatch = '\xff'\n", "not valid TOML"),
    "another kind": (b"tool.refork = 3\n", "must be a table"),
    "NUL": (b'[tool.refork]\nwatch = "a\\u0000b"\n', "expected a path or pattern"),
    "unknown key": (b"[tool.refork]\nwach = []\n", "the nearest is watch"),
}


@pytest.mark.parametrize("kind", PROJECTS)
def test_a_project_file_that_does_not_parse(folder: Path, kind: str) -> None:
    text, line = PROJECTS[kind]
    (folder / "pyproject.toml").write_bytes(text)
    (folder / "ok.py").write_text("open('ran', 'w')\n")
    said = refused(folder, "ok.py")
    assert line in said
    assert str(folder / "pyproject.toml") in said
    assert not (folder / "ran").exists()


def test_a_project_file_that_is_a_circle(folder: Path) -> None:
    (folder / "pyproject.toml").symlink_to("pyproject.toml")
    (folder / "ok.py").write_text("")
    assert "pyproject.toml: Too many levels of symbolic links" in refused(folder, "ok.py")


def test_a_watch_that_matches_nothing_is_said_and_waited_for(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("print('up', flush=True)\n")
    live = start("x.py", options=["--watch", "data/*.csv"])
    live.complains("--watch data/*.csv: matches nothing in")
    live.exit(1)
    (folder / "data").mkdir()
    (folder / "data" / "new.csv").write_text("1,2\n")  # at once: nobody can watch the folder yet
    live.says("up", count=2)
    live.save("data/newer.csv", "3,4\n")
    live.says("up", count=3)
    (folder / "data" / "new.csv").unlink()
    live.says("up", count=4)


def test_source_that_is_not_utf_8_is_mended(folder: Path, start: Start) -> None:
    (folder / "x.py").write_bytes(b"text = '\xff'\n")
    live = start("x.py")
    live.complains("Non-UTF-8 code starting with")
    live.exit(1)
    live.save("x.py", "print('mended', flush=True)\n")
    live.says("mended")


def test_a_module_that_is_missing_is_waited_for(folder: Path, start: Start) -> None:
    live = start("-m", "missing")
    live.complains("No module named missing")
    live.exit(1)
    live.complains("waiting for a change")
    live.save("missing.py", "print('found', flush=True)\n")
    live.says("found")


READ_ONLY = (
    'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && cd "$1" && shift && exec "$@"'
)


def test_a_working_folder_that_is_read_only(folder: Path, start: Start) -> None:
    launch = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", str(folder)]
    if sys.platform != "linux" or subprocess.run([*launch, "true"], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    (folder / "x.py").write_text("import dep\nprint('up', dep.V, flush=True)\n")
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py", launch=launch)
    live.says("up 1")
    live.complains("is read-only, so each start compiles the program again; to keep what is")
    live.save("dep.py", "V = 2\n")  # by us, who may
    live.says("up 2")
