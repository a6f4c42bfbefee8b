# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Functions of all kinds; those named ``call_…`` are called when the account is made."""

from __future__ import annotations

from ..forge import Context, Made, fragment


def body(c: Context, indent: str = "    ") -> str:
    """A few statements that end in returning an int."""
    name = c.fresh("v")
    lines = [f"{name} = {c.number()}"]
    extra = [
        f"{name} += len(str({name}))",
        f"for i in range({c.rng.randrange(1, 4)}):\n{indent}    {name} += i * {c.number()}",
        f"if {name} > {c.number()}:\n{indent}    {name} -= {c.number()}\n{indent}else:\n{indent}    {name} += 1",
        f"{name} = sum(j + {name} for j in [{c.number()}, 1])",
        f"{name} = max([{name}, {c.number()}], key=lambda q: q % {c.number()})",
        f"# inside {c.number()}",
        f"'text {c.number()}'",
        f"{name} = int(f'{{{name}}}{c.rng.randrange(9)}') % 1000",
        f"try:\n{indent}    {name} //= {c.rng.randrange(2)}\n{indent}except ZeroDivisionError as e:\n"
        f"{indent}    {name} += len(e.args)\n{indent}finally:\n{indent}    {name} += {c.number()}",
    ]
    lines += c.rng.sample(extra, c.rng.randrange(0, 4))
    return "".join(f"{indent}{line}\n" for line in [*lines, f"return {name}"])


def named(c: Context) -> str:
    return c.fresh("call_" if c.rng.random() < 0.8 else "f")


@fragment(14)
def function(c: Context) -> Made:
    name = named(c)
    doc = f'    """Says {c.number()}."""\n' if c.rng.random() < 0.3 else ""
    return f"def {name}():\n{doc}{body(c)}\n", (("func", name),)


@fragment(5)
def using_scope(c: Context) -> Made:
    name = named(c)
    return f"def {name}():\n    base = {c.integer()}\n    return base + {c.number()}\n", (
        ("func", name),
    )


@fragment(4)
def defaults(c: Context) -> Made:
    name = named(c)
    head = f"def {name}(a: int = {c.integer()}, *, b: list = [{c.number()}]) -> int:\n"
    return head + f"    b.append(a)\n    return a + len(b) + {c.number()}\n", (("func", name),)


@fragment(4)
def closure(c: Context) -> Made:
    maker, name = c.fresh("make"), named(c)
    text = (
        f"def {maker}(start):\n    count = start + {c.number()}\n\n"
        f"    def inner():\n        nonlocal count\n        count += {c.number()}\n        return count\n\n"
        f"    return inner\n\n\n{name} = {maker}({c.number()})\n"
    )
    return text, (("func", name),)


@fragment(3)
def two_closures(c: Context) -> Made:
    maker, name = c.fresh("make"), named(c)
    text = (
        f"def {maker}(n):\n    def inner():\n        return n * {c.number()}\n    return inner\n"
        f"{name}, {name}b = {maker}(1), {maker}({c.number()})\n"
    )
    return text, (("func", name), ("func", f"{name}b"))


@fragment(3)
def decorator(c: Context) -> Made:
    name = c.fresh("deco")
    text = (
        f"import functools\n\n\ndef {name}(f):\n    @functools.wraps(f)\n    def wrapper(*a, **k):\n"
        f"        return f(*a, **k) + {c.number()}\n    return wrapper\n"
    )
    return text, (("deco", name),)


@fragment(6)
def decorated(c: Context) -> Made | None:
    deco, name = c.pick("deco"), named(c)
    if deco is None:
        return None
    return f"@{deco}\ndef {name}():\n{body(c)}", (("func", name),)


@fragment(3)
def anonymous(c: Context) -> Made:
    name = named(c)
    return f"{name} = lambda: {c.number()} + {c.rng.randrange(9)}\n", (("func", name),)


@fragment(1)
def two_lambdas(c: Context) -> Made:
    name = named(c)
    text = f"{name}, {name}b = (lambda: {c.number()}), (lambda: {c.number()})\n"
    return text, (("func", name), ("func", f"{name}b"))


@fragment(1)
def table(c: Context) -> Made:
    first, second = named(c), c.fresh("table")
    text = f"def {first}():\n{body(c)}\n\n{second} = {{'a': {first}, 'b': lambda: {c.number()}}}\n"
    return text, (("func", first),)


@fragment(3)
def generator(c: Context) -> Made:
    name, held = c.fresh("gen"), c.fresh("running")
    text = (
        f"def {name}():\n    total = {c.number()}\n    while total < 500:\n"
        f"        yield total\n        total += {c.number()}\n\n\n{held} = {name}()\n"
    )
    return text + (f"print(next({held}))\n" if c.rng.random() < 0.5 else ""), ()


@fragment(2)
def generator_called(c: Context) -> Made:
    name = named(c)
    text = (
        f"def {name}():\n    def numbers():\n        yield {c.number()}\n        yield from [1, {c.number()}]\n"
        f"    return sum(numbers())\n"
    )
    return text, (("func", name),)


@fragment(3)
def coroutine(c: Context) -> Made:
    inner, name = c.fresh("co"), named(c)
    text = (
        f"async def {inner}():\n    return {c.number()}\n\n\ndef {name}():\n    async def outer():\n"
        f"        return await {inner}() + {c.number()}\n    try:\n        outer().send(None)\n"
        f"    except StopIteration as e:\n        return e.value\n"
    )
    return text, (("func", name),)


@fragment(2)
def recursive(c: Context) -> Made:
    name = named(c)
    text = f"def {name}(n={c.rng.randrange(1, 6)}):\n    return {c.number()} if n <= 0 else n + {name}(n - 1)\n"
    return text, (("func", name),)


@fragment(4)
def counting(c: Context) -> Made:
    count, name = c.fresh("count"), named(c)
    text = f"{count} = {c.number()}\n\n\ndef {name}():\n    global {count}\n    {count} += {c.number()}\n    return {count}\n"
    return text, (("int", count), ("func", name))


@fragment(4)
def failing(c: Context) -> Made:
    name = c.fresh("call_")
    lines = [
        f"v = {c.number()}\n",
        f"items = [v, {c.number()}]\n",
        "\n",
        f"# before {c.number()}\n",
    ]
    before = "".join(f"    {line}" for line in c.rng.sample(lines[1:], c.rng.randrange(3)))
    return f"def {name}():\n    {lines[0]}{before}    raise ValueError('bad {c.number()}', v)\n", ()


@fragment(2)
def failing_inside(c: Context) -> Made | None:
    f, name = c.pick("func"), c.fresh("call_")
    if f is None:
        return None
    text = (
        f"def {name}():\n    try:\n        return {f}() / 0\n    except ZeroDivisionError as e:\n"
        f"        raise KeyError({c.number()}) from e\n"
    )
    return text, ()


@fragment(2)
def conditional_definition(c: Context) -> Made:
    name = named(c)
    text = (
        f"if {c.integer()} % 2:\n    def {name}():\n{body(c, '        ')}else:\n"
        f"    def {name}():\n{body(c, '        ')}"
    )
    return text, (("func", name),)


@fragment(2)
def redefinition(c: Context) -> Made | None:
    name = c.pick("func")
    if name is None:
        return None
    return f"def {name}():\n{body(c)}", ()


@fragment(1)
def redefined_at_once(c: Context) -> Made:
    name = named(c)
    return f"def {name}():\n{body(c)}\n\nkept_{name} = {name}\n\n\ndef {name}():\n{body(c)}", (
        ("func", name),
    )


@fragment(2)
def cached(c: Context) -> Made:
    name = named(c)
    call = f"print({name}())\n" if c.rng.random() < 0.4 else ""
    return (
        f"import functools\n\n\n@functools.lru_cache(maxsize=None)\ndef {name}():\n{body(c)}{call}",
        (("func", name),),
    )


@fragment(2)
def dispatched(c: Context) -> Made:
    generic, name = c.fresh("generic"), named(c)
    text = (
        f"import functools\n\n\n@functools.singledispatch\ndef {generic}(v):\n    return {c.number()}\n\n\n"
        f"@{generic}.register\ndef _(v: int):\n    return v + {c.number()}\n\n\n"
        f"def {name}():\n    return {generic}(1) + {generic}('s')\n"
    )
    return text, (("func", name),)


@fragment(2)
def managed(c: Context) -> Made:
    manager, name = c.fresh("manager"), named(c)
    text = (
        f"import contextlib\n\n\n@contextlib.contextmanager\ndef {manager}():\n    yield {c.number()}\n\n\n"
        f"def {name}():\n    with {manager}() as v:\n        return v + {c.number()}\n"
    )
    return text, (("func", name),)


@fragment(2)
def matching(c: Context) -> Made:
    name = named(c)
    text = (
        f"def {name}(v={c.rng.choice(['1', '(1, 2)', chr(39) + 'x' + chr(39)])}):\n    match v:\n        case int():\n"
        f"            return {c.number()}\n        case (a, b):\n            return a + b + {c.number()}\n"
        f"        case _:\n            return {c.number()}\n"
    )
    return text, (("func", name),)


@fragment(2)
def called_now(c: Context) -> Made | None:
    f = c.pick("func")
    if f is None:
        return None
    return f"{c.fresh('result')} = {f}()\n", ()


@fragment(2)
def main_function(c: Context) -> Made:
    name = c.fresh("main")
    text = (
        f"def {name}():\n    print('{c.fresh('main')}', {c.integer()})\n    return {c.number()}\n\n\n"
        f"if __name__ == '__main__':\n    {c.fresh('status')} = {name}()\n    print({name}() + {c.number()})\n"
    )
    return text, ()
