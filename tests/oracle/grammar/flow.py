# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Control flow at the top level."""

from __future__ import annotations

from ..forge import Context, Made, fragment


@fragment(3)
def loop(c: Context) -> Made:
    name = c.fresh("x")
    text = f"{name} = 0\nfor i in range({c.rng.randrange(1, 4)}):\n    {name} += i + {c.number()}\n    print(i, {name})\n"
    return text, (("int", name),)


@fragment(1)
def while_loop(c: Context) -> Made:
    name = c.fresh("x")
    return (
        f"{name} = {c.number()}\nwhile {name} < 50:\n    {name} += {c.number()}\nelse:\n    print({name})\n",
        (("int", name),),
    )


@fragment(4)
def condition(c: Context) -> Made:
    name = c.fresh("x")
    text = f"if {c.integer()} > {c.number()}:\n    {name} = {c.integer()}\n    print('over')\nelse:\n    {name} = {c.number()}\n"
    return text, (("int", name),)


@fragment(3)
def attempt(c: Context) -> Made:
    name = c.fresh("x")
    text = (
        f"try:\n    {name} = {c.integer()} // {c.rng.randrange(2)}\nexcept ZeroDivisionError as e:\n"
        f"    {name} = len(str(e))\nelse:\n    print('{c.fresh('fine')}')\nfinally:\n    print({c.number()})\n"
    )
    return text, (("int", name),)


@fragment(2)
def with_block(c: Context) -> Made:
    name = c.fresh("out")
    text = (
        f"import contextlib\nimport io\n\n{name} = io.StringIO()\nwith contextlib.redirect_stdout({name}):\n"
        f"    print({c.integer()})\n    print('inside')\nprint({name}.getvalue())\n"
    )
    return text, ()


@fragment(3)
def main_block(c: Context) -> Made | None:
    """Several statements in the body that counts as top level."""
    if c.path != "entry.py":
        return None
    a, b = c.fresh("x"), c.fresh("x")
    text = (
        f"if __name__ == '__main__':\n    {a} = {c.integer()}\n    print('{c.fresh('main')}', {a})\n"
        f"    import string\n    {b} = {a} + {c.number()}\n    for i in range(2):\n        print(i, {b})\n"
    )
    if c.rng.random() < 0.3:
        text += f"else:\n    print('no main')\n    {a} = {b} = 1\n"
    return text, (("int", a), ("int", b))


@fragment(1)
def failing_now(c: Context) -> Made | None:
    if c.rng.random() < 0.7:
        return None
    return c.rng.choice(
        [
            (f"assert {c.integer()} < {c.number()}, 'too much'\n", ()),
            (f"raise RuntimeError('stop {c.number()}')\n", ()),
            (f"raise SystemExit({c.rng.choice([0, 1, 4, 77])})\n", ()),
            (f"print(undefined_{c.number()})\n", ()),
        ]
    )


@fragment(1)
def nested(c: Context) -> Made:
    name = c.fresh("x")
    text = (
        f"{name} = {c.integer()}\ntry:\n    if {name} % 2:\n        with __import__('contextlib').suppress(KeyError):\n"
        f"            print({name}, 'odd')\n            raise KeyError({name})\n    else:\n        print('even')\n"
        f"finally:\n    {name} += {c.number()}\n"
    )
    return text, (("int", name),)


@fragment(3)
def arms(c: Context) -> Made:
    """Several statements in each arm, some of which take a while or load something."""
    name = c.fresh("x")
    slow = c.rng.choice(
        ["import time; time.sleep(0.02)", "import string", "import colorsys", "pass"]
    )
    text = (
        f"{name} = {c.integer()}\nif {name} % 3 == 0:\n    print('none', {c.number()})\n    {slow}\n"
        f"    {name} += {c.number()}\nelif {name} > {c.number()} and {name} % 2:\n    {name} -= 1\n"
        f"    {slow}\n    print('odd', {name})\nelse:\n    {slow}\n    print('rest')\n    {name} *= 2\n"
    )
    return text, (("int", name),)


@fragment(3)
def tried(c: Context) -> Made:
    """A try of several statements: what is being handled, where, and from which line, shows."""
    name, f = c.fresh("x"), c.fresh("f")
    fails = c.rng.choice(
        [f"{f}({c.number()})", "pass", "{}[1]", f"raise OSError({c.number()})", "import o_none"]
    )
    handler = c.rng.choice(
        ["raise", f"print({c.number()})", "raise ValueError(2)", f"kept_{name} = e", "pass"]
    )
    text = (
        f"import sys\nimport traceback\n\n\ndef {f}(v):\n    raise KeyError(v)\n\n\n{name} = {c.integer()}\n"
        f"try:\n    try:\n        {name} += {c.number()}\n        import string\n        print({name})\n"
        f"        {fails}\n        print('not failed')\n"
        f"    except (KeyError, OSError) as e:\n        print(traceback.format_exc().splitlines()[1:3])\n"
        f"        {handler}\n    else:\n        print('fine', sys.exc_info())\n"
        f"    finally:\n        print('finally', sys.exc_info()[0], {c.number()})\n"
        f"except Exception as e:\n    print(repr(e), repr(e.__context__), e.__traceback__.tb_lineno)\n"
    )
    return text, (("int", name),)


@fragment(3)
def managed(c: Context) -> Made:
    """A manager of the program's own, entered and left with the line it is called from."""
    kind, name = c.fresh("M"), c.fresh("x")
    inside = c.rng.choice(
        ["pass", "import string", "{}[0]", f"print({c.number()})", "raise KeyError(1)"]
    )
    swallows = c.rng.choice(["True", "True", "e is None or isinstance(e, LookupError)"])
    text = (
        f"import sys\n\n\nclass {kind}:\n    def __enter__(self):\n        print('in', sys._getframe(True).f_lineno)\n"
        f"        return {c.number()}\n\n    def __exit__(self, kind, e, trace):\n"
        f"        print('out', repr(e), trace and trace.tb_lineno, sys._getframe(True).f_lineno)\n"
        f"        return {swallows}\n\n\n{name} = {c.integer()}\nwith {kind}() as n, {kind}():\n"
        f"    {name} += n\n    print({name})\n    {inside}\n    {name} += {c.number()}\nprint({name})\n"
    )
    return text, (("int", name),)


@fragment(1)
def doubtful(c: Context) -> Made | None:
    """The compiler warns of this: each time for a script, for a module only where it has no cache."""
    if c.path != "entry.py":
        return None
    text = c.rng.choice(["print({0} is {0})\n", "print('\\d{0}')\n", "assert ({0}, 'always')\n"])
    return text.format(c.number()), ()


@fragment(1)
def doubtful_inside(c: Context) -> Made | None:
    if c.path != "entry.py":
        return None
    name = c.fresh("call_")
    return f"def {name}():\n    v = {c.number()}\n    return v is {c.number()}\n", (("func", name),)


@fragment(1)
def matched(c: Context) -> Made:
    return (
        f"match {c.integer()} % 3:\n    case 0:\n        print('zero')\n    case n:\n        print('rest', n, {c.number()})\n",
        (),
    )


@fragment(1)
def mended(c: Context) -> Made:
    """An exception kept with its traceback: it has captured line numbers."""
    name = c.fresh("kept")
    return f"try:\n    {{}}['{c.number()}']\nexcept KeyError as e:\n    {name} = e\n", ()
