"""When only function bodies change: what is grafted, what is refused and why, and what the program sees."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Event, Live

Run = Callable[..., Live]

EARLY = """\
import time
import shop
time.sleep(0.05)
import late
print("answer", shop.answer(), flush=True)
"""


@pytest.fixture
def run(folder: Path, start: Start) -> Run:
    """Write the files of a program, run `entry.py`, and wait until it has ended."""

    def begin(files: dict[str, str], old: Sequence[str] = ()) -> Live:
        for name, text in files.items():
            (folder / name).write_text(text)
        for name in old:
            os.utime(
                folder / name, (1e9, 1e9)
            )  # it is not run by steps, between which it may be parked
        live = start("entry.py")
        live.exit(1)
        return live

    return begin


def edit(live: Live, name: str, old: str, new: str, generation: int) -> Event:
    """Replace `old` by `new` in a file, and return the start that follows."""
    text = live.path(name).read_text()
    assert old in text
    live.save(name, text.replace(old, new))
    return live.start(generation)


def first(run: Run, shop: str, entry: str = EARLY) -> Live:
    return run({"entry.py": entry, "shop.py": shop, "late.py": "import json\n"})


PLAIN = """\
RATE = 2

def answer():
    return price(3)

def price(n):
    return n * RATE
"""


def test_a_body_is_grafted(run: Run) -> None:
    """The new body runs in a process where nothing else was loaded again."""
    live = first(run, PLAIN)
    begun = edit(live, "shop.py", "n * RATE", "n * RATE + 1", 2)
    assert (begun["gear"], begun["grafted"]) == ("graft", ["price"])
    live.says("answer 7")


def test_many_grafts_in_a_row(run: Run) -> None:
    """Each starts from the same parked process, and one that takes the edit back needs none."""
    live = first(run, PLAIN)
    text = PLAIN
    for generation in range(2, 12):
        new = PLAIN.replace("n * RATE", f"n * RATE + {generation}")
        live.save("shop.py", new)
        assert live.start(generation)["gear"] == "graft"
        live.says(f"answer {6 + generation}")
        text = new
    assert text != PLAIN
    live.save("shop.py", PLAIN)
    assert live.start(12)["gear"] == "replay"
    live.says("answer 6", count=2)


def test_a_replay_after_grafts(run: Run) -> None:
    """An edit that needs more than a graft has all edits so far in it."""
    live = first(run, PLAIN)
    edit(live, "shop.py", "n * RATE", "n * RATE + 1", 2)
    live.says("answer 7")
    begun = edit(live, "shop.py", "RATE = 2", "RATE = 10", 3)
    assert begun["gear"] != "graft"
    live.says("answer 31")


def test_two_files_at_once(run: Run) -> None:
    """A graft in one file after a graft in another keeps both."""
    files = {
        "entry.py": "import time\nimport one, two\ntime.sleep(0.05)\nimport late\n"
        "print(one.f(), two.f(), flush=True)\n",
        "one.py": "def f():\n    return 'a1'\n",
        "two.py": "def f():\n    return 'b1'\n",
        "late.py": "import json\n",
    }
    live = run(files)
    live.says("a1 b1")
    edit(live, "one.py", "a1", "a2", 2)
    live.says("a2 b1")
    begun = edit(live, "two.py", "b1", "b2", 3)
    assert begun["gear"] == "graft"
    live.says("a2 b2")


MOVED = """\
import sys, inspect, traceback

def answer():
    x = 1
    return x

class Till:
    def fail(self):
        raise ValueError("empty")

def where():
    try:
        Till().fail()
    except ValueError as error:
        return [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
"""


def test_moved_lines_are_right_afterwards(run: Run) -> None:
    """Tracebacks and `inspect` show the new text for every function below the edit."""
    entry = EARLY + "import inspect\nlines = inspect.getsource(shop.Till.fail).split()\n"
    entry += "print(shop.where(), lines[2], flush=True)\n"
    live = first(run, MOVED, entry)
    live.says("[13, 9] raise")
    begun = edit(live, "shop.py", "    x = 1\n", "    x = 1\n    x += 1\n    x += 1\n", 2)
    assert begun["gear"] == "graft", begun["reason"]
    live.says("answer 3")
    live.says("[15, 11] raise")


REFUSED = {
    "it ran while loading": (
        "def answer():\n    return helper()\ndef helper():\n    return 1\nkept = helper()\n",
        "ran while loading",
    ),
    "a generator of it is suspended": (
        "def answer():\n    return next(g)\ndef gen():\n    yield 1\ng = gen()\n",
        "suspended",
    ),
    "its code was read": (
        "def answer():\n    return 1\nkept = answer.__code__.co_code\n",
        "was read by",
    ),
    "its code is kept": (
        "import types\ndef answer():\n    return 1\n"
        "class Box:\n    pass\nBox.code = types.FunctionType.__code__.__get__(answer)\n",
        "",
    ),
    "a copy was made of its code": (
        "import types\ndef answer():\n    return copy()\ndef original():\n    return 1\n"
        "copy = types.FunctionType(original.__code__, globals())\n",
        "was read by",
    ),
    "its source was read": (
        "import inspect\ndef answer():\n    return 1\nkept = inspect.getsource(answer)\n",
        "was read",
    ),
    "the program replaced its code": (
        "def answer():\n    return 1\ndef other():\n    return 1 + 1\nanswer.__code__ = other.__code__\n",
        "",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_graft_is_refused(run: Run, case: str) -> None:
    """What may have come from the old body makes a replay of it, and the reason is said."""
    text, reason = REFUSED[case]
    entry = f"import inspect\n{EARLY}"  # here, so that nothing is parked within `shop`
    live = run({"entry.py": entry, "shop.py": text, "late.py": "import json\n"}, old=["shop.py"])
    old = "yield 1" if "yield 1" in text else "return 1"
    begun = edit(live, "shop.py", old, old.replace("1", "5"), 2)
    assert begun["gear"] != "graft"
    assert reason in begun["reason"]
    live.says("answer 2" if "replaced" in case else "answer 5")


GRAFTED = {
    "in a closure": (
        "def make():\n    k = 1\n    def inner():\n        return k * 1\n    return inner\n"
        "answer = make()\n"
    ),
    "in a partial": "import functools\ndef add(a):\n    return a * 1\nanswer = functools.partial(add, 1)\n",
    "behind wraps": (
        "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def wrapper():\n        return f()\n"
        "    return wrapper\n@deco\ndef answer():\n    return 1 * 1\n"
    ),
    "a method, a property, a static method": (
        "class A:\n    @property\n    def p(self):\n        return 1 * 1\n    @staticmethod\n    def s():\n"
        "        return A().p\ndef answer():\n    return A.s()\n"
    ),
    "a lambda in a registry": "REGISTRY = [lambda: 1 * 1]\ndef answer():\n    return REGISTRY[0]()\n",
    "with super() in it": (
        "class A:\n    def f(self):\n        return 1\nclass B(A):\n    def f(self):\n"
        "        return super().f() * 1\ndef answer():\n    return B().f()\n"
    ),
    "a coroutine": (
        "import asyncio\nasync def work():\n    return 1 * 1\ndef answer():\n    return asyncio.run(work())\n"
    ),
    "held by a weak reference": (
        "import weakref\ndef body():\n    return 1 * 1\nref = weakref.ref(body)\n"
        "def answer():\n    return ref()()\n"
    ),
    "in a dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    n: int = 1\n    def f(self):\n"
        "        return self.n * 1\ndef answer():\n    return D().f()\n"
    ),
    "with the lines of an attribute-setting method": (
        "class C:\n    def __init__(self):\n        self.n = 1 * 1\ndef answer():\n    return C().n\n"
    ),
}


@pytest.mark.parametrize("case", GRAFTED)
def test_a_graft_reaches(run: Run, case: str) -> None:
    """Wherever the function object is kept."""
    live = first(run, GRAFTED[case])
    live.says("answer 1")
    begun = edit(live, "shop.py", "* 1", "* 7", 2)
    assert begun["gear"] == "graft", begun["reason"]
    live.says("answer 7")


def test_a_kept_line_number_forbids_moved_lines_only(run: Run) -> None:
    """A reader of frames may have kept a line: a body of as many lines is still grafted."""
    text = "import sys\nLINE = sys._getframe().f_lineno\ndef answer():\n    return 1\n"
    live = first(run, text)
    assert edit(live, "shop.py", "return 1", "return 2", 2)["gear"] == "graft"
    live.says("answer 2")
    text = "    n = 3\n    return n\ndef other():\n    return 1\n"
    begun = edit(live, "shop.py", "    return 2\n", text, 3)
    assert begun["gear"] != "graft"
    live.says("answer 3")


def test_lines_that_move_below_a_kept_number(run: Run) -> None:
    """The numbers that were kept may be of what has moved: no graft, and the reason is said."""
    text = "import sys\ndef answer():\n    return 1\nLINE = sys._getframe().f_lineno\n"
    live = first(run, text, EARLY + "print('line', shop.LINE, flush=True)\n")
    begun = edit(live, "shop.py", "    return 1\n", "    n = 3\n    return n\n", 2)
    assert "may have kept a line number" in begun["reason"]
    live.says("line 5")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is of 3.12")
def test_monitoring_is_given_back(run: Run) -> None:
    """A program that serves finds no tool of refork's in `sys.monitoring`."""
    entry = (
        "import socket, sys\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n"
        "print([sys.monitoring.get_tool(i) for i in range(6)], flush=True)\n"
    )
    live = run({"entry.py": entry})
    live.says("[None, None, None, None, None, None]")


def test_a_checkpoint_taken_after_a_resume_knows_what_was_made_since(run: Run) -> None:
    """What a parked process knew of its functions is not what the program that went on has."""
    entry = "import time\nimport one\ntime.sleep(0.05)\nimport two\ntime.sleep(0.05)\nimport late\n"
    entry += "print('sum', one.f() + two.f(), flush=True)\n"
    body = "def f():\n    return 1\n"
    live = run({"entry.py": entry, "one.py": body, "two.py": body, "late.py": "import json\n"})
    live.says("sum 2")
    assert edit(live, "one.py", "return 1", "return 10", 2)["gear"] == "graft"
    live.says("sum 11")
    edit(live, "two.py", "def f", "K = 1\ndef f", 3)
    live.says("sum 11", count=2)
    edit(live, "two.py", "return 1", "return 20", 4)
    live.says("sum 30")
    edit(live, "one.py", "return 10", "return 100", 5)
    live.says("sum 120")


def test_that_a_function_ran_is_known_of_it_after_a_graft(run: Run) -> None:
    """Moved lines give it a new code object, which as such has never run."""
    shop = "def other():\n    return 0\n\ndef used():\n    return 1\n\nKEPT = used()\n"
    entry = (
        "import time\nimport shop\ntime.sleep(0.05)\nimport two\ntime.sleep(0.05)\nimport late\n"
    )
    entry += "print('kept', shop.KEPT, shop.other(), two.V, flush=True)\n"
    files = {"entry.py": entry, "shop.py": shop, "two.py": "V = 1\n", "late.py": "import json\n"}
    live = run(files)
    begun = edit(live, "shop.py", "    return 0\n", "    zero = 0\n    return zero\n", 2)
    assert begun["gear"] == "graft"
    live.says("kept 1 0 1", count=2)
    edit(live, "two.py", "V = 1", "V = 2", 3)
    live.says("kept 1 0 2")
    edit(live, "two.py", "V = 2", "V = 3", 4)
    live.says("kept 1 0 3")
    begun = edit(live, "shop.py", "return 1", "return 5", 5)
    live.says("kept 5 0 3")


def test_a_grafted_function_dies_when_the_program_gives_it_up(run: Run) -> None:
    """refork does not keep it: it was counted as alive, and gone when it was looked for."""
    shop = "def answer():\n    return 1\n"
    late = (
        "import importlib, shop, weakref\nold = weakref.ref(shop.answer)\n"
        "importlib.reload(shop)\nprint('gone', old() is None)\n"
    )
    entry = "import shop\nimport late\nimport time\ntime.sleep(0.05)\nprint('answer', shop.answer(), flush=True)\n"
    live = run({"entry.py": entry, "shop.py": shop, "late.py": late})
    live.save("late.py", "x = 1\n" + late)
    live.exit(2)
    os.kill(live.process.pid, signal.SIGSTOP)  # both at once: grafted before `late`
    live.save("shop.py", shop.replace("1", "2"))
    live.save("late.py", "x = 2\n" + late)
    os.kill(live.process.pid, signal.SIGCONT)
    live.says("answer 2")
    live.exit(3)
    assert live.start(3)["grafted"] == ["answer"]
    begun = edit(live, "shop.py", "2", "3", 4)
    live.says("answer 3")
    assert begun["gear"] == "graft"
    # without sys.monitoring nothing is grafted past the second load of a module
    assert live.out.count("gone True") == (3 if sys.version_info >= (3, 12) else 4)


@pytest.mark.parametrize("words", [("entry.py",), ("-m", "entry"), ("-m", "pkg"), ("pkg",)])
def test_the_program_itself_however_it_is_named(
    words: tuple[str, ...], folder: Path, start: Start
) -> None:
    text = (
        "import time\ndef main():\n    print('answer', 1, flush=True)\ntime.sleep(0.05)\nmain()\n"
    )
    name = "pkg/__main__.py" if words[-1] == "pkg" else "entry.py"
    (folder / "pkg").mkdir()
    (folder / name).write_text(text)
    live = start(*words)
    live.exit(1)
    live.save(name, text.replace("1", "2"))
    live.says("answer 2")
    assert live.start(2)["gear"] == "graft"


def test_a_program_that_takes_away_what_code_is_run_and_made_with(run: Run) -> None:
    shop = (
        "import builtins\ndef no(*_, **__):\n    raise RuntimeError('forbidden')\n"
        "builtins.eval = builtins.compile = builtins.exec = no\n"
        "def answer():\n    return 1\n"
    )
    files = {"entry.py": EARLY.replace("import late\n", ""), "shop.py": shop}
    live = run(files)
    begun = edit(live, "shop.py", "return 1", "return 5", 2)
    live.says("answer 5")
    assert begun["gear"] == "graft"
