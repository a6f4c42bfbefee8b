"""Programs of modules that reach into each other while they load: what hurts importing some of them ahead.

One module holds registries of every kind, one is worked on, and those that come later add to the registries,
count, look at each other and at what is there already.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from . import surgery
from .forge import Forge
from .session import WAYS, Session, Step
from .tree import Block, Tree, changed_paths, dotted

HOT = "o_hot.py"
EARLY = ("o_base.py", "o_first.py")
LATER = (
    *("o_a.py", "o_b.py", "o_pkg/__init__.py", "o_pkg/one.py", "o_pkg/two.py", "o_c.py"),
    *("o_space/thing.py", "o_d.py", "o_e.py", "o_f.py"),
)

BASE = """\
import abc, collections, enum, functools, itertools, sys, types, weakref
LIST, DICT, SET, QUEUE = [], {}, set(), collections.deque()
ORDERED, LISTS, COUNTER = collections.OrderedDict(), collections.defaultdict(list), collections.Counter()
WEAK, WEAKS, KEYS = weakref.WeakValueDictionary(), weakref.WeakSet(), weakref.WeakKeyDictionary()
CHAIN, SPACE, BYTES = collections.ChainMap(), types.SimpleNamespace(), bytearray()
COUNT, IDS = 0, itertools.count()
NESTED = {"a": {"b": []}}
class Base: pass
class Auto:
    kinds = {}
    def __init_subclass__(cls, **keys):
        super().__init_subclass__(**keys)
        Auto.kinds[cls.__name__] = cls
class Meta(type):
    made = []
    def __new__(meta, name, bases, names):
        cls = super().__new__(meta, name, bases, names)
        cls.rank = len(Meta.made)
        Meta.made.append(cls)
        return cls
class WithMeta(metaclass=Meta): pass
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Thing:
    made = 0
    def __init__(self, name):
        Thing.made += 1
        self.name, self.number = name, Thing.made
class Field:
    order = itertools.count()
    def __init__(self):
        self.place = next(Field.order)
    def __set_name__(self, owner, name):
        self.name = name
class Signal:
    def __init__(self):
        self.receivers = []
        self.sealed = False
    def connect(self, function):
        self.receivers.append(weakref.ref(function))
        return function
class Apps:
    def __init__(self):
        self.models, self.ready = {}, False
    @functools.cached_property
    def all(self):
        return list(self.models)
saved, apps = Signal(), Apps()
def register(function):
    LIST.append(function.__name__)
    return function
def ordered(function):
    function.order = len(DICT)
    DICT[function.__name__] = function
    return function
def number():
    global COUNT
    COUNT += 1
    return COUNT
@functools.lru_cache(maxsize=None)
def cached(key):
    return [key]
@functools.singledispatch
def shown(value):
    return "any"
def lazily():
    import o_lazy
    return o_lazy
class Guard(dict):
    def __setitem__(self, key, value):
        super().__setitem__(key, (len(self), value))
GUARD = Guard()
"""

END = """\
import sys, o_base
snap = [list(o_base.WEAK), sorted(t.name for t in o_base.WEAKS), [t.name for t in o_base.KEYS]]
snap += [list(o_base.CHAIN), bytes(o_base.BYTES), [str(r) for r in o_base.shown.registry]]
own = lambda cls: [c.__qualname__ for c in type.__subclasses__(cls) if c.__module__[:2] == 'o_']
snap += [own(c) for c in (object, type, Exception, dict, list, int, str, tuple)]
snap += [own(c) for c in (o_base.enum.Enum, o_base.abc.ABC)]
snap += [own(c) for c in (o_base.Base, o_base.Auto, o_base.WithMeta, o_base.Shape)]
if 'logging' in sys.modules:
    snap.append([n for n in sys.modules['logging'].root.manager.loggerDict if n[:2] == 'o_'])
if 'atexit' in sys.modules: snap.append(sys.modules['atexit']._ncallbacks())
snap.append([list(vars(m)) for n, m in list(sys.modules.items()) if n[:2] == 'o_'])
del own
"""

ACTS = (
    "o_base.LIST.append('{name}{n}')",
    "o_base.LIST.insert(0, '{name}{n}')",
    "o_base.LIST += ['{name}{n}', {n}]",
    "o_base.LIST.append(len(o_base.LIST))",
    "o_base.LIST.sort(key=str)",
    "o_base.DICT['{name}'] = {n}",
    "o_base.DICT['{same}'] = '{name}'",
    "o_base.DICT.setdefault('{same}', '{name}')",
    "o_base.DICT.pop('{same}', None)",
    "o_base.SET.add('{name}{n}')",
    "o_base.SET.add('{same}')",
    "o_base.SET.discard('{same}')",
    "o_base.QUEUE.append('{name}')",
    "o_base.QUEUE.appendleft('{name}')",
    "o_base.ORDERED['{name}{n}'] = {n}",
    "o_base.ORDERED['{same}'] = {n}\no_base.ORDERED.move_to_end('{same}', last=False)",
    "o_base.LISTS['{same}'].append('{name}')",
    "o_base.LISTS['{name}'].append({n})",
    "o_base.COUNTER['{same}'] += 1",
    "o_base.COUNTER.update(['{name}'])",
    "thing{n} = o_base.Thing('{name}')",
    "kept{n} = o_base.Base()\no_base.WEAK['{name}{n}'] = kept{n}",
    "weak{n} = o_base.Base()\nweak{n}.name = '{name}{n}'\no_base.WEAKS.add(weak{n})",
    "key{n} = o_base.Base()\nkey{n}.name = '{name}{n}'\no_base.KEYS[key{n}] = 1",
    "o_base.CHAIN['{name}{n}'] = {n}",
    "o_base.CHAIN.maps.append({{'{name}': 1}})",
    "o_base.SPACE.{name} = {n}",
    "o_base.SPACE.{same} = '{name}'",
    "o_base.BYTES += b'{n}'",
    "first{n} = next(o_base.IDS)",
    "count{n} = o_base.number()",
    "o_base.NESTED['a']['b'].append('{name}')",
    "o_base.NESTED['a']['{name}'] = [{n}]",
    "o_base.NESTED.setdefault('{same}', []).append('{name}')",
    "o_base.GUARD['{name}'] = {n}",
    "class Sub{n}(o_base.Base): value = {n}",
    "class Auto{n}(o_base.Auto): value = {n}",
    "class Model{n}(o_base.WithMeta): value = {n}",
    "class Square{n}(o_base.Shape):\n    def area(self): return {n}\nsquare{n} = isinstance(3, o_base.Shape)",
    "class Virtual{n}: pass\no_base.Shape.register(Virtual{n})",
    "o_base.Shape.register(int)",
    "class Failure{n}(Exception): pass",
    "class Both{n}(o_base.Base, dict): value = {n}",
    "class Form{n}:\n    a = o_base.Field()\n    b = o_base.Field()",
    "class Color{n}(o_base.enum.Enum):\n    RED = {n}\n    BLUE = 'b'",
    "import dataclasses\n@dataclasses.dataclass\nclass Data{n}(o_base.Base):\n    x: int = {n}",
    "import typing\nclass Pair{n}(typing.NamedTuple):\n    a: int = {n}",
    "class Slotted{n}(o_base.Base):\n    __slots__ = ('a', 'b{n}')",
    "class Lazy{n}:\n    @o_base.functools.cached_property\n"
    "    def it(self): return {n}\nlazy{n} = Lazy{n}()\nlazy{n}.it",
    "@o_base.saved.connect\ndef on_save{n}(): return {n}",
    "o_base.saved.sealed = '{name}'",
    "o_base.apps.models['{name}{n}'] = {n}",
    "all{n} = o_base.apps.all",
    "o_base.apps.ready = True",
    "ready{n} = o_base.apps.ready",
    "@o_base.register\ndef made{n}(): return {n}",
    "@o_base.ordered\ndef order_{name}{n}(): return {n}",
    "cache{n} = o_base.cached('{same}')",
    "cache{n} = o_base.cached('{name}')",
    "class Shown{n}: pass\no_base.shown.register(Shown{n}, lambda v: {n})",
    "what{n} = o_base.shown({n})",
    "seen{n} = list(o_base.LIST)",
    "seen{n} = list(o_base.DICT)",
    "seen{n} = o_base.DICT.get('{same}', 'none')",
    "seen{n} = '{same}' in o_base.SET",
    "seen{n} = [c.__name__ for c in o_base.Base.__subclasses__()]",
    "seen{n} = list(o_base.Auto.kinds)",
    "seen{n} = hasattr(o_base, '{same}')",
    "seen{n} = getattr(o_base, 'mark', 0)",
    "seen{n} = [n for n in o_base.sys.modules if n[:2] == 'o_']",
    "seen{n} = '{other}' in o_base.sys.modules",
    "seen{n} = o_base.sys.modules.get('{other}') is not None",
    "seen{n} = sorted(vars(o_base))",
    "o_base.mark = '{name}'",
    "o_base.{same} = '{name}{n}'",
    "o_base.Base.kind_{name} = {n}",
    "o_base.Base.kind = '{name}'",
    "o_base.Base.__doc__ = '{name}'",
    "o_base.number = lambda: {n}",
    "_old{n} = o_base.register\ndef wrapped{n}(f): return _old{n}(f)\no_base.register = wrapped{n}",
    "o_base.register.__doc__ = '{name}'",
    "o_base.register.mark_{name} = {n}",
    "o_base.cached.cache_clear()",
    "del o_base.LIST[:1]",
    "import o_first\no_first.from_{name} = {n}",
    "import o_first\no_first.shared = '{name}'",
    "import o_first\no_first.__all__ = ['shared']",
    "import {other}",
    "import {other} as other{n}",
    "from {other} import *",
    "from {other} import value",
    "import {other}\n{other}.poked = '{name}'",
    "try:\n    import o_missing as found{n}\nexcept ImportError:\n    found{n} = None",
    "try:\n    from o_pkg import extra as found{n}\nexcept ImportError:\n    found{n} = None",
    "lazy{n} = o_base.lazily().value",
    "def late{n}():\n    import {other}\n    return {other}.__name__\nlate_{n} = late{n}()",
    "import importlib\nby_name{n} = importlib.import_module('{other}').__name__",
    "import importlib.util\nfound{n} = importlib.util.find_spec('{other}') is not None",
    "if getattr(o_base, 'mark', ''):\n    import {other}",
    "if o_base.LIST:\n    import string as text{n}",
    "import logging\nlogging.getLogger(__name__)",
    "import logging\nlog{n} = logging.getLogger('o_shared.{same}.{name}')",
    "import logging\nlogging.getLogger('o_shared').setLevel({n})",
    "import logging\nlogging.getLogger('o_shared').addHandler(logging.NullHandler())",
    "import logging\nlogging.addLevelName({n}, '{name}')",
    "import atexit\natexit.register(len, '{name}')",
    "import random\nrandom.seed({n})",
    "import os\nos.environ['O_{name}'] = '{n}'",
    "import os\nenv{n} = os.environ.get('O_{same}')",
    "import warnings\nwarnings.filterwarnings('ignore', message='{name}')",
    "import warnings\nwarnings.warn('w{n}')",
    "print('{name}', {n})",
    "import sys\nsys.path.append('/{name}')",
    "import sys\nsys.setrecursionlimit(1000 + {n})",
    "import sys\nsys.modules['o_alias_{name}'] = o_base",
    "import sys\nsys.modules['o_alias'] = sys.modules[__name__]",
    "import sys\nsys.modules.pop('o_first', None)",
    "import sys, types\nclass Proxy(types.ModuleType): pass\nsys.modules[__name__].__class__ = Proxy",
    "import sys, types\n_new = types.ModuleType(__name__)\n_new.value = {n}\n"
    "_new.__file__ = __file__\nsys.modules[__name__] = _new",
    "def __getattr__(name):\n    if name[:2] == 'zz': return {n}\n    raise AttributeError(name)",
    "import os\nfiles{n} = sorted(n for n in os.listdir(os.path.dirname(os.path.abspath(__file__)))"
    " if n[0] != '_' and n[0] != '.')",
    "import pkgutil\nplugins{n} = [m.name for m in pkgutil.iter_modules() if m.name[:2] == 'o_']",
    "text{n} = open('data.txt').read()",
    "import copyreg\nclass Odd{n}: pass\ncopyreg.pickle(Odd{n}, lambda o: (Odd{n}, ()))",
    "import codecs\ncodecs.register_error('o_{name}', lambda e: ('', e.end))",
    "import contextvars\nvar{n} = contextvars.ContextVar('v{n}')\nvar{n}.set({n})",
    "import decimal\ndecimal.getcontext().prec = {n}",
    "import gc\ngc.collect()",
    "import json\ntext{n} = json.dumps([{n}])",
    "import fractions, decimal\nhalf{n} = fractions.Fraction(1, {n})",
    "import functools\nfn{n} = functools.partial(o_base.register, {n})",
    "import types\nspace{n} = types.SimpleNamespace(a=o_base.Base())\no_base.keep_{name} = space{n}",
    "class Node{n}:\n    pass\nnode{n} = Node{n}()\nnode{n}.me = node{n}\no_base.LIST.append(node{n})",
    "import threading\nlock{n} = threading.Lock()\nlocal{n} = threading.local()\nlocal{n}.x = {n}",
    "import re\npattern{n} = re.compile('a{n}')",
    "import builtins\nbuiltins.o_{name} = {n}",
    "import builtins\nbuilt{n} = getattr(builtins, 'o_{same}', None)",
    "o_base.__dict__['{name}'] = {n}",
    "frozen{n} = tuple(o_base.LIST)\no_base.LIST = list(frozen{n})",
    "o_base.DICT = dict(o_base.DICT, {name}={n})",
    "gen{n} = (i for i in o_base.LIST)\nnext(gen{n}, None)",
    "import sys\nsize{n} = sys.getrefcount(o_base.LIST) > 0",
    "raise ImportError('{name}')",
    "hook{n} = o_base.Base.__init_subclass__\nsub{n} = type('Dyn{n}', (o_base.Base,), {{}})",
    "class Desc{n}:\n    def __get__(self, obj, cls): return {n}\no_base.Base.desc_{name} = Desc{n}()",
    "import enum\no_base.Flag{n} = enum.Flag('Flag{n}', 'A B')",
)
RARE = (
    "raise ImportError",
    "sys.modules.pop",
    "print(",
    "atexit",
    "os.environ[",
    "importlib.import",
)
SAME = ("one", "two")


def session(seed: int, edits: int, works: Callable[[Tree], bool] = lambda tree: True) -> Session:
    """The session of such a program that belongs to a seed. Nearly all of its states work."""
    forge = Forge(random.Random(seed))
    while True:
        maker = Maker(forge)
        start = maker.program()
        tree, steps = maker.touched(start), []
        if works(start) and works(tree):
            break
    steps.append(Step(tree, dict.fromkeys(changed_paths(start, tree), "inplace")))
    before = start
    for _ in range(edits - 1):
        new = before if maker.chance(0.12) else maker.edited(tree)
        if not works(new) and maker.chance(0.9):
            new = maker.changed(tree, maker.hot)
            new = new if works(new) else tree.with_file(EARLY[1], maker.content(EARLY[1], 0))
        ways = {p: maker.rng.choice(WAYS) for p in changed_paths(tree, new)}
        race = maker.rng.choice([0.0, 0.02, 0.2]) if maker.chance(0.05) else None
        steps.append(Step(new, ways, race=race))
        before, tree = tree, new
    steps[-1] = Step(tree, steps[-1].ways)
    return Session(seed, start, tuple(steps))


class Maker:
    """Makes such a program, and edits of it."""

    def __init__(self, forge: Forge) -> None:
        self.forge, self.rng, self.chance = forge, forge.rng, forge.chance
        self.paths = [path for path in LATER if self.chance(0.75)]
        if "o_pkg/__init__.py" not in self.paths:
            self.paths = [path for path in self.paths if not path.startswith("o_pkg")]
        self.acts = self.rng.sample(ACTS, 7)
        """Few at a time, so that several modules do the same; and many programs."""
        self.hot = HOT if self.chance(0.75) else self.rng.choice([*self.paths[:3], "entry.py"])

    def program(self) -> Tree:
        tree = Tree()
        block = self.forge.block
        tree = tree.with_file("o_base.py", (block((BASE, ()), fixed=True),))
        tree = tree.with_file("data.txt", (block(("line 5\n", ())),))
        if self.chance(0.7):
            tree = tree.with_file("o_lazy.py", self.content("o_lazy.py", 1))
        for path in ("o_first.py", HOT, *self.paths):
            tree = tree.with_file(path, self.content(path, self.rng.choice([0, 0, 1, 1, 2])))
        return tree.with_file("entry.py", self.entry())

    def entry(self) -> tuple[Block, ...]:
        blocks = []
        if self.chance(0.9):  # else all of this comes later, and is imported ahead as well
            first = "import oracle_digest.account, oracle_digest.process, socket\n"
            blocks.append(self.forge.block((first, ()), fixed=True))
        for path in (*EARLY, HOT, *self.paths):
            blocks.append(self.forge.block((f"import {dotted(path)}\n", ())))
            if self.chance(0.1):
                blocks.append(self.forge.block(("import o_base\n" + self.act("entry.py"), ())))
        when = self.rng.choice(["before", "after"])
        last = f"{END}import oracle_digest\noracle_digest.serve(forever=True, listen='{when}')\n"
        return (*blocks, self.forge.block((last, ()), fixed=True))

    def content(self, path: str, size: int) -> tuple[Block, ...]:
        block = self.forge.block
        first = "import o_base\n"
        head = block((f"{first}value = {self.rng.randrange(100)}\n", ()), fixed=True)
        more = [block((self.act(path), ())) for _ in range(size)]
        if path != HOT and self.chance(0.25):
            use = self.rng.choice(["import o_hot\n", "from o_hot import value as hot\n"])
            more.insert(self.rng.randint(0, len(more)), block((use, ())))
        return (head, *more)

    def act(self, path: str) -> str:
        text = self.rng.choice(self.acts if self.chance(0.8) else ACTS)
        if text.startswith(RARE) and self.chance(0.7):
            text = self.rng.choice(ACTS[:40])
        others = ["o_first", HOT[:-3], *map(dotted, self.paths), "o_lazy"]
        names = {
            "name": dotted(path).rpartition(".")[2],
            "n": self.forge.fresh(""),
            "same": self.rng.choice(SAME),
            "other": self.rng.choice(others),
        }
        return text.format(**names) + "\n"

    # Edits ----------------------------------------------------------------------------------------

    def touched(self, tree: Tree) -> Tree:
        """The first edit of the file that is worked on."""
        return self.changed(tree, self.hot)

    def edited(self, tree: Tree) -> Tree:
        if self.chance(0.06):
            return self.outside(tree)
        path = self.hot if self.chance(0.75) else self.rng.choice(tree.modules())
        return self.changed(tree, path if path != "o_base.py" and path in tree.files else self.hot)

    def changed(self, tree: Tree, path: str) -> Tree:
        file = list(tree.files.get(path, ()))
        free = [at for at, block in enumerate(file) if not block.fixed]
        way = self.rng.random()
        if way < 0.35 or not free:
            at = self.rng.randint(0 if path != "entry.py" else min(1, len(free)), len(free))
            text = self.act(path)
            file.insert(at, self.forge.block(("import o_base\n" + text, ())))
        elif way < 0.75:
            at = self.rng.choice(free)
            text_now = surgery.change_number(self.rng, file[at].text)
            file[at] = file[at].with_text(
                text_now or f"{file[at].text}more = {self.rng.random()}\n"
            )
        elif way < 0.9 and len(free) > 1:
            del file[self.rng.choice(free)]
        else:
            one, two = self.rng.choice(free), self.rng.choice(free)
            file[one], file[two] = file[two], file[one]
        return tree.with_file(path, file)

    def outside(self, tree: Tree) -> Tree:
        """A data file, or a module that was looked for in vain, or goes."""
        block = self.forge.block
        way = self.rng.choice(["data", "o_missing.py", "o_pkg/extra.py", "o_new.py"])
        if way == "data":
            return tree.with_file("data.txt", (block((f"line {self.rng.random()}\n", ())),))
        if way in tree.files:
            return tree.without(way)
        return tree.with_file(way, self.content(way, 1))
