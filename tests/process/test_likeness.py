"""What two forks of a process have loaded: the same where they are the same, and every difference named."""

from __future__ import annotations

import json
import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refork.program.twins import likeness

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")

APPS = Path(__file__).parents[1] / "apps"
SOURCES = Path(__file__).parents[2] / "src"

DRIVER = """
import json, marshal, os, sys
sys.path[:0] = [{sources!r}, {apps!r}]
{setup}
from refork.program.twins import likeness
modules = sys.modules
watched = {watched!r}
if watched:
    every = likeness._Likeness._module
    likeness._Likeness._module = lambda self, name, module: name in watched and every(self, name, module)

def facts(change):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        from refork.program.forking import restore_random
        restore_random(state)
        space = vars(modules["zoo"]) if "zoo" in modules else vars(modules["__main__"])
        exec(change, space)
        with os.fdopen(write, "wb") as out:
            out.write(marshal.dumps(likeness.facts()))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        data = told.read()
    os.waitpid(child, 0)
    return marshal.loads(data)

def names(change):
    return likeness.differing(plain, facts(change))

import random
state = random.getstate()
plain = facts("")
changes, out = json.load(sys.stdin)
if out:
    with open(out, "wb") as file:
        file.write(marshal.dumps(plain))
print(json.dumps([names(change) for change in changes]))
"""

GARBAGE = "_kept = [[object(), {n: n}, (n, [])] for n in range(5000)]; del _kept[::2]"


def ask(
    setup: str, *changes: str, out: Path | str = "", watched: tuple[str, ...] = ()
) -> list[list[str]]:
    """What differs in a fork after each of some changes; in some modules only, to be quick."""
    places = {"sources": str(SOURCES), "apps": str(APPS)}
    words = [sys.executable, "-c", DRIVER.format(**places, setup=setup, watched=watched)]
    done = subprocess.run(
        words,
        input=json.dumps([changes, str(out)]),
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def real(names: list[str]) -> list[str]:
    """Without what the driver itself does differently."""
    own = ("__main__.", "<stack>.")
    return [name for name in names if not name.startswith(own)]


CHANGES = [
    # atoms, and what is merely equal
    ("whole = True", "zoo.whole"),
    ("whole = 1.0", "zoo.whole"),
    ("minus_zero = 0.0", "zoo.minus_zero"),
    ("not_a_number = 1.0", "zoo.not_a_number"),
    ("text = b'a'", "zoo.text"),
    ("nothing = ...", "zoo.nothing"),
    ("surrogate = '\\udc00'", "zoo.surrogate"),
    ("numbers_up = range(4)", "zoo.numbers_up"),
    # containers, and their order
    ("mapping['c'] = 1", "zoo.mapping"),
    ("mapping['a'] = mapping.pop('a')", "zoo.mapping"),
    ("nested['deep'][0]['deeper'].append(3)", "zoo.nested"),
    ("by_object[Plain] = 2", "zoo.by_object"),
    ("by_object[Other] = by_object.pop(Plain)", "zoo.by_object"),
    ("items.append(4)", "zoo.items"),
    ("items.reverse()", "zoo.items"),
    ("shared[1] = []", "zoo.shared"),
    ("row[1].append(3)", "zoo.row"),
    ("row = [1, [2], 3]", "zoo.row"),
    ("some.add(4)", "zoo.some"),
    ("some_things.discard(plain)", "zoo.some_things"),
    ("frozen = frozenset((1, 'b', None))", "zoo.frozen"),
    ("queue.rotate()", "zoo.queue"),
    ("queue = collections.deque([1, 2], maxlen=4)", "zoo.queue"),
    ("ordered.move_to_end('a')", "zoo.ordered"),
    ("defaults.default_factory = dict", "zoo.defaults"),
    ("defaults['a'].append(2)", "zoo.defaults"),
    ("counted['a'] += 1", "zoo.counted"),
    ("chain.maps[1]['b'] = 3", "zoo.chain"),
    ("listed.append(2)", "zoo.listed"),
    ("listed.extra = 2", "zoo.listed"),
    ("mapped['a'] = 2", "zoo.mapped"),
    ("mapped.extra = 2", "zoo.mapped"),
    ("stringed = Stringed('b')", "zoo.stringed"),
    ("stringed.extra = 1", "zoo.stringed"),
    ("record = Record(2)", "zoo.record"),
    ("weird[None] = 5", "zoo.weird"),
    ("endless.append(1)", "zoo.endless"),
    ("knot['knot'][1].append(1)", "zoo.knot"),
    ("endless[0] = [endless]", "zoo.endless"),
    # instances
    ("instance.a = 2", "zoo.instance"),
    ("instance.b.append(3)", "zoo.instance"),
    ("instance.a = instance.__dict__.pop('a')", "zoo.instance"),
    ("instance.__class__ = Other", "zoo.instance"),
    ("slotted.one.append(2)", "zoo.slotted"),
    ("slotted.two = None", "zoo.slotted"),
    ("point.y.append(1)", "zoo.point"),
    ("object.__setattr__(hostile, 'a', 1)", "zoo.hostile"),
    ("object.__setattr__(hostile, 'was', 2)", "zoo.hostile"),
    ("type.__setattr__(hostile_class, 'a', 1)", "zoo.hostile_class"),
    ("Colour.RED._value_ = 3", "zoo.late"),
    ("late = Colour.BLUE", "zoo.late"),
    ("failure.args = ('b',)", "zoo.failure"),
    ("failure.__cause__ = caught", "zoo.failure"),
    ("caught.__traceback__ = None", "zoo.caught"),
    # functions
    ("plain.__defaults__ = (3,)", "zoo.plain"),
    ("plain.__kwdefaults__['c'] = 4", "zoo.plain"),
    ("plain.mark = 1", "zoo.plain"),
    ("plain.__doc__ = 'Of four.'", "zoo.plain"),
    ("plain.__annotations__['a'] = 'int'", "zoo.plain"),
    ("plain.__name__ = 'other'", "zoo.plain"),
    ("plain.__module__ = 'other'", "zoo.plain"),
    ("plain.__code__ = plain.__code__.replace(co_firstlineno=1)", "zoo.plain"),
    ("plain.__code__ = plain.__code__.replace(co_filename='other')", "zoo.plain"),
    ("anonymous.__code__ = (lambda: True).__code__.replace(co_firstlineno=anonymous.__code__.co_firstlineno,"
     "co_filename=__file__)", "zoo.anonymous"),
    ("closure.__closure__[0].cell_contents = 2", "zoo.cell"),
    ("del closure.__closure__[0].cell_contents", "zoo.cell"),
    ("empty_cell.__closure__[0].cell_contents = None", "zoo.empty_cell"),
    ("plain = types.FunctionType(plain.__code__, {}, 'plain', plain.__defaults__)", "zoo.plain"),
    ("bound = Plain(a=1, b=[2]).method", "zoo.bound"),
    ("builtin = items.extend", "zoo.builtin"),
    ("builtin = [].append", "zoo.builtin"),
    ("partial.__setstate__((plain, (2,), {}, None))", "zoo.partial"),
    ("partial.mark = 1", "zoo.partial"),
    ("by_method.args = (2,)", "zoo.by_method"),
    ("remembered(1)", "zoo.remembered"),
    ("dispatched.register(int, plain)", "zoo.dispatched"),
    # classes
    ("Plain.shared = 2", "zoo.Plain"),
    ("Plain.shared = type.__getattribute__(Plain, 'shared'); del Plain.method", "zoo.Plain"),
    ("method = Plain.method; del Plain.method; Plain.method = method; del method", "zoo.Plain"),
    ("Plain.method.__defaults__ = (2,)", "zoo.Plain"),
    ("Plain.static.__defaults__ = (2,)", "zoo.Plain"),
    ("Plain.of_class.__func__.__defaults__ = (2,)", "zoo.Plain"),
    ("Plain.read = Plain.read.setter(plain)", "zoo.Plain"),
    ("Plain.static = staticmethod(plain)", "zoo.Plain"),
    ("Other.__bases__ = (Slotted2, Plain) = (type('Slotted2', (), {}), Plain)", "zoo.Other"),
    ("Meta.flag = 2", "zoo.Meta"),
    ("Base.register(int)", "zoo.Base"),
    ("dynamic.x.append(2)", "zoo.dynamic"),
    ("twins[1].x = 3", "zoo.twins"),
    ("twins.reverse()", "zoo.twins"),
    ("another = type('Another', (Plain,), {})", "<subclasses>.zoo.Plain"),
    ("hidden = [type('Hidden', (object,), {})]", "<subclasses>.builtins.object"),
    ("Point.__dataclass_fields__['x'].default = 2", "zoo.Point"),
    # references that are not owned
    ("del listeners[next(iter(listeners))]; listeners[(id(plain), id(Plain))] = listener", "zoo.listeners"),
    ("addresses[0] = id(plain)", "zoo.addresses"),
    ("named_by_address = f'zoo:{id(plain)}'", "zoo.named_by_address"),
    ("hashes = {hash(Other)}", "zoo.hashes"),
    ("reference = weakref.ref(point)", "zoo.reference"),
    ("gone = Plain(); reference = weakref.ref(gone); del gone", "zoo.reference"),
    ("called_back = weakref.ref(instance, plain)", "zoo.called_back"),
    ("proxy = weakref.proxy(point)", "zoo.proxy"),
    ("weak_set.add(Colour)", "zoo.weak_set"),
    ("weak_keys[Plain] = 2", "zoo.weak_keys"),
    ("weak_values['b'] = instance", "zoo.weak_values"),
    ("cell.cell_contents = 3", "zoo.cell"),
    ("view = types.MappingProxyType(defaults)", "zoo.view"),
    ("namespace.a = 2", "zoo.namespace"),
    ("module.entry = 2", "zoo.module"),
    # what goes on
    ("next(suspended)", "zoo.suspended"),
    ("lock.acquire()", "zoo.lock"),
    ("reentrant.acquire()", "zoo.reentrant"),
    ("event.set()", "zoo.event"),
    ("thread.name = 'other'", "zoo.thread"),
    ("local.entry = 2", "zoo.local"),
    ("stream.write('b')", "zoo.stream"),
    ("bytes_stream.seek(1)", "zoo.bytes_stream"),
    ("file = open(__file__, 'rb', buffering=0); file.seek(1)", "zoo.file"),
    ("file.close()", "zoo.file"),
    ("text_file.close()", "zoo.text_file"),
    ("next(count)", "zoo.count"),
    ("next(iterator)", "zoo.iterator"),
    # of the standard library
    ("pattern = re.compile('a+')", "zoo.pattern"),
    ("pattern = re.compile('a*', re.I)", "zoo.pattern"),
    ("numbers[0] = 2", "zoo.numbers"),
    ("numbers = array.array('l', [1, 2])", "zoo.numbers"),
    ("mutable_bytes[0] = 0", "zoo.mutable_bytes"),
    ("window = memoryview(b'abc')", "zoo.window"),
    ("day = day.replace(year=2001)", "zoo.day"),
    ("moment = moment.replace(tzinfo=None)", "zoo.moment"),
    ("moment = moment.replace(tzinfo=datetime.timezone.utc)", "zoo.moment"),
    ("span *= 2", "zoo.span"),
    ("money = decimal.Decimal('1.00')", "zoo.money"),
    ("decimal.getcontext().prec = 3", "<context>"),
    ("half = fractions.Fraction(1, 3)", "zoo.half"),
    ("ident = uuid.UUID(int=2)", "zoo.ident"),
    ("path = pathlib.Path('b')", "zoo.path"),
    ("dice.random()", "zoo.dice"),
    ("random.seed(1)", "<random>"),
    ("variable = contextvars.ContextVar('variable', default=[2])", "zoo.variable"),
    ("variable.set(1)", "<context>"),
    ("packed = struct.Struct('l')", "zoo.packed"),
    ("getter = operator.attrgetter('b')", "zoo.getter"),
    ("item_getter = operator.itemgetter(2)", "zoo.item_getter"),
    ("caller = operator.methodcaller('a', 2)", "zoo.caller"),
    ("alias = list[str]", "zoo.alias"),
    ("union = typing.Union[str, int]", "zoo.union"),
    ("optional = typing.Optional[typing.Dict[str, str]]", "zoo.optional"),
    ("variable_type = typing.TypeVar('variable_type', bound=int)", "zoo.variable_type"),
    ("between = slice(1, 3)", "zoo.between"),
    ("member = Slotted.two", "zoo.member"),
    ("wrapper = object.__str__", "zoo.wrapper"),
    # namespaces
    ("added = 1", "zoo.added"),
    ("del whole", "zoo.whole"),
    ("text = globals().pop('text')", "zoo.text"),
    ("sys.modules['made'] = module", "made.entry"),
    ("sys.modules['re'] = sys.modules.pop('re')", "sys.modules"),
    ("sys.modules[__name__].__class__ = type('M', (types.ModuleType,), {})", "zoo.<module>"),
    # of the process
    ("os.environ['A'] = 'b'", "posix.environ"),
    ("os.umask(0o27)", "<kernel>"),
    ("os.chdir('/')", "<os.getcwd>"),
    ("signal.signal(signal.SIGUSR1, plain)", "<signals>"),
    ("sys.setrecursionlimit(1234)", "<sys.getrecursionlimit>"),
    ("warnings.simplefilter('error')", "_warnings.filters"),
    ("gc.set_threshold(1)", "<gc.get_threshold>"),
    ("gc.disable()", "<gc.isenabled>"),
    ("gc.callbacks.append(plain)", "gc.callbacks"),
    ("sys.path.append('a')", "sys.path"),
    ("sys.meta_path.reverse()", "sys.meta_path"),
    ("sys.path_hooks.append(plain)", "sys.path_hooks"),
    ("sys.stdout = stream", "sys.stdout"),
    ("os.register_at_fork(after_in_child=plain)", "<registered>"),
    ("import codecs; codecs.register(plain)", "<registered>"),
    ("atexit.register(plain)", "<atexit._ncallbacks>"),
    ("sys.settrace(plain and None or (lambda *a: None))", "<sys.gettrace>"),
    ("locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')", "<locale>"),
]  # fmt: skip


WATCHED = ("zoo", "made", "sys", "posix", "gc", "_warnings", "re", "builtins")


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    changes = [change for change, _ in CHANGES]
    return dict(zip(changes, ask("import zoo", *changes, watched=WATCHED), strict=True))


@pytest.mark.parametrize(("change", "element"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_difference_is_found_and_named(
    answers: dict[str, list[str]], change: str, element: str
) -> None:
    names = real(answers[change])
    assert element in names
    assert len(names) < 12


def test_what_is_the_same_is_said_to_be(tmp_path: Path) -> None:
    (names, none) = ask("import zoo", GARBAGE, "", out=tmp_path / "facts")
    assert (real(names), real(none)) == (["zoo._kept"], [])


SITE = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib." + name for name in (
        "admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "flatpages")],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    ROOT_URLCONF="django.contrib.flatpages.urls", SECRET_KEY="a", SITE_ID=1,
)
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
"""

FLASK = """
import flask, zoo
zoo.app = flask.Flask("zoo")
zoo.app.route("/")(zoo.listener)
"""

FASTAPI = """
import fastapi, zoo
zoo.app = fastapi.FastAPI()
@zoo.app.get("/{number}")
def get(number: int, named: str = "a"): return [number]
"""

PROGRAMS = [
    ("django", SITE, "from django.core.signals import request_started as r; r.connect(print)",
     "django.core.signals.request_started"),
    ("flask", FLASK, "app.route('/b')(print)", "zoo.app"),
    ("fastapi", FASTAPI, "app.get('/b')(plain)", "zoo.app"),
    ("numpy", "import numpy, zoo; zoo.rows = numpy.ones(3)", "rows[1] = 2", "zoo.rows"),
    ("asyncio", "import asyncio, zoo; zoo.loop = asyncio.new_event_loop()", "loop.call_soon(plain)", "zoo.loop"),
    ("multiprocessing", "import zoo, multiprocessing.pool, concurrent.futures, http.server, unittest.mock,"
     " xml.dom.minidom, sqlite3, email.mime.text, logging.config", "logging = 1", "zoo.logging"),
]  # fmt: skip


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("name", "setup"), [("zoo", "import zoo"), *(one[:2] for one in PROGRAMS)])
def test_two_fresh_processes_are_alike(tmp_path: Path, name: str, setup: str) -> None:
    """Nothing in them is at the same address, and what is random at the start differs."""
    if name != "zoo":
        pytest.importorskip(name)
    ask(setup, out=tmp_path / "1")
    ask(setup, out=tmp_path / "2")
    ours, theirs = (marshal.loads((tmp_path / one).read_bytes()) for one in "12")
    assert len(ours) > 2000
    names = real(likeness.differing(ours, theirs))
    assert [one for one in names if not one.startswith(RANDOM)] == []


RANDOM = ("<random>", "opentelemetry.", "fastapi.telemetry.")
"""Elements that are made of random numbers when they are loaded."""

A, B, C, D = (("m.a", b"1"), ("m.b", b"2"), ("m.c", b"3"), ("n.d", b"4"))
MODULES, OTHERS = ("sys.modules", b"5"), ("sys.modules", b"6")
LIST, OTHER_LIST = ("<subclasses>.m.a", b"7"), ("<subclasses>.m.a", b"8")


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        ([], [], []),
        ([MODULES, A, B], [MODULES, A, B], []),
        ([A, B, C], [A, C], ["m.b"]),
        ([A, C], [A, B, C], ["m.b"]),
        ([A, B], [A, ("m.b", b"0")], ["m.b"]),
        ([A, B, C], [C, A, B], ["m.c"]),
        ([A, B, C], [B, C, A], ["m.a"]),
        ([A, B, C], [C, ("m.a", b"0"), B], ["m.a", "m.c"]),
        ([MODULES, A, B, D], [OTHERS, D, A, B], ["sys.modules"]),
        ([LIST, A, B], [OTHER_LIST, ("m.a", b"0")], ["m.b", "m.a", "<subclasses>.m.a"]),
    ],
)
def test_what_differs_is_named(
    ours: list[tuple[str, bytes]], theirs: list[tuple[str, bytes]], names: list[str]
) -> None:
    assert likeness.differing(ours, theirs) == names


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "setup", "change", "element"), PROGRAMS, ids=[name for name, *_ in PROGRAMS]
)
def test_a_real_program_is_like_itself(name: str, setup: str, change: str, element: str) -> None:
    pytest.importorskip(name)
    same, garbage, other = ask(setup, "", GARBAGE, change)
    assert real(same) == []
    assert {one.partition(".")[0] for one in real(garbage)} <= {"zoo"}
    assert element in other
