"""Edits of one block's text: literals, lines of function bodies, comments, signatures."""

from __future__ import annotations

import ast
import random
import re

Place = tuple[int, int]
"""First and last line of a statement, from 0, both included."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def bodies(text: str) -> list[list[Place]]:
    """For each function in a block: where the statements of its body stand (docstring apart)."""
    try:
        parsed = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    found = []
    for node in ast.walk(parsed):
        if isinstance(node, FUNCTIONS) and node.body[0].lineno > node.lineno:
            statements = [s for s in node.body if not is_text(s)]
            found.append([(s.lineno - 1, (s.end_lineno or s.lineno) - 1) for s in statements])
    return [places for places in found if places]


def is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def change_number(rng: random.Random, text: str) -> str | None:
    """Another number in the place of one."""
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    chosen = rng.choice(found)
    return text[: chosen.start()] + str(rng.randrange(2, 100)) + text[chosen.end() :]


def change_in_body(rng: random.Random, text: str) -> str | None:
    """Another number inside the body of a function."""
    places = [place for statements in bodies(text) for place in statements]
    if not places:
        return None
    first, last = rng.choice(places)
    lines = text.splitlines(keepends=True)
    part = change_number(rng, "".join(lines[first : last + 1]))
    return None if part is None else "".join([*lines[:first], part, *lines[last + 1 :]])


def add_to_body(rng: random.Random, text: str) -> str | None:
    """One more statement, comment or blank line inside the body of a function."""
    places = [place for statements in bodies(text) for place in statements]
    if not places:
        return None
    first, _ = rng.choice(places)
    lines = text.splitlines(keepends=True)
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    number = rng.randrange(100)
    more = ["pass", f"more = {number}", f"# more {number}", "", f"[q + {number} for q in ()]"]
    more += [f"add = lambda w: w + {number}", "'loose'", f"{number} if not {number} else None"]
    lines.insert(first, f"{indent}{rng.choice(more)}\n")
    return "".join(lines)


def cut_from_body(rng: random.Random, text: str) -> str | None:
    """One statement less in the body of a function that has several."""
    several = [statements for statements in bodies(text) if len(statements) > 1]
    if not several:
        return None
    first, last = rng.choice(rng.choice(several)[:-1])
    lines = text.splitlines(keepends=True)
    return "".join(lines[:first] + lines[last + 1 :])


def add_to_arm(rng: random.Random, text: str) -> str | None:
    """One more statement inside what a top-level `if`, `try` or `with` encloses."""
    try:
        parsed = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    compound = (ast.If, ast.Try, ast.With)
    places = [
        (inner.lineno - 1, inner.col_offset)
        for node in ast.walk(parsed)
        if isinstance(node, compound)
        for arm in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", []))
        for inner in arm
        if not isinstance(inner, (*FUNCTIONS, ast.ClassDef)) and inner.lineno > node.lineno
    ]
    if not places:
        return None
    line, column = rng.choice(places)
    lines = text.splitlines(keepends=True)
    number = rng.randrange(100)
    more = [
        f"print('arm {number}')",
        f"# arm {number}",
        f"arm = {number}",
        f"raise KeyError({number})",
    ]
    more += ["import sys; print(sys.exc_info())", f"import string; print({number})"]
    lines.insert(line, " " * column + rng.choice(more) + "\n")
    return "".join(lines)


def add_comment(rng: random.Random, text: str) -> str | None:
    """A comment at the end of a line: moves nothing."""
    lines = text.split("\n")
    plain = [i for i, line in enumerate(lines) if line.strip() and '"""' not in text]
    if not plain:
        return None
    lines[rng.choice(plain)] += f"  # {rng.randrange(100)}"
    return "\n".join(lines)


def add_line(rng: random.Random, text: str) -> str:
    """A comment or a blank line above: moves everything below."""
    return rng.choice(["\n", f"# above {rng.randrange(100)}\n", "\n\n\n"]) + text


def change_word(rng: random.Random, text: str) -> str | None:
    """Another text in a quoted string."""
    found = list(re.finditer(r"'[a-z]+\d+'", text))
    if not found:
        return None
    chosen = rng.choice(found)
    return f"{text[: chosen.start()]}'word{rng.randrange(100)}'{text[chosen.end() :]}"


def change_signature(rng: random.Random, text: str) -> str | None:
    """Another default, one more parameter, a docstring, an annotation."""
    found = re.search(r"def (\w+)\(([^)]*)\)( -> \w+)?:\n( +)", text)
    if found is None or "nonlocal" in text:
        return None
    name, parameters, gives, indent = found.groups()
    more = f"{parameters}, " if parameters else ""
    new = f"{name}({more}z{rng.randrange(100)}={rng.randrange(100)}){gives or ''}:\n{indent}"
    if "*" in parameters or rng.random() < 0.4:
        new = f'{name}({parameters}){gives or ""}:\n{indent}"""New {rng.randrange(9)}."""\n{indent}'
    elif rng.random() < 0.3:
        new = f"{name}({parameters}) -> 'int':\n{indent}"
    return text[: found.start()] + "def " + new + text[found.end() :]


def decorate(rng: random.Random, text: str) -> str | None:
    """One more decorator, or one less."""
    if text.startswith("@"):
        return text.split("\n", 1)[1]
    return f"@(lambda f: f)\n{text}" if text.startswith(("def ", "class ")) else None


def break_syntax(rng: random.Random, text: str, script: bool) -> str:
    """Text that does not compile. NULs are told otherwise where a script is read from its file."""
    broken = [f"{text}def broken(:\n", f"{text}  odd = 1\n", f"x = (\n{text}", f"{text}'unclosed\n"]
    broken += [f"return 1\n{text}", f"if True:\n{text}", f"{text}x = 1 = 2\n"]
    broken += [] if script else [f"{text}\x00\n"]
    return rng.choice(broken)
