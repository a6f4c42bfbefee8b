"""What a program can see of itself under refork, compared with what plain Python shows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from process.conftest import Start
from support.live import clean_environment
from support.selfportrait import PROBE
from support.waiting import wait_for

Portrait = dict[str, Any]

VISIBLE_FRAMES = sys.version_info < (3, 11)
"""3.10 has no way to hide a frame; nor has the path of platforms without a safe fork, for the lowest ones."""

NO_GRAFT = sys.version_info < (3, 12)
"""A graft needs evidence that only `sys.monitoring` gives."""

REFORKS_VARIABLES = {"REFORK", "REFORK_GENERATION", "REFORK_LIVE", "RUN_MAIN"}

ALSO_LOADED = {"__future__", "_socket", "atexit", "encodings.ascii", "gc"}
"""What refork's part of the program imports; `encodings.ascii` comes by `_socket` with -X dev."""

WITHOUT_SITE = {"_collections_abc", "_stat", "genericpath", "os", "os.path", "posixpath", "stat"}
"""What else it imports where `-S` kept `site` from doing so."""


@pytest.fixture
def project(folder: Path) -> Path:
    for name in (
        "x.py",
        "sub/__main__.py",
        "real/y.py",
        "mod.py",
        "pkg/__main__.py",
        "with space.py",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(PROBE)
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "link.py").symlink_to("real/y.py")
    (folder / "linked").symlink_to("sub")
    (folder / "tool").write_text(f"#!{sys.executable}\n{PROBE}")
    with zipfile.ZipFile(folder / "app.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    return folder


def of_plain(folder: Path, words: list[str]) -> Portrait:
    out = folder.parent / "plain.json"
    subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=clean_environment(PORTRAIT=str(out)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return normal(json.loads(out.read_text()))


def normal(portrait: Portrait) -> Portrait:
    """Without what differs between any two processes."""
    text = re.sub(r"0x[0-9a-f]+", "0x", json.dumps(portrait))
    made: Portrait = json.loads(text)
    for name in ("PORTRAIT", "LIVE_TEST_TAG", "REFORK_PORTABLE"):
        made["environ"].pop(name, None)
    return made


def under(portrait: Portrait, extra: set[str]) -> Portrait:
    """Without what refork is known to add; each addition is checked to be there."""
    made = normal(portrait)
    assert {name for name in made["environ"] if name in REFORKS_VARIABLES} == REFORKS_VARIABLES
    made["environ"] = {k: v for k, v in made["environ"].items() if k not in REFORKS_VARIABLES}
    added = re.compile(r"refork($|\.core|\.program|\.adapters)")
    made["modules"] = [m for m in made["modules"] if not added.match(m) and m not in extra]
    if VISIBLE_FRAMES or "REFORK_PORTABLE" in portrait["environ"]:
        hidden = re.compile(r"/refork/program/|<frozen importlib")
        made["stack"] = [frame for frame in made["stack"] if not hidden.search(frame[0])]
    return made


def compare(plain: Portrait, portrait: Portrait, extra: set[str]) -> None:
    seen = under(portrait, extra)
    plain["modules"] = [name for name in plain["modules"] if name not in extra]
    for key in plain:
        assert seen[key] == plain[key], key


TARGETS = {
    "script": ["x.py", "a", "-b", "--", "c d"],
    "dotted": ["./x.py"],
    "deeper": ["real/y.py"],
    "roundabout": ["real/../x.py"],
    "symlink": ["link.py"],
    "space": ["with space.py"],
    "folder": ["sub", "a"],
    "folder with slash": ["./sub/"],
    "linked folder": ["linked"],
    "zip": ["app.zip", "x"],
    "module": ["-m", "mod", "-m", "a"],
    "package": ["-m", "pkg"],
    "main of a package": ["-m", "pkg.__main__"],
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("way", ["auto", "restart", "portable"])
def test_any_way_to_start(project: Path, start: Start, kind: str, way: str) -> None:
    out = project.parent / "under.json"
    words = TARGETS[kind]
    live = start(
        *words,
        options=["--on-exit", "follow", "--strategy", "restart" if way == "restart" else "auto"],
        environ={"PORTRAIT": str(out), **({"REFORK_PORTABLE": "1"} if way == "portable" else {})},
    )
    assert live.code() == 0, live.err
    compare(of_plain(project, words), json.loads(out.read_text()), ALSO_LOADED)
    assert len(live.all("start")) == 1, "and ran once"


def test_an_absolute_path(project: Path, start: Start) -> None:
    out = project.parent / "under.json"
    words = [str(project / "x.py")]
    live = start(*words, options=["--on-exit", "follow"], environ={"PORTRAIT": str(out)})
    assert live.code() == 0
    compare(of_plain(project, words), json.loads(out.read_text()), ALSO_LOADED)


FLAGS = [
    "-W error -X dev -u -O",
    "-Werror::DeprecationWarning -OO -bb",
    "-X utf8=1 -X importtime",
    "-I",
    "-E -s -B",
    "-S",
    "-X pycache_prefix=/tmp/nowhere-at-all -q",
    *(["-P"] if sys.version_info >= (3, 11) else []),
    *(["-X frozen_modules=off"] if sys.version_info >= (3, 11) else []),
]


@pytest.mark.parametrize("flags", FLAGS)
def test_flags(project: Path, start: Start, flags: str) -> None:
    out = project.parent / "under.json"
    words = [*flags.split(), "x.py", "-x"]
    live = start(
        sys.executable, *words, options=["--on-exit", "follow"], environ={"PORTRAIT": str(out)}
    )
    assert live.code() == 0
    extra = ALSO_LOADED | (WITHOUT_SITE if "-S" in words else set())
    compare(of_plain(project, words), json.loads(out.read_text()), extra)


def test_a_console_script(project: Path, start: Start) -> None:
    out = project.parent / "under.json"
    (project / "bin").mkdir()
    tool = project / "bin" / "sometool"
    tool.write_text(f"#!{sys.executable}\n{PROBE}")
    tool.chmod(0o755)
    search = os.pathsep.join([str(tool.parent), os.environ["PATH"]])
    live = start(
        "sometool",
        "-v",
        options=["--on-exit", "follow"],
        environ={"PORTRAIT": str(out), "PATH": search},
    )
    assert live.code() == 0
    seen = json.loads(out.read_text())
    seen["environ"]["PATH"] = os.environ["PATH"]
    compare(of_plain(project, [str(tool), "-v"]), seen, ALSO_LOADED)


@pytest.mark.parametrize("edit", ["replay", "graft"])
def test_a_resumed_program(project: Path, start: Start, edit: str) -> None:
    """What a later generation sees is what a first one would."""
    out = project.parent / "under.json"
    before = "import sys\ndef f():\n    return 1\n"
    (project / "hot.py").write_text(before)
    (project / "x.py").write_text("import hot\n" + PROBE)
    plain = of_plain(project, ["x.py"])
    live = start("x.py", environ={"PORTRAIT": str(out)})
    live.exit(1)
    for generation in (2, 3):
        out.unlink()
        body = before.replace("1", str(generation))
        live.save("hot.py", body if edit == "graft" else body + f"\nV = {generation}\n")
        assert live.start(generation)["gear"] in ({edit, "replay"} if NO_GRAFT else {edit})
        wait_for(out.exists, what="a portrait")
        seen = json.loads(out.read_text())
        compare(plain, seen, ALSO_LOADED)
        live.exit(generation)


BAD = {
    "exception": "import helper\nhelper.deep(3)\n",
    "syntax error": "def f(:\n    pass\n",
    "indentation": "if True:\n        x = 1\n    y = 2\n",
    "tabs": "if 1:\n        x = 1\n\ty = 2\n",
    "unclosed": "x = (1,\n",
    "bad encoding": "# -*- coding: nothing -*-\n",
    "not utf-8": "x = '\udcff'\n",
    "null": "x = 1\0\nprint('on')\n",
    "utf-16": "\udcff\udcfex\0",
    "other encoding": "# coding: ascii\nx = 'ü'\n",
    "warning and error": "x = '\\d'\ny = (\n",
    "syntax error inside": "import broken\n",
    "null inside": "import nulls\n",
    "missing module": "import no.such.thing\n",
    "exit text": "import sys\nsys.exit('no more')\n",
    "exit object": "raise SystemExit([1, 2])\n",
    "exit none": "raise SystemExit\n",
    "chained": "try:\n    1 / 0\nexcept Exception as e:\n    raise ValueError('v') from e\n",
    "context": "try:\n    1 / 0\nexcept Exception:\n    raise ValueError('v')\n",
    "in class body": "class A:\n    x = 1\n    y = nothing\n",
    "multiline": "x = max(\n    1,\n    2 / 0,\n)\n",
    "warning": "import warnings\nwarnings.warn('careful')\n",
    "warning inside": "import helper\nhelper.careful()\n",
    "hook": "import sys\nsys.excepthook = lambda *a: print('mine', a[0])\n1 / 0\n",
    "notes": "e = ValueError('x')\ne.__notes__ = ['more']\nraise e\n",
    "group": "raise ExceptionGroup('g', [ValueError('a'), TypeError('b')])\n",
    "keyboard": "raise KeyboardInterrupt\n",
    "recursion": "def f(): f()\nf()\n",
    "in main": "def main():\n    1 / 0\nif __name__ == '__main__':\n    main()\n",
    "attribute": "import helper\nhelper.depp\n",
    "atexit": "import atexit\natexit.register(print, 'bye')\n1 / 0\n",
    "thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()\n",
    "asyncio": "import asyncio\nasync def f(): 1 / 0\nasyncio.run(f())\n",
    "unraisable": "class A:\n    def __del__(self): 1 / 0\nA()\n",
    "stdin": "print(input('name? '))\nprint(input())\n",
    "line": "import inspect\nprint(inspect.currentframe().f_lineno, inspect.stack()[0][1:4])\n",
    "source": "import inspect\ndef f():\n    return 1\nprint(inspect.getsource(f))\n",
    "stack in import": "import walks\n",
    "exit code 4": "import os\nos._exit(4)\n",
}


def alike(text: str) -> str:
    """Without addresses, counts of frames, and the import system's own frames."""
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"repeated \d+ more times", "repeated", text)
    text = re.sub(r'  File "<frozen importlib\S+", line \d+, in \w+\n+', "", text)
    if VISIBLE_FRAMES:
        text = re.sub(r'  File "[^"]*/refork/program/.*\n(    .*\n)?\n?', "", text)
    return text


@pytest.mark.parametrize("kind", BAD)
def test_what_goes_wrong_looks_the_same(folder: Path, start: Start, kind: str) -> None:
    """Standard output, standard error and exit code."""
    (folder / "x.py").write_bytes(BAD[kind].encode(errors="surrogateescape"))
    (folder / "helper.py").write_text(
        "import warnings\ndef deep(n):\n    return deep(n - 1) if n else 1 / n\n"
        "def careful():\n    warnings.warn('careful', stacklevel=2)\n"
    )
    (folder / "broken.py").write_text("x = 1\nfor in y:\n")
    (folder / "nulls.py").write_bytes(b"x = 1\0\n")
    (folder / "walks.py").write_text(
        "import traceback\nfor line in traceback.format_stack(): print(line)\n"
    )
    typed = folder.parent / "typed"
    typed.write_text("Ada\nByron\n")
    with open(typed) as stdin:
        plain = subprocess.run(
            [sys.executable, "x.py"],
            cwd=folder,
            env=clean_environment(PYTHONUNBUFFERED="", PYTHONHASHSEED="0"),
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    for name in os.listdir(folder):
        if name == "__pycache__":
            for cached in os.scandir(folder / name):
                os.unlink(cached.path)
    with open(typed) as stdin:
        live = start(
            "x.py",
            options=["--on-exit", "follow", "-q"],
            stdin=stdin.fileno(),
            environ={"PYTHONUNBUFFERED": "", "PYTHONHASHSEED": "0"},
        )
        code = live.code()
    shown = "".join(line for line in live.err.splitlines(True) if not line.startswith("refork  "))
    assert alike(shown) == alike(plain.stderr)
    assert alike(live.out) == alike(plain.stdout)
    assert code == plain.returncode
