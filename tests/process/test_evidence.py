"""Each condition of a graft (design §5.1) has a program that turns it: the graft is refused, and says why.

A row is one condition. Its module `shop` is edited, once in the body of `price`, and, where the condition
is about line numbers, by a line more in the body of `above`, which moves `price` down.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need Linux")

ENTRY = """\
import time
{before}
import shop
{between}
time.sleep(0.05)
import late
print("answer", shop.{call}, flush=True)
{after}
"""

SHOP = """\
{head}
def above():
    x = 0
    return x

{decorator}
def price():
    return 1

{tail}
def answer():
    return price()
"""


@dataclass(frozen=True)
class Row:
    """Where the program differs from one that is grafted, and what the refusal says."""

    reason: str
    head: str = ""
    decorator: str = ""
    tail: str = ""
    before: str = ""
    between: str = ""
    call: str = "answer()"
    answer: str = "answer 5"
    """What it prints when the body is another."""
    more: tuple[tuple[str, str], ...] = ()
    """Further files."""

    def files(self) -> dict[str, str]:
        shop = SHOP.format(head=self.head, decorator=self.decorator, tail=self.tail)
        entry = ENTRY.format(before=self.before, between=self.between, after="", call=self.call)
        return {"shop.py": shop, "entry.py": entry, "late.py": "import json\n", **dict(self.more)}


COMPILER = """\
import marshal
def jit(f):
    compiled = marshal.loads(marshal.dumps(f.__code__))
    def run():
        return eval(compiled)
    run.__wrapped__ = f
    return run
"""

HOOK = """\
import sys
from importlib.machinery import PathFinder, SourceFileLoader
class Loader(SourceFileLoader):
    def source_to_code(self, data, path, *, _optimize=-1):
        return compile(data.replace(b"5", b"2 + 3"), path, "exec")
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        if name == "shop":
            spec.loader = Loader(name, spec.origin)
        return spec
sys.meta_path.insert(0, Finder)
"""

BODY = {
    "it ran while loading": Row("ran while loading", tail="kept = price()"),
    "it ran, and is gone since": Row(
        "price",
        tail="kept = price()\nimport functools\nold = price\ndel price\nprice = lambda: 1\ndel old",
        answer="answer 1",
    ),
    "it ran in a thread": Row(
        "ran while loading",
        tail="import threading\nt = threading.Thread(target=price)\nt.start()\nt.join()",
    ),
    "a caller of another module ran it": Row("ran while loading", between="shop.price()"),
    "it ran by way of a descriptor": Row(
        "ran while loading", tail="class C:\n    p = property(lambda self: price())\nkept = C().p"
    ),
    "a decorator compiled its code": Row(
        "was read by",
        head="from maker import jit",
        decorator="@jit",
        more=(("maker.py", COMPILER),),
    ),
    "its code was read": Row("was read by", tail="kept = price.__code__.co_consts"),
    "its code was read by getattr": Row(
        "was read by", tail="kept = getattr(price, '__co' + 'de__').co_code"
    ),
    "its code was disassembled": Row(
        "was read by", tail="import dis, io\nout = io.StringIO()\ndis.dis(price, file=out)"
    ),
    "a function was made of its code": Row(
        "was read by", tail="import types\ncopy = types.FunctionType(price.__code__, globals())"
    ),
    "its code was serialised": Row(
        "was read by", tail="import marshal\nkept = marshal.dumps(price.__code__)"
    ),
    "another function shares its code": Row(
        "", tail="def other():\n    return 2\nother.__code__ = price.__code__"
    ),
    "the program replaced its code": Row(
        "",
        tail="def other():\n    return 1 + 0\nprice.__code__ = other.__code__",
        answer="answer 1",
    ),
    "its source was read by inspect": Row(
        "was read before it",
        before="import inspect",
        tail="import inspect\nkept = inspect.getsource(price)",
    ),
    "its source was read by linecache": Row(
        "",
        before="import linecache",
        tail="import linecache\nkept = linecache.getlines(__file__)",
    ),
    "its source was opened": Row("was read before it", tail="kept = open(__file__).read()"),
    "its source was read by its loader": Row(
        "was read before it", tail="kept = __loader__.get_source(__name__)"
    ),
    "its source was read by pkgutil": Row(
        "was read before it",
        before="import pkgutil",
        tail="import pkgutil\nkept = pkgutil.get_data(__name__, 'shop.py')",
    ),
    "the names in it were looked at": Row(
        "was read by",
        before="import inspect",
        tail="import inspect\nkept = inspect.getclosurevars(price)",
    ),
    "its module is compiled by an import hook": Row(
        "in a way of its own", before="import hook", more=(("hook.py", HOOK),)
    ),
    "its code was asked of its loader": Row(
        "was read before it", tail="kept = __loader__.get_code(__name__).co_consts"
    ),
    "a generator of it is suspended": Row(
        "suspended", tail="def steps():\n    yield price()\ng = steps()\nnext(g)", answer="answer 1"
    ),
    "no function object of it is left": Row(
        "is left to look at",
        tail="def lost():\n    return price()\nkept = lost()\ndel lost",
        answer="answer 1",
    ),
    "its module ran twice": Row(
        "", between="import importlib\nimportlib.reload(shop)\nshop.price()"
    ),
    "it ran before its module ran again": Row(
        "",
        between="import importlib\nkept = shop.price()\nimportlib.reload(shop)",
        call="answer() if kept == shop.answer() else 'stale'",
    ),
}
"""Conditions about the body itself."""

KEEPING = """\
import operator
def line(e):
    return {}
try:
    {{}}[1]
except KeyError as e:
    L = line(e)
"""

LINES = {
    "a frame was taken": Row(
        "may have kept a line number", tail="import sys\nL = sys._getframe().f_lineno"
    ),
    "a frame was taken further up": Row(
        "may have kept a line number",
        head="from place import where",
        tail="L = where()",
        more=(("place.py", "import sys\ndef where():\n    return sys._getframe(1).f_lineno\n"),),
    ),
    "inspect looked at the stack": Row(
        "", tail="import inspect\nL = inspect.currentframe().f_lineno"
    ),
    "it warned": Row(
        "",
        before="import linecache, tokenize",
        tail="import warnings\nwarnings.warn('odd')",
    ),
    "it was logged where": Row(
        "may have kept a line number", tail="import logging\nlogging.getLogger('x').warning('odd')"
    ),
    "an exception is kept": Row(
        "lines moved", tail="try:\n    {}[1]\nexcept KeyError as e:\n    kept = e"
    ),
    "the line of an exception is kept": Row(
        "may have kept a line number",
        tail="try:\n    {}[1]\nexcept KeyError as e:\n    L = e.__traceback__.tb_lineno",
    ),
    "the line of a frame is kept": Row(
        "may have kept a line number",
        tail="try:\n    {}[1]\nexcept KeyError as e:\n    L = e.__traceback__.tb_frame.f_lineno",
    ),
    "a function keeps lines of exceptions": Row(
        "may have kept a line number",
        tail="def line(e):\n    return e.__traceback__.tb_lineno\n"
        "try:\n    {}[1]\nexcept KeyError as e:\n    L = line(e)",
    ),
    **{
        f"the line of an exception is kept by {how}": Row("kept", tail=KEEPING.format(value))
        for how, value in {
            "a generator expression": "max(t.tb_lineno for t in [e.__traceback__])",
            "a comprehension": "[t.tb_lineno for t in [e.__traceback__]]",
            "a lambda": "(lambda t: t.tb_lineno)(e.__traceback__)",
            "a function within one": "sorted([e.__traceback__], key=lambda t: t.tb_lineno)[0].tb_next",
            "a text": "eval('e.__traceback__.tb_lineno')",
            "a name": "getattr(e.__traceback__, 'tb_lineno')",
            "an operator": "operator.attrgetter('tb_lineno')(e.__traceback__)",
        }.items()
    },
    "tracemalloc keeps them": Row(
        "tracemalloc has kept", head="import tracemalloc\ntracemalloc.start()"
    ),
    "its first line is kept": Row("lines", tail="L = price.__code__.co_firstlineno"),
    "the first line of a suspended frame is kept": Row(
        "", tail="def steps():\n    yield 1\ng = steps()\nL = g.gi_code.co_firstlineno\ndel g"
    ),
    "a traceback was formatted": Row(
        "",
        tail="import traceback\ntry:\n    {}[1]\nexcept KeyError:\n    L = traceback.format_exc()",
    ),
    "the compiler warns": Row("", tail="def other(v):\n    return v is 5"),
}
"""Conditions about lines that move."""


def first(row: Row, folder: Path, start: Start) -> Live:
    for name, text in row.files().items():
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9, 1e9))  # old files are not run by steps
    live = start("entry.py")
    live.exit(1)
    assert live.lines[-1] == "answer 1", live.err
    return live


def save(live: Live, old: str, new: str) -> dict[str, object]:
    text = live.path("shop.py").read_text()
    assert old in text
    live.save("shop.py", text.replace(old, new, 1))
    return live.start(2)


def test_without_any_of_them_it_is_grafted(folder: Path, start: Start) -> None:
    live = first(Row(""), folder, start)
    assert save(live, "return 1", "return 5")["gear"] == "graft"
    live.says("answer 5")


def test_without_any_of_them_lines_may_move(folder: Path, start: Start) -> None:
    live = first(Row("", tail="try:\n    {}[1]\nexcept KeyError as e:\n    pass"), folder, start)
    begun = save(live, "    x = 0\n", "    x = 0\n    x += 1\n")
    assert begun["gear"] == "graft", str(begun)


@pytest.mark.parametrize("condition", BODY)
def test_a_body(condition: str, folder: Path, start: Start) -> None:
    row = BODY[condition]
    live = first(row, folder, start)
    edited = "return price()" if "suspended" in condition or "left" in condition else "return 1"
    old, new = {
        "a generator of it is suspended": ("yield price()", "yield price() + 4"),
        "no function object of it is left": ("return price()\nkept", "return price() + 4\nkept"),
    }.get(condition, (edited, "return 5"))
    begun = save(live, old, new)
    assert begun["gear"] != "graft" or row.between, str(begun)
    assert row.reason in str(begun["reason"]), str(begun)
    live.exit(2)
    assert live.lines[-1] == row.answer


@pytest.mark.parametrize("condition", LINES)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_lines(condition: str, folder: Path, start: Start) -> None:
    row = LINES[condition]
    live = first(row, folder, start)
    begun = save(live, "    x = 0\n", "    x = 0\n    x += 1\n")
    assert begun["gear"] != "graft", str(begun)
    assert row.reason in str(begun["reason"]), str(begun)


SAME_LINE = """\
class Column:
    def __init__(self, default, render):
        self.value = default()
        self.render = render
price = Column(default=lambda: 1, render=lambda value: str(value))
def answer():
    return price.value
"""


def test_two_lambdas_of_one_line(folder: Path, start: Start) -> None:
    """The one that ran is gone, and the other tells nothing of it."""
    live = first(Row("", more=(("shop.py", SAME_LINE),)), folder, start)
    begun = save(live, "lambda: 1", "lambda: 5")
    assert begun["gear"] != "graft", str(begun)
    live.says("answer 5")


def has(package: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True)
    return found.returncode == 0


@pytest.mark.skipif(not has("numba"), reason="numba is not installed")
def test_numba(folder: Path, start: Start) -> None:
    """Its compiler has read the code when it has compiled, which is at the first call or by a signature."""
    row = Row("", head="from numba import njit", decorator="@njit('i8()')")
    live = first(row, folder, start)
    begun = save(live, "return 1", "return 5")
    assert begun["gear"] != "graft", str(begun)
    live.says("answer 5", timeout=60)
