# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Files read, kept open, listed, written."""

from __future__ import annotations

from ..forge import Context, Made, fragment

HERE = "os.path.join(os.path.dirname(os.path.abspath(__file__)), {!r})"
HOME = "import os\n"


def place(path: str, c: Context) -> str:
    """An expression for a file of the program, from the folder of the module."""
    up = "../" * c.path.count("/")
    return HERE.format(up + path)


def data_file(c: Context, suffix: str) -> str | None:
    found = [p for p in c.data if p.endswith(suffix)]
    return c.rng.choice(found) if found else None


@fragment(3)
def json_read(c: Context) -> Made | None:
    path = data_file(c, ".json")
    if path is None:
        return None
    name = c.fresh("x")
    text = f"import json\n{HOME}\nwith open({place(path, c)}) as f_{name}:\n    conf_{name} = json.load(f_{name})\n"
    return text + f"{name} = conf_{name}.get('k', {c.number()})\n", (("int", name),)


@fragment(3)
def text_read(c: Context) -> Made | None:
    path = data_file(c, ".txt")
    if path is None:
        return None
    return (
        f"{HOME}import pathlib\n\n{c.fresh('text')} = pathlib.Path({place(path, c)}).read_text()\n",
        (),
    )


@fragment(3)
def partly_read(c: Context) -> Made | None:
    path = data_file(c, ".txt")
    if path is None:
        return None
    name = c.fresh("held")
    read = c.rng.choice(["readline()", "read(3)", "readlines(1)"])
    return f"{HOME}\n{name} = open({place(path, c)})\nprint({name}.{read})\n", (("file", name),)


@fragment(3)
def read_on(c: Context) -> Made | None:
    name = c.pick("file")
    return None if name is None else (f"print(repr({name}.readline()))\n", ())


@fragment(1)
def binary_held(c: Context) -> Made | None:
    path = data_file(c, ".txt")
    if path is None:
        return None
    name = c.fresh("held")
    return f"{HOME}\n{name} = open({place(path, c)}, 'rb', buffering=0)\nprint({name}.read(2))\n", (
        ("file", name),
    )


@fragment(2)
def optional_file(c: Context) -> Made:
    path = c.rng.choice(["data/opt.json", "data/opt.txt"])
    name = c.fresh("x")
    text = f"{HOME}\ntry:\n    with open({place(path, c)}) as f_{name}:\n        {name} = len(f_{name}.read())\n"
    return text + f"except FileNotFoundError:\n    {name} = -{c.number()}\n", (("int", name),)


@fragment(2)
def listing(c: Context) -> Made:
    form = c.rng.choice(
        [
            "sorted(os.listdir({0}))",
            "sorted(e.name for e in os.scandir({0}))",
            "sorted(f for *_, fs in os.walk({0}) for f in fs)",
        ]
    )
    return f"{HOME}\n{c.fresh('names')} = {form.format(place('data', c))}\n", ()


@fragment(1)
def globbed(c: Context) -> Made:
    return (
        f"import glob\n{HOME}\nprint([os.path.basename(p) for p in sorted(glob.glob({place('data', c)} + '/*.txt'))])\n",
        (),
    )


@fragment(2)
def plugins(c: Context) -> Made | None:
    """Modules found by listing a folder, and imported."""
    if c.path != "entry.py":
        return None
    text = f"import importlib\n{HOME}\nfor found in sorted(os.listdir({place('o_plug', c)})):\n"
    return (
        text
        + "    if found.endswith('.py'):\n        print(importlib.import_module('o_plug.' + found[:-3]).__name__)\n",
        (),
    )


@fragment(1)
def written(c: Context) -> Made:
    name = c.fresh("f")
    where = "os.path.join(os.environ['ORACLE_OUT'], " + repr(name) + ")"
    return f"{HOME}\nwith open({where}, 'w') as {name}:\n    {name}.write('{c.number()}')\n", ()


@fragment(1)
def writing(c: Context) -> Made:
    """A file kept open for writing: no fork after this."""
    name = c.fresh("f")
    where = "os.path.join(os.environ['ORACLE_OUT'], " + repr(name) + ")"
    return f"{HOME}\n{name} = open({where}, 'w')\n{name}.write('{c.number()}')\n", ()


@fragment(1)
def temporary(c: Context) -> Made:
    name = c.fresh("x")
    return (
        f"import tempfile\n\nwith tempfile.TemporaryFile() as t:\n    {name} = t.write(b'{'y' * (c.number() % 9)}')\n",
        (("int", name),),
    )


@fragment(1)
def moved_home(c: Context) -> Made | None:
    return (f"{HOME}\nos.chdir({place('data', c)})\n", ()) if c.path == "entry.py" else None


@fragment(1)
def own_text(c: Context) -> Made:
    return f"{c.fresh('lines')} = open(__file__).read().count('\\n')\n", ()
