"""What a program tells of its end, and that the page's plain text is what Python itself prints."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from refork.core.wire import pack, unpack
from refork.program.failure import MOST, Facts, files_of
from refork.web import page
from refork.web.problem import Problem

CHAINED = """
def load(path):
    try:
        return open(path).read()
    except OSError as error:
        raise RuntimeError(f"no settings at {path}") from error
load("/nowhere/settings.json")
"""
WHILE = """
try:
    {}["key"]
except KeyError:
    print(undefined_name)
"""
SUPPRESSED = """
try:
    {}["key"]
except KeyError:
    raise ValueError("two\\nlines") from None
"""
NOTES = """
error = ValueError("wrong")
error.__notes__ = ["a note", "and\\nanother"]
raise error
"""
GROUP = """
class Mine(Exception): pass
def one():
    raise ValueError("port")
def two():
    try:
        one()
    except ValueError as error:
        raise Mine("host") from error
found = []
for check in (one, two):
    try:
        check()
    except Exception as error:
        found.append(error)
raise ExceptionGroup("configuration", [ExceptionGroup("inner", found), KeyError("x")])
"""
SYNTAX = "x = (\n    1,\n    2\n"
LOCAL = """
def connect(password):
    raise RuntimeError("no connection")
connect("a secret" + " of mine")
"""

Raised = Callable[[str], BaseException]


@pytest.fixture
def raised(tmp_path: Path) -> Raised:
    def run(text: str) -> BaseException:
        file = tmp_path / "app.py"
        file.write_text(text)
        try:
            exec(compile(text, str(file), "exec"), {"__name__": "__main__"})
        except BaseException as error:
            return error
        raise AssertionError("it did not raise")

    return run


def told(error: BaseException) -> dict[str, Any]:
    """The facts, as they arrive."""
    facts = Facts(lambda file: file == __file__).of(error)
    found: Any = unpack(pack(("error", facts)))[1]
    return dict(found)


def without_marks(text: str) -> list[str]:
    """The lines, but for those that only point at columns: versions of Python draw them differently."""
    return [line for line in text.splitlines() if set(line) - set(" |~^")]


@pytest.mark.parametrize("text", [CHAINED, WHILE, SUPPRESSED, LOCAL, SYNTAX, NOTES, GROUP])
def test_the_plain_text_is_what_python_prints(raised: Raised, text: str) -> None:
    if sys.version_info < (3, 11) and text in (NOTES, GROUP):
        pytest.skip("notes and groups came with 3.11")
    error = raised(text)
    shown = page.as_text(Problem.told(told(error))).partition("\n\n")[2]
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # without this test's own frame
    printed = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    wanted = [line for line in without_marks(printed) if "Traceback (most" not in line]
    found = [line for line in without_marks(shown) if "Traceback (most" not in line]
    assert found == wanted


def test_a_syntax_error_points_at_its_column(raised: Raised) -> None:
    problem = Problem.told(told(raised(SYNTAX)))
    assert problem.message == "'(' was never closed"
    assert (problem.frames[-1].line, problem.column) == (1, 5)
    assert "<mark>(</mark>" in page.as_html(problem, "n", None)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="columns are known since 3.11 (PEP 657)")
def test_the_expression_that_failed_is_marked(raised: Raised) -> None:
    problem = Problem.told(told(raised("é = {}\nprint('é', é['key'])\n")))
    assert problem.focus is not None
    start, end = problem.focus.span
    assert problem.focus.text[start:end] == "é['key']"
    assert "    print('é', é['key'])\n               ^^^^^^^^" in page.as_text(problem)


def test_no_values_are_told(raised: Raised) -> None:
    facts = told(raised(LOCAL))
    problem = Problem.told(facts)
    for text in (repr(facts), page.as_html(problem, "n", None), page.as_json(problem)):
        assert "no connection" in text
        assert "a secret of mine" not in text


def test_an_endless_chain_is_cut(raised: Raised) -> None:
    many = raised(
        "e = None\nfor n in range(99):\n  x = ValueError(n)\n  x.__cause__ = e\n  e = x\nraise e"
    )
    facts, count = told(many), 0
    while facts:
        facts, count = facts["cause"], count + 1
    assert count == MOST
    many.__cause__ = many
    assert told(many)["cause"] is None


def test_an_exception_that_cannot_be_printed(raised: Raised) -> None:
    error = raised("class E(Exception):\n  def __str__(self):\n    raise KeyError\nraise E")
    assert told(error)["message"] == "(its message could not be made)"


def test_all_files_count(raised: Raised, tmp_path: Path) -> None:
    file = str(tmp_path / "other.py")
    error = raised(
        f"try:\n  compile('(', {file!r}, 'exec')\nexcept SyntaxError:\n  raise ValueError"
    )
    assert {file, str(tmp_path / "app.py")} <= files_of(error)


def test_characters_that_mislead_are_spelled_out() -> None:
    problem = Problem("ValueError", "a \u202e b \x1b[31m \x00 c")
    for text in (page.as_text(problem), page.as_html(problem, "n", None)):
        assert "\\u202e b \\u001b[31m \\u0000 c" in text
        assert not set("\u202e\x1b\x00") & set(text)
