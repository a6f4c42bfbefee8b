"""What an object and all that it leads to come to, told so that addresses do not matter.

Two processes of the same program say the same of an object when nothing in either can tell the two apart.
The walk never runs code of the user's: what is read is read by the descriptors of the interpreter's own types.
"""

from __future__ import annotations

import _thread
import gc
import marshal
import sys
import time
from _imp import source_hash

from refork.program.twins import kinds, tellers
from refork.program.twins.kinds import CODE, FUNCTION, MODULE, MRO, is_ours, name_of, namespace_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Say = Callable[[Any], str]
    Handle = Callable[[Any], None]

HOME = __file__.rpartition("/program/")[0] + "/"
"""The folder of refork: what was made from its files is nobody's."""

SMALL = 1 << 20
"""No address is below it."""

RECENT = 86400.0
"""Seconds. A number that is a time of this last day says when a process ran, not what it is."""

JUST_NOW = 300.0
"""The same for what counts from the start of the machine: on one that has just been started, any number may be."""

ASIDE = {
    "ModuleSpec": {"_initializing"},  # a flag of the import system while it works
    "FileFinder": {"_path_mtime", "_path_cache", "_relaxed_path_cache"},  # of listings
    "_NamespacePath": {"_last_parent_path", "_last_epoch"},  # when to look again
    "Thread": {"_ident", "_native_id", "_handle"},  # given by the system
    "_MainThread": {"_ident", "_native_id", "_handle"},
}
"""Attributes whose values say nothing, by the name of the type."""

OPAQUE = {
    "multiprocessing.process.AuthenticationString",  # random, and meant to be
    # made of a schema, which the class has beside them; Rust keeps what they lead to in no order
    *(
        "pydantic_core._pydantic_core.SchemaValidator",
        "pydantic_core._pydantic_core.SchemaSerializer",
    ),
}
"""Types whose objects say nothing but that they are there."""

NOT_IN_CLASSES = {
    *("__dict__", "__weakref__"),  # descriptors that every class gets
    "_abc_impl",  # what was registered is told apart
    *("_abc_cache", "_abc_negative_cache", "_abc_negative_cache_version"),  # what was asked before
}


def digest_of(text: str) -> bytes:
    """Eight bytes: the keyed hash that the interpreter has for sources (SipHash), which is always loaded."""
    return source_hash(0x7265666F726B, text.encode("utf-8", "surrogatepass"))


class Walk:
    """One walk over many elements. An object is told where it is met first; later it is only named.

    `known` has the names that are there from the start, by address: modules, and the values of elements.
    """

    def __init__(self, known: dict[int, str]) -> None:
        import re

        self.known = known
        self.classes: list[Any] = []
        """All classes that were met, in order."""
        self.out: list[str] = []
        self.todo: list[Any] = []
        self._kept: list[list[Any]] = []
        self._codes: dict[int, str] = {}
        self.live: dict[int, Any] = {id(thing): thing for thing in (None, ..., NotImplemented)}
        self.live.update((id(thing), thing) for thing in gc.get_objects())
        self._now = (time.time(), time.monotonic())
        self._ident = _thread.get_ident()
        self._memory = kinds.Memory()
        self._number = re.compile(r"\b(?:[1-9][0-9]{11,19}|0x[0-9a-f]{8,16})\b")
        self.atoms: dict[Any, Say] = {
            **dict.fromkeys((str, bytes, bool, complex, range), repr),
            **dict.fromkeys((type(None), type(...), type(NotImplemented)), repr),
            int: self._int,
            float: self._float,
        }
        self.atomic = frozenset(self.atoms)
        self.shared: Any = getattr(sys.modules.get("random"), "_inst", None)
        self.table = self._table()
        self._handlers: dict[Any, Handle] = dict(self.table)

    def digest(self, element: str, roots: Iterable[Any], own: bool = False) -> bytes:
        """What `roots` and all that they lead to come to. `own`: the first is told here, not named."""
        out: list[str] = []
        todo = list(roots)
        self.out, self.todo = out, todo
        self._kept.append(todo)  # no address may come to mean another object
        known, atoms, handlers, atomic = self.known, self.atoms, self._handlers, self.atomic
        number = 0
        for thing in todo:
            kind = type(thing)
            say = atoms.get(kind)
            if say is not None:
                out.append(say(thing))
                continue
            if kind is tuple and atomic.issuperset(map(type, thing)):
                out.append(f"@tuple {len(thing)}")
                todo.extend(thing)
                continue
            label = known.get(id(thing))
            if label is None:
                known[id(thing)] = f"&{element}#{number}"
                number += 1
            elif not own:
                out.append(label)
                continue
            own = False
            handle = handlers.get(kind)
            if handle is None:
                handle = handlers[kind] = self._handler(kind)
            handle(thing)
        return digest_of(self._text("\n".join(out)))

    # -- atoms

    def _int(self, value: int) -> str:
        if -SMALL < value < SMALL:
            return repr(value)
        recent = min(abs(value - self._now[0]), abs(value / 1e9 - self._now[0])) < RECENT
        return "moment" if recent else repr(value)

    def _float(self, value: float) -> str:
        if abs(value - self._now[0]) < RECENT:
            return "moment"
        said = repr(value)
        if len(said.partition(".")[2]) > 4 and 0 < self._now[1] - value < JUST_NOW:
            return "moment"
        return said

    def _text(self, text: str) -> str:
        """A text with the addresses in it replaced by what they are addresses of.

        `id` is kept as a number (Django's signals), in names (pydantic's schemas), in representations.
        """
        return self._number.sub(lambda found: self._address(found.group()), text)

    def _address(self, said: str) -> str:
        value = int(said, 0) if said[0] == "0" else int(said)
        if value == self._ident:
            return "the thread"
        for address in (value, value << 4):  # object.__hash__ is the address without its low bits
            if address in self.known:
                return f"address of {self.known[address]}"
            # where something dead was, some finder of the import system may be by now
            if address in self.live and type(self.live[address]).__name__ not in ASIDE:
                return f"address of {self.shallow(self.live[address], 1)}"
        return self._memory.said(value) or said

    # -- kinds

    def _table(self) -> dict[Any, Handle]:
        """Which handler is for which of the interpreter's own types; what is not loaded has no objects."""
        table: dict[Any, Handle] = {kind: self._atom(kind) for kind in self.atoms}
        table.update({dict: self._dict, list: self._list, tuple: self._list, object: self._object})
        table.update({set: self._set, frozenset: self._set})
        table.update({FUNCTION: self._function, CODE: self._code_object, type: self._class})
        table[MODULE] = self._module
        table.update(dict.fromkeys(kinds.DESCRIPTORS, self._descriptor))
        table.update(dict.fromkeys(kinds.frames(), self._suspended))
        table.update(tellers.table(self))
        return table

    def _handler(self, kind: Any) -> Handle:
        """For a type that has none of its own."""
        if is_ours(kind) or name_of(kind) in OPAQUE:
            return self._nobodys
        mro = MRO(kind)
        if type in mro:
            return self._class
        return self._instance_of(kind, mro)

    def _nobodys(self, _thing: Any) -> None:
        self.out.append("@nobody's")

    def _object(self, _thing: Any) -> None:
        self.out.append("@object")

    def _atom(self, kind: Any) -> Handle:
        """For subclasses of a type of atoms: their value, said by that type."""
        say: Any = kind.__repr__
        if kind in (int, float):
            return lambda thing: self.out.append(self.atoms[kind](kind.__pos__(thing)))
        return lambda thing: self.out.append(say(thing))

    def _dict(self, thing: Any) -> None:
        self.keys(list(dict.keys(thing)))
        self.todo.extend(dict.values(thing))

    def keys(self, keys: list[Any]) -> None:
        if set(map(type, keys)) <= {str}:
            self.out.append(f"@dict {keys!r}")
        else:
            self.out.append(f"@dict of {len(keys)}")
            self.todo.extend(keys)

    def _list(self, thing: Any) -> None:
        items = (list if list in MRO(type(thing)) else tuple).__getitem__(thing, slice(None))
        self.out.append(f"@{'list' if list in MRO(type(thing)) else 'tuple'} {len(items)}")
        self.todo.extend(items)

    def _set(self, thing: Any) -> None:
        items = list((set if set in MRO(type(thing)) else frozenset).__iter__(thing))
        self.out.append(f"@set {len(items)}")
        items.sort(key=self.shallow)
        self.todo.extend(items)

    def shallow(self, thing: Any, depth: int = 3) -> str:
        """What tells the items of a set apart without a walk, or at least most of them."""
        kind = type(thing)
        say = self.atoms.get(kind)
        if say is not None:
            return self._text(say(thing)) if depth else say(thing)
        label = self.known.get(id(thing))
        if label is not None:
            return label
        if type in MRO(kind):
            return f"@class {name_of(thing)}"
        if kind is FUNCTION:
            return f"@function {thing.__module__} {thing.__qualname__}"
        if kind is CODE:
            return f"@code {self.code(thing)}"
        if kinds.WEAKREF in MRO(kind):
            return f"@weakref {self.shallow(kinds.WEAKREF.__call__(thing), depth)}"
        said = f"@{name_of(kind)}"
        if depth:
            said += f" {[self.shallow(one, depth - 1) for one in kinds.inner(thing)[:50]]}"
        return said

    def _module(self, thing: Any) -> None:
        """One that sys.modules does not have."""
        self.out.append("@module")
        self.todo.append(kinds.MODULE_DICT(thing))

    def _descriptor(self, thing: Any) -> None:
        """Of the interpreter's own: what it is called, of which class."""
        self.out.append(f"@{type(thing).__name__} {thing.__name__}")
        self.todo.append(thing.__objclass__)

    def _suspended(self, thing: Any) -> None:
        """Generators, coroutines, tracebacks, frames: where they stand, and what they have."""
        self.out.append(f"@{type(thing).__name__}")
        for name in ("gi_frame", "cr_frame", "ag_frame", "tb_frame"):
            if hasattr(thing, name):
                self.out.append(str(getattr(thing, "__qualname__", None) or thing.tb_lineno))
                self.todo.append(getattr(thing, name))
        if hasattr(thing, "f_locals"):
            self.frame(thing)
        if hasattr(thing, "tb_next"):
            self.todo.append(thing.tb_next)

    def frame(self, frame: Any) -> None:
        """The code, the line and the variables of a frame."""
        code = frame.f_code
        if code.co_filename.startswith(HOME):
            self.out.append("@refork")
            return
        self.out.append(f"@frame {self.code(code)} {frame.f_lineno}")
        namespace = frame.f_locals
        self.todo.append(namespace if id(namespace) in self.known else dict(namespace))

    def registered(self) -> list[str]:
        """Lists of functions that only the interpreter leads to: of `codecs`, of `os.register_at_fork`."""
        found = [
            [self.shallow(one) for one in thing]
            for thing in self.live.values()
            if type(thing) is list
            and thing
            and id(thing) not in self.known
            and all(map(self._is_handler, thing))
        ]
        return sorted(map(repr, found))

    def _is_handler(self, thing: Any) -> bool:
        """Whether a thing is a function or a method, and not of refork's."""
        if type(thing) in kinds.METHODS:
            function = getattr(thing, "__func__", None)
            return function is None or type(function) is not FUNCTION or self._is_handler(function)
        return type(thing) is FUNCTION and not gc.get_referents(thing)[0].co_filename.startswith(
            HOME
        )

    # -- functions and classes

    def code(self, code: Any) -> str:
        """A code object with all that is in it."""
        said = self._codes.get(id(code))
        if said is None:
            try:
                data = marshal.dumps(code, 0)  # later formats say what is shared, too
            except ValueError:  # slices as constants (3.14) have no old format
                from refork.program.grafts.verify import _shape

                data = repr(_shape(code)).encode("utf-8", "surrogatepass")
            said = self._codes[id(code)] = source_hash(2, data).hex()
        return said

    def _code_object(self, thing: Any) -> None:
        self.out.append(f"@code {self.code(thing)}")

    def _function(self, thing: Any) -> None:
        code = gc.get_referents(thing)[0]  # `__code__` would be an audit event
        if type(code) is not CODE:
            code = thing.__code__
        if code.co_filename.startswith(HOME):
            self.out.append(f"@refork {code.co_name}")
            return
        doc, constants = thing.__doc__, code.co_consts
        self.out.append(f"@function {thing.__qualname__} {thing.__name__} {self.code(code)}")
        self.todo += (
            *(thing.__module__, thing.__globals__, thing.__defaults__, thing.__kwdefaults__),
            *(thing.__closure__, thing.__dict__ or None),
            None if constants and constants[0] is doc else doc,
        )
        self.todo += kinds.annotated(thing)

    def _class(self, cls: Any) -> None:
        self.classes.append(cls)
        self.out.append(f"@class {name_of(cls)}")
        if is_ours(cls) or not kinds.FLAGS(cls) & kinds.HEAP:
            return
        namespace = namespace_of(cls)
        keys = sorted(namespace) if kinds.is_unordered(cls) else namespace
        own = {key: namespace[key] for key in keys if key not in NOT_IN_CLASSES}
        if type(own.get("__static_attributes__")) is tuple:  # made from a set (3.13)
            own["__static_attributes__"] = tuple(sorted(own["__static_attributes__"]))
        if "_abc_impl" in namespace:
            self.out.append(f"registered {kinds.registered(cls)}")
        self.todo += (type(cls), kinds.BASES(cls), MRO(cls)[1:])
        self.keys(list(own))
        self.todo.extend(own.values())

    # -- instances

    def _instance_of(self, kind: Any, mro: tuple[Any, ...]) -> Handle:
        """For the instances of a class: what it is based on, its attributes, its slots, what C has of it."""
        base = next(
            (self.table[one] for one in mro if one in self.table and one is not object), None
        )
        attributes, slots = kinds.dict_of(mro), kinds.slots(mro)
        opaque = base is None and not all(map(kinds.is_python, mro[:-1]))
        if attributes is None and kinds.DICTOFFSET(
            kind
        ):  # hidden behind a `__dict__` of the class's own
            opaque = True
        digestible = opaque and kinds.digestible(kind)
        aside = ASIDE.get(kind.__name__)

        def handle(thing: Any) -> None:
            out, todo = self.out, self.todo
            out.append("@instance")
            todo.append(kind)
            if base is not None:
                base(thing)
            if attributes is not None:
                todo.append(_without(attributes(thing), aside))
            for name, get in slots:
                try:
                    todo.append(get(thing))
                except (AttributeError, TypeError):
                    out.append(f"no {name}")
            if opaque:
                inner = [one for one in gc.get_referents(thing) if one is not kind]
                out.append(f"of {len(inner)}" if inner else kinds.said_by_c(thing))
                todo.extend(inner)
            if digestible:
                tellers.bytes_of(self, thing)

        return handle


def _without(attributes: Any, aside: set[str] | None) -> Any:
    if aside and attributes:
        return {key: attributes[key] for key in attributes if key not in aside}
    return attributes or None
