"""One object of every kind that a program may have loaded, for test_likeness; loaded as a program would."""

# ruff: noqa
# mypy: ignore-errors
from __future__ import annotations

import abc
import array
import atexit
import collections
import contextvars
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gc
import io
import itertools
import locale
import operator
import os
import pathlib
import random
import re
import signal
import struct
import sys
import threading
import types
import typing
import uuid
import warnings
import weakref


class Plain:
    shared = 1

    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def method(self, number=1):
        return number

    @staticmethod
    def static():
        return 1

    @classmethod
    def of_class(cls):
        return 1

    @property
    def read(self):
        return 1


class Other(Plain):
    pass


class Hostile:
    """Whatever of it is called must not be."""

    def _fail(self, *others):
        raise SystemExit("code of the user's was run")

    __repr__ = __eq__ = __hash__ = __getattr__ = __len__ = __iter__ = __str__ = __bool__ = _fail
    __getattribute__ = __reduce__ = __reduce_ex__ = __format__ = __call__ = __index__ = _fail
    __class__ = __dict__ = property(_fail)


class HostileMeta(type):
    def _fail(cls, *others):
        raise SystemExit("code of the user's was run")

    __repr__ = __eq__ = __getattr__ = __getattribute__ = __instancecheck__ = _fail
    __subclasscheck__ = __iter__ = __len__ = __subclasses__ = __bool__ = _fail
    __hash__ = type.__hash__


class Slotted:
    __slots__ = ("one", "two")


class Meta(type):
    flag = 1


class WithMeta(metaclass=Meta):
    pass


class Base(abc.ABC):
    @abc.abstractmethod
    def wanted(self): ...


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Point:
    x: int = 1
    y: list = dataclasses.field(default_factory=list)


class Listed(list):
    pass


class Mapped(dict):
    pass


class Stringed(str):
    pass


class Failure(Exception):
    pass


class Record(typing.NamedTuple):
    a: int = 1


def closed(value):
    def inner():
        return value

    return inner


def unbound():
    if False:
        later = 1

    def inner():
        return later

    return inner


def plain(a, b=2, *, c=3) -> int:
    """Of three."""
    return a + b + c


def generate(start):
    number = start
    while True:
        yield number
        number += 1


@functools.lru_cache
def remembered(number):
    return [number]


@functools.singledispatch
def dispatched(thing):
    return thing


def listener():
    pass


whole = 1
fraction = 1.0
minus_zero = -0.0
not_a_number = float("nan")
text = "a"
raw = b"a"
nothing = None
both = True
mapping = {"a": 1, "b": 2}
nested = {"deep": [{"deeper": [1, 2]}]}
by_object = {Plain: 1, (1, 2): 2, plain: 3}
items = [1, 2, 3]
shared = [[]]
shared.append(shared[0])
row = (1, [2], 3)
some = {1, 2, 3}
some_things = {Plain, Other, Colour, plain}
frozen = frozenset((1, "a", None))
queue = collections.deque([1, 2], maxlen=3)
ordered = collections.OrderedDict(a=1, b=2)
defaults = collections.defaultdict(list, a=[1])
counted = collections.Counter("aab")
chain = collections.ChainMap({"a": 1}, {"b": 2})
listed = Listed([1])
listed.extra = 1
mapped = Mapped(a=1)
mapped.extra = 1
stringed = Stringed("a")
record = Record(1)
instance = Plain(a=1, b=[2])
slotted = Slotted()
slotted.one = [1]
point = Point()
hostile = Hostile()
object.__setattr__(hostile, "was", 1)
hostile_class = HostileMeta("HostileClass", (), {})
hostiles = [hostile, {1: hostile}, hostile_class]
closure = closed(1)
empty_cell = unbound()
anonymous = lambda: 1
bound = instance.method
builtin = items.append
partial = functools.partial(plain, 1, c=4)
by_method = functools.partialmethod(plain, 1)
cached = functools.cached_property(plain)
listeners = {(id(listener), id(Plain)): listener, id(instance) >> 4: 1}
addresses = [id(listener)]
named_by_address = f"zoo:{id(listener)}"
hashes = {hash(Plain)}
reference = weakref.ref(instance)
called_back = weakref.ref(instance, listener)
proxy = weakref.proxy(instance)
weak_set = weakref.WeakSet([Plain, Other])
weak_keys = weakref.WeakKeyDictionary({Plain: 1})
weak_values = weakref.WeakValueDictionary({"a": instance})
by_weak_method = weakref.WeakMethod(instance.method)
cell = closure.__closure__[0]
view = types.MappingProxyType(mapping)
namespace = types.SimpleNamespace(a=1)
module = types.ModuleType("made")
module.entry = 1
suspended = generate(1)
next(suspended)
lock = threading.Lock()
reentrant = threading.RLock()
event = threading.Event()
thread = threading.Thread(target=listener)
local = threading.local()
local.entry = 1
stream = io.StringIO("a")
bytes_stream = io.BytesIO(b"a")
file = open(__file__, "rb", buffering=0)
text_file = open(__file__)
pattern = re.compile("a+", re.I)
count = itertools.count(1)
cycle = itertools.cycle([1, 2])
iterator = iter(items)
numbers = array.array("i", [1, 2])
mutable_bytes = bytearray(b"ab")
window = memoryview(mutable_bytes)
day = datetime.date(2000, 1, 1)
moment = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
span = datetime.timedelta(1)
money = decimal.Decimal("1.0")
half = fractions.Fraction(1, 2)
ident = uuid.UUID(int=1)
path = pathlib.Path("a")
pure = pathlib.PurePosixPath("a")
dice = random.Random(1)
variable = contextvars.ContextVar("variable", default=[1])
packed = struct.Struct("i")
getter = operator.attrgetter("a")
item_getter = operator.itemgetter(1)
caller = operator.methodcaller("a", 1)
alias = list[int]
union = typing.Union[int, str]
optional = typing.Optional[typing.Dict[str, int]]
variable_type = typing.TypeVar("variable_type")
failure = Failure("a")
between = slice(1, 2)
numbers_up = range(3)
member = Slotted.one
wrapper = object.__init__
late = Colour.RED
try:
    raise Failure("b")
except Failure as error:
    caught = error
weird = {float("nan"): 1, 1 + 2j: 2, (): 3, None: 4, True: 5, b"": 6}
endless = []
endless.append(endless)
knot = {}
knot["knot"] = (knot, [knot])
surrogate = "\ud800"
dynamic = type("Dynamic", (Plain,), {"x": [1]})
twins = [type("Twin", (), {"x": 1}), type("Twin", (), {"x": 2})]
