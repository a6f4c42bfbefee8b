"""The steps of a module's text: its top-level statements, one at a time, and the code of each (design §5.2).

What a top-level `if`, `try` or `with` encloses counts as top level, too. `refork.core.statements` numbers the
steps of a text the same way, and says how; the two are held together by a test.

Each step runs in a frame of its own. That of a `try` begins when its body has ended: the handlers, `else` and
`finally` are then executed as they stand, in a `try` whose body raises what the steps of the body raised, at
the same place. So the interpreter itself does what the language says of them. A `with` is entered, and left,
in the same way.

What cannot be made so runs whole (`Unsteppable`).
"""

from __future__ import annotations

import sys
from builtins import compile

from refork.program.bridges import MARK, Bridge, bridged
from refork.program.frames import INSTRUCTIONS, WORKS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    Place = tuple[int | None, int | None, int | None, int | None]

ONLY_AST = 0x400
"""PyCF_ONLY_AST (Include/cpython/compile.h), as `ast` has it, without importing `ast`."""

FUTURE_FLAGS = 0x1FE0000
"""All CO_FUTURE_… bits: from CO_FUTURE_DIVISION 0x20000 to CO_FUTURE_ANNOTATIONS 0x1000000."""

BLOCKS = sys.implementation.name == "cpython" and sys.version_info[:2] in INSTRUCTIONS
"""Whether the bodies of `try` and `with` are divided: the frames of refork must not show in tracebacks."""

WATCHING = (b"settrace", b"setprofile", b"set_trace", b"breakpoint")
"""A text that has these may watch its own frames come and go, or have a person do so: it runs whole."""

CODE: Any = type((lambda: None).__code__)

STATEMENT, TEST, TRY, ENTER, REST = "statement", "test", "try", "enter", "rest"


SILENT = ("ignore", None, Warning, None, 0)


class Unsteppable(Exception):
    """This text has to run whole."""


class Step:
    """One step. `item` is that of a `with`; `header` is the step that began what this is the rest of."""

    __slots__ = ("after", "header", "item", "kind", "node", "otherwise")

    def __init__(self, kind: str, node: Any, item: Any, header: int) -> None:
        self.kind = kind
        self.node = node
        self.item = item
        self.header = header
        self.after = -1
        """The step that follows when this one has ended, or the test was true."""
        self.otherwise = -1
        """The step that follows when the test was false."""


class Steps:
    """The steps of one text of one file."""

    __slots__ = ("_module", "all", "annotated", "constants", "flags", "path", "source")

    def __init__(self, source: bytes, path: str, before: Steps | None = None) -> None:
        """`before` are those that were run so far, of another text of the same module.

        Raises SyntaxError or ValueError as `compile` does, and Unsteppable. Shows no warnings:
        whoever compiles the whole text does."""
        if (BLOCKS and not WORKS) or any(word in source for word in WATCHING):
            raise Unsteppable
        self.path = path
        self.source = source
        code = compile_silently(source, path)
        self.flags = code.co_flags & FUTURE_FLAGS
        module = compile_silently(source, path, flags=ONLY_AST | self.flags)
        self.annotated = _annotated(module.body)
        if sys.version_info >= (3, 14) and self.annotated:
            # PEP 649: one function for the annotations of the whole module
            raise Unsteppable
        self._module = type(module)
        self.constants: dict[object, object] = {} if before is None else before.constants
        """Those of the steps that have been compiled, by all that tells them apart."""
        self.all: list[Step] = []
        self._divide(module.body)

    def __len__(self) -> int:
        return len(self.all)

    def _divide(self, body: list[Any]) -> None:
        for node in body:
            kind = type(node).__name__
            if kind == "If":
                self._divide_if(node)
            elif kind == "With" and _divisible(node):
                self._divide_with(node, list(node.items))
            elif kind == "Try" and _divisible(node):
                header = self._add(TRY, node)
                self._divide(node.body)
                self._add(REST, node, header=header)
            else:
                self._add(STATEMENT, node)

    def _add(self, kind: str, node: Any, item: Any = None, header: int = -1) -> int:
        self.all.append(Step(kind, node, item, header))
        self.all[-1].after = len(self.all)
        return len(self.all) - 1

    def _divide_if(self, node: Any) -> None:
        test = self._add(TEST, node)
        self._divide(node.body)
        middle = self.all[test].otherwise = len(self.all)
        self._divide(node.orelse)
        end = len(self.all)
        for step in self.all[test + 1 : middle]:  # the first arm goes on behind the other one
            step.after = end if step.after == middle else step.after
            step.otherwise = end if step.otherwise == middle else step.otherwise

    def _divide_with(self, node: Any, items: list[Any]) -> None:
        header = self._add(ENTER, node, items[0])
        if items[1:]:
            self._divide_with(node, items[1:])
        else:
            self._divide(node.body)
        self._add(REST, node, items[0], header)

    # What is asked of them ------------------------------------------------------------------------------

    def following(self, done: int, truth: object) -> int:
        """The step that follows step `done` (-1: none yet), whose test, if it is one, gave `truth`."""
        if done < 0:
            return 0
        step = self.all[done]
        return step.after if truth or step.kind != TEST else step.otherwise

    def rest(self, header: int) -> int:
        """The step that ends what step `header` began."""
        return next(at for at in range(header, len(self.all)) if self.all[at].header == header)

    def line(self, index: int) -> int:
        step = self.all[index]
        return int(step.node.end_lineno if step.kind == REST else step.node.lineno)

    def calls(self, index: int) -> bool:
        """Whether step `index` is a bare call such as `main()`: where a program's work often begins."""
        node = self.all[index].node
        return type(node).__name__ == "Expr" and type(node.value).__name__ in ("Call", "Await")

    def follows_imports(self, index: int) -> bool:
        """Whether step `index` is where imports end: where what a file says itself often begins."""
        return self._imports(index - 1) and not self._imports(index)

    def _imports(self, index: int) -> bool:
        return type(self.all[index].node).__name__ in ("Import", "ImportFrom")

    def same_place(self, other: Steps, index: int) -> bool:
        """Whether step `index` is the same statement at the same place in another text."""
        if index >= len(other):
            return False
        mine, theirs = self.all[index], other.all[index]
        lines = slice(mine.node.lineno - 1, mine.node.end_lineno)
        return (
            mine.kind == theirs.kind
            and place_of(mine.node) == place_of(theirs.node)
            and self.source.splitlines()[lines] == other.source.splitlines()[lines]
        )

    # Their code -----------------------------------------------------------------------------------------

    def code(self, index: int, bridge: Bridge | None = None, place: Place | None = None) -> Any:
        """Return the code of step `index`, or None where there is nothing to run.

        `bridge` stands in the code where other steps run; `place` is where what it raises was raised.
        """
        step = self.all[index]
        if step.kind == TEST:
            return self._test(step.node.test)
        if step.kind == STATEMENT:
            if index and _is_string(step.node):
                return None  # compiled on its own it would become the docstring
            return self._compile(step.node)
        if step.kind == TRY or (
            step.kind == REST
            and step.item is None
            and place is None
            and not (step.node.orelse or step.node.finalbody)
        ):
            return None
        return bridged(self._compile(self._around(step, place)), bridge)

    def _compile(self, node: Any) -> Any:
        module = self._module(body=[node], type_ignores=[])
        return self._shared(compile_silently(module, self.path, flags=self.flags))

    def _test(self, test: Any) -> Any:
        """A test is asked for its truth once, as a jump does, and in a frame that shows."""
        expression = _template("True if 0 else False").value
        expression.test = test
        _put(expression, place_of(test), test)
        whole = type(compile("0", "", "eval", ONLY_AST))(body=expression)
        return self._shared(compile_silently(whole, self.path, "eval", self.flags))

    def _shared(self, code: CodeType) -> CodeType:
        """Constants that are alike are one object in a module that is compiled whole (`merge_const_one`,
        Python/compile.c), and so they are here, whichever steps they are of."""
        constants = tuple(map(self._constant, code.co_consts))
        if _same(constants, code.co_consts):
            return code
        return code.replace(co_consts=constants)

    def _constant(self, value: Any) -> Any:
        if type(value) is CODE:
            return self._shared(value)
        key = _key(value)
        if type(value) is tuple and key not in self.constants:
            items = tuple(map(self._constant, value))
            value = value if _same(items, value) else items
        return self.constants.setdefault(key, value)

    def _around(self, step: Step, place: Place | None) -> Any:
        """The statement around a body, with another body: one that raises at `place`, or does nothing."""
        body = [_template("pass" if place is None else f"-{MARK!r}")]
        _put(body[0], place_of(step.node) if place is None else place)
        if step.item is None:
            whole = type(step.node)(
                body=body,
                handlers=step.node.handlers,
                orelse=step.node.orelse,
                finalbody=step.node.finalbody,
            )
            _locate(whole, place_of(step.node))
            return whole
        whole = _template("with 0: pass")
        context = step.item.context_expr
        if step.kind == ENTER:
            manager = _template(f"{MARK!r}.manager(0)").value
            manager.args = [context]
            _put(manager, place_of(context), context)
            whole.items[0].optional_vars = step.item.optional_vars
        else:
            manager = _template(f"{MARK!r}").value
            _put(manager, place_of(context))
        whole.items[0].context_expr = manager
        whole.body = body
        _locate(whole, place_of(step.node))
        return whole


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return all(mine is theirs for mine, theirs in zip(one, other, strict=True))


def _key(constant: Any) -> object:
    """All that tells a constant from another (`_PyCode_ConstantKey`, Objects/codeobject.c): also 1 from True and
    0.0 from -0.0."""
    kind = type(constant)
    if kind is tuple or kind is frozenset:
        return kind, kind(map(_key, constant))
    return kind, repr(constant) if kind is float or kind is complex else constant


def compile_silently(
    source: Any, path: str, mode: str = "exec", flags: int = 0, dont_inherit: bool = True
) -> Any:
    """As `compile`, but show no warning: all of them were shown when the whole text was compiled."""
    with Silence():
        return compile(source, path, mode, flags, dont_inherit)


class Silence:
    """No warning of the compiler is shown meanwhile."""

    def __enter__(self) -> None:
        # not by functions of warnings, which would forget what was shown once
        known: Any = sys.modules["_warnings"]
        self._filters = getattr(sys.modules.get("warnings"), "filters", known.filters)
        self._filters.insert(0, SILENT)

    def __exit__(self, *_: object) -> None:
        self._filters.remove(SILENT)


class Originals:
    """What refork asks of the interpreter by name is meanwhile not what the program has put in its place."""

    def __enter__(self) -> None:
        self._put = {name: BUILTINS[name] for name in ORIGINALS}
        BUILTINS.update(ORIGINALS)

    def __exit__(self, *_: object) -> None:
        BUILTINS.update(self._put)


BUILTINS: dict[str, Any] = sys.modules["builtins"].__dict__
ORIGINALS = {name: BUILTINS[name] for name in ("compile", "eval", "exec")}


def _divisible(node: Any) -> bool:
    return BLOCKS and not _starred(node)


def _starred(node: Any) -> bool:
    """Whether there is an `except*` in a node."""
    if type(node).__name__ == "TryStar":
        return True
    for name in node._fields:
        value = getattr(node, name, None)
        for inner in value if isinstance(value, list) else (value,):
            if hasattr(inner, "_fields") and _starred(inner):
                return True
    return False


def place_of(node: Any) -> Place:
    return (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)


def _template(text: str) -> Any:
    """The syntax tree of one statement, whose classes are needed without importing `ast`."""
    return compile_silently(text, "<step>", flags=ONLY_AST).body[0]


def _locate(node: Any, place: Place) -> None:
    line, end_line, column, end_column = place
    node.lineno, node.col_offset = line or 1, column or 0
    node.end_lineno = end_line or node.lineno
    node.end_col_offset = node.col_offset if end_column is None else end_column


def _put(node: Any, place: Place, but: Any = None) -> None:
    """Give a node, and all in it but the node `but`, one place."""
    if "lineno" in node._attributes:
        _locate(node, place)
    for name in node._fields:
        value = getattr(node, name, None)
        for inner in value if isinstance(value, list) else (value,):
            if hasattr(inner, "_fields") and inner is not but:
                _put(inner, place, but)


def _is_string(node: Any) -> bool:
    if type(node).__name__ != "Expr" or type(node.value).__name__ != "Constant":
        return False
    return type(node.value.value) is str


INNER = ("body", "orelse", "finalbody", "handlers", "cases")


def _annotated(body: list[Any]) -> bool:
    """Whether `name: annotation` stands anywhere at module level, which makes `__annotations__`."""
    for node in body:
        kind = type(node).__name__
        if kind == "AnnAssign":
            return True
        if kind in ("FunctionDef", "AsyncFunctionDef", "ClassDef", "Lambda"):
            continue
        for block in INNER:
            inner = getattr(node, block, None)
            if isinstance(inner, list) and _annotated(inner):
                return True
    return False
