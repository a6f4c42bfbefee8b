"""Code objects: what they are, what is kept of them elsewhere, and how two differ, in words.

Facts for the differ (see there for the words *function* and *scope*). Built-in imports only, since
this is loaded into the user's process. Numbers of operations are fixed within a minor version of
Python; a test compares those used here with the running one's.
"""

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType
    from typing import Any

VERSION = sys.version_info[:2]
CODE = type((lambda: 0).__code__)

# Flags of code objects (Include/cpython/code.h).
OPTIMIZED = 0x1
_VARIADIC = (0x4, 0x8)
_HAS_DOCSTRING = 0x4000000  # set from 3.14 on; before that a function's first constant tells
_NO_FREE = 0x40 if VERSION < (3, 11) else 0  # no cells: up to 3.10, and then a matter of the body

_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
_GENERIC = "<generic parameters of "
_PLAIN = (int, str, bytes, bool, type(None), type(Ellipsis))

LOAD_CONST = 83 if VERSION >= (3, 13) else 100
RETURN_CONST, EXTENDED_ARG, STORE_NAME, LOAD_NAME = 103, 71, 114, 92  # 3.13 (all that asks)
NAME_OPS = (
    (63, 66, 67, 74, 75, 82, 90, 91, 92, 108, 113, 114)
    if VERSION >= (3, 13)
    else (90, 91, 95, 96, 97, 98, 101, 106, 108, 109, 116, 160)
)
_LOAD_ATTR = 82 if VERSION >= (3, 13) else 106  # its argument's lowest bit is a flag since 3.12
# (operation, argument) that makes a type alias, a bound, constraints or a default out of a function
# that nobody calls by name (Include/internal/pycore_intrinsics.h).
LAZY_UNITS = {
    (3, 12): ((173, 11), (174, 2), (174, 3)),
    (3, 13): ((55, 11), (56, 2), (56, 3), (56, 5)),
}


def kind(code: "CodeType", parent: "CodeType") -> str:
    """``function``, ``scope`` (it ran with its parent) or ``lazy`` (a scope that may run later)."""
    name = code.co_name
    if not code.co_flags & OPTIMIZED or name in _COMPREHENSIONS or name.startswith(_GENERIC):
        return "scope"
    if name == "<lambda>":
        return "function"
    lazy = name.startswith("<") or name == "__annotate__" or _evaluated(code, parent)
    return "lazy" if lazy else "function"


def _evaluated(code: "CodeType", parent: "CodeType") -> bool:
    """Whether this may be the value of a type alias, or a type parameter's bound or default.

    Such code looks like that of a function of that name, but its name is among the parent's
    constants. So it may be for a function (``__all__``): hence a look at what the parent makes.
    """
    strings = {value for value in parent.co_consts if type(value) is str}
    if VERSION < (3, 12) or code.co_name not in strings:
        return False
    lazy_units = LAZY_UNITS.get(VERSION)
    if lazy_units is None:
        return True
    made = set(raw_units(parent))
    return any(unit in made for unit in lazy_units)


def raw_units(code: "CodeType") -> "Iterator[tuple[int, int]]":
    """(operation, argument's low byte) of each two-byte unit; inline caches are zeros."""
    raw = code.co_code
    return zip(raw[::2], raw[1::2], strict=True)


def units(code: "CodeType") -> "list[tuple[int, int]]":
    """Operations with their whole arguments (3.13); prefixes stay in place, with argument 0."""
    found = []
    high = 0
    for op, low in raw_units(code):
        argument = high | low
        high = argument << 8 if op == EXTENDED_ARG else 0
        found.append((op, 0 if op == EXTENDED_ARG else argument))
    return found


def lines(code: "CodeType") -> object:
    """All that the code tells about lines; columns and the lines where things end are not in it."""
    return code.co_firstlineno, list(code.co_lines())


def automatic(code: "CodeType", name: str, wanted: type) -> int:
    """Which unit of a class body loads the value that the compiler by itself stores as ``name``.

    For 3.13. -1 where there is none, and where the class body itself uses the name: the value may
    then have gone elsewhere.
    """
    if name not in code.co_names:
        return -1
    k = code.co_names.index(name)
    decoded = units(code)
    if decoded.count((STORE_NAME, k)) != 1 or (LOAD_NAME, k) in decoded:
        return -1
    at = decoded.index((STORE_NAME, k)) - 1
    while decoded[at][0] == EXTENDED_ARG:
        at -= 1
    op, i = decoded[at]
    value = code.co_consts[i] if op == LOAD_CONST else None
    if type(value) is not wanted or (wanted is int and value != code.co_firstlineno):
        return -1
    return at


def outside(code: "CodeType") -> "list[tuple[str, object]]":
    """What is kept of a function outside of its code object, each with its name for people."""
    variadic = [bool(code.co_flags & flag) for flag in _VARIADIC]
    named = code.co_argcount + code.co_kwonlyargcount + sum(variadic)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    return [
        ("name", (code.co_name, getattr(code, "co_qualname", None))),
        ("parameters", (counts, variadic, code.co_varnames[:named])),
        ("captured variables", code.co_freevars),
        ("docstring", docstring(code)),
        ("kind (generator, coroutine, __future__)", code.co_flags & ~_NO_FREE),
    ]


def docstring(code: "CodeType") -> "str | None":
    """The docstring as a function made of this code gets it (Objects/funcobject.c)."""
    if VERSION >= (3, 14) and not code.co_flags & _HAS_DOCSTRING:
        return None
    first = code.co_consts[0] if code.co_consts else None
    return first if isinstance(first, str) else None


def key(value: "Any", ordered: bool) -> object:
    """Stands for a constant: equal keys, equal constants in type, sign and, if asked, set order."""
    family = type(value)
    if family in _PLAIN:
        return family, value
    if family is float or family is complex:
        return family, marshal.dumps(value, 2)
    if family is tuple:
        return family, tuple([key(item, ordered) for item in value])
    if family is frozenset:
        keys = [key(item, ordered) for item in value]
        return family, tuple(keys) if ordered and _steady(value) else frozenset(keys)
    return object()  # equal to nothing: an unknown kind of constant is a difference


def _steady(value: "Any") -> bool:
    """Whether the text decides the order in which a set of such values is iterated.

    It does for numbers. With strings it is chance, from run to run (randomized hashes), and even
    from one compilation to the next in the same process (interning builds the set again).
    """
    if type(value) in (tuple, frozenset):
        return all(_steady(item) for item in value)
    return type(value) in (int, bool, float, complex)


def qualified(code: "CodeType", parent: "CodeType", prefix: str) -> str:
    """The qualified name; before 3.11 put together from the parent's."""
    known = getattr(code, "co_qualname", None)
    if known is not None:
        return str(known)
    if not prefix:
        return code.co_name
    function = parent.co_flags & OPTIMIZED and parent.co_name not in _COMPREHENSIONS
    return f"{prefix}.{'<locals>.' if function else ''}{code.co_name}"


def called(code: "CodeType", name: str) -> str:
    """What people call this code object, whose qualified name is ``name`` (empty: the module)."""
    if not name:
        return "module"
    if code.co_name == "<lambda>":
        return f"lambda at line {code.co_firstlineno}"
    if code.co_name in _COMPREHENSIONS:
        return f"comprehension at line {code.co_firstlineno}"
    if code.co_name.startswith(_GENERIC):
        return f"type parameters of {code.co_name[len(_GENERIC) : -1]}"
    return f"{name}()" if code.co_flags & OPTIMIZED else f"class {name}"


def why(old: "CodeType", new: "CodeType", name: str) -> str:
    """Say in words how two scopes differ; the line is the new text's, and near enough."""
    whose = f"{called(old, name)}: " if name else ""
    before, after = list(_inner_names(old)), list(_inner_names(new))
    for names, others, verb in ((after, before, "added"), (before, after, "removed")):
        for inner in names:
            if names.count(inner) > others.count(inner):
                return f"{whose}{inner} {verb}"
    what = "body" if name else "module statements"
    return f"{whose}{what} changed near line {_unlike_line(old, new)}"


def _inner_names(code: "CodeType") -> "Iterator[str]":
    for inner in code.co_consts:
        if type(inner) is CODE and not inner.co_name.startswith("<"):
            yield called(inner, inner.co_name)


def _unlike_line(old: "CodeType", new: "CodeType") -> int:
    """The line of the first instruction that differs, or loads or names something that does."""
    unlike = _first_unlike(list(raw_units(old)), list(raw_units(new)))
    constant = _first_unlike(old.co_consts, new.co_consts)
    name = _first_unlike(old.co_names, new.co_names)
    for at, (op, low) in enumerate(raw_units(new)):
        index = low >> 1 if op == _LOAD_ATTR and VERSION >= (3, 12) else low
        found = (op == LOAD_CONST and index == constant) or (op in NAME_OPS and index == name)
        if found or at == unlike:
            return _line(new, at)
    return _line(new, len(new.co_code) // 2 - 1)


def _line(code: "CodeType", unit: int) -> int:
    for start, end, line in code.co_lines():
        if start <= unit * 2 < end and line:
            return line
    return code.co_firstlineno


def _first_unlike(old: "Sequence[object]", new: "Sequence[object]") -> int:
    """The first index at which the two differ (code objects aside); -1 if none."""
    for at, (before, after) in enumerate(zip(old, new, strict=False)):
        if type(before) is CODE and type(after) is CODE:
            continue
        if key(before, True) != key(after, True):
            return at
    return -1 if len(old) == len(new) else min(len(old), len(new))
