"""The top-level statements of a module, as steps that can be executed one at a time (design §5.2).

A module that is run step by step can go on, at a checkpoint between two of them, with the new text
of its file. That is a cold start's result if the text up to there is the same, and if nothing that
follows acts on the whole module: ``common`` tells how many steps that leaves.

Steps are numbered from 0 in the order of the text. What an ``if``, a ``try`` or a ``with`` at the top
level encloses counts as top level, too:

- ``if``: a step for the test, then the steps of both arms; an ``elif`` is an ``if`` in the other arm;
- ``try``: a step for its beginning, then the steps of its body; all that follows the body (``except``,
  ``else``, ``finally``) is one step, the *rest*;
- ``with``: a step for each item, which enters it, then the steps of the body, and a rest for each item,
  which leaves it, the innermost first.

The body of a ``try`` or ``with`` is divided only where frames can be hidden (see `program.frames`), and
where there is no ``except*`` in it.
"""

from __future__ import annotations

import ast
import codecs
import dis
import functools
import io
import itertools
import sys
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType

STATEMENT = "statement"
TEST = "test"
TRY = "try"
ENTER = "enter"
REST = "rest"

BLOCKS = sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] <= (3, 13)
"""Whether the bodies of ``try`` and ``with`` are divided, as in `program.frames`."""

WATCHING = (b"settrace", b"setprofile", b"set_trace", b"breakpoint")
"""A text that has these may watch its own frames come and go: it is not run by steps."""

_ANNOTATING = dis.opmap.get("SETUP_ANNOTATIONS")


@dataclass(frozen=True)
class Step:
    """One step: a whole ``statement``, or a part of one: ``test``, ``try``, ``enter``, ``rest``.

    Lines count from 1 and columns in UTF-8 bytes from 0, as in ``ast``. A decorated statement
    starts at its first decorator, after the ``@``. ``start`` and ``end`` are offsets in the bytes
    of the file, whatever its encoding; a longer comment before two steps leaves them equal, so
    offsets are not compared. ``depth`` is the number of statements around, and ``arm`` is 1 in the
    other arm of an ``if``: with what stands before, the two tell where a step belongs.
    """

    kind: str
    depth: int
    line: int
    column: int
    end_line: int
    end_column: int
    start: int = field(compare=False)
    end: int = field(compare=False)
    arm: int = 0


def steps(source: bytes) -> tuple[Step, ...]:
    """The steps of a module's text, in order.

    Raises what compiling the text raises: a text that parses but does not compile (``return``
    outside of a function) has no steps. Mostly SyntaxError; see ``differ.compile_quietly``. And
    ValueError for an encoding in which lines of text are not lines of bytes (``unicode_escape``).
    """
    return _text(source).steps


def common(old: bytes, new: bytes) -> int:
    """How many leading steps of ``old`` are, text and place, complete steps of ``new`` too.

    0 where something differs that acts on the whole module: encoding, ``__future__``, warnings of
    the compiler (they are shown before the first statement runs), whether it has annotations
    (they make ``__annotations__`` before the first statement; from Python 3.14 on they act on the
    whole module in more ways, so there any are too many), or where either text does not compile.
    So too where a text watches frames as they come and go: it runs whole. Comments between steps
    may differ. What the text after the last common step defines does not matter to those before it:
    a module's code reads names when it runs.
    """
    try:
        before, after = _text(old), _text(new)
    except Exception:  # a codec may raise anything, and all of it means: no steps in common
        return 0
    if before.whole != after.whole or any(word in old or word in new for word in WATCHING):
        return 0
    if sys.version_info >= (3, 14) and before.annotated:
        return 0
    count = 0
    for left, right in zip(before.steps, after.steps, strict=False):
        if left != right or old[left.start : left.end] != new[right.start : right.end]:
            break
        count += 1
    return count


def warn_alike(old: bytes, new: bytes) -> bool:
    """Whether the compiler has the same to say of two texts: a cold start would show it.

    Raises what compiling raises.
    """
    return _compiled(old)[1] == _compiled(new)[1]


class _Text:
    """One text: its steps, and what of it acts on the whole module."""

    def __init__(self, source: bytes) -> None:
        code, warned = _compiled(source)
        tree = _parse_quietly(source)
        encoding = _encoding(source)
        self.annotated = _annotated(code)
        self.steps = tuple(_flatten(tree.body, 0, _Offsets(source, encoding)))
        self.whole = (encoding, self.annotated, tuple(_futures(tree)), warned)


@functools.lru_cache(maxsize=16)  # the new text of one edit is the old one of the next
def _text(source: bytes) -> _Text:
    return _Text(source)


@functools.lru_cache(maxsize=16)
def _compiled(source: bytes) -> tuple[CodeType, tuple[tuple[object, ...], ...]]:
    """A text's code, and what the compiler warns of."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        code = compile(source, "<steps>", "exec", dont_inherit=True)
    return code, tuple((one.category, str(one.message), one.lineno) for one in shown)


def _encoding(source: bytes) -> str:
    """The declared encoding; ``utf-8-sig`` with a byte order mark."""
    lines = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")  # as the compiler reads them
    return tokenize.detect_encoding(io.BytesIO(lines).readline)[0]


def _parse_quietly(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _annotated(code: CodeType) -> bool:
    """Whether the module makes annotations, as the compiler sees it, and not as one might think.

    (Those in the arms of a ``match`` statement do not count in all versions.)
    """
    if _ANNOTATING is not None and _ANNOTATING in code.co_code[::2]:
        return True
    return any(getattr(const, "co_name", "") == "__annotate__" for const in code.co_consts)


def _futures(tree: ast.Module) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            yield node.lineno, node.col_offset, tuple(alias.name for alias in node.names)


Place = tuple[int, int]
"""Line and column."""


def _flatten(
    body: Sequence[ast.stmt], depth: int, offsets: _Offsets, arm: int = 0
) -> Iterator[Step]:
    for node in body:
        if isinstance(node, ast.If):
            yield _step(TEST, depth, _begin(node), _end(node.test), offsets, arm)
            yield from _flatten(node.body, depth + 1, offsets)
            yield from _flatten(node.orelse, depth + 1, offsets, 1)
        elif isinstance(node, ast.With) and _divisible(node):
            yield from _with(node, depth, offsets, arm)
        elif isinstance(node, ast.Try) and _divisible(node):
            begin = _begin(node)
            yield _step(TRY, depth, begin, begin, offsets, arm)
            yield from _flatten(node.body, depth + 1, offsets)
            yield _step(REST, depth, _end(node.body[-1]), _end(node), offsets, arm)
        else:
            yield _step(STATEMENT, depth, _begin(node), _end(node), offsets, arm)


def _divisible(node: ast.stmt) -> bool:
    """Whether the body is divided. An `except*` raises groups again that this frame has no part in,
    which cannot be told from one it has raised itself."""
    return BLOCKS and not any(type(inner).__name__ == "TryStar" for inner in ast.walk(node))


def _with(node: ast.With, depth: int, offsets: _Offsets, arm: int) -> Iterator[Step]:
    begin = _begin(node)
    for number, item in enumerate(node.items):
        end = _end(item.optional_vars or item.context_expr)
        yield _step(ENTER, depth + number, begin, end, offsets, 0 if number else arm)
        begin = end
    yield from _flatten(node.body, depth + len(node.items), offsets)
    end = _end(node.body[-1])
    for number in reversed(range(len(node.items))):
        yield _step(REST, depth + number, end, end, offsets, 0 if number else arm)


def _begin(node: ast.stmt) -> Place:
    """Where a statement's text begins."""
    first: ast.expr | ast.stmt = node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        first = node.decorator_list[0] if node.decorator_list else node
    return first.lineno, first.col_offset


def _end(node: ast.expr | ast.stmt) -> Place:
    line, column = node.end_lineno, node.end_col_offset
    assert line is not None  # ast.parse sets the ends always
    assert column is not None
    return line, column


def _step(kind: str, depth: int, begin: Place, end: Place, offsets: _Offsets, arm: int) -> Step:
    return Step(kind, depth, *begin, *end, offsets.of(*begin), offsets.of(*end), arm)


class _Offsets:
    """Turns lines and UTF-8 columns into offsets in the bytes of a file."""

    def __init__(self, source: bytes, encoding: str) -> None:
        bom = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0
        self._encoding = "utf-8" if bom else encoding
        self._lines = source[bom:].splitlines(keepends=True)  # of bytes: at \n, \r and \r\n only
        self._starts = list(itertools.accumulate(map(len, self._lines), initial=bom))
        if self._encoding != "utf-8":
            self._check()

    def _check(self) -> None:
        """Raise ValueError unless each line can be decoded, and encoded again, by itself."""
        for line in self._lines:
            if line.decode(self._encoding).encode(self._encoding) != line:
                raise ValueError(f"lines of text are not lines of bytes in {self._encoding}")

    def of(self, line: int, column: int) -> int:
        """The offset of a column, in UTF-8 bytes, of a line (from 1)."""
        if self._encoding == "utf-8":
            return self._starts[line - 1] + column
        text = self._lines[line - 1].decode(self._encoding)
        before = text.encode("utf-8")[:column].decode("utf-8")
        return self._starts[line - 1] + len(before.encode(self._encoding))
