"""Twins: what comes after a hot file and does not depend on it is imported ahead, and nobody can tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="twins need Linux")

SLOW = 60.0
"""Seconds for a twin to be made, on a loaded machine."""

MAIN = """\
import first
import hot
import user
import alone
import other
import last
import show

print(show.state(), flush=True)
import socket
held = socket.socket()
held.bind(("127.0.0.1", 0))
held.listen()
import time
while True:
    time.sleep(60)
"""

SHOW = """\
import sys
import base

NAMES = ("base", "first", "hot", "user", "alone", "other", "last", "extra", "pkg", "pkg.one", "pkg.two")

def state():
    return repr([
        [name for name in sys.modules if name in NAMES],
        [name for name in vars(sys.modules.get("pkg", sys)) if name in ("one", "two")],
        [cls.__name__ for cls in base.Base.__subclasses__()],
        base.LIST, base.DICT, sorted(base.SET), base.COUNT, base.Base.count, vars(base.Base).get("mark"),
        [vars(sys.modules[name]).get("seen") for name in NAMES if name in sys.modules],
    ])
"""

BASE = """\
class Base: pass
LIST = []
DICT = {}
SET = set()
COUNT = 0
Base.count = 0
"""

FILES = {
    "main.py": MAIN,
    "show.py": SHOW,
    "base.py": BASE,
    "first.py": "import base\n",
    "hot.py": "import base\nclass Hot(base.Base): pass\nvalue = 1\nbase.LIST.append('hot')\n",
    "user.py": "import hot\nseen = hot.value\n",
    "alone.py": "import base\nclass Alone(base.Base): pass\nseen = 'alone'\n",
    "other.py": "import pkg.two, pkg.one\nimport alone\nseen = 'other'\n",
    "last.py": "seen = 'last'\n",
    "pkg/__init__.py": "",
    "pkg/one.py": "import logging\nlogging.getLogger('pkg.one')\n",
    "pkg/two.py": "import base\nclass Two(base.Base): pass\n",
    "extra.py": "seen = 'extra'\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def cold(folder: Path) -> str:
    """What plain `python` prints first in this folder."""
    process = subprocess.Popen(
        [sys.executable, "main.py"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        process.kill()
    return line


class Hoisted:
    """A program whose `hot.py` has a twin, or was found to have none."""

    def __init__(self, live: Live, folder: Path) -> None:
        self.live = live
        self.folder = folder
        self.generation = 1

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.py").read_text()

    def save(self, name: str, text: str) -> dict[str, object]:
        """Save a file; what it printed then has to be what plain `python` prints. Returns `ready`."""
        self.live.save(name, text)
        self.generation += 1
        ready = self.live.event("ready", generation=self.generation, timeout=30.0)
        expected = cold(self.folder)
        self.live.wait(lambda: self.live.lines[-1:] == [expected], 10.0, f"the line {expected}")
        return ready

    def conflict(self, text: str) -> str:
        """Save a hot.py that the twin turns out not to serve when some of it is in its place: the generation
        is made again, exactly. Returns the reason.
        """
        self.live.save("hot.py", text)
        self.generation += 2
        start = self.live.start(self.generation, timeout=30.0)
        assert start["gear"] == "replay"
        expected = cold(self.folder)
        self.live.wait(lambda: self.live.lines[-1:] == [expected], 10.0, f"the line {expected}")
        return str(start["reason"])

    def unfit(self, text: str) -> str:
        """Save a hot.py that the twin turns out not to serve: it goes on exactly. Returns why."""
        assert "kept" not in self.save("hot.py", text)
        return self.live.err.rpartition("does not serve: ")[2].partition("\n")[0]

    def explain(self) -> str:
        return subprocess.run(
            [sys.executable, "-m", "refork", "explain"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def ahead(self) -> set[str]:
        """The modules that the twin has imported ahead."""
        lines = [line.split() for line in self.explain().splitlines()]
        return {name.strip(",") for line in lines if line[:1] == ["ahead"] for name in line[1:]}

    def twin(self) -> bool:
        """Wait until a twin of hot.py has been made or been given up; return whether there is one."""

        def known() -> bool:
            return bool(self.live.all("checkpoint", kind="twin")) or "no twin for" in self.live.err

        self.live.wait(known, SLOW, "a twin, or why there is none")
        return bool(self.live.all("checkpoint", kind="twin"))


Begin = Callable[..., Hoisted]


@pytest.fixture
def begin(start: Start, folder: Path) -> Begin:
    def begin(**texts: str) -> Hoisted:
        write(folder, {**FILES, **{f"{name}.py": text for name, text in texts.items()}})
        live = start("-v", "--hoist", "main.py")
        live.event("ready", generation=1, timeout=30.0)
        made = Hoisted(live, folder)
        made.save("hot.py", made.text("hot").replace("value = 1", "value = 2"))
        return made

    return begin


def test_a_twin_serves(begin: Begin) -> None:
    program = begin()
    assert program.twin()
    ready = program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))
    kept, replayed = int(str(ready["kept"])), int(str(ready["replayed"]))
    assert kept >= 4
    program.live.complains(f"hot.py: 1 + {replayed - 1} modules replayed, {kept} kept")
    again = program.save("hot.py", program.text("hot").replace("value = 3", "value = 4"))
    assert again["kept"] == kept
    assert program.ahead() >= {"alone", "pkg", "pkg.two", "last"}
    assert not program.ahead() & {"hot", "user", "first", "base"}


def test_none_without_being_asked(start: Start, folder: Path) -> None:
    write(folder, FILES)
    live = start("main.py")
    live.event("ready", generation=1, timeout=30.0)
    live.save("hot.py", FILES["hot.py"].replace("value = 1", "value = 2"))
    live.event("ready", generation=2, timeout=30.0)
    live.save("hot.py", FILES["hot.py"].replace("value = 1", "value = 3"))
    assert "kept" not in live.event("ready", generation=3, timeout=30.0)
    assert not live.all("checkpoint", kind="twin")


ADDING = {
    "to a list": "base.LIST.append('other')",
    "to a dict": "base.DICT['other'] = 1",
    "to a set": "base.SET.add('other')",
    "a logger": "import logging; logging.getLogger('other.inner')",
    "an attribute": "base.mark = 'other'",
    "an attribute of a class": "base.Base.mark = 'other'",
    "one value after another": "base.Base.kind = 'a'; base.Base.kind = 'b'",
    "another value": "base.COUNT += 1",
    "another value of a class": "base.Base.count = 5",
    "a module under another name": "import sys; sys.modules['alias'] = base",
}


NOW = "[base.DICT.copy(), base.SET.copy(), vars(base).get('mark'), base.COUNT, list(vars(base.Base).items())]"


@pytest.mark.parametrize("what", ADDING)
def test_what_it_adds_is_put_in_its_place(begin: Begin, what: str) -> None:
    """Nothing of it is there before the module is imported, and all of it in the order of a cold start."""
    program = begin(
        hot=f"import base\nvalue = 1\nseen = {NOW}\n",
        other=f"import base\n{ADDING[what]}\nseen = 'other'\n",
    )
    assert program.twin()
    ready = program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))
    assert int(str(ready["kept"])) >= 2


def test_a_module_that_is_no_longer_imported_is_not_there(begin: Begin) -> None:
    program = begin(
        hot="value = 1\nimport extra\n",
        extra="import base\nclass Extra(base.Base): pass\nseen = 'extra'\n",
    )
    assert program.twin()
    ready = program.save("hot.py", "value = 3\n")
    assert ready["kept"]
    assert "extra" not in program.live.lines[-1]
    back = program.save("hot.py", "import extra\nvalue = 4\n")
    assert back["kept"]


def test_what_may_have_read_what_another_one_wrote_that_is_gone(begin: Begin) -> None:
    program = begin(
        hot="value = 1\nimport extra\n",
        extra="import base\nbase.DICT['extra'] = 1\nseen = 'extra'\n",
        other="import base\nseen = list(base.DICT)\n",
    )
    assert program.twin()
    assert "come otherwise now" in program.unfit("value = 3\n")


def test_what_two_import_comes_with_the_one_that_is_left(begin: Begin) -> None:
    program = begin(
        hot="value = 1\nimport extra\n",
        extra="import last\nseen = 'extra'\n",
        alone="import last\nseen = last.seen\n",
    )
    assert program.twin()
    assert program.save("hot.py", "value = 3\n")["kept"]


def test_an_edit_that_replaces_what_they_imported(begin: Begin) -> None:
    program = begin(other="import first\nseen = first.__name__\n")
    assert program.twin()
    text = program.text("hot") + "import sys\nsys.modules['first'] = type(sys)('second')\n"
    assert "imported another first" in program.conflict(text)


def test_a_new_import_comes_at_its_place(begin: Begin) -> None:
    program = begin()
    assert program.twin()
    ready = program.save("hot.py", program.text("hot") + "import last, pkg.one\n")
    assert ready["kept"]


LEFT_OUT = {
    "prints": "import sys; print('other', file=sys.stderr)",
    "removes": "found = base.DICT; del base.DICT; base.DICT = found",
    "asks for what depends on the file": "import sys\nfound = 'user' in sys.modules",
    "reads what the file registered": "count = len(base.LIST)",
    "comes to a fraction of it": "count = (len(base.LIST) + 1) / 3",
    "imports the file by its name": "import importlib; importlib.import_module('hot')",
    "raises when it comes first": "base.LIST[0]",
    "has an exit handler": "import atexit; atexit.register(len, '')",
    "seeds": "import random; random.seed(1)",
    "changes a setting": "import sys; sys.setrecursionlimit(999)",
    "writes a file": "open('made', 'w').close()",
    "collects garbage": "import gc; gc.collect()",
    "starts a thread": "import threading; t = threading.Thread(target=len, args=('',)); t.start(); t.join()",
    "opens a database": "import sqlite3; sqlite3.connect('data').close()",
    "runs a process": "import subprocess; subprocess.run(['true'])",
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_left_out(begin: Begin, what: str) -> None:
    program = begin(other=f"import base\n{LEFT_OUT[what]}\nseen = 'other'\n")
    program.twin()
    assert "other" not in program.ahead()
    program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))


def test_order_within_a_shared_registry(begin: Begin) -> None:
    """Both the file and what comes later write to one list: who comes first can be seen."""
    program = begin(
        alone="import base\nbase.LIST.append('alone')\n",
        user="import base\nimport hot\nbase.LIST.append('user')\n",
        other="import base\nbase.LIST.append('other')\nseen = 'other'\n",
    )
    program.twin()
    program.save("hot.py", program.text("hot").replace("'hot'", "'HOT'"))


def test_an_edit_that_writes_where_they_wrote(begin: Begin) -> None:
    """What one adds may depend on what is there: the program is made again, exactly."""
    program = begin(
        hot="import base\nvalue = 1\n",
        other="import base\nbase.LIST.append(len(base.LIST))\nseen = 'other'\n",
    )
    assert program.twin()
    assert "base.LIST" in program.unfit("import base\nvalue = 3\nbase.LIST.append('hot')\n")


def test_an_edit_that_writes_what_they_read(begin: Begin) -> None:
    """What was imported ahead has looked at it before: the program is made again, exactly."""
    program = begin(
        hot="import base\nvalue = 1\n",
        other="import base\nseen = list(base.LIST)\n",
    )
    assert program.twin()
    assert "base.LIST, which is written to" in program.unfit(
        "import base\nvalue = 3\nbase.LIST.append('hot')\n"
    )


WITHIN = {
    "a tuple": ("KEPT = ([],)", "base.KEPT[0].append(1)", "len(base.KEPT[0])"),
    "a registry": ("DICT['a'] = []", "base.DICT['a'].append(1)", "len(base.DICT['a'])"),
    "a default": ("def given(kept=[]): return kept", "base.given().append(1)", "len(base.given())"),
    "a closure": (
        "def make():\n    kept = []\n    return kept.append, lambda: len(kept)\nadd, count = make()",
        "base.add(1)",
        "base.count()",
    ),
    "the environment": ("import os", "base.os.environ['A'] = 'b'", "base.os.environ.get('A')"),
    "a module imported ahead": ("", "import last; last.seen = 'hot'", "__import__('last').seen"),
}


@pytest.mark.parametrize("what", WITHIN)
def test_an_edit_that_writes_within(begin: Begin, what: str) -> None:
    """It is found wherever it is written."""
    there, write, read = WITHIN[what]
    program = begin(
        base=f"{BASE}{there}\n",
        hot="import base\nvalue = 1\n",
        other=f"import base\nseen = {read}\n",
    )
    assert program.twin()
    assert "other" in program.ahead()
    program.live.save("hot.py", f"import base\nvalue = 3\n{write}\n")
    program.live.says(cold(program.folder), timeout=30.0)


def test_an_edit_of_what_the_file_has_always_registered(begin: Begin) -> None:
    """The registry holds a class of that name, as it did; what the class has is another matter."""
    hot = "import base\nvalue = 1\nclass Thing:\n    good = True\nbase.LIST.append(Thing)\n"
    program = begin(
        hot=hot.replace("append(Thing)", "append(Thing), base.SET.clear()"),
        other="import base\nseen = all(one.good for one in base.LIST)\n",
        show=SHOW.replace("base.LIST,", "len(base.LIST),"),
    )
    assert program.twin()
    assert "other" in program.ahead()
    text = program.text("hot").replace("value = 2", "value = 3")
    assert program.save("hot.py", text)["kept"]
    assert program.twin()
    program.unfit(text.replace("good = True", "good = False"))


UNSEEN = {
    "an entry in a cache": ("other.cached('x')", "list(base.cached.cache_info())"),
    "a virtual subclass": ("other.Shape.register(int)", "isinstance(3, base.Shape)"),
}


@pytest.mark.parametrize("what", UNSEEN)
def test_what_cannot_be_taken_back_is_not_done_ahead(begin: Begin, what: str) -> None:
    done, asked = UNSEEN[what]
    more = "import abc, functools\nclass Shape(abc.ABC): pass\n"
    more += "@functools.lru_cache\ndef cached(key): return [key]\n"
    program = begin(
        base=BASE + more,
        hot="import base\nvalue = 1\nseen = 0\n",
        other=f"import base as other\n{done}\nseen = 'other'\n",
    )
    program.twin()
    assert "other" not in program.ahead()
    program.save("hot.py", f"import base\nvalue = 2\nseen = {asked}\n")


LISTED = "[cls.__name__ for cls in base.Base.__subclasses__()]"


def test_classes_are_not_found_before_they_are_made(begin: Begin) -> None:
    program = begin(extra="import base\nclass Extra(base.Base): pass\n")
    text = program.text("hot").replace("value = 2", "value = 3\nimport extra")
    assert program.twin()
    program.save("hot.py", text)
    assert program.twin()
    ready = program.save("hot.py", program.text("hot") + f"seen = {LISTED}\n")
    assert ready["kept"]
    assert program.twin()
    gone = program.save("hot.py", program.text("hot").replace("import extra", "pass"))
    assert gone["kept"]
    assert "Extra" not in program.live.lines[-1]


@pytest.mark.parametrize("asking", [f"seen = {LISTED}", "import show; seen = len(show.state())"])
def test_what_asks_for_subclasses_is_not_imported_ahead(begin: Begin, asking: str) -> None:
    """It would not find the classes of the file."""
    program = begin(other=f"import base\n{asking}\n")
    program.twin()
    assert "other" not in program.ahead()
    program.save("hot.py", program.text("hot") + "class More(base.Base): pass\n")


def test_an_edit_that_counts_where_they_counted(begin: Begin) -> None:
    program = begin(
        hot="import base\nvalue = 1\n",
        other="import base\nbase.COUNT += 1\nseen = 'other'\n",
    )
    assert program.twin()
    assert "base" in program.unfit("import base\nvalue = 3\nbase.COUNT += 1\n")


@pytest.mark.parametrize("name", ["alone", "last", "pkg/two"])
def test_an_edit_of_what_was_imported_ahead(begin: Begin, name: str) -> None:
    program = begin()
    assert program.twin()
    text = (program.folder / f"{name}.py").read_text()
    assert "kept" not in program.save(f"{name}.py", f"{text}seen = 'edited'\n")
    program.save("hot.py", program.text("hot").replace("value = 2", "value = 5"))


def test_a_file_that_was_imported_ahead_is_edited_while_nobody_imports_it(begin: Begin) -> None:
    program = begin(hot="value = 1\nimport extra\n")
    assert program.twin()
    program.save("hot.py", "value = 3\n")
    (program.folder / "extra.py").write_text("seen = 'changed'\n")
    program.save("hot.py", "import extra\nvalue = 4\n")
    assert "changed" in program.live.lines[-1]


def test_a_data_file_that_was_read_ahead(begin: Begin) -> None:
    program = begin(other="seen = open('show.py').read().count('base')\n")
    assert program.twin()
    text = program.text("show")
    program.save("show.py", text + "# base\n")
    program.save("hot.py", program.text("hot").replace("value = 2", "value = 5"))


def test_an_optional_module_that_comes(begin: Begin) -> None:
    program = begin(
        other="try:\n    import missing as found\nexcept ImportError:\n    seen = 'none'\n"
    )
    assert program.twin()
    assert program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))["kept"]
    program.save("missing.py", "")
    program.save("hot.py", program.text("hot").replace("value = 3", "value = 4"))


def test_another_file_is_found_before_one_that_was_kept(begin: Begin) -> None:
    main = MAIN.replace("import last", "import last, late").replace("state()", "state(), late.seen")
    path = "import os, sys\nsys.path.append(os.path.abspath('lib'))\n"
    program = begin(**{"main": path + main, "lib/late": "seen = 'farther'\n"})
    assert program.twin()
    program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))
    assert "late" in program.ahead()
    program.save("late.py", "seen = 'nearer'\n")
    assert "nearer" in program.live.lines[-1]


def test_a_graft_in_a_generation_from_a_twin(begin: Begin) -> None:
    program = begin(last="def show():\n    return 1\nseen = 'last'\n")
    assert program.twin()
    program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))
    program.save("last.py", "def show():\n    return 2\nseen = 'last'\n")
    assert program.live.start(4)["gear"] == "graft"
    program.save("hot.py", program.text("hot").replace("value = 3", "value = 4"))


def test_the_death_of_a_twin(begin: Begin) -> None:
    program = begin()
    assert program.twin()
    twin = program.live.all("checkpoint", kind="twin")[-1]
    os.kill(int(twin["pid"]), signal.SIGKILL)
    assert "kept" not in program.save(
        "hot.py", program.text("hot").replace("value = 2", "value = 3")
    )


def test_explain_speaks_of_it(begin: Begin) -> None:
    program = begin(other="import base\ndel base.SET\nbase.SET = set()\nseen = 'other'\n")
    assert program.twin()
    told = program.explain()
    assert "for hot.py: " in told
    assert "without other: it changes base" in told


def test_verify_compares_it_with_an_exact_replay(start: Start, folder: Path) -> None:
    write(folder, FILES)
    program = Hoisted(start("-v", "--hoist", "--verify", "main.py"), folder)
    program.live.event("ready", generation=1, timeout=30.0)
    program.save("hot.py", program.text("hot").replace("value = 1", "value = 2"))
    assert program.twin()
    assert program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))["kept"]
    verified = program.live.event("verified", generation=3, timeout=SLOW)
    assert verified["files"] == [str(folder / "hot.py")]
    assert not program.live.all("error")


def test_verify_finds_what_only_an_exact_replay_has(start: Start, folder: Path) -> None:
    """A module that reads the outside world, which has changed since it was imported ahead."""
    world = "import time, os\nseen = os.environ.get('HOME', '') + str(os.path.exists('flag'))\n"
    write(folder, {**FILES, "alone.py": world})
    program = Hoisted(start("-v", "--hoist", "--verify", "main.py"), folder)
    program.live.event("ready", generation=1, timeout=30.0)
    program.save("hot.py", program.text("hot").replace("value = 1", "value = 2"))
    assert program.twin()
    (folder / "flag").touch()
    program.live.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))
    error = program.live.event("error", timeout=SLOW)
    assert error["type"] == "Divergence"
    assert "alone.seen" in error["message"]
    assert program.live.start(4, timeout=30.0)["gear"] == "replay"
    program.live.says(cold(folder), timeout=30.0)


def test_a_budget_without_room_for_one(start: Start, folder: Path) -> None:
    write(folder, FILES)
    program = Hoisted(start("-v", "--hoist", "--memory-budget", "1", "main.py"), folder)
    program.live.event("ready", generation=1, timeout=30.0)
    program.save("hot.py", program.text("hot").replace("value = 1", "value = 2"))
    if program.twin():
        number = program.live.all("checkpoint", kind="twin")[-1]["id"]
        gone = program.live.event("dismiss", id=number, timeout=SLOW)
        assert gone["reason"] == "the memory budget"
    program.save("hot.py", program.text("hot").replace("value = 2", "value = 3"))


def test_what_a_closure_holds_is_out_of_sight(begin: Begin) -> None:
    """One module imported ahead adds to what only functions of another one know."""
    program = begin(
        alone="def make():\n    found = []\n    return found.append, lambda: list(found)\n"
        "add, listed = make()\nseen = 'alone'\n",
        last="import alone\nalone.add('last')\nseen = alone.listed()\n",
        user="import hot, alone\nalone.add(f'user {hot.value}')\nseen = alone.listed()\n",
    )
    assert program.twin()
    assert "last" not in program.ahead()
    # others that are imported later may have listed what the user adds now
    assert "alone.listed" in program.conflict(program.text("hot").replace("value = 2", "value = 3"))
    program.save("hot.py", program.text("hot") + "import alone\nalone.add('hot')\n")
