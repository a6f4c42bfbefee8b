"""What the differ says of single edits, each named by what was edited."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import warnings
from collections.abc import Iterator
from types import CodeType, ModuleType

import pytest

from refork.core import codes, differ
from refork.core.differ import BODIES, DIFFERENT, SAME, Diff, compare, compare_codes, pairs

V = sys.version_info[:2]


def text(source: str) -> bytes:
    return textwrap.dedent(source).encode()


def diff(old: str, new: str, optimize: int = -1) -> Diff:
    return compare(text(old), text(new), "sample.py", optimize)


def names(places: tuple[tuple[str, int, tuple[int, ...]], ...]) -> list[str]:
    return [name for name, _, _ in places]


def whole(code: CodeType) -> Iterator[CodeType]:
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from whole(const)


def find(code: CodeType, path: tuple[int, ...]) -> CodeType:
    for index in path:
        code = code.co_consts[index]
    return code


MODULE = """
    import os

    LIMIT = 12

    @os.fspath
    class Order:
        '''An order.'''
        size = 12

        def total(self, tax=LIMIT):
            '''All of it.'''
            return self.size + tax

        @property
        def name(self):
            return 'order'

    def outer(n, *args, k=1, **more):
        def inner(x):
            return x + n
        return inner

    square = lambda x: x * x
    """

UNSEEN = {
    "nothing": ("x = 1\n", "x = 1\n"),
    "a comment at the end of a line": ("x = 1  # one\n", "x = 1  # the first\n"),
    "a comment line": ("# one\nx = 1\n", "# the first\nx = 1\n"),
    "a comment in a function": (
        "def f():\n    # a\n    return 1\n",
        "def f():\n    # bb\n    return 1\n",
    ),
    "kinds of quotes": ("x = 'a'\n", 'x = "a"\n'),
    "blanks at the end of a line": ("x = 1\ny = 2\n", "x = 1   \ny = 2\n"),
    "the last newline": ("x = 1\n", "x = 1"),
    "line ends": ("x = 1\ny = 2\n", "x = 1\r\ny = 2\r\n"),
    "comments after the end": ("x = 1\n", "x = 1\n\n\n# the end\n"),
    "a spelled-out coding": ("# nothing here: \nx = 1\n", "# coding: utf-8 \nx = 1\n"),
    "order in a set of strings": ("'a' in {'b', 'c', 'd'}\n", "'a' in {'d', 'b', 'c'}\n"),
    "both empty": ("", "# still empty\n"),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_same(name: str) -> None:
    old, new = UNSEEN[name]
    found = compare(old.encode(), new.encode(), "sample.py")
    assert (found.kind, found.changed, found.moved, found.renewed) == (SAME, (), (), ())


# old text, new text, qualified names of the functions whose body changed
BODY_EDITS = {
    "a constant": ("def f():\n    return 1\n", "def f():\n    return 2\n", ["f"]),
    "true for one": ("def f():\n    return 1\n", "def f():\n    return True\n", ["f"]),
    "a float for an int": ("def f():\n    return 1\n", "def f():\n    return 1.0\n", ["f"]),
    "minus zero": ("def f():\n    return 0.0\n", "def f():\n    return -0.0\n", ["f"]),
    "minus zero in a tuple": (
        "def f():\n    return (1, (0.0,))\n",
        "def f():\n    return (1, (-0.0,))\n",
        ["f"],
    ),
    "a complex zero": ("def f():\n    return 0j\n", "def f():\n    return -0j\n", ["f"]),
    "one in a frozenset": (
        "def f(x):\n    return x in {0, 1}\n",
        "def f(x):\n    return x in {0, True}\n",
        ["f"],
    ),
    "order in a frozenset": (
        "def f(g):\n    return [g(x) for x in {1, 9}]\n",
        "def f(g):\n    return [g(x) for x in {9, 1}]\n",
        ["f"],
    ),
    "bytes for a string": ("def f():\n    return 'a'\n", "def f():\n    return b'a'\n", ["f"]),
    "a name": ("def f():\n    return a.b\n", "def f():\n    return a.c\n", ["f"]),
    "a local": ("def f():\n    x = 1\n", "def f():\n    y = 1\n", ["f"]),
    "an operator": ("def f(a):\n    return a + 1\n", "def f(a):\n    return a - 1\n", ["f"]),
    "nothing to something": ("def f(): pass\n", "def f(): return g(1)\n", ["f"]),
    "a method": (
        "class A:\n    class B:\n        def m(self): return 1\n",
        "class A:\n    class B:\n        def m(self): return 2\n",
        ["A.B.m"],
    ),
    "a lambda": ("f = lambda x: x\n", "f = lambda x: x + 1\n", ["<lambda>"]),
    "a lambda as default": (
        "def f(k=lambda: 1): return k\n",
        "def f(k=lambda: 2): return k\n",
        ["<lambda>"],
    ),
    "one of two of a name": (
        "def f(): return 1\ndef f(): return 2\n",
        "def f(): return 1\ndef f(): return 3\n",
        ["f"],
    ),
    "a conditional definition": (
        "if 0 + x:\n    def f(): return 1\nelse:\n    def f(): return 2\n",
        "if 0 + x:\n    def f(): return 3\nelse:\n    def f(): return 4\n",
        ["f", "f"],
    ),
    "an async function": (
        "async def f():\n    await g()\n",
        "async def f():\n    await h()\n",
        ["f"],
    ),
    "a generator": ("def f():\n    yield 1\n", "def f():\n    yield 2\n", ["f"]),
    "a coroutine's awaits all gone": (
        "async def f():\n    await g()\n",
        "async def f():\n    g()\n",
        ["f"],
    ),
    "a decorated function": ("@d\ndef f(): return 1\n", "@d\ndef f(): return 2\n", ["f"]),
    "an f-string": ("def f(x): return f'{x}'\n", "def f(x): return f'{x:>3}'\n", ["f"]),
    "a walrus": ("def f(x): return (y := x)\n", "def f(x): return (z := x)\n", ["f"]),
    "a match": (
        "def f(x):\n    match x:\n        case 1: return 1\n",
        "def f(x):\n    match x:\n        case [1]: return 1\n",
        ["f"],
    ),
    "an except clause": (
        "def f():\n    try: g()\n    except A: pass\n",
        "def f():\n    try: g()\n    except B: pass\n",
        ["f"],
    ),
    "a global": ("def f():\n    x = 1\n", "def f():\n    global x; x = 1\n", ["f"]),
    "a nested function alone": (
        "def f(n):\n    def g(): return n\n    return g\n",
        "def f(n):\n    def g(): return n + 1\n    return g\n",
        ["f.<locals>.g"],
    ),
    "a nested function's parameters": (
        "def f(n):\n    def g(): return 0\n    return g\n",
        "def f(n):\n    def g(x): return 0\n    return g\n",
        ["f"],
    ),
    "a nested function's captures": (
        "def f(n, m):\n    def g(): return n\n    return g, m\n",
        "def f(n, m):\n    def g(): return m\n    return g, m\n",
        ["f"],
    ),
    "a nested function's docstring": (
        "def f(n):\n    def g(): 'a'\n    return g\n",
        "def f(n):\n    def g(): 'b'\n    return g\n",
        ["f"],
    ),
    "an outer function and what is in it": (
        "def f(n):\n    def g(): return 0\n    return g\n",
        "def f(n):\n    def g(): return 1\n    return g, g\n",
        ["f"],
    ),
    "a class in a function": (
        "def f(n):\n    class A:\n        x = 1\n    return A\n",
        "def f(n):\n    class A:\n        x = 2\n    return A\n",
        ["f"],
    ),
    "a method of a class in a function": (
        "def f(n):\n    class A:\n        def m(self): return 1\n    return A\n",
        "def f(n):\n    class A:\n        def m(self): return 2\n    return A\n",
        ["f.<locals>.A.m"],
    ),
    "what was noted in a class that then differs is forgotten": (
        "def f(n):\n    class A:\n        def m(self): return 1\n        def k(self): 'a'\n",
        "def f(n):\n    class A:\n        def m(self): return 2\n        def k(self): 'b'\n",
        ["f"],
    ),
    "a comprehension in a function": (
        "def f(n):\n    return [x for x in n if x]\n",
        "def f(n):\n    return [x for x in n if not x]\n",
        ["f"],
    ),
    "a generator expression in a function": (
        "def f(n):\n    return sum(x for x in n)\n",
        "def f(n):\n    return sum(x + 1 for x in n)\n",
        ["f"],
    ),
    "a lambda in a comprehension": (
        "z = [lambda: 1 for x in n]\n",
        "z = [lambda: 2 for x in n]\n",
        ["<lambda>" if V >= (3, 12) else "<listcomp>.<lambda>"],
    ),
    "a lambda in a generator expression": (
        "z = (lambda: 1 for x in n)\n",
        "z = (lambda: 2 for x in n)\n",
        ["<genexpr>.<lambda>"],
    ),
    "a function that is in __all__": (
        "__all__ = ['f']\ndef f(): return 1\n",
        "__all__ = ['f']\ndef f(): return 2\n",
        ["f"],
    ),
    "super": (
        "class A(B):\n    def m(self): return super().m()\n",
        "class A(B):\n    def m(self): return super().m() + 1\n",
        ["A.m"],
    ),
    "nonlocal": (
        "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 1\n    return g\n",
        "def f():\n    n = 0\n    def g():\n        nonlocal n\n        n += 2\n    return g\n",
        ["f.<locals>.g"],
    ),
    "the first closure in a body": (
        "def f(n):\n    return n\n",
        "def f(n):\n    return lambda: n\n",
        ["f"],
    ),
    "constants with __future__ annotations": (
        "from __future__ import annotations\ndef f(x: T) -> T: return 1\n",
        "from __future__ import annotations\ndef f(x: T) -> T: return 2\n",
        ["f"],
    ),
}


@pytest.mark.parametrize("name", BODY_EDITS)
def test_bodies(name: str) -> None:
    old, new, changed = BODY_EDITS[name]
    found = diff(old, new)
    assert found.kind == BODIES, found
    assert names(found.changed) == changed


@pytest.mark.parametrize("name", BODY_EDITS)
def test_places_lead_to_the_old_code(name: str) -> None:
    old, new, _ = BODY_EDITS[name]
    code = compile(text(old), "sample.py", "exec", dont_inherit=True)
    found = diff(old, new)
    for qualified, line, path in found.changed + found.moved:
        place = find(code, path)
        assert place.co_firstlineno == line
        assert place.co_name == qualified.rpartition(".")[2]
        assert getattr(place, "co_qualname", qualified) in (qualified, "<module>")


# old text, new text, what the reason must say
OTHER_EDITS = {
    "a module constant": ("x = 1\n", "x = 2\n", "module statements changed near line 1"),
    "the type of a constant": ("x = 1\n", "x = True\n", "module statements changed near line 1"),
    "an import": (
        "x = 1\nimport a\n",
        "x = 1\nimport b\n",
        "module statements changed near line 2",
    ),
    "a call": (
        "a = 1\nb = 2\nprint(a)\nc = 3\n",
        "a = 1\nb = 2\nprint(b)\nc = 3\n",
        "module statements changed near line 3",
    ),
    "an attribute": (
        "import a\nx = 1\na.b(x)\n",
        "import a\nx = 1\na.c(x)\n",
        "module statements changed near line 3",
    ),
    "a statement at the end": (
        "x = 1\n",
        "x = 1\ny = x\n",
        "module statements changed near line 2",
    ),
    "the module's docstring": ("'a'\nx = 1\n", "'b'\nx = 1\n", "module statements changed"),
    "a function more": ("def f(): pass\n", "def f(): pass\ndef g(): pass\n", "g() added"),
    "a function less": ("def f(): pass\ndef g(): pass\n", "def f(): pass\n", "g() removed"),
    "a class more": ("def f(): pass\n", "def f(): pass\nclass C: pass\n", "class C added"),
    "a method more": (
        "class A:\n    def f(self): pass\n",
        "class A:\n    def f(self): pass\n    def g(self): pass\n",
        "class A: g() added",
    ),
    "a class attribute": (
        "class A:\n    x = 1\n",
        "class A:\n    x = 2\n",
        "class A: body changed",
    ),
    "an operator in a class": (
        "class A:\n    x = y + z\n",
        "class A:\n    x = y - z\n",
        "class A: body changed near line 2",
    ),
    "a sign in a class": (
        "class A:\n    x = -y\n",
        "class A:\n    x = ~y\n",
        "class A: body changed near line 2",
    ),
    "a class's base": ("class A(b): pass\n", "class A(c): pass\n", "near line 1"),
    "a class's docstring": ("class A: 'a'\n", "class A: 'b'\n", "class A: body changed"),
    "a nested class": (
        "class A:\n    class B:\n        x = 1\n",
        "class A:\n    class B:\n        x = 2\n",
        "class A.B: body changed near line 3",
    ),
    "a parameter's name": ("def f(a): pass\n", "def f(b): pass\n", "f(): parameters changed"),
    "a parameter more": ("def f(a): pass\n", "def f(a, b): pass\n", "f(): parameters changed"),
    "the name of *": ("def f(*a): pass\n", "def f(*b): pass\n", "f(): parameters changed"),
    "the name of **": ("def f(**a): pass\n", "def f(**b): pass\n", "f(): parameters changed"),
    "* for a name": ("def f(a): pass\n", "def f(*a): pass\n", "f(): parameters changed"),
    "** for *": ("def f(*a): pass\n", "def f(**a): pass\n", "f(): parameters changed"),
    "keyword-only": ("def f(a, b): pass\n", "def f(a, *, b): pass\n", "f(): parameters changed"),
    "positional-only": ("def f(a, b): pass\n", "def f(a, /, b): pass\n", "f(): parameters"),
    "a lambda's parameters": ("f = lambda a: 1\n", "f = lambda b: 1\n", "lambda at line 1: param"),
    "a default": ("def f(a=1): pass\n", "def f(a=2): pass\n", "near line 1"),
    "a keyword default": ("def f(*, a=1): pass\n", "def f(*, a=2): pass\n", "near line 1"),
    "an annotation": ("x = 1\ndef f(a: b): pass\n", "x = 1\ndef f(a: c): pass\n", ""),
    "a decorator": ("@a\ndef f(): pass\n", "@b\ndef f(): pass\n", "near line 1"),
    "a decorator less": ("@a\ndef f(): pass\n", "def f(): pass\n", "module statements changed"),
    "a docstring": ("def f(): 'a'\n", "def f(): 'b'\n", "f(): docstring changed"),
    "a docstring more": ("def f(): return 1\n", "def f():\n 'b'\n return 1\n", "f(): docstring"),
    "a docstring less": ("def f():\n 'b'\n return 1\n", "def f(): return 1\n", "f(): docstring"),
    "a method's docstring": (
        "class A:\n    def m(self): 'a'\n",
        "class A:\n    def m(self): 'b'\n",
        "A.m(): docstring changed",
    ),
    "def to async def": ("def f(): g()\n", "async def f(): g()\n", "f(): kind"),
    "a yield more": ("def f(): g()\n", "def f(): yield g()\n", "f(): kind"),
    "super more": (
        "class A(B):\n    def m(self): return 1\n",
        "class A(B):\n    def m(self): return super().m()\n",
        "class A: body changed",
    ),
    "a __future__ import": (
        "def f(): pass\n",
        "from __future__ import annotations\ndef f(): pass\n",
        "",
    ),
    "a comprehension": (
        "z = [x for x in n]\n",
        "z = [x + 1 for x in n]\n",
        "near line 1|at line 1",
    ),
    "a generator expression": (
        "z = (x for x in n)\n",
        "z = (x + 1 for x in n)\n",
        "comprehension at line 1: body changed",
    ),
    "a function for a class": ("def f(): pass\n", "class f: pass\n", "class f added"),
    "a lambda for a function": ("f = lambda: 0\n", "def f(): return 0\n", "f() added|name changed"),
    "two functions change places": (
        "def f(): pass\ndef g(): pass\n",
        "def g(): pass\ndef f(): pass\n",
        "module statements changed near line 1",
    ),
    "a name's case": ("def f(): pass\n", "def F(): pass\n", "F() added"),
    "a captured variable more in a class": (
        "def f():\n    a = 1\n    class A:\n        def m(self): return 1\nf.x = 1\n",
        "def f():\n    a = 1\n    class A:\n        def m(self): return a\nf.x = 2\n",
        "module statements changed near line 5",
    ),
    "a syntax error after": ("x = 1\n", "x = 1\n\nx = = 2\n", "syntax error at line 3"),
    "a syntax error before": (
        "x = 1\n\nx = = 2\n",
        "x = 1\n",
        "before the edit: syntax error at line 3",
    ),
    "a syntax error that stays": (
        "return\n",
        "return\n",
        "before the edit: syntax error at line 1",
    ),
}


@pytest.mark.parametrize("name", OTHER_EDITS)
def test_different(name: str) -> None:
    old, new, reason = OTHER_EDITS[name]
    found = diff(old, new)
    assert found.kind == DIFFERENT, found
    assert any(part in found.reason for part in reason.split("|")), found.reason
    assert (found.changed, found.moved, found.renewed) == ((), (), ())


HOPELESS = {
    "a NUL": (b"x = 1\0", ""),
    "not UTF-8": (b"x = '\xff'\n", ""),
    "an unknown encoding": (b"# coding: klingon\n", "klingon"),
    "an encoding that is none": (b"# coding: base64\n", ""),
    "too many parentheses": (b"x = " + b"(" * 20_000, "syntax error at line 1"),
    "too many signs": (b"x = " + b"-" * 60_000 + b"1\n", ""),
    "too long a chain": (b"a" + b".b" * 60_000 + b"\n", ""),
    "too deep a lambda": (b"f = " + b"lambda: " * 3_000 + b"1\n", ""),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_does_not_compile_is_different(name: str) -> None:
    bad, words = HOPELESS[name]
    found = compare(b"x = 1\n", bad, "sample.py")
    assert found.kind == DIFFERENT
    assert words in found.reason
    assert found.reason.startswith(("syntax error", "does not compile: "))
    assert compare(bad, b"x = 1\n", "sample.py").reason == "before the edit: " + found.reason


def test_latin_1_constants_are_compared_as_text() -> None:
    old = "# coding: latin-1\ndef f(): return 'é'\n".encode("latin-1")
    new = "# coding: utf-8  \ndef f(): return 'é'\n".encode()
    assert compare(old, new, "sample.py").kind == SAME
    mangled = new.replace(b"# coding: utf-8  ", b"# coding: latin-1")
    assert names(compare(old, mangled, "sample.py").changed) == ["f"]


def test_optimize_decides_what_counts() -> None:
    old, new = "def f(x):\n    assert x\n", "def f(x):\n    assert x > 1\n"
    assert names(diff(old, new, 0).changed) == ["f"]
    assert diff(old, new, 1).changed == ()
    old, new = "def f():\n    'a'\n    g()\n", "def f():\n    'b'\n    g()\n"
    assert diff(old, new, 1).kind == DIFFERENT
    assert diff(old, new, 2).kind == SAME


def test_a_line_more_at_the_top_moves_everything() -> None:
    old = text(MODULE)
    found = compare(old, b"\n" + old, "sample.py")
    assert (found.kind, found.changed) == (BODIES, ())
    code = compile(old, "sample.py", "exec", dont_inherit=True)
    assert {find(code, path) for _, _, path in found.moved} == set(whole(code))
    assert found.lines == found.moved
    assert found.moved[0] == ("<module>", code.co_firstlineno, ())


def test_only_what_follows_moves() -> None:
    old = "def f():\n    return 1\n\n\ndef g():\n    return 2\n"
    new = "def f():\n    return 1\n\n\n\ndef g():\n    return 2\n"
    found = diff(old, new)
    assert (found.kind, found.changed) == (BODIES, ())
    assert names(found.moved) == ["<module>", "g"] == names(found.lines)


def test_lines_within_a_function_move() -> None:
    found = diff("def f():\n    a()\n    b()\n", "def f():\n    a()\n\n    b()\n")
    assert (names(found.changed), names(found.lines)) == ([], ["f"])


def test_the_line_of_a_decorated_definition_moves() -> None:
    found = diff("@d\ndef f():\n    a()\n", "@d\n\ndef f():\n    a()\n")
    assert (found.kind, names(found.changed)) == (BODIES, [])
    assert "f" in names(found.lines)
    found = diff("\n@d\ndef f():\n    a()\n", "@d\n\ndef f():\n    a()\n")
    assert "f" in names(found.lines)


@pytest.mark.skipif(V < (3, 11), reason="no columns before Python 3.11")
def test_columns_are_no_lines() -> None:
    found = diff("def f(a):\n    return a.b\n", "def f(a):\n    return  a.b\n")
    assert (found.kind, names(found.changed)) == (BODIES, [])
    assert "f" in names(found.moved)
    assert found.lines == ()


@pytest.mark.skipif(V >= (3, 11), reason="columns since Python 3.11")
def test_columns_do_not_exist() -> None:
    assert diff("def f(a):\n    return a.b\n", "def f(a):\n    return  a.b\n").kind == SAME


def test_a_longer_body_moves_what_follows_and_not_what_precedes() -> None:
    old = "def a(): return 1\ndef f():\n    return 1\ndef g(): return 2\n"
    new = "def a(): return 1\ndef f():\n    x = 1\n    return x\ndef g(): return 2\n"
    found = diff(old, new)
    assert names(found.changed) == ["f"]
    assert names(found.moved) == ["<module>", "g"]


def test_two_edits_at_once() -> None:
    old = text(MODULE)
    new = old.replace(b"self.size + tax", b"self.size * tax").replace(b"x * x", b"x ** 2")
    assert names(compare(old, new, "sample.py").changed) == ["Order.total", "<lambda>"]


def test_a_body_and_something_else_is_different() -> None:
    old = text(MODULE)
    new = old.replace(b"x * x", b"x ** 2").replace(b"LIMIT = 12", b"LIMIT = 13")
    assert compare(old, new, "sample.py").kind == DIFFERENT


def test_the_name_mangled_in_a_class_is_no_matter() -> None:
    old = "class A:\n    def __m(self): return self.__x\n"
    found = diff(old, old.replace("__x", "__y"))
    assert names(found.changed) == ["A.__m"]


# --- pairs ---------------------------------------------------------------------------------------


def both(old: str, new: str) -> tuple[CodeType, CodeType]:
    first, second = (compile(text(t), "sample.py", "exec", dont_inherit=True) for t in (old, new))
    return first, second


def test_pairs_hold_every_function_once() -> None:
    old, new = both(MODULE, "\n" + textwrap.dedent(MODULE).replace("x * x", "x ** 2"))
    found = pairs(old, new)
    functions = [code for code in whole(old) if code.co_flags & inspect.CO_OPTIMIZED]
    assert sorted(map(id, functions)) == sorted(id(before) for before, _ in found)
    for before, after in found:
        assert (before.co_name, before.co_varnames[:1]) == (after.co_name, after.co_varnames[:1])
        assert after.co_firstlineno == before.co_firstlineno + 1
        assert any(after is code for code in whole(new))


def test_pairs_leave_out_what_a_changed_body_encloses() -> None:
    old, new = both(
        "def f(n):\n    def g(): return 1\n    return g\ndef h():\n    return lambda: 1\n",
        "def f(n):\n    def g(): return 1\n    return g()\ndef h():\n    return lambda: 2\n",
    )
    assert [before.co_name for before, _ in pairs(old, new)] == ["f", "h", "<lambda>"]


def test_pairs_of_equal_code() -> None:
    old, new = both(MODULE, MODULE)
    assert all(before == after and before is not after for before, after in pairs(old, new))


def test_pairs_of_another_module_are_refused() -> None:
    with pytest.raises(ValueError, match=r"g\(\) added"):
        pairs(*both("def f(): pass\n", "def f(): pass\ndef g(): pass\n"))


def test_pairs_do_not_mind_the_order_of_cached_sets() -> None:
    old, new = both("x in {1, 9}\n", "x in {9, 1}\n")
    assert compare_codes(old, new).kind == DIFFERENT
    assert pairs(old, new) == []


def test_compare_codes_of_functions_is_deep() -> None:
    old, new = both("def f():\n    return lambda: 1\n", "def f():\n    return lambda: 1\n")
    assert compare_codes(old.co_consts[0], new.co_consts[0]).kind == SAME
    _, moved = both("", "\ndef f():\n    return lambda: 1\n")
    assert compare_codes(old.co_consts[0], moved.co_consts[0]).kind == BODIES


def test_code_that_has_run_is_compared_as_it_was_compiled() -> None:
    old, fresh = both(*["def f(n):\n    return sum(i * 2 for i in range(n))\nf(500)\nf(500)\n"] * 2)
    exec(old, {})
    assert compare_codes(old, fresh).kind == SAME


# --- code as no compiler makes it today: belt and braces ------------------------------------------

CLOSURE = "def f(n):\n    def g():\n        try: return n\n        finally: pass\n    return g\n"


def test_other_free_variables_alone_are_a_difference() -> None:
    old = compile(CLOSURE, "sample.py", "exec")
    outer = old.co_consts[0]
    inner = next(const for const in outer.co_consts if isinstance(const, CodeType))
    other = inner.replace(co_freevars=("m",))
    consts = tuple(other if const is inner else const for const in outer.co_consts)
    new = old.replace(co_consts=(outer.replace(co_consts=consts), *old.co_consts[1:]))
    assert names(compare_codes(old, new).changed) == ["f"]


@pytest.mark.skipif(V < (3, 11), reason="exceptions are handled by instructions before 3.11")
def test_another_exception_table_alone_is_a_difference() -> None:
    old = compile("try: f()\nexcept A: g()\n", "sample.py", "exec")
    new = old.replace(co_exceptiontable=b"")  # type: ignore[call-arg]
    assert compare_codes(old, new).kind == DIFFERENT


def test_an_unknown_constant_equals_nothing() -> None:
    old = compile("x = 1\n", "sample.py", "exec")
    strange = old.replace(co_consts=(object(), None))
    assert compare_codes(strange, strange).kind == DIFFERENT


@pytest.mark.skipif(V < (3, 13), reason="classes know their line since Python 3.13")
def test_a_line_number_that_is_not_the_class_s_is_a_change() -> None:
    old = compile("class A: pass\n", "sample.py", "exec")
    inner = old.co_consts[0]
    consts = tuple(7 if const == 1 else const for const in inner.co_consts)
    new = old.replace(co_consts=(inner.replace(co_consts=consts), *old.co_consts[1:]))
    assert compare_codes(old, new).kind == DIFFERENT


# --- Python 3.12 and later -----------------------------------------------------------------------

GENERIC_BODIES = {
    "a generic function": ("def f[T](a: T): return 1\n", "def f[T](a: T): return 2\n", ["f"]),
    "one with a bound": (
        "def f[T: int](a: T): return 1\n",
        "def f[T: int](a: T): return 2\n",
        ["f"],
    ),
    "a method of a generic class": (
        "class A[T]:\n    def m[S: T](self): return 1\n",
        "class A[T]:\n    def m[S: T](self): return 2\n",
        ["A.m"],
    ),
    "a function that is in __all__ beside an alias": (
        "__all__ = ['g']\ntype X = int\ndef f(): return 1\n",
        "__all__ = ['g']\ntype X = int\ndef f(): return 2\n",
        ["f"],
    ),
    "an alias in a function": (
        "def f():\n    type X = int\n",
        "def f():\n    type X = str\n",
        ["f"],
    ),
}


@pytest.mark.skipif(V < (3, 12), reason="type parameters came with Python 3.12")
@pytest.mark.parametrize("name", GENERIC_BODIES)
def test_generic_bodies(name: str) -> None:
    old, new, changed = GENERIC_BODIES[name]
    found = diff(old, new)
    assert (found.kind, names(found.changed)) == (BODIES, changed), found


GENERIC_OTHERS = {
    "a bound": ("def f[T: int](a): pass\n", "def f[T: str](a): pass\n", "f.T|T()"),
    "constraints": ("def f[T: (int, a)](a): pass\n", "def f[T: (int, b)](a): pass\n", "T"),
    "a bound named like the function": ("def f[f: int](a): pass\n", "def f[f: str](a): pass\n", ""),
    "a parameter more": ("def f[T](a): pass\n", "def f[T, S](a): pass\n", "type parameters of f"),
    "a class's bound": ("class f[T: int]: pass\n", "class f[T: str]: pass\n", "T"),
    "an annotation": ("def f[T](a: T): pass\n", "def f[T](a: f): pass\n", "type parameters of f"),
    "an alias": ("type X = int\n", "type X = str\n", "X"),
    "a lambda in an alias": ("type X = (lambda: 1)\n", "type X = (lambda: 2)\n", ""),
    "a generic alias": ("type X[T] = list[T]\n", "type X[T] = set[T]\n", "X"),
    "an alias in a class": ("class A:\n    type X = int\n", "class A:\n    type X = str\n", "A.X"),
}


@pytest.mark.skipif(V < (3, 12), reason="type parameters came with Python 3.12")
@pytest.mark.parametrize("name", GENERIC_OTHERS)
def test_type_parameters_are_no_bodies(name: str) -> None:
    old, new, reason = GENERIC_OTHERS[name]
    found = diff(old, new)
    assert found.kind == DIFFERENT, found
    assert any(part in found.reason for part in reason.split("|")), found.reason


@pytest.mark.skipif(V < (3, 13), reason="defaults of type parameters came with Python 3.13")
def test_defaults_of_type_parameters_are_no_bodies() -> None:
    assert diff("def f[T = int](): pass\n", "def f[T = str](): pass\n").kind == DIFFERENT


@pytest.mark.skipif(V < (3, 12), reason="type parameters came with Python 3.12")
def test_type_parameters_move() -> None:
    old = "type X[T: int] = list[T]\ndef f[T: (int, str)](a: T): return 1\nclass A[T]: pass\n"
    found = diff(old, "\n" + old)
    assert (found.kind, found.changed) == (BODIES, ())
    assert "<generic parameters of f>" in names(found.lines)


# --- what Python 3.13 keeps in classes ------------------------------------------------------------

CLASSES = """
class A:
    x = 1
    def __init__(self):
        self.a = 1

@d
class B:
    y = 5
    class C:
        def m(self): self.q = 1
"""
since_313 = pytest.mark.skipif(V < (3, 13), reason="classes know their line since Python 3.13")


@since_313
def test_renewed_lines() -> None:
    source = CLASSES.lstrip()
    found = compare(source.encode(), b"\n\n" + source.encode(), "sample.py")
    assert (found.kind, found.changed) == (BODIES, ())
    assert found.renewed == (("A", 3, None), ("B", 8, None), ("B.C", 11, None))


@since_313
def test_renewed_lines_are_those_that_a_cold_start_gives() -> None:
    source = CLASSES.lstrip().replace("@d", "@(lambda cls: cls)")
    namespace: dict[str, type] = {}
    exec("\n\n" + source, namespace)
    found = compare(source.encode(), b"\n\n" + source.encode(), "sample.py")
    classes = {"A": namespace["A"], "B": namespace["B"], "B.C": vars(namespace["B"])["C"]}
    assert found.renewed == tuple(
        (name, vars(cls)["__firstlineno__"], None) for name, cls in classes.items()
    )


@since_313
def test_renewed_attributes() -> None:
    found = diff(CLASSES, CLASSES.replace("self.a = 1", "self.b = self.c = 1"))
    assert (found.kind, names(found.changed)) == (BODIES, ["A.__init__"])
    [(name, line, attributes)] = found.renewed
    assert (name, line, set(attributes or ())) == ("A", None, {"b", "c"})


@since_313
@pytest.mark.parametrize("shift", range(1, 9))
def test_a_line_number_may_equal_a_constant_of_the_class(shift: int) -> None:
    source = b"class A:\n    x = 4\n    y = 7\n    def m(self): return 4\n"
    found = compare(source, b"\n" * shift + source, "sample.py")
    assert (found.kind, found.changed, found.renewed) == (BODIES, (), (("A", 1 + shift, None),))


@since_313
def test_a_constant_that_changes_with_the_line_is_a_change() -> None:
    assert diff("class A:\n    x = 1\n", "\nclass A:\n    x = 2\n").kind == DIFFERENT
    assert diff("class A:\n    x = 1\n", "\nclass A:\n    x = 1\n").kind == BODIES


@since_313
def test_attributes_that_the_class_body_also_names_are_a_change() -> None:
    old = b"class A:\n    __slots__ = ('a', 'b')\n    def m(self): self.a = self.b = 1\n"
    new = old.replace(b"'b'", b"'c'").replace(b"self.b", b"self.c")
    assert compare(old, new, "sample.py").kind == DIFFERENT


@since_313
@pytest.mark.parametrize("use", ["line = __firstlineno__", "__firstlineno__ = 3"])
def test_a_class_body_that_uses_its_line_number_does_not_move(use: str) -> None:
    source = f"class A:\n    {use}\n".encode()
    assert compare(source, source, "sample.py").kind == SAME
    assert compare(source, b"\n" + source, "sample.py").kind == DIFFERENT


@since_313
def test_a_class_with_very_many_names() -> None:
    fields = "".join(f"    a{n} = {n + 1000}\n" for n in range(300))
    source = f"class A:\n{fields}    def m(self): self.q = 1\n".encode()
    found = compare(source, b"\n" + source.replace(b"self.q", b"self.r"), "sample.py")
    assert (found.kind, names(found.changed)) == (BODIES, ["A.m"])
    assert found.renewed == (("A", 2, ("r",)),)


@since_313
def test_a_class_in_a_changed_body_is_not_renewed() -> None:
    old = "def f():\n    class A:\n        x = 1\n"
    assert diff(old, "\n" + old).renewed == (("f.<locals>.A", 3, None),)
    changed = diff(old, "\n" + old.replace("1", "2"))
    assert (names(changed.changed), changed.renewed) == (["f"], ())


@pytest.mark.skipif(V >= (3, 13), reason="classes know their line since Python 3.13")
def test_nothing_is_renewed() -> None:
    assert diff(CLASSES, CLASSES.replace("self.a", "self.b")).renewed == ()


# --- the process around --------------------------------------------------------------------------


def test_no_warning_is_shown_and_filters_stay() -> None:
    source = b"x = 1 is 1\ny = '\\d'\n"
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert compare(source, source, "sample.py").kind == SAME
        assert list(warnings.filters) == before
        assert compare(source, b"x = = 1\n", "sample.py").kind == DIFFERENT
        assert list(warnings.filters) == before
    assert shown == []


@pytest.mark.parametrize("module", [differ, codes])
def test_only_builtin_modules_are_imported(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    tree.body = [node for node in tree.body if not isinstance(node, ast.If)]  # TYPE_CHECKING
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    assert imported - {"refork.core"} <= set(sys.builtin_module_names)
