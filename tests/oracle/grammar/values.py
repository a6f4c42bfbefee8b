# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Plain values: numbers, containers, comments, prints."""

from __future__ import annotations

from ..forge import Context, Made, fragment


@fragment(9)
def assignment(c: Context) -> Made:
    name = c.fresh("x")
    return f"{name} = {c.integer()}\n", (("int", name),)


@fragment(2)
def annotated(c: Context) -> Made:
    name = c.fresh("x")
    return f"{name}: int = {c.integer()}\n", (("int", name),)


@fragment(2)
def bare_annotation(c: Context) -> Made:
    return f"{c.fresh('absent')}: 'list[int]'\n", ()


@fragment(5)
def listed(c: Context) -> Made:
    name = c.fresh("items")
    return f"{name} = [{c.integer()}, {c.integer()}, '{c.fresh('s')}']\n", (("list", name),)


@fragment(2)
def container(c: Context) -> Made:
    name = c.fresh("box")
    form = c.rng.choice(
        ["{{'k': {0}, 'l': [{1}]}}", "({0}, {1})", "{{{0}, {1}}}", "[({0}, [{1}])]"]
    )
    return f"{name} = {form.format(c.integer(), c.integer())}\n", ()


@fragment(2)
def shared(c: Context) -> Made | None:
    items = c.pick("list")
    if items is None:
        return None
    return f"{c.fresh('alias')} = [{items}, {items}]\n", ()


@fragment(2)
def comprehension(c: Context) -> Made:
    name = c.fresh("items")
    text = f"{name} = [\n    i * {c.number()}\n    for i in range({c.rng.randrange(1, 4)})\n    if i != {c.number()}\n]\n"
    return text, (("list", name),)


@fragment(6)
def printed(c: Context) -> Made:
    return f"print('{c.fresh('said')}', {c.integer()})\n", ()


@fragment(2)
def formatted(c: Context) -> Made:
    return f'print(f"{c.fresh("said")} {{{c.integer()} + 1:>5}} {{__name__!r}}")\n', ()


@fragment(1)
def printed_part(c: Context) -> Made:
    return f"print('{c.fresh('part')}', end=' ')\n", ()


@fragment(1)
def printed_error(c: Context) -> Made:
    return f"import sys\nprint('{c.fresh('err')}', {c.integer()}, file=sys.stderr)\n", ()


@fragment(3)
def comment(c: Context) -> Made:
    return f"# {c.fresh('note')}\n", ()


@fragment(1)
def blank(c: Context) -> Made:
    return "\n\n", ()


@fragment(1)
def string_statement(c: Context) -> Made:
    return f"'{c.fresh('loose')}'\n", ()


@fragment(1)
def long_string(c: Context) -> Made:
    return f'{c.fresh("long")} = """\n  {c.number()}\n\n# no comment\n"""\n', ()


@fragment(1)
def semicolons(c: Context) -> Made:
    a, b = c.fresh("x"), c.fresh("x")
    return f"{a} = {c.integer()}; {b} = {a} + 1; print({b})\n", (("int", a), ("int", b))


@fragment(1)
def unpacked(c: Context) -> Made:
    a, b = c.fresh("x"), c.fresh("rest")
    return f"{a}, *{b} = [{c.integer()}, {c.integer()}, 3]\n", (("int", a), ("list", b))


@fragment(1)
def deleted(c: Context) -> Made:
    name = c.fresh("gone")
    return f"{name} = {c.integer()}\nprint({name})\ndel {name}\n", ()


@fragment(1)
def walrus(c: Context) -> Made:
    name = c.fresh("x")
    return f"print(({name} := {c.integer()}) + 1)\n", (("int", name),)


@fragment(1)
def global_tricks(c: Context) -> Made:
    name = c.fresh("x")
    return f"globals()['{name}'] = {c.integer()}\n", (("int", name),)


@fragment(1)
def executed(c: Context) -> Made:
    name = c.fresh("x")
    return f"exec('{name} = {c.number()}')\nprint(eval('{name} + 1'))\n", (("int", name),)
