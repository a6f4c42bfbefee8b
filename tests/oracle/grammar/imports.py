# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Imports in all their forms."""

from __future__ import annotations

from ..forge import Context, Made, fragment
from ..tree import Definition, dotted

STDLIB = ("json", "string", "textwrap", "fractions", "bisect", "colorsys", "statistics", "shlex")


def target(c: Context) -> str | None:
    """A module of the program that may be imported from here."""
    here = dotted(c.path)
    found = [name for name in c.exports if name not in (here, "entry")]
    return c.rng.choice(found) if found else None


def exported(c: Context, name: str, count: int) -> list[Definition]:
    usable = [d for d in c.exports[name] if d[0] in ("int", "func", "class", "list", "deco")]
    return c.rng.sample(usable, min(count, len(usable)))


@fragment(6)
def plain(c: Context) -> Made | None:
    name = target(c)
    if name is None:
        return None
    if "." in name:
        local = c.fresh("m")
        return f"import {name} as {local}\n", ((f"module:{name}", local),)
    return f"import {name}\n", ((f"module:{name}", name),)


@fragment(6)
def from_import(c: Context) -> Made | None:
    name = target(c)
    if name is None:
        return None
    chosen = exported(c, name, 2)
    if not chosen:
        return None
    return f"from {name} import {', '.join(n for _, n in chosen)}\n", tuple(chosen)


@fragment(3)
def star(c: Context) -> Made | None:
    name = target(c)
    if name is None:
        return None
    return f"from {name} import *\n", tuple(d for d in c.exports[name] if not d[1].startswith("_"))


@fragment(3)
def conditional(c: Context) -> Made | None:
    name, local = target(c), c.fresh("m")
    if name is None:
        return None
    return f"{local} = None\nif {c.integer()} % 3:\n    import {name} as {local}\n", ()


@fragment(4)
def lazy(c: Context) -> Made | None:
    name, f = target(c), c.fresh("call_")
    if name is None:
        return None
    chosen = exported(c, name, 1)
    use = f"len(str(type(m.{chosen[0][1]})))" if chosen else "1"
    return f"def {f}():\n    import {name} as m\n    return {use} + {c.number()}\n", (("func", f),)


@fragment(4)
def optional(c: Context) -> Made:
    name = c.rng.choice(["o_local", "o_opt", "o_settings_local"])
    local = c.fresh("x")
    text = f"try:\n    from {name} import VALUE as {local}\nexcept ImportError:\n    {local} = {c.number()}\n"
    return text, (("int", local),)


@fragment(2)
def optional_star(c: Context) -> Made:
    name = c.rng.choice(["o_local", "o_opt", "o_settings_local"])
    return (
        f"try:\n    from {name} import *\nexcept ImportError as e:\n    print('no', e.name)\n",
        (),
    )


@fragment(1)
def optional_submodule(c: Context) -> Made | None:
    packages = [p for p in c.exports if "." in p]
    if not packages:
        return None
    package = c.rng.choice(packages).rpartition(".")[0]
    return (
        f"try:\n    import {package}.extra\nexcept ModuleNotFoundError:\n    print('no extra')\n",
        (),
    )


@fragment(2)
def dynamic(c: Context) -> Made | None:
    name, local = target(c), c.fresh("m")
    if name is None:
        return None
    return f"import importlib\n\n{local} = importlib.import_module('{name}')\n", (
        (f"module:{name}", local),
    )


@fragment(2)
def found(c: Context) -> Made:
    name = c.rng.choice(["o_local", "o_opt", "o_settings_local", "o_nowhere"])
    text = f"import importlib.util\n\n{c.fresh('there')} = importlib.util.find_spec('{name}') is not None\n"
    return text, ()


@fragment(3)
def stdlib(c: Context) -> Made:
    name = c.rng.choice(STDLIB)
    return f"import {name}\nprint('{name}', {name}.__name__, getattr({name}, 'VALUE', 0))\n", ()


@fragment(1)
def in_class(c: Context) -> Made | None:
    name, k = target(c), c.fresh("C")
    if name is None:
        return None
    return f"class {k}:\n    import {name} as m\n\n    value = {c.number()}\n", (("class", k),)


@fragment(1)
def by_function(c: Context) -> Made | None:
    """An import done by a function of another module, charged to who is being loaded."""
    name, f = target(c), c.fresh("load")
    if name is None:
        return None
    return f"def {f}():\n    return __import__('{name}')\n\n\n{c.fresh('m')} = {f}()\n", ()


@fragment(1)
def relative(c: Context) -> Made | None:
    folder = c.path.rpartition("/")[0]
    if not folder:
        return None
    package = folder.replace("/", ".")
    names = [n for n in c.exports if n.startswith(package + ".") and n != dotted(c.path)]
    if not names:
        return f"from . import {c.rng.choice(['extra', '__name__ as ' + c.fresh('n')])}\n", ()
    name = c.rng.choice(names)
    local = c.fresh("m")
    return f"from . import {name[len(package) + 1 :]} as {local}\n", ((f"module:{name}", local),)


@fragment(2)
def loaded_check(c: Context) -> Made | None:
    name = target(c)
    if name is None:
        return None
    return (
        f"import sys\n\n{c.fresh('x')} = '{name}' in sys.modules\nprint('{name}' in sys.modules)\n",
        (),
    )


@fragment(1)
def reloaded(c: Context) -> Made | None:
    modules = c.modules()
    if not modules:
        return None
    return f"import importlib\n\nimportlib.reload({c.rng.choice(modules)[0]})\n", ()


@fragment(1)
def forgotten(c: Context) -> Made | None:
    name = target(c)
    if name is None:
        return None
    return (
        f"import sys\n\nimport {name} as {c.fresh('m')}\n\ndel sys.modules['{name}']\nimport {name} as {c.fresh('m')}\n",
        (),
    )


@fragment(1)
def replaced(c: Context) -> Made | None:
    if c.path == "entry.py":
        return None
    name = c.fresh("Lazy")
    text = (
        f"import sys\n\n\nclass {name}:\n    def __getattr__(self, n):\n        if n.startswith('__'):\n            raise AttributeError(n)\n"
        f"        return {c.number()}\n\n\n{name}.old = sys.modules[__name__]\nsys.modules[__name__] = {name}()\n"
    )
    return text, ()


@fragment(2)
def module_getattr(c: Context) -> Made | None:
    if c.path == "entry.py":
        return None
    text = f"def __getattr__(name):\n    if name == 'late':\n        return {c.number()}\n    raise AttributeError(name)\n"
    return text, ()


@fragment(1)
def public_names(c: Context) -> Made | None:
    chosen = [n for k, n in c.scope if k in ("int", "func", "class")][-3:]
    return (f"__all__ = {chosen!r}\n", ()) if chosen else None


@fragment(1)
def siblings(c: Context) -> Made:
    text = "import os\nimport pkgutil\n\n"
    where = "os.path.dirname(os.path.abspath(__file__))"
    return text + f"print(sorted(m.name for m in pkgutil.iter_modules([{where}])))\n", ()


@fragment(1)
def earlier_folder(c: Context) -> Made:
    """A folder in front of the program's own: what it holds shadows what was found before."""
    text = "import os\nimport sys\n\nearly = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'early')\n"
    return text + "if early not in sys.path:\n    sys.path.insert(0, early)\n", ()


@fragment(3)
def later_folder(c: Context) -> Made:
    """A folder within the program's own, searched after it: what comes there may come in both."""
    name = c.rng.choice(["o_local", "o_opt"])
    text = "import os\nimport sys\n\nlater = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'later')\n"
    text += "if later not in sys.path:\n    sys.path.append(later)\n"
    return (
        text
        + f"try:\n    import {name}\n    print('/later/' in {name}.__file__)\nexcept ImportError:\n    pass\n",
        (),
    )


@fragment(1)
def run_by_path(c: Context) -> Made | None:
    names = [n for n in c.exports if "." not in n and n not in ("entry", dotted(c.path))]
    if not names or c.path != "entry.py":
        return None
    text = f"import os\nimport runpy\n\nprint(sorted(k for k in runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), '{c.rng.choice(names)}.py')) if k[0] != '_'))\n"
    return text, ()
