"""What runs by steps inside `if`, `try` and `with` is what the whole module does: state of exceptions,
frames, tracebacks, managers; and it goes on with a new text as that text would have run from the start.
"""

from __future__ import annotations

import sys
import traceback
from textwrap import indent
from types import TracebackType
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from refork.core.statements import BLOCKS, common, steps
from refork.program.running import Running, run
from refork.program.steps import Steps

PATH = "blocks.py"
RELAXED = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.skipif(not BLOCKS, reason="only the arms of an if are steps here")

PLAIN = [
    "state()",
    "x = x + 1",
    "state(); x = 2",
    "raise KeyError(x)",
    "fails(x)",
    "def f(n=x): return n",
    "raise",
    "raise ValueError('again') from None",
    "del x",
    "x = 0",
    "'words'",
    "y: int = state()",
    "(lambda: state())()",
    "import sys as s",
    "assert x, state()",
    "e = x",
    "state(\n  x,\n  fails(1) if x else 2)",
]
TESTS = ["x", "not x", "state()", "fails(x)", "truth(x)", "x and truth(1)", "(q := x)", "0 < x < 3"]
TESTS += ["truth(0) or truth(x)", "False", "__name__ == '__main__'"]
ITEMS = ["manager(1)", "manager(2) as m", "manager(0, swallow=True)", "manager(fails(x))", "x"]
ITEMS += ["manager(3) as (m, n)", "manager(4) as m.z", "manager(5), manager(6, swallow=True) as n"]
ITEMS += ["(manager(7) as m, manager(8) as n)", "manager(9, fails_at='enter')"]
ITEMS += ["manager(10, fails_at='exit')", "generated(11)", "generated(12) as g"]
CAUGHT = ["KeyError", "KeyError as e", "(KeyError, ValueError) as e", "Exception as e", "fails(1)"]
CAUGHT += ["", "5", "NameError"]


@st.composite
def bodies(draw: st.DrawFn, depth: int = 0) -> str:
    """A few statements; deeper ones are simpler."""
    simple: st.SearchStrategy[str] = st.sampled_from(PLAIN)
    one = simple if depth > 2 else st.one_of(simple, simple, compounds(depth + 1))
    return "\n".join(draw(st.lists(one, min_size=1, max_size=3)))


@st.composite
def compounds(draw: st.DrawFn, depth: int) -> str:
    def block(head: str) -> str:
        return f"{head}:\n{indent(draw(bodies(depth)), '    ')}\n"

    kind = draw(st.sampled_from(["if", "try", "try", "with", "for"]))
    if kind == "with":
        return block(f"with {draw(st.sampled_from(ITEMS))}")
    if kind == "for":
        return block("for i in range(2)")
    if kind == "if":
        text = block(f"if {draw(st.sampled_from(TESTS))}")
        for _ in range(draw(st.integers(0, 1))):
            text += block(f"elif {draw(st.sampled_from(TESTS))}")
        return text + (block("else") if draw(st.booleans()) else "")
    text = block("try")
    clauses = st.lists(st.sampled_from(CAUGHT), max_size=2, unique=True)
    caught = sorted(draw(clauses), reverse=True)
    star = "*" if draw(st.integers(0, 5)) == 0 and "" not in caught else ""
    text += "".join(block(f"except{star} {one}") for one in caught)
    if draw(st.booleans()) and caught:
        text += block("else")
    if draw(st.booleans()) or not caught:
        text += block("finally")
    return text


def modules() -> st.SearchStrategy[str]:
    return st.lists(st.one_of(compounds(1), st.sampled_from(PLAIN)), min_size=1, max_size=4).map(
        "\n".join
    )


@st.composite
def edits(draw: st.DrawFn, text: str) -> str:
    """Another line somewhere, one less, one more, or another indentation."""
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    blank = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    kind = draw(st.sampled_from(["other", "other", "more", "less", "in", "out", "blank"]))
    if kind == "less":
        del lines[at]
    elif kind == "in":
        lines[at] = "    " + lines[at]
    elif kind == "out":
        lines[at] = lines[at].removeprefix("    ")
    elif kind == "blank":
        lines.insert(at, draw(st.sampled_from(["", "# words"])))
    else:
        new = blank + draw(st.sampled_from([*PLAIN, "else:", "finally:", "except KeyError as e:"]))
        lines[at : at + (kind == "other")] = [new]
    return "\n".join(lines)


class Truth:
    def __init__(self, witness: Witness, value: object) -> None:
        self.witness, self.value = witness, value

    def __bool__(self) -> bool:
        self.witness.state("bool")
        return bool(self.value)


class Manager:
    def __init__(
        self, witness: Witness, number: object, swallow: bool = False, fails_at: str = ""
    ) -> None:
        self.witness, self.number, self.swallow, self.fails_at = witness, number, swallow, fails_at

    def __enter__(self) -> Manager:
        self.witness.state("enter", self.number)
        if self.fails_at == "enter":
            raise KeyError("enter")
        return self

    def __exit__(self, kind: object, error: object, trace: TracebackType | None) -> bool:
        self.witness.state("exit", self.number, repr(error), shape(trace, self.witness.caller()))
        if self.fails_at == "exit":
            raise ValueError("exit")
        return self.swallow

    def __iter__(self) -> Any:
        return iter((1, 2))


def shape(trace: TracebackType | None, frame: Any) -> list[object]:
    """Lines and positions of a traceback, and whether its first frame is the one that looks at it."""
    found: list[object] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == PATH:
            place = list(code.co_positions())[trace.tb_lasti // 2]  # type: ignore[attr-defined]
            mine = trace.tb_frame is frame
            found.append((trace.tb_lineno, place, code.co_name, mine or len(found) > 0))
        trace = trace.tb_next
    return found


class Witness:
    """What a module calls to have its state noted."""

    def __init__(self, name: str) -> None:
        self.notes: list[object] = []
        self.namespace: dict[str, Any] = {
            "__name__": name,
            "__doc__": None,
            "x": 1,
            "state": self.state,
            "fails": self.fails,
            "truth": lambda value: Truth(self, value),
            "manager": lambda *a, **k: Manager(self, *a, **k),
        }
        exec(GENERATED, self.namespace)

    def caller(self) -> Any:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != PATH:
            frame = frame.f_back  # type: ignore[assignment]
        return frame

    def state(self, *what: object) -> int:
        frame, lines = self.caller(), []
        outer = frame
        while outer is not None:
            if outer.f_code.co_filename == PATH:
                lines.append(outer.f_lineno)
            outer = outer.f_back
        self.notes.append((what, lines, self.errors(frame)))
        return len(self.notes) % 2

    def errors(self, frame: Any) -> object:
        """The exception that is being handled, and those it came from."""
        error, found = sys.exc_info()[1], list[object]()
        while error is not None:
            found.append((repr(error), shape(error.__traceback__, frame if not found else None)))
            error = error.__cause__ or error.__context__
        return found

    def fails(self, value: object) -> None:
        raise KeyError(value)

    def ended(self, error: BaseException | None) -> object:
        shown = None
        if error is not None:
            text = traceback.format_exception(type(error), error, error.__traceback__)
            shown = [line for line in "".join(text).splitlines() if f'"{PATH}"' in line]
        kept = {k: repr(v) for k, v in self.namespace.items() if type(v) in (int, str, dict)}
        kept["names"] = repr(sorted(self.namespace))
        return (
            self.notes,
            shown,
            repr(error),
            {k: v for k, v in kept.items() if k != "__builtins__"},
        )


GENERATED = """
import contextlib
@contextlib.contextmanager
def generated(n):
    state("generated", n)
    try:
        yield n
    finally:
        state("generated ends", n)
"""


def whole(source: bytes, name: str) -> object:
    witness = Witness(name)
    code = compile(source, PATH, "exec", dont_inherit=True)
    try:
        exec(code, witness.namespace)
    except BaseException as error:
        return witness.ended(error)
    return witness.ended(None)


def stepped(source: bytes, name: str, new: bytes | None = None, at: int = 0) -> tuple[object, bool]:
    """What running by steps comes to; from step `at` on, or later, with the new text where that is good."""
    witness = Witness(name)
    running = Running(Steps(source, PATH), witness.namespace)
    taken: list[int] = []
    most = common(source, new) if new is not None else 0

    def before(running: Running) -> None:
        if new is not None and not taken and running.index >= at and running.needs() <= most:
            taken.append(running.index)
            running.edited = new

    try:
        run(running, before)
    except BaseException as error:
        return witness.ended(error), bool(taken)
    return witness.ended(None), bool(taken)


def compiles(source: bytes) -> bool:
    try:
        steps(source)
    except SyntaxError:
        return False
    return True


@given(modules(), st.sampled_from(["__main__", "sample"]))
@RELAXED
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_by_steps_a_module_observes_what_it_would_whole(text: str, name: str) -> None:
    source = text.encode()
    assume(compiles(source))
    outcome, _ = stepped(source, name)
    assert outcome == whole(source, name)
    event(f"{len(steps(source)) // 5 * 5} steps or more")


@given(st.data(), st.sampled_from(["__main__", "sample"]))
@RELAXED
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_it_goes_on_with_a_new_text_as_that_would_have_run(data: st.DataObject, name: str) -> None:
    text = data.draw(modules())
    old = text.encode()
    assume(compiles(old))
    new = data.draw(edits(text)).encode()
    assume(compiles(new) and common(old, new))
    outcome, taken = stepped(old, name, new, data.draw(st.integers(0, common(old, new))))
    assert outcome == whole(new if taken else old, name)
    event("taken" if taken else "not taken")
