# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Effects beyond the module: registries, other modules, the process; and what bars a fork."""

from __future__ import annotations

from ..forge import Context, Made, fragment


def foreign(c: Context, kind: str) -> str | None:
    """An attribute of another module, as an expression."""
    found = [f"{m}.{n}" for m, name in c.modules() for k, n in c.exports.get(name, ()) if k == kind]
    return c.rng.choice(found) if found else None


@fragment(4)
def appended(c: Context) -> Made | None:
    items = foreign(c, "list") or c.pick("list")
    return None if items is None else (f"{items}.append((__name__, {c.integer()}))\n", ())


@fragment(2)
def counted(c: Context) -> Made | None:
    name = foreign(c, "int")
    return None if name is None else (f"{name} += {c.number()}\n", ())


@fragment(2)
def monkey_patched(c: Context) -> Made | None:
    name = foreign(c, "func")
    return None if name is None else (f"{name} = lambda: {c.number()}\n", ())


@fragment(2)
def registry(c: Context) -> Made:
    items, deco, f = c.fresh("items"), c.fresh("register"), c.fresh("call_")
    text = (
        f"{items} = []\n\n\ndef {deco}(f):\n    {items}.append((f.__name__, f))\n    return f\n\n\n"
        f"@{deco}\ndef {f}():\n    return {c.number()}\n"
    )
    return text, (("list", items), ("deco", deco), ("func", f))


@fragment(4)
def seeded(c: Context) -> Made:
    return (
        f"import random\n\nrandom.seed({c.number()})\nseeded_{c.fresh('s')} = random.random()\n",
        (),
    )


@fragment(3)
def drawn(c: Context) -> Made | None:
    """A draw from the shared generator: only where this module has seeded it before."""
    name = c.fresh("draw")
    draw = c.rng.choice(["random.random()", "random.randrange(1000)", "random.gauss(0, 1)"])
    text = f"import random\n\nif 'seeded' in ' '.join(globals()):\n    {name} = {draw}\n    print({name})\n"
    return text, ()


@fragment(1)
def own_generator(c: Context) -> Made:
    return (
        f"import random\n\n{c.fresh('r')} = random.Random({c.number()}).sample(range(100), 3)\n",
        (),
    )


@fragment(3)
def checkpoint(c: Context) -> Made:
    return "import refork\n\ngetattr(refork, 'checkpoint', int)()\n", ()


@fragment(1)
def checkpoint_inside(c: Context) -> Made:
    name = c.fresh("f")
    text = f"def {name}(v):\n    import refork\n\n    v += {c.number()}\n    getattr(refork, 'checkpoint', int)()\n    return v * {c.number()}\n"
    return text + f"\n\n{c.fresh('x')} = {name}({c.number()})\n", ()


@fragment(1)
def slow(c: Context) -> Made:
    return f"import time\n\ntime.sleep({c.rng.choice([0.02, 0.05])})\n", ()


@fragment(1)
def thread(c: Context) -> Made:
    name = c.fresh("done")
    text = f"import threading\n\n{name} = []\nt_{name} = threading.Thread(target={name}.append, args=({c.number()},))\n"
    return text + f"t_{name}.start()\nt_{name}.join()\ndel t_{name}\n", (("list", name),)


@fragment(1)
def lasting_thread(c: Context) -> Made:
    name = c.fresh("stop")
    text = f"import threading\n\n{name} = threading.Event()\n"
    return (
        text
        + f"threading.Thread(target={name}.wait, args=(0.05,), name='{name}').start()\n{name}.set()\ndel {name}\n",
        (),
    )


@fragment(1)
def child_process(c: Context) -> Made:
    return (
        f"import subprocess\n\nprint(subprocess.run(['echo', '{c.number()}'], capture_output=True).stdout)\n",
        (),
    )


@fragment(1)
def socket_pair(c: Context) -> Made:
    name = c.fresh("x")
    close = c.rng.choice(["a.close(); b.close()", "pass"])
    text = f"import socket\n\na, b = socket.socketpair()\na.send(b'{c.number()}')\n{name} = len(b.recv(9))\n{close}\ndel a, b\n"
    return text, (("int", name),)


@fragment(1)
def event_loop(c: Context) -> Made:
    name = c.fresh("go")
    return (
        f"import asyncio\n\n\nasync def {name}():\n    await asyncio.sleep(False)\n    return {c.number()}\n\n\nprint(asyncio.run({name}()))\n",
        (),
    )


@fragment(1)
def database(c: Context) -> Made:
    name = c.fresh("db")
    text = f"import sqlite3\n\n{name} = sqlite3.connect(':memory:')\nprint({name}.execute('select {c.number()}').fetchone())\n"
    return text + c.rng.choice([f"{name}.close()\n", ""]), ()


@fragment(1)
def process_state(c: Context) -> Made:
    chosen = c.rng.choice(
        [
            "import sys\n\nsys.setrecursionlimit({0} + 900)\n",
            "import os\n\nos.environ['O_{0}'] = 'set'\n",
            "import sys\n\nsys.argv.append('{0}')\n",
            "import gc\n\ngc.set_threshold({0} + 600)\n",
            "import gc\n\ngc.disable()\n",
            "import os\n\nos.umask(0o027)\n",
            "import signal\n\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n",
            "import sys\n\nsys.stdout.reconfigure(line_buffering=True)\n",
            "import atexit\n\natexit.register(print, 'bye', {0})\n",
            "import decimal\n\ndecimal.getcontext().prec = {0}\nprint(decimal.Decimal(1) / 7)\n",
            "import builtins\n\nbuiltins.o_{0} = {0}\n",
            "import sys\n\nsys.excepthook = lambda t, v, tb: print('hooked', t.__name__, v)\n",
            "import os\n\nprint(os.getcwd() == os.path.dirname(os.path.abspath(__file__)))\n",
        ]
    )
    return chosen.format(c.number()), ()


@fragment(1)
def logged(c: Context) -> Made:
    text = "import logging\n\nlogging.basicConfig(format='%(levelname)s %(module)s %(lineno)d %(message)s')\n"
    return text + f"logging.getLogger('o').warning('{c.number()}')\n", ()
