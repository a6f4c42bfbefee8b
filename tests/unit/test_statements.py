"""Steps of single texts, and how many two texts have in common."""

from __future__ import annotations

import codecs
import sys
import warnings

import pytest

from refork.core.statements import (
    BLOCKS,
    ENTER,
    REST,
    STATEMENT,
    TEST,
    TRY,
    Step,
    common,
    steps,
)

V = sys.version_info[:2]
before_314 = pytest.mark.skipif(V >= (3, 14), reason="annotations act on the whole module")


def segments(source: bytes) -> list[bytes]:
    return [source[step.start : step.end] for step in steps(source)]


def shape(source: str) -> list[tuple[str, int]]:
    return [(step.kind, step.depth) for step in steps(source.encode())]


# --- steps ---------------------------------------------------------------------------------------


def test_steps_are_the_statements_in_order() -> None:
    source = b'"""Words."""\nimport os\n\nx = (1 +\n     2)  # three\nfor i in x:\n    pass\n'
    assert segments(source) == [
        b'"""Words."""',
        b"import os",
        b"x = (1 +\n     2)",
        b"for i in x:\n    pass",
    ]
    assert steps(source)[2] == Step(STATEMENT, 0, 4, 0, 5, 7, 0, 0)


def test_nothing_has_no_steps() -> None:
    assert steps(b"") == () == steps(b"# words\n")


def test_semicolons_separate_steps() -> None:
    assert segments(b"a = 1; b = 2;\nc = 3") == [b"a = 1", b"b = 2", b"c = 3"]


def test_a_decorated_statement_starts_at_its_first_decorator() -> None:
    source = b"x = 1\n@a\n@b(1)\ndef f():\n    pass\n\n@c\nclass A: pass\n"
    assert segments(source)[1:] == [b"a\n@b(1)\ndef f():\n    pass", b"c\nclass A: pass"]


def arms(source: str) -> list[tuple[str, int, int]]:
    return [(step.kind, step.depth, step.arm) for step in steps(source.encode())]


divided = pytest.mark.skipif(not BLOCKS, reason="only the arms of an if are steps here")


def test_a_test_is_a_step_and_so_is_each_statement_of_both_arms() -> None:
    source = "x = 1\nif x:\n    a = 1\n    b = 2\nelif (y):\n    c = 3\nelse:\n    d = 4\ny = 3\n"
    assert segments(source.encode()) == [
        b"x = 1",
        b"if x",
        b"a = 1",
        b"b = 2",
        b"elif (y",
        b"c = 3",
        b"d = 4",
        b"y = 3",
    ]
    assert arms(source) == [
        (STATEMENT, 0, 0),
        (TEST, 0, 0),
        (STATEMENT, 1, 0),
        (STATEMENT, 1, 0),
        (TEST, 1, 1),
        (STATEMENT, 2, 0),
        (STATEMENT, 2, 1),
        (STATEMENT, 0, 0),
    ]


def test_tests_nest() -> None:
    source = "if '__main__' == __name__:\n    if __name__ == '__main__': x = 1\n    y = 2\n"
    assert shape(source) == [(TEST, 0), (TEST, 1), (STATEMENT, 2), (STATEMENT, 1)]


@divided
def test_what_follows_the_body_of_a_try_is_one_step() -> None:
    source = "try:\n    a\n    b\nexcept E as e:\n    c\nelse:\n    d\nfinally:\n    f\ng\n"
    assert segments(source.encode()) == [
        b"",
        b"a",
        b"b",
        b"\nexcept E as e:\n    c\nelse:\n    d\nfinally:\n    f",
        b"g",
    ]
    assert shape(source) == [
        (TRY, 0),
        (STATEMENT, 1),
        (STATEMENT, 1),
        (REST, 0),
        (STATEMENT, 0),
    ]


@divided
def test_each_item_of_a_with_is_entered_and_left() -> None:
    source = "with a as b, (c):\n    d\n    e\n"
    assert segments(source.encode()) == [b"with a as b", b", (c", b"d", b"e", b"", b""]
    assert shape(source) == [
        (ENTER, 0),
        (ENTER, 1),
        (STATEMENT, 2),
        (STATEMENT, 2),
        (REST, 1),
        (REST, 0),
    ]


@pytest.mark.parametrize(
    "source", ["while x:\n    {}\n", "for a in b:\n    {}\n", "match x:\n  case 1: {}\n"]
)
def test_only_at_the_top_level_is_a_test_a_step(source: str) -> None:
    assert shape(source.format("x = 1 if y else 2")) == [(STATEMENT, 0)]


def test_the_same_statement_in_the_other_arm_is_another_step() -> None:
    old, new = b"if x:\n    a\n\n    b\n", b"if x:\n    a\nelse:\n    b\n"
    assert common(old, new) == 2


@pytest.mark.parametrize("word", ["sys.settrace(f)", "sys.setprofile(f)", "breakpoint()"])
def test_who_watches_frames_runs_whole(word: str) -> None:
    assert common(b"a = 1\nb = 2\n", f"a = 1\nb = 3\n{word}\n".encode()) == 0


def test_what_the_compiler_warns_of_acts_on_the_whole_module() -> None:
    """A cold start would show it before the first statement."""
    assert common(b"a = 1\nb = 2\n", b"a = 1\nb = 2 is 2\n") == 0
    assert common(b"a = 1 is 1\nb = 2\n", b"a = 1 is 1\nb = 3\n") == 1
    assert common(b"a = 1\nb = 2 is 2\n", b"a = 1\n\nb = 2 is 2\n") == 0


def test_offsets_behind_a_byte_order_mark() -> None:
    source = codecs.BOM_UTF8 + "é = 'ü'; b = 2\n".encode()
    assert segments(source) == ["é = 'ü'".encode(), b"b = 2"]
    assert steps(source)[0].start == 3
    assert steps(source)[1].column == len("é = 'ü'; ".encode())


def test_offsets_in_another_encoding() -> None:
    text = "# coding: latin-1\nx = 'ü'; y = 'é'\nz = 'à'\n"
    assert segments(text.encode("latin-1")) == [
        part.encode("latin-1") for part in ("x = 'ü'", "y = 'é'", "z = 'à'")
    ]
    two_bytes = "# coding: shift_jis\nx = '日本'; y = 1\n".encode("shift_jis")
    assert segments(two_bytes) == ["x = '日本'".encode("shift_jis"), b"y = 1"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_offsets_with_any_line_end(end: str) -> None:
    source = "x = 1\n\ny = '''a\nb'''\nz = 3\n".replace("\n", end).encode()
    assert segments(source) == [b"x = 1", f"y = '''a{end}b'''".encode(), b"z = 3"]


def test_a_form_feed_ends_no_line() -> None:
    assert segments(b"x = 1\n\x0c\ny = 'a\x0cb'\nz = 3\n") == [b"x = 1", b"y = 'a\x0cb'", b"z = 3"]
    assert segments("x = '\u2028'\ny = 2\n".encode()) == ["x = '\u2028'".encode(), b"y = 2"]


@pytest.mark.parametrize(
    ("encoding", "line"), [("unicode_escape", b"x = 1\\ny = 2"), ("utf-7", b"x = 1+AAo-y = 2")]
)
def test_lines_that_are_no_lines_of_bytes_are_refused(encoding: str, line: bytes) -> None:
    source = b"# coding: " + encoding.encode() + b"\n" + line + b"\nz = 3\n"
    with pytest.raises(ValueError, match=encoding):
        steps(source)
    assert common(source, source) == 0


def test_an_encoding_is_declared_in_a_comment_of_its_own_line() -> None:
    source = "# words\rx = 'coding: latin-1 é'; y = 2\r".encode()
    assert segments(source) == ["x = 'coding: latin-1 é'".encode(), b"y = 2"]


@pytest.mark.parametrize(
    "source",
    ["x = = 1\n", "return\n", "def f(a, a): pass\n", "nonlocal x\n", "break\n", "yield 1\n"],
)
def test_what_does_not_compile_has_no_steps(source: str) -> None:
    with pytest.raises(SyntaxError):
        steps(source.encode())
    assert common(source.encode(), source.encode()) == 0


def test_no_warning_is_shown() -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        assert len(steps(b"x = '\\d'\ny = 1 is 1\n")) == 2
    assert shown == []


# --- common --------------------------------------------------------------------------------------

START = "import a\nx = 1\n"

# old text, new text, steps in common
EDITS = {
    "nothing": (START, START, 2),
    "all of it": ("", START, 0),
    "a statement at the end": (START, START + "y = 2\n", 2),
    "a statement less": (START + "y = 2\n", START, 2),
    "the last statement": (START + "y = 2\n", START + "y = 3\n", 2),
    "the first statement": (START, "import b\nx = 1\n", 0),
    "a line in between": (START, "import a\n\nx = 1\n", 1),
    "a comment of equal length": (START + "# a\ny = 2\n", START + "# b\ny = 2\n", 3),
    "a longer comment": (START + "# a\ny = 2\n", START + "# abc é\ny = 2\n", 3),
    "a comment in a line": ("x = 1\ny = 2\n", "x = 1  # one\ny = 2\n", 2),
    "a comment inside a statement": ("x = (1,  # a\n)\n", "x = (1,  # b\n)\n", 0),
    "a longer expression": ("x = 1\n", "x = 1 + 2\n", 0),
    "an expression that goes on": ("x = (1)\n", "x = (1).real\n", 0),
    "a statement behind a semicolon": ("x = 1\n", "x = 1; y = 2\n", 1),
    "a column": ("a = 1; b = 2\n", "a = 1;  b = 2\n", 1),
    "a line more in a block": (
        "x = 1\nif x:\n    y = 1\n",
        "x = 1\nif x:\n    y = 1\n    z = 1\n",
        3,
    ),
    "an else": ("if x:\n    y = 1\n", "if x:\n    y = 1\nelse:\n    y = 2\n", 2),
    "a finally": (
        "try:\n    y = 1\nexcept A: pass\n",
        "try:\n    y = 1\nexcept A: pass\nfinally: pass\n",
        2 if BLOCKS else 0,
    ),
    "a decorator on a blank line": ("\ndef f(): pass\n", "@a\ndef f(): pass\n", 0),
    "another decorator": ("@a\ndef f(): pass\n", "@b\ndef f(): pass\n", 0),
    "a docstring": ("'a'\nx = 1\n", "'b'\nx = 1\n", 0),
    "a comment that becomes a docstring": ("# aa\nx = 1\n", "'aa'\nx = 1\n", 0),
    "a docstring that is none any more": ("'a'\nx = 1\n", "'a' + ''\nx = 1\n", 0),
    "the end of a string": ("x = '''a\n'''\n", "x = '''a\n\n'''\n", 0),
    "a __future__ import more": (
        "'a'\nfrom __future__ import annotations\nx = 1\n",
        "'a'\nfrom __future__ import annotations, division\nx = 1\n",
        0,
    ),
    "a __future__ import on a blank line": (
        "'a'\n\nx = 1\n",
        "'a'\nfrom __future__ import division\nx = 1\n",
        0,
    ),
    "a __future__ import that stays": (
        "from __future__ import annotations\nx = 1\n",
        "from __future__ import annotations\nx = 2\n",
        1,
    ),
    "a guard's body": (
        "x = 1\nif __name__ == '__main__':\n    a = 1\n    b = 2\n",
        "x = 1\nif __name__ == '__main__':\n    a = 1\n    b = 3\n    c = 4\n",
        3,
    ),
    "a guard's test": (
        "x = 1\nif __name__ == '__main__':\n    a = 1\n",
        "x = 1\nif __name__ == '__main_x':\n    a = 1\n",
        1,
    ),
    "the order of a guard's test": (
        "if __name__ == '__main__':\n    a = 1\n",
        "if '__main__' == __name__:\n    a = 1\n",
        0,
    ),
    "a guard's else": (
        "x = 1\nif __name__ == '__main__':\n    a = 1\n",
        "x = 1\nif __name__ == '__main__':\n    a = 1\nelse:\n    b = 1\n",
        3,
    ),
    "a statement that leaves the guard": (
        "if __name__ == '__main__':\n    a = 1\n    b = 2\n",
        "if __name__ == '__main__':\n    a = 1\nb = 2\n",
        2,
    ),
    "a broken end": (START, START + "y = = 3\n", 0),
    "an end that does not compile": (START, START + "return\n", 0),
    "a global declared too late": (START, START + "global x\n", 0),
    "line ends": ("x = '''\n'''\ny = 2\n", "x = '''\r\n'''\r\ny = 2\r\n", 0),
}


@pytest.mark.parametrize("name", EDITS)
def test_common(name: str) -> None:
    old, new, count = EDITS[name]
    assert common(old.encode(), new.encode()) == count
    assert common(new.encode(), old.encode()) == count


ANNOTATED = {
    "at the top": "z: int = 3\n",
    "without a value": "z: int\n",
    "in a block": "if x:\n    z: int = 3\n",
    "in a guard": "if __name__ == '__main__':\n    z: int = 3\n",
    "of an attribute": "x.z: int = 3\n",
    "in a loop's else": "for i in []: pass\nelse:\n    z: int = 3\n",
    "in a handler": "try: pass\nexcept A:\n    z: int = 3\n",
    "never run": "if 0:\n    z: int = 3\n",
}


@pytest.mark.parametrize("name", ANNOTATED)
def test_a_first_annotation_acts_on_the_whole_module(name: str) -> None:
    old, new = START.encode(), (START + ANNOTATED[name]).encode()
    assert common(old, new) == 0 == common(new, old)


@before_314
@pytest.mark.parametrize("name", ANNOTATED)
def test_one_more_annotation_does_not(name: str) -> None:
    old = "y: int = 3\n" + START
    assert common(old.encode(), (old + ANNOTATED[name]).encode()) == 3


@pytest.mark.parametrize(
    "end",
    ["def f(a: int):\n    z: int = 1\n", "class A:\n    z: int = 1\n", "f = lambda: 0\n"],
)
def test_annotations_in_functions_and_classes_do_not(end: str) -> None:
    assert common(START.encode(), (START + end).encode()) == 2


def test_a_match_counts_as_the_compiler_counts_it() -> None:
    old = START.encode()
    new = old + b"match x:\n    case 2:\n        z: int = 3\n"
    namespace: dict[str, object] = {}
    exec(compile(new.replace(b"import a", b"pass"), "sample.py", "exec"), namespace)
    made = "__annotations__" in namespace and V < (3, 14)
    if V < (3, 14):
        assert common(old, new) == (0 if made else 2)


def test_the_encoding_acts_on_the_whole_module() -> None:
    plain, latin = b"# coding: utf-8  \nx = 1\ny = 2\n", b"# coding: latin-1\nx = 1\ny = 2\n"
    assert common(plain, latin) == 0
    assert common(latin, latin + b"z = 3\n") == 2
    assert common(plain, b"# nothing at all \nx = 1\ny = 2\n") == 2


def test_a_byte_order_mark_acts_on_the_whole_module() -> None:
    assert common(b"x = 1\n", codecs.BOM_UTF8 + b"x = 1\n") == 0
    assert common(codecs.BOM_UTF8 + b"x = 1\n", codecs.BOM_UTF8 + b"x = 1\ny = 2\n") == 1


@pytest.mark.parametrize("bad", [b"x = 1\0", b"# coding: klingon\nx = 1\n", b"x = '\xff'\n"])
def test_nothing_in_common_with_what_cannot_be_read(bad: bytes) -> None:
    assert common(bad, b"x = 1\n") == 0 == common(b"x = 1\n", bad) == common(bad, bad)
