# ruff: noqa: E501 - the templates of statements are read more easily unbroken
"""Programs that look at their own code, source and lines: what a graft must respect."""

from __future__ import annotations

from ..forge import Context, Made, fragment
from .functions import body


@fragment(2)
def warned(c: Context) -> Made:
    return f"import warnings\n\nwarnings.warn('careful {c.number()}', stacklevel=1)\n", ()


@fragment(1)
def warned_inside(c: Context) -> Made:
    name = c.fresh("f")
    text = f"import warnings\n\n\ndef {name}():\n    warnings.warn('inside {c.number()}', DeprecationWarning, stacklevel=2)\n"
    return text + f"\n\n{name}()\n", ()


@fragment(1)
def filtered(c: Context) -> Made:
    form = c.rng.choice(["'ignore'", "'always'", "'error', category=ResourceWarning"])
    return f"import warnings\n\nwarnings.simplefilter({form})\n", ()


@fragment(2)
def own_line(c: Context) -> Made:
    return f"import sys\n\n{c.fresh('line')} = sys._getframe().f_lineno\n", ()


@fragment(1)
def caller_line(c: Context) -> Made:
    name = c.fresh("where")
    text = f"import sys\n\n\ndef {name}():\n    return sys._getframe(1).f_lineno\n\n\n{c.fresh('line')} = {name}()\n"
    return text, ()


@fragment(1)
def first_line(c: Context) -> Made | None:
    f = c.pick("func")
    if f is None:
        return None
    return (
        f"{c.fresh('line')} = getattr({f}, '__code__', None) and {f}.__code__.co_firstlineno\n",
        (),
    )


@fragment(2)
def code_kept(c: Context) -> Made:
    name = c.fresh("call_")
    form = c.rng.choice(
        [
            "code_{0} = {0}.__code__\n",
            "consts_{0} = {0}.__code__.co_consts\n",
            "import types\n\ncopy_{0} = types.FunctionType({0}.__code__, globals())\n",
            "import inspect\n\nsource_{0} = inspect.getsource({0})\n",
            "import inspect\n\nsign_{0} = str(inspect.signature({0}))\n",
            "import marshal\n\nbytes_{0} = len(marshal.dumps({0}.__code__))\n",
            "import weakref\n\nweak_{0} = weakref.ref({0})\n",
            "import functools\n\npart_{0} = functools.partial({0})\n",
            "import pickle\n\npickled_{0} = pickle.dumps({0})\n",
            "import copy\n\ncopied_{0} = copy.copy({0})\n",
            "import dis\nimport io\n\ndis.dis({0}, file=io.StringIO())\n",
            "import gc\n\nfound_{0} = len([o for o in gc.get_referrers({0}) if isinstance(o, dict)])\n",
            "import collections\n\nheld_{0} = collections.deque([iter([{0}]), {0}])\n",
            "hidden_{0} = (lambda g: lambda: g())({0})\ndel {0}\ncall_{0} = hidden_{0}\n",
        ]
    )
    return f"def {name}():\n{body(c)}\n\n{form.format(name)}", ()


@fragment(1)
def code_replaced(c: Context) -> Made:
    a, b = c.fresh("call_"), c.fresh("call_")
    text = f"def {a}():\n{body(c)}\n\ndef {b}():\n{body(c)}\n\n{a}.__code__ = {b}.__code__\n"
    return text, ()


@fragment(1)
def same_bodies(c: Context) -> Made:
    a, n = c.fresh("call_"), c.number()
    return f"def {a}():\n    return {n}\n\n\ndef {a}b():\n    return {n}\n", ()


@fragment(1)
def loop_made(c: Context) -> Made:
    name = c.fresh("made")
    return (
        f"{name} = []\nfor n in range(3):\n    def step(n=n):\n        return n * {c.number()}\n    {name}.append(step)\ncall_{name} = {name}[1]\n",
        (),
    )


@fragment(1)
def attribute_set(c: Context) -> Made:
    name = c.fresh("call_")
    return (
        f"def {name}():\n{body(c)}\n\n{name}.tag = {c.number()}\n{name}.__doc__ = 'set {c.number()}'\n",
        (("func", name),),
    )


@fragment(1)
def traceback_kept(c: Context) -> Made:
    name = c.fresh("fails")
    text = f"def {name}():\n    v = {c.number()}\n    raise KeyError(v)\n\n\ntry:\n    {name}()\nexcept KeyError as e:\n    kept_{name} = e\n"
    return text, ()


@fragment(1)
def compiled(c: Context) -> Made:
    name = c.fresh("call_")
    return f"{name} = eval(compile('lambda: {c.number()}', '<made>', 'eval'))\n", (("func", name),)


@fragment(1)
def qualname_read(c: Context) -> Made | None:
    f = c.pick("func")
    return (
        None
        if f is None
        else (f"print(getattr({f}, '__qualname__', None), getattr({f}, '__doc__', None))\n", ())
    )


@fragment(1)
def linecached(c: Context) -> Made:
    return (
        f"import linecache\n\n{c.fresh('line')} = linecache.getline(__file__, {c.rng.randrange(1, 6)})\n",
        (),
    )


@fragment(1)
def profiled(c: Context) -> Made:
    """A tracer for a while: no fork while it is on, evidence disturbed."""
    name = c.fresh("seen")
    text = f"import sys\n\n{name} = []\ntry:\n    sys.setprofile(lambda f, e, a: {name}.append(e))\n    len('{c.number()}')\nfinally:\n    sys.setprofile(None)\n"
    return text, (("list", name),)
