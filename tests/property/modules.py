"""Random small modules made of many constructions, and random edits of them."""

from __future__ import annotations

import re
import sys
from textwrap import indent

from hypothesis import strategies as st

PRELUDE = """
def keep(f):
    return f
def call(f):
    try:
        return f()
    except Exception:
        return None
def make(n):
    def made(x=n):
        return x + n
    return made
class Base:
    def __init_subclass__(cls):
        cls.seen = True
"""
HEADERS = [
    "def {}(a=1, *b, c=2, **d):",
    "def {}(a=1, *b, c=2, **d):",
    "def {}(a=2, *b, c=2, **d):",
    "def {}(a=1, *b, c=3, **d):",
    "def {}(a=1, b=2):",
    "def {}(a: 'int' = 1, *b, c=2, **d) -> 'str':",
    "@keep\ndef {}(a=1, *b, c=2, **d):",
    "@keep\n\ndef {}(a=1, *b, c=2, **d):",
    "async def {}(a=1, *b, c=2, **d):",
]
BODIES = [
    "return a",
    "return a + 1",
    "return (a, 1, 0.0)",
    "return (a, True, -0.0)",
    "# nothing\nreturn a",
    "\nreturn a",
    "'words'\nreturn a",
    "'other words'\nreturn a",
    "return [x for x in b if x]",
    "return [x for x in b]",
    "return sum(x for x in b)",
    "return lambda: a",
    "return lambda: a + 1",
    "yield a",
    "yield a + 1",
    "def inner(k=a): return k\nreturn inner",
    "def inner(k=a): return k + a\nreturn inner",
    "def inner(k=a):\n    'words'\n    return k\nreturn inner",
    "class Inner:\n    y = 1\n    def m(self): self.u = 1\nreturn Inner",
    "class Inner:\n    y = 1\n    def m(self): self.v = 2\nreturn Inner",
    "class Inner:\n    y = 2\n    def m(self): self.v = 2\nreturn Inner",
    "global g\ng = a",
    "x = 0\ndef inner():\n    nonlocal x\n    x += 1\nreturn inner",
    "try:\n    raise ValueError(a)\nexcept ValueError as e:\n    return str(e)",
    "match a:\n    case 1: return 'one'\n    case [x, *_]: return x",
    "return {x for x in {9, 1}}",
    "return {x for x in {1, 9}}",
    "return f'{a!r:>3}'",
    "import os as system\nreturn system",
]
METHOD_HEADERS = [
    "def {}(self, a=1, *b, c=2, **d):",
    "def {}(self, a=1, *b, c=2, **d):",
    "def {}(self, a=2, *b, c=2, **d):",
    "@property\ndef {}(self, a=1, b=2):",
    "@classmethod\ndef {}(self, a=1, *b):",
    "@staticmethod\ndef {}(a=1, *b):",
]
METHOD_BODIES = [
    *BODIES,
    "self.p = a\nself.q = a",
    "self.q = a",
    "self.q = a\nself.p = 7",
    "return super().x",
    "return __class__",
]
CLASS_PARTS = [
    "x = 1",
    "x = 2",
    "x = 12",
    "x = y = 30",
    "'words'",
    "z: 'int' = 3",
    "w = lambda s: s",
]
STATEMENTS = [
    "{} = 1",
    "{} = True",
    "{} = (1, 0.0)",
    "{} = (1, -0.0)",
    "{}: 'int' = 3",
    "{} = [lambda: 1, lambda: 2]",
    "{} = [lambda: 1, lambda: 3]",
    "{} = [x for x in range(2)]",
    "{} = [x + 1 for x in range(2)]",
    "{} = [keep(lambda: x) for x in range(2)]",
    "{} = (x for x in range(2))",
    "{} = make(3)",
    "{} = make(4)",
    "{} = call(f0)",
    "{} = keep(lambda x: x)",
    "{} = keep(lambda x: x + 1)",
    "{} = 4 in {{4, 5}}",
    "'words'",
    "import sys as {}",
    "import os as {}",
    "if call:\n    def {}(): return 1\nelse:\n    def {}(): return 2",
    "if call:\n    def {}(): return 3\nelse:\n    def {}(): return 2",
    "for {} in range(2): pass",
    "try:\n    {} = unknown\nexcept NameError:\n    {} = 1",
]
if sys.version_info >= (3, 12):
    HEADERS += ["def {}[T](a=1, *b):", "def {}[T: int](a=1, *b):", "def {}[T: str](a=1, *b):"]
    STATEMENTS += ["type {} = int", "type {} = str", "type {}[T: int] = list[T]"]
    STATEMENTS += ["class {}[T]:\n    type X = T\n    def m[S: T](self, a: S): return a"]
    STATEMENTS += ["class {}[T]:\n    type X = T\n    def m[S: T](self, a: S): return 1"]

WORDS = ["1", "2", "9", "True", "1.0", "-0.0", "'s'", "None", "a", "b", "x", "f0", "f1", "pass"]


@st.composite
def functions(draw: st.DrawFn, name: str) -> str:
    body = draw(st.sampled_from(BODIES))
    return draw(st.sampled_from(HEADERS)).format(name) + "\n" + indent(body, "    ")


@st.composite
def classes(draw: st.DrawFn, name: str) -> str:
    parts = draw(st.lists(st.sampled_from(CLASS_PARTS), max_size=2))
    for n in range(draw(st.integers(1, 2))):
        header = draw(st.sampled_from(METHOD_HEADERS)).format(f"m{n}")
        parts.append(header + "\n" + indent(draw(st.sampled_from(METHOD_BODIES)), "    "))
    base = draw(st.sampled_from(["", "", "(Base)"]))
    return f"class {name}{base}:\n" + indent("\n".join(parts), "    ")


@st.composite
def statements(draw: st.DrawFn, name: str) -> str:
    return (
        re.sub(r"\{\}", name, draw(st.sampled_from(STATEMENTS)))
        .replace("{{", "{")
        .replace("}}", "}")
    )


def fragments(n: int) -> st.SearchStrategy[str]:
    kinds = (functions(f"f{n}"), functions(f"f{n}"), classes(f"C{n}"), statements(f"v{n}"))
    return st.one_of(*kinds)


def modules(least: int = 1, most: int = 5) -> st.SearchStrategy[list[str]]:
    """Modules as lists of top-level statements."""
    count = st.integers(least, most)
    return count.flatmap(lambda k: st.tuples(*(fragments(n) for n in range(k))).map(list))


def joined(parts: list[str]) -> bytes:
    return (PRELUDE + "\n".join(parts) + "\n").encode()


@st.composite
def body_edit(draw: st.DrawFn, part: str) -> str:
    """Replace the statements that one header is followed by, or one line of them."""
    if re.match(r"(@|async |def |class )", part):
        head, _, body = part.rpartition(":\n")
        depth = re.match(r" *", body)
        assert depth is not None
        return head + ":\n" + indent(draw(st.sampled_from(METHOD_BODIES)), depth.group())
    return part


@st.composite
def word_edit(draw: st.DrawFn, part: str) -> str:
    """Replace one number or name by another, but let nothing else be imported."""
    found = list(re.finditer(r"(?<![\w'])(?<!import )(\d+(\.\d+)?|[a-z]\w*)\b", part))
    if not found:
        return part
    match = draw(st.sampled_from(found))
    return part[: match.start()] + draw(st.sampled_from(WORDS)) + part[match.end() :]


@st.composite
def edits(draw: st.DrawFn, parts: list[str]) -> list[str]:
    """One to three random edits, most of them of bodies, or of nothing but lines."""
    new = list(parts)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(new) - 1))
        kind = draw(st.sampled_from(["body", "body", "body", "word", "word", "lines", "replace"]))
        if kind == "body":
            new[at] = draw(body_edit(new[at]))
        elif kind == "word":
            new[at] = draw(word_edit(new[at]))
        elif kind == "lines":
            new[at] = draw(st.sampled_from(["\n", "# words\n", "\n\n\n"])) + new[at]
        else:
            new[at] = draw(fragments(at))
    return new
