"""What an edit of one module comes to, seen in the code that runs (design §5.1, condition 1).

Two texts are compiled and their code objects walked side by side. Code objects, and not syntax
trees, because only what runs counts: a comment is nothing, a line that moved is something, and
whatever the compiler makes of a construct nobody here has thought of shows as a difference.

Each code object belongs to one of two kinds:

*functions* (``def``, ``lambda``), whose instructions run when somebody calls them. Their bodies may
    differ; what the enclosing code or the function object keeps of them (name, parameters, flags,
    free variables, docstring) may not. Defaults, annotations and decorators are instructions of
    the enclosing code.
*scopes* (the module, class bodies, comprehensions, type parameters, annotations, values of type
    aliases), which ran, or may have run, when what encloses them did. What they do must be the
    same; only the functions in them and the positions may differ.

Within a function whose own instructions differ nothing further is compared: all that it encloses
is part of its body. Where something in a function may not be grafted by itself (a scope that does
other things, a nested function with other parameters), the enclosing function's body has changed.

Whatever is not understood is ``DIFFERENT``.

This module is loaded into the user's process too, so it imports built-in modules only; that is
why there is no ``from __future__`` line, no dataclass and no ``typing`` here. Both texts must be
compiled by the Python that runs the program: code of two versions cannot be compared.
"""

import _warnings
import sys

from refork.core import codes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    Place = tuple[str, int, tuple[int, ...]]
    Renewal = tuple[str, int | None, tuple[str, ...] | None]

SAME = "same"
BODIES = "bodies"
DIFFERENT = "different"

# What must be alike, besides instructions and constants, for two code objects to do the same.
_SHAPE = tuple(
    name
    for name in (
        "co_argcount",
        "co_posonlyargcount",
        "co_kwonlyargcount",
        "co_nlocals",
        "co_stacksize",
        "co_flags",
        "co_name",
        "co_qualname",
        "co_names",
        "co_varnames",
        "co_freevars",
        "co_cellvars",
        "co_exceptiontable",
    )
    if hasattr(codes.CODE, name)
)


class Diff:
    """The outcome of a comparison.

    ``kind``: ``SAME`` (nothing that runs, no line and no column differs), ``BODIES`` or
        ``DIFFERENT``.
    ``reason``: for ``DIFFERENT``, in words for people; else empty.
    ``changed``: functions whose own body differs.
    ``moved``: code objects (functions and scopes, the module as ``<module>``) that differ in lines
        or columns and, functions in them aside, in nothing else.
    ``lines``: those of ``moved`` in which a line number differs. The rest differ only in columns,
        or where something ends: the last line of a function is a position in what encloses it.
    ``renewed``: classes whose ``__firstlineno__`` or ``__static_attributes__`` differ (3.13):
        qualified name, new line or None where it is as it was, new attributes likewise.

    A place in the first three is (qualified name, first line in the old text, path); the
    path is the indices through ``co_consts`` that lead from the old module code to the old code
    object. A function that is in neither list, but encloses one that is, has new code too.
    Before 3.11 qualified names are put together here, and are wrong for a nested function that is
    declared ``global``.
    """

    __slots__ = ("changed", "kind", "lines", "moved", "reason", "renewed")

    def __init__(
        self,
        kind: str,
        reason: str = "",
        changed: "tuple[Place, ...]" = (),
        moved: "tuple[Place, ...]" = (),
        lines: "tuple[Place, ...]" = (),
        renewed: "tuple[Renewal, ...]" = (),
    ) -> None:
        self.kind = kind
        self.reason = reason
        self.changed = changed
        self.moved = moved
        self.lines = lines
        self.renewed = renewed

    def __repr__(self) -> str:
        return (
            f"Diff({self.kind!r}, {self.reason!r}, changed={self.changed!r}, "
            f"moved={self.moved!r}, lines={self.lines!r}, renewed={self.renewed!r})"
        )


class _Unlike(Exception):
    """Two code objects do not correspond; the message says why, for people."""


def compile_quietly(text: bytes, path: str, optimize: int = -1) -> "CodeType":
    """Compile a module's text, showing no warning whatever the process's filters are.

    Raises what ``compile`` raises: mostly SyntaxError, but also ValueError, MemoryError,
    RecursionError, and anything that a codec named by the text may raise.
    """
    filters = getattr(sys.modules.get("warnings"), "filters", _warnings.filters)
    # Not by the functions of warnings: they raise the filters' version, and with it the program
    # would show again what it has shown once.
    filters.insert(0, ("ignore", None, Warning, None, 0))
    try:
        code: CodeType = compile(text, path, "exec", dont_inherit=True, optimize=optimize)
    finally:
        del filters[0]
    return code


def complaint(error: Exception) -> str:
    """Say why a text does not compile: ``syntax error at line 3``, or the error's own words."""
    if isinstance(error, SyntaxError):
        return f"syntax error at line {error.lineno}" if error.lineno else f"syntax error: {error}"
    return f"does not compile: {str(error) or type(error).__name__}"


def compare(old: bytes, new: bytes, path: str, optimize: int = -1) -> Diff:
    """Compare two texts of the module at ``path``.

    ``optimize`` as in ``compile``; -1 is the running process's own level. Never raises for what a
    text contains: one that does not compile is ``DIFFERENT``.
    """
    compiled = []
    for text, whose in ((old, "before the edit: "), (new, "")):
        try:
            compiled.append(compile_quietly(text, path, optimize))
        except Exception as error:  # a codec may raise anything, and all of it means: no code
            return Diff(DIFFERENT, whose + complaint(error))
    return compare_codes(compiled[0], compiled[1])


def compare_codes(old: "CodeType", new: "CodeType") -> Diff:
    """Compare the codes of two texts, both compiled from source (of cached ones see ``pairs``).

    Meant for modules. For any other two, ``SAME`` means deeply equal, positions included.
    """
    walk = _Walk(ordered=True)
    try:
        walk.scope(old, new, "", (), strict=False)
    except _Unlike as unlike:
        return Diff(DIFFERENT, str(unlike))
    except RecursionError:
        return Diff(DIFFERENT, "nested too deeply to compare")
    kind = BODIES if walk.changed or walk.moved or walk.renewed else SAME
    changed, moved, lines = tuple(walk.changed), tuple(walk.moved), tuple(walk.lines)
    return Diff(kind, "", changed, moved, lines, tuple(walk.renewed))


def pairs(old: "CodeType", new: "CodeType") -> "list[tuple[CodeType, CodeType]]":
    """Each old function code object of a module with the new one that takes its place.

    ``old`` may be the very code that the program ran, from a ``.pyc`` or from source; ``new`` the
    code of a text that ``compare`` calls ``SAME`` or ``BODIES`` with it. Invariants:

    - every function code object reachable through ``co_consts`` of ``old`` is in exactly one pair,
      be it changed, moved or equal, but for those inside a function with a changed body: they are
      in none, and if that function never ran, no function object was ever made of them;
    - name, parameters, flags, free variables and docstring of the two agree, so that
      ``function.__code__ = new`` leaves nothing of the old behind;
    - comprehensions, type parameters, values of type aliases and annotations that are compiled as
      functions are paired like functions (a suspended generator or a lazy type alias may hold
      them); module and class bodies are not.

    Order in frozensets is not compared here, since it differs between cached and compiled code.
    Raises ValueError, with the reason, where the two do not correspond.
    """
    walk = _Walk(ordered=False)
    try:
        walk.scope(old, new, "", (), strict=False)
    except _Unlike as unlike:
        raise ValueError(str(unlike)) from None
    except RecursionError:
        raise ValueError("nested too deeply to compare") from None
    return walk.pairs


class _Walk:
    """One walk through two trees of code objects, gathering what ``Diff`` and ``pairs`` tell.

    Each method takes the old and the new code, the qualified name (empty: the module), and the
    path to the old code.
    """

    __slots__ = ("changed", "lines", "moved", "ordered", "pairs", "renewed")

    def __init__(self, ordered: bool) -> None:
        self.ordered = ordered
        self.changed: list[Place] = []
        self.moved: list[Place] = []
        self.lines: list[Place] = []
        self.renewed: list[Renewal] = []
        self.pairs: list[tuple[CodeType, CodeType]] = []

    def scope(
        self, old: "CodeType", new: "CodeType", name: str, path: "tuple[int, ...]", strict: bool
    ) -> None:
        """Compare two scopes. ``strict``: the functions in them may not differ either."""
        if old.co_flags & codes.OPTIMIZED:
            self.pairs.append((old, new))
        self._alike(old, new, name, path, strict)

    def function(
        self, old: "CodeType", new: "CodeType", name: str, path: "tuple[int, ...]"
    ) -> None:
        """Compare two functions: note a changed body, raise for any other difference."""
        for before, after in zip(codes.outside(old), codes.outside(new), strict=True):
            if before != after:
                raise _Unlike(f"{codes.called(old, name)}: {before[0]} changed")
        self.pairs.append((old, new))
        marks = [len(noted) for noted in self._notes()]
        try:
            self._alike(old, new, name, path, strict=False)
        except _Unlike:
            for noted, mark in zip(self._notes(), marks, strict=True):
                del noted[mark:]
            self.changed.append((name, old.co_firstlineno, path))

    def _notes(self) -> "tuple[list[Any], ...]":
        """All that is noted in order; of the inside of a changed body it is dropped again."""
        return self.changed, self.moved, self.lines, self.renewed, self.pairs

    def _alike(
        self, old: "CodeType", new: "CodeType", name: str, path: "tuple[int, ...]", strict: bool
    ) -> None:
        """Raise unless the two do the same; compare what they enclose."""
        indices = self._match(old, new, name)
        if indices is None:
            raise _Unlike(codes.why(old, new, name))
        if old.co_firstlineno != new.co_firstlineno or old.co_linetable != new.co_linetable:
            place = (name or "<module>", old.co_firstlineno, path)
            self.moved.append(place)
            if codes.lines(old) != codes.lines(new):
                self.lines.append(place)
        for i, j in indices:
            before, after = old.co_consts[i], new.co_consts[j]
            kind = codes.kind(before, old)
            if strict or kind != codes.kind(after, new):
                kind = "lazy"
            inner = codes.qualified(before, old, name), (*path, i)
            if kind == "function":
                self.function(before, after, *inner)
            else:
                self.scope(before, after, *inner, strict=kind == "lazy")

    def _match(self, old: "CodeType", new: "CodeType", name: str) -> "list[tuple[int, int]] | None":
        """Constants of the two that are code and correspond; None if anything else differs."""
        for attribute in _SHAPE:
            if getattr(old, attribute) != getattr(new, attribute):
                return None
        if codes.VERSION == (3, 13) and name and not old.co_flags & codes.OPTIMIZED:
            return self._match_class(old, new, name)
        if old.co_code != new.co_code or len(old.co_consts) != len(new.co_consts):
            return None
        return self._match_constants(old, new, [(i, i) for i in range(len(old.co_consts))])

    def _match_constants(
        self, old: "CodeType", new: "CodeType", indices: "list[tuple[int, int]]"
    ) -> "list[tuple[int, int]] | None":
        """Those of the indices that lead to code, if all others lead to equal constants."""
        nested = []
        for i, j in indices:
            before, after = old.co_consts[i], new.co_consts[j]
            if type(before) is codes.CODE and type(after) is codes.CODE:
                nested.append((i, j))
            elif codes.key(before, self.ordered) != codes.key(after, self.ordered):
                return None
        return nested

    def _match_class(
        self, old: "CodeType", new: "CodeType", name: str
    ) -> "list[tuple[int, int]] | None":
        """Match two class bodies of 3.13, whose line and attributes are constants of theirs.

        The compiler keeps equal constants once: a class at line 12 that says ``size = 12`` has
        other indices than the same class at line 13. So what each instruction loads is compared.
        """
        line = _renewable(old, new, "__firstlineno__", int)
        attributes = _renewable(old, new, "__static_attributes__", tuple)
        before, after = codes.units(old), codes.units(new)
        if [op for op, _ in before] != [op for op, _ in after]:
            return None
        loaded: dict[tuple[int, int], None] = {}
        for at, ((op, i), (_, j)) in enumerate(zip(before, after, strict=True)):
            if op in (codes.LOAD_CONST, codes.RETURN_CONST):
                if at not in (line, attributes):
                    loaded[i, j] = None
            elif i != j:
                return None
        nested = self._match_constants(old, new, list(loaded))
        if nested is not None:
            self._renew(old, new, name, line, attributes)
        return nested

    def _renew(
        self, old: "CodeType", new: "CodeType", name: str, line: int, attributes: int
    ) -> None:
        """Note what of the two values that the compiler stores in a class is another now."""
        values = []
        for at in (line, attributes):
            before, after = _loaded(old, at), _loaded(new, at)
            values.append(None if before == after else after)
        if values != [None, None]:
            self.renewed.append((name, values[0], values[1]))


def _renewable(old: "CodeType", new: "CodeType", name: str, family: type) -> int:
    """The instruction that loads what the compiler stores as ``name``, if the same in both."""
    at = codes.automatic(old, name, family)
    return at if at == codes.automatic(new, name, family) else -1


def _loaded(code: "CodeType", at: int) -> "Any":
    return None if at < 0 else code.co_consts[codes.units(code)[at][1]]
