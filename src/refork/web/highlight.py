"""Colours for a line of Python, good enough for a glance. It need not be valid Python."""

from __future__ import annotations

import builtins
import keyword
import re
from html import escape

_TOKEN = re.compile(
    r"""
      (?P<c>\#.*)
    | (?P<s>(?:\b[bBrRuUfFtT]{1,2})?(?:'''.*?(?:'''|$)|\"\"\".*?(?:\"\"\"|$)
         |'(?:\\.|[^'\\])*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)))
    | (?P<d>@[\w.]+)
    | (?P<n>\b\d[\w.]*)
    | (?P<w>\b[^\W\d]\w*)
    """,
    re.VERBOSE,
)
_BUILTINS = frozenset(name for name in dir(builtins) if not name.startswith("_"))


def python(line: str) -> str:
    """The line as escaped HTML, its tokens in `<i class=…>`.

    Classes: c(omment), s(tring), d(ecorator), n(umber), k(eyword), b(uiltin).
    """
    parts: list[str] = []
    position = 0
    for match in _TOKEN.finditer(line):
        parts.append(escape(line[position : match.start()]))
        parts.append(_coloured(match))
        position = match.end()
    return "".join(parts) + escape(line[position:])


def _coloured(match: re.Match[str]) -> str:
    kind, text = str(match.lastgroup), match.group()
    if kind == "w":
        is_attribute = match.string[: match.start()].endswith(".")
        is_builtin = text in _BUILTINS and not is_attribute
        kind = "k" if keyword.iskeyword(text) else "b" if is_builtin else ""
    return f'<i class="{kind}">{escape(text)}</i>' if kind else escape(text)
