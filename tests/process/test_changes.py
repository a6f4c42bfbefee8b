"""Which changes of files start the program again, and which do not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import replace

Edit = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A program, an edit, and what the program prints before and after."""

    main: str
    edit: Edit
    after: str
    before: str = "1"
    files: dict[str, str] = field(default_factory=dict)
    prepare: Edit = lambda folder: None


def write(name: str, text: str) -> Edit:
    """In place: truncated, then written."""
    return lambda folder: (folder / name).write_text(text)


def save(name: str, text: str) -> Edit:
    return lambda folder: replace(folder / name, text)


def older(name: str, text: str) -> Edit:
    """With a modification time in the past, as `cp -p` and `git stash` leave behind."""

    def edit(folder: Path) -> None:
        other = folder.parent / "older"
        other.write_text(text)
        os.utime(other, (1_000_000_000, 1_000_000_000))
        shutil.copy2(other, folder / name)

    return edit


def same_time(name: str, text: str) -> Edit:
    """With the very modification time that the file had."""

    def edit(folder: Path) -> None:
        status = os.stat(folder / name)
        other = folder / "other"
        other.write_text(text)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(other, folder / name)

    return edit


def in_chunks(name: str, *chunks: str) -> Edit:
    """Several writes while the file is open: nothing is to be made of a half."""

    def edit(folder: Path) -> None:
        with open(folder / name, "w") as file:
            for chunk in chunks:
                file.write(chunk)
                file.flush()
                os.fsync(file.fileno())

    return edit


def remove(name: str) -> Edit:
    def edit(folder: Path) -> None:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    return edit


def make(name: str, text: str) -> Edit:
    def edit(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return edit


def moved(source: str, target: str) -> Edit:
    return lambda folder: os.rename(folder / source, folder / target)


def zipped(text: str) -> Edit:
    def edit(folder: Path) -> None:
        with zipfile.ZipFile(folder / "new.zip", "w") as archive:
            archive.writestr("inside.py", text)
        os.replace(folder / "new.zip", folder / "lib.zip")

    return edit


def compiled(text: str) -> Edit:
    """A module that is there as a .pyc only."""

    def edit(folder: Path) -> None:
        source = folder / "hidden.py"
        source.write_text(text)
        code = f"import py_compile; py_compile.compile({str(source)!r}, cfile='hidden.pyc.new')"
        subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
        source.unlink()
        os.replace(folder / "hidden.pyc.new", folder / "hidden.pyc")

    return edit


def linked(name: str, target: str) -> Edit:
    def edit(folder: Path) -> None:
        temporary = folder / "link.new"
        temporary.symlink_to(target)
        os.replace(temporary, folder / name)

    return edit


def also(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for one in edits:
            one(folder)

    return edit


DEP = {"dep.py": "V = 1\n"}
MAIN = "import dep\nprint(dep.V)\n"
OPTIONAL = "try:\n    import extra\nexcept ImportError:\n    print(1)\nelse:\n    print(extra.V)\n"
PATH = "import sys\nsys.path.insert(0, 'first')\nimport dep\nprint(dep.V)\n"

CASES = {
    "rename over": Case(MAIN, save("dep.py", "V = 2\n"), "2", files=DEP),
    "in place": Case(MAIN, write("dep.py", "V = 2\n"), "2", files=DEP),
    "the script": Case("print(1)\n", save("x.py", "print(2)\n"), "2"),
    "older time": Case(MAIN, older("dep.py", "V = 2\n"), "2", files=DEP),
    "same time, other size": Case(MAIN, same_time("dep.py", "V = 22\n"), "22", files=DEP),
    "same time, same size": Case(MAIN, same_time("dep.py", "V = 2\n"), "2", files=DEP),
    "in chunks": Case(MAIN, in_chunks("dep.py", "V = ", "2", "\n"), "2", files=DEP),
    "a comment that moves lines": Case(
        "import dep\ndep.f()\n",
        save("dep.py", "# more\ndef f(): print(__import__('sys')._getframe().f_lineno)\n"),
        "2",
        files={"dep.py": "def f(): print(__import__('sys')._getframe().f_lineno)\n"},
    ),
    "gone and made again": Case(
        MAIN, also(remove("dep.py"), make("dep.py", "V = 2\n")), "2", files=DEP
    ),
    "a module run by runpy": Case(
        "import runpy\nprint(runpy.run_module('dep')['V'])\n",
        save("dep.py", "V = 2\n"),
        "2",
        files=DEP,
    ),
    "a module whose code is asked of its loader": Case(
        "import importlib.util as u\nnames = {}\n"
        "exec(u.find_spec('dep').loader.get_code('dep'), names)\nprint(names['V'])\n",
        save("dep.py", "V = 2\n"),
        "2",
        files=DEP,
    ),
    "an optional module made": Case(OPTIONAL, make("extra.py", "V = 2\n"), "2"),
    "an optional package made": Case(OPTIONAL, make("extra/__init__.py", "V = 2\n"), "2"),
    "an optional module removed": Case(
        OPTIONAL, remove("extra.py"), "1", before="2", files={"extra.py": "V = 2\n"}
    ),
    "an optional module in a package": Case(
        "import pkg\nprint(pkg.V)\n",
        make("pkg/local.py", "V = 2\n"),
        "2",
        files={
            "pkg/__init__.py": "V = 1\ntry:\n    from .local import V\nexcept ImportError: pass\n"
        },
    ),
    "shadowed by an earlier folder": Case(
        PATH, make("first/dep.py", "V = 2\n"), "2", files={**DEP, "first/readme": ""}
    ),
    "shadowed by a folder that was not there": Case(
        PATH, make("first/dep.py", "V = 2\n"), "2", files=DEP
    ),
    "shadowed by a folder moved there": Case(
        PATH, moved("spare", "first"), "2", files={**DEP, "spare/dep.py": "V = 2\n"}
    ),
    "shadowed by the folder around it": Case(
        PATH.replace("insert(0, 'first')", "append('lib')"),
        make("dep.py", "V = 2\n"),
        "2",
        files={"lib/dep.py": "V = 1\n"},
    ),
    "uncovered": Case(
        PATH, remove("first/dep.py"), "1", before="2", files={**DEP, "first/dep.py": "V = 2\n"}
    ),
    "a package beside its module": Case(MAIN, make("dep/__init__.py", "V = 2\n"), "2", files=DEP),
    "shadowing the standard library": Case(
        "import colorsys\nprint(getattr(colorsys, 'V', 1))\n", make("colorsys.py", "V = 2\n"), "2"
    ),
    "an __init__ for a namespace": Case(
        "import space\nprint(1 if space.__file__ is None else 2)\n",
        make("space/__init__.py", ""),
        "2",
        files={"space/part.py": ""},
    ),
    "inside a namespace": Case(
        "import space.part\nprint(space.part.V)\n",
        save("space/part.py", "V = 2\n"),
        "2",
        files={"space/part.py": "V = 1\n"},
    ),
    "a package's __init__": Case(
        "import pkg.sub\nprint(pkg.V)\n",
        save("pkg/__init__.py", "V = 2\n"),
        "2",
        files={"pkg/__init__.py": "V = 1\n", "pkg/sub.py": ""},
    ),
    "data read while loading": Case(
        "import conf\nprint(conf.V)\n",
        save("conf.json", "2"),
        "2",
        files={"conf.py": "import json\nV = json.load(open('conf.json'))\n", "conf.json": "1"},
    ),
    "data that was not there": Case(
        "import conf\nprint(conf.V)\n",
        make(".env", "2"),
        "2",
        files={
            "conf.py": "try:\n    V = open('.env').read()\nexcept FileNotFoundError:\n    V = 1\n"
        },
    ),
    "data removed": Case(
        "import os.path\nprint(open('d').read() if os.path.exists('d') else 1)\n",
        remove("d"),
        "1",
        before="2",
        files={"d": "2"},
    ),
    "a .pyc": Case(
        "import hidden\nprint(hidden.V)\n", compiled("V = 2\n"), "2", prepare=compiled("V = 1\n")
    ),
    "a zip archive": Case(
        "import sys\nsys.path.insert(0, 'lib.zip')\nimport inside\nprint(inside.V)\n",
        zipped("V = 2\n"),
        "2",
        prepare=zipped("V = 1\n"),
    ),
    "what a symbolic link leads to": Case(
        MAIN,
        save("real.py", "V = 2\n"),
        "2",
        files={"real.py": "V = 1\n"},
        prepare=linked("dep.py", "real.py"),
    ),
    "a symbolic link turned": Case(
        MAIN,
        linked("dep.py", "two.py"),
        "2",
        files={"one.py": "V = 1\n", "two.py": "V = 2\n"},
        prepare=linked("dep.py", "one.py"),
    ),
    "a linked folder turned": Case(
        "import sys\nsys.path.insert(0, 'lib')\nimport dep\nprint(dep.V)\n",
        linked("lib", "two"),
        "2",
        files={"one/dep.py": "V = 1\n", "two/dep.py": "V = 2\n"},
        prepare=linked("lib", "one"),
    ),
    "a folder renamed": Case(
        OPTIONAL, moved("extr", "extra"), "2", files={"extr/__init__.py": "V = 2\n"}
    ),
    "a submodule imported late": Case(
        "import sys\ndef main():\n    import dep\n    print(dep.V)\nmain()\n",
        save("dep.py", "V = 2\n"),
        "2",
        files=DEP,
    ),
    "imported from a thread": Case(
        "import threading\ndef work():\n    import dep\n    print(dep.V)\n"
        "t = threading.Thread(target=work)\nt.start()\nt.join()\n",
        save("dep.py", "V = 2\n"),
        "2",
        files=DEP,
    ),
    "executed by runpy": Case(
        "import runpy\nprint(runpy.run_path('dep.py')['V'])\n",
        save("dep.py", "V = 2\n"),
        "2",
        files=DEP,
    ),
    "executed by exec": Case(
        "exec(compile(open('dep.py').read(), 'dep.py', 'exec'))\nprint(V)\n",
        save("dep.py", "V = 2\n"),
        "2",
        files=DEP,
    ),
    "loaded by its path": Case(
        "import importlib.util as u\nspec = u.spec_from_file_location('some', 'odd/file.py')\n"
        "module = u.module_from_spec(spec)\nspec.loader.exec_module(module)\nprint(module.V)\n",
        save("odd/file.py", "V = 2\n"),
        "2",
        files={"odd/file.py": "V = 1\n"},
    ),
    "with a byte order mark": Case(MAIN, save("dep.py", "\ufeffV = 2\n"), "2", files=DEP),
    "with other line ends": Case(MAIN, save("dep.py", "V = 2\r\n"), "2", files=DEP),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_a_change(folder: Path, start: Start, name: str, strategy: str) -> None:
    case = CASES[name]
    for file, text in {"x.py": case.main, **case.files}.items():
        make(file, text)(folder)
    case.prepare(folder)
    live = start("x.py", options=["--strategy", strategy])
    live.exit(1)
    assert live.lines == [case.before], live.err
    case.edit(folder)
    live.says(case.after, count=1, timeout=5)
    if strategy == "restart":
        assert {event["gear"] for event in live.all("start")} == {"cold"}
        assert not live.all("checkpoint")


@dataclass(frozen=True)
class Ignored:
    edit: Edit
    reason: str
    main: str = MAIN
    text: str = "V = 1\ndef f():\n    return 1\n"


def test_a_file_that_the_program_only_wrote_once(folder: Path, start: Start) -> None:
    """It is a dependency of all later programs, which read what is there."""
    (folder / "x.py").write_text(
        "import os, dep\nif not os.path.exists('made.py'):\n    open('made.py', 'w').write('V = 1')\n"
        "import made\nprint(dep.V, made.V)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("1 1")
    live.exit(1)
    live.save("dep.py", "V = 2\n")  # and it goes on from before it wrote
    live.says("2 1")
    assert live.start(2)["action"] == "resume"
    live.exit(2)
    live.save("made.py", "V = 22\n")
    live.says("2 22")


def test_a_file_that_the_program_writes_each_time(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, dep\nopen('made.py', 'w').write('V = 1')\nimport made\nprint(dep.V, made.V)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.exit(1)
    live.save("dep.py", "V = 2\n")
    live.says("2 1")
    live.exit(2)
    live.save("made.py", "V = 22\n")
    live.save("dep.py", "V = 3\n")
    live.says("3 1")
    assert live.start(3)["changed"] == [str(live.path("dep.py"))]


def test_a_file_that_the_program_reads_and_then_writes(folder: Path, start: Start) -> None:
    """It says so before it does: what it wrote is no change, whoever is heard first of program and watcher."""
    (folder / "x.py").write_text(
        "import dep, json\nn = json.load(open('count'))\nopen('count', 'w').write(str(n + 1))\n"
        "import late\nprint(dep.V, n, flush=True)\nimport time\ntime.sleep(60)\n"
    )
    (folder / "count").write_text("1")
    (folder / "dep.py").write_text("V = 1\n")
    (folder / "late.py").write_text("")
    live = start("x.py")
    for number in range(1, 41):
        live.says(f"{number} {number}")
        live.save("dep.py", f"V = {number + 1}\n")
    live.says("41 41")
    assert len(live.all("start")) == 41


SAME_BYTES = "the same contents as before"
NOTHING = "nothing in the code changed"

IGNORED = {
    "saved as it was": Ignored(save("dep.py", "V = 1\ndef f():\n    return 1\n"), SAME_BYTES),
    "touched": Ignored(lambda folder: (folder / "dep.py").touch(), SAME_BYTES),
    "given an older time": Ignored(
        lambda folder: os.utime(folder / "dep.py", (1_000_000_000, 1_000_000_000)), SAME_BYTES
    ),
    "a comment": Ignored(save("dep.py", "V = 1  # one\ndef f():\n    return 1  # too\n"), NOTHING),
    "spaces": Ignored(save("dep.py", "V = 1   \ndef f():\n    return 1 \n\n"), NOTHING),
    "a comment at the end": Ignored(
        save("dep.py", "V = 1\ndef f():\n    return 1\n# the end\n"), NOTHING
    ),
}


@pytest.mark.parametrize("name", IGNORED)
@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_a_change_of_nothing(folder: Path, start: Start, name: str, strategy: str) -> None:
    case = IGNORED[name]
    make("x.py", case.main)(folder)
    make("dep.py", case.text)(folder)
    live = start("x.py", options=["--strategy", strategy])
    live.exit(1)
    case.edit(folder)
    assert live.event("ignore")["reason"] == case.reason
    live.save("dep.py", "V = 2\n")
    live.says("2")
    assert len(live.all("start")) == 2, "only the real one counted"


def test_a_touch_is_worth_a_try_after_a_failure(folder: Path, start: Start) -> None:
    """What was missing may be in no file: a database that was not up yet."""
    make("x.py", "import os\nif not os.path.lexists('/nowhere'): raise OSError('no database')\n")(
        folder
    )
    live = start("x.py")
    live.exit(1)
    (folder / "x.py").touch()
    live.exit(2)


def test_what_the_program_writes_itself_is_no_dependency(folder: Path, start: Start) -> None:
    make("x.py", "open('log', 'a').write('x\\n')\nprint(open('log').read().count('x'))\n")(folder)
    live = start("x.py")
    live.says("1")
    live.exit(1)
    make("log", "x\nx\nx\n")(folder)
    live.save("x.py", "print('end')\n")
    live.says("end")
    assert len(live.all("start")) == 2


def test_a_name_that_is_no_module_is_not_waited_for(folder: Path, start: Start) -> None:
    make("x.py", MAIN)(folder)
    make("dep.py", "V = 1\n")(folder)
    live = start("x.py")
    live.exit(1)
    for name in ("notes.txt", "other.py", ".dep.py.swp", "dep.py~", "4913", "dep.pyx"):
        make(name, "")(folder)
    live.save("dep.py", "V = 2\n")
    live.says("2")
    assert len(live.all("start")) == 2


def test_a_missing_module_that_came_and_is_broken(folder: Path, start: Start) -> None:
    make("x.py", OPTIONAL)(folder)
    live = start("x.py")
    live.exit(1)
    make("extra.py", "V = (\n")(folder)
    live.complains("SyntaxError")
    live.exit(2)
    make("extra.py", "V = 2\n")(folder)
    live.says("2")
    (folder / "extra.py").unlink()
    live.says("1", count=2)


def test_a_file_that_stays_away_is_not_tried_again_and_again(folder: Path, start: Start) -> None:
    make(
        "x.py",
        "import importlib.util as u\nspec = u.spec_from_file_location('some', 'absent.py')\n"
        "module = u.module_from_spec(spec)\nspec.loader.exec_module(module)\nprint(module.V)\n",
    )(folder)
    live = start("x.py")
    live.complains("FileNotFoundError")
    live.event("exit")
    make("elsewhere.py", "")(folder)
    make("absent.py", "V = 'present'\n")(folder)
    live.says("present")
    assert len(live.all("start")) <= 4


@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_what_is_loaded_right_before_the_program_waits_for_ever(
    folder: Path, start: Start, strategy: str
) -> None:
    """On a lock, or in the loop of a GUI: it says nothing any more, and has to have said all."""
    make("x.py", "import waits\n")(folder)
    make(
        "waits.py",
        "import one, two, three\nprint('up', three.V, flush=True)\n"
        "import _thread\nlock = _thread.allocate_lock()\nlock.acquire()\nlock.acquire()\n",
    )(folder)
    for name in ("one", "two", "three"):
        make(f"{name}.py", "V = 1\n")(folder)
    live = start("x.py", options=["--strategy", strategy])
    live.says("up 1")
    live.save("three.py", "V = 2\n")
    live.says("up 2")
