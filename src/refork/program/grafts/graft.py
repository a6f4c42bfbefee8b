"""Puts new function bodies into a process that is resumed.

A parked process rules on it (`consider`): it is read-only work, and its answer says what stands in the way.
Only then is it forked, and the child replaces the code objects (`apply`) before user code goes on. The rules
are those of the design, §5.1: nothing that has run, been read or been kept may have come from the old bodies.
"""

from __future__ import annotations

import gc
import sys

from refork.core import codes, differ
from refork.program import park
from refork.program.evidence import Counters, evidence, key_of
from refork.program.grafts.living import Index, namespace
from refork.program.ladder import ladder
from refork.program.steps import Steps, Unsteppable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FunctionType
    from typing import Any

    from refork.program.channel import Channel
    from refork.program.evidence import Key

    Work = tuple[str, bytes, bytes]

CODE: Any = type((lambda: None).__code__)


class Refused(Exception):
    """A graft cannot be shown to equal a cold start; the message says why."""


_index: list[Index] = []
_outdated: list[Index] = []
"""Of the process this one was forked from: giving it up costs milliseconds, and waits until this one has parked."""
_agreed: list[tuple[Any, CodeType]] = []
_renewals: list[tuple[type, str, object]] = []
_files: list[str] = []
_inherited: list[tuple[Key, Key, bool]] = []
"""Old and new key of each function, and whether it ran: a new code object looks as if it never had."""


def index() -> Index:
    """The index of this process, made once: nothing later ever happens in a parked process."""
    if not _index:
        _outdated.clear()
        _index.append(Index())
    return _index[0]


def consider(work: list[Work]) -> tuple[bool, list[str]]:
    """Rule on new texts of files; return (True, qualified names to be grafted) or (False, [reason])."""
    _forget()
    counters = Counters()
    try:
        _check_process(counters)
        names: list[str] = []
        for path, old, new in work:
            names += _File(path, old, new, counters).agree()
        return True, names
    except Refused as refusal:
        return False, [str(refusal)]
    finally:
        counters.close()


def answer(own: Channel, message: tuple[Any, ...]) -> None:
    """Do in a parked process what it was asked for, and say what came of it."""
    if message[0] == "consider":
        own.send("considered", *consider(message[1]))
    elif message[0] == "survey":
        from refork.program.grafts.survey import survey

        own.send("surveyed", survey(message[1], message[2]))
    elif message[0] == "where":
        from refork.program import errands

        own.send("where", *errands.here("")[:2])
    else:
        index()


def apply(start: Any) -> None:
    """In the resumed child: put the new code where the old one was.

    The index is of the parked process: this one goes on, and will park later with more in it.
    """
    _outdated.extend(_index)
    _index.clear()
    if not start.graft:
        return
    for old, new, ran in _inherited:
        evidence.succeed(old, new, ran)
    for function, code in _agreed:
        function.__code__ = code
    for owner, name, value in _renewals:
        type.__setattr__(owner, name, value)
    linecache = sys.modules.get("linecache")
    for path in _files:
        if linecache is not None:
            linecache.cache.pop(path, None)
    _forget()


def _forget() -> None:
    """Hold no object of the program's: it may be the last to do so, and what goes then would be in an index."""
    _agreed.clear()
    _renewals.clear()
    _files.clear()
    _inherited.clear()


def _check_process(counters: Counters) -> None:
    if sys.version_info >= (3, 12):
        if not evidence.monitoring:
            raise Refused("what ran while loading was not recorded")
    elif not counters.works:
        raise Refused("this Python does not tell which functions ran")
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise Refused("this Python runs without the GIL, and does not count references exactly")
    if gc.get_freeze_count() > _frozen_at_start:
        raise Refused(
            "the program froze its objects (gc.freeze), so not all functions can be found"
        )


_frozen_at_start = gc.get_freeze_count()


LOADER: Any = sys.modules["_frozen_importlib_external"].SourceFileLoader
COMPILE: Any = LOADER.source_to_code


def _traces_memory() -> bool:
    tracemalloc: Any = sys.modules.get("_tracemalloc")
    return tracemalloc is not None and tracemalloc.is_tracing()


def _short(path: str) -> str:
    return path.rpartition("/")[2]


class _File:
    """One file of a graft."""

    def __init__(self, path: str, old: bytes, new: bytes, counters: Counters) -> None:
        self.path = path
        self.name = _short(path)
        self.old = old
        self.new = new
        self.counters = counters
        level = sys.flags.optimize
        self.diff = differ.compare(old, new, path, level)
        if self.diff.kind == differ.DIFFERENT:
            raise Refused(f"{self.name}: {self.diff.reason}")
        self.pairs = differ.pairs(
            differ.compile_quietly(old, path, level), differ.compile_quietly(new, path, level)
        )
        self.functions = index().functions(path)
        self._stepped: set[CodeType] | None = None
        self.changed = {(name, line) for name, line, _where in self.diff.changed}

    def agree(self) -> list[str]:
        if self.diff.kind == differ.SAME:
            return []
        self._check_in_progress()
        self._check_suspended()
        self._check_loading()
        if self.diff.lines:
            self._check_lines()
        matched = [(function, self._new_code(function)) for function in self.functions]
        self._check_found((function.__code__, new) for function, new in matched)
        self._check_strangers()
        self._renew_classes()
        for function, new in matched:
            old = function.__code__
            _inherited.append((key_of(old), key_of(new), self._ran(old)))
        _agreed.extend(matched)
        _files.append(self.path)
        return [name for name, _line, _where in self.diff.changed]

    def _new_code(self, function: FunctionType) -> CodeType:
        """The new code of a live function, whose old one must be one that the old text makes."""
        code = function.__code__
        found = self._counterparts(code)
        if len(found) != 1:
            how = "is not what its source says" if not found else "cannot be told from another"
            raise Refused(f"{self.name}: {function.__qualname__} {how}")
        key = key_of(code)
        if key[1:] in self.changed or self._changed_code(code):
            self._check_unused(code)
        elif key in evidence.code_readers and codes.lines(code) != codes.lines(found[0]):
            reader = evidence.code_readers[key]
            raise Refused(
                f"{self.name}: lines of {key[1]} moved, and its code was read by {reader}"
            )
        return found[0]

    def _counterparts(self, code: CodeType) -> list[CodeType]:
        found = [new for old, new in self.pairs if _alike(old, code)]
        if not found and code in self._by_steps():
            # compiled a statement at a time, the same function may have other instructions
            found = [new for old, new in self.pairs if key_of(old) == key_of(code)]
        return found

    def _by_steps(self) -> set[CodeType]:
        """The code that the old text makes when it runs by steps: only of files that are worked on is there any."""
        if self._stepped is None:
            self._stepped = _codes_by_steps(self.old, self.path)
        return self._stepped

    def _changed_code(self, code: CodeType) -> bool:
        """As `changed` has it, where the interpreter has no qualified names in code objects (3.10)."""
        return any(
            line == code.co_firstlineno and name.rpartition(".")[2] == code.co_name
            for name, line in self.changed
        )

    def _check_unused(self, code: CodeType) -> None:
        key = key_of(code)
        if self._ran(code):
            raise Refused(f"{self.name}: {key[1]} ran while loading")
        if key in evidence.code_readers:
            raise Refused(
                f"{self.name}: the code of {key[1]} was read by {evidence.code_readers[key]}"
            )

    def _ran(self, code: CodeType) -> bool:
        if key_of(code) in evidence.ran:
            return True
        return not evidence.monitoring and self.counters.ran(code)

    def _check_found(self, matched: Iterable[tuple[CodeType, CodeType]]) -> None:
        """A changed function without a live function object may have run and gone.

        `matched` is the code of those that live, with the new one. Several lambdas may be of one line, and a
        file may have been loaded again.
        """
        live: dict[int, set[int]] = {}
        for code, new in matched:
            live.setdefault(id(new), set()).add(id(code))
        times = 1 if evidence.monitoring else evidence.loads_of.get(self.path, 1)
        gone = {
            (old.co_name, old.co_firstlineno)
            for old, new in self.pairs
            if len(live.get(id(new), ())) < times
        }
        for name, line in self.changed:
            if (name.rpartition(".")[2], line) not in gone:
                continue
            if not evidence.monitoring or "<locals>" not in name:
                raise Refused(f"{self.name}: no function object of {name} is left to look at")
            for where in (evidence.ran, evidence.code_readers):
                if (self.path, name, line) in where:
                    raise Refused(f"{self.name}: {name} was used while loading")

    def _check_strangers(self) -> None:
        """Every reference to an old code object must be known: functions, and the constants of enclosing code."""
        codes = {id(function.__code__): function.__code__ for function in self.functions}
        owners: dict[int, int] = {}
        for function in self.functions:
            number = id(function.__code__)
            owners[number] = owners.get(number, 0) + 1
        for code in codes.values():
            for constant in code.co_consts:
                if id(constant) in codes:
                    owners[id(constant)] = owners.get(id(constant), 0) + 1
        for code in self._line_codes():
            if id(code) in codes:
                owners[id(code)] += 1
        for number, code in codes.items():
            if sys.getrefcount(code) - _BASE > owners[number]:
                raise Refused(f"{self.name}: something else keeps the code of {key_of(code)[1]}")

    def _check_loading(self) -> None:
        """What runs has to be what the text compiles to."""
        for module in index().modules(self.path):
            loader: Any = namespace(module).get("__loader__")
            if type(loader) is not LOADER or LOADER.source_to_code is not COMPILE:
                raise Refused(
                    f"{self.name}: {type(loader).__name__} compiles it in a way of its own"
                )

    def _check_suspended(self) -> None:
        name = index().suspended.get(self.path)
        if name is not None:
            raise Refused(f"{self.name}: {name} is suspended halfway")

    def _check_lines(self) -> None:
        """Lines moved: nobody may have kept a line number of this file."""
        reader = evidence.line_readers.get(self.path)
        if reader is not None:
            raise Refused(f"{self.name}: lines moved, and {reader} may have kept a line number")
        user = self._line_user()
        if user:
            raise Refused(f"{self.name}: lines moved, and {user} may have kept a line number")
        if _traces_memory():
            raise Refused(f"{self.name}: lines moved, and tracemalloc has kept some")
        if self.path in index().traced:
            raise Refused(f"{self.name}: lines moved, and a traceback with them is kept")
        for module in index().modules(self.path):
            if namespace(module).get("__warningregistry__"):
                raise Refused(f"{self.name}: lines moved, and a warning has kept one")

    def _line_user(self) -> str:
        """Code that ran and reads line numbers in a way that no event tells of, or ""."""
        for path, name in evidence.line_users.items():
            return f"{name} ({_short(path)})"
        for code in self._line_codes():
            if self.counters.ran(code):
                return f"{code.co_name} ({_short(code.co_filename)})"
        return ""

    def _line_codes(self) -> list[CodeType]:
        """Code that may have read a line number if it ever ran; refork holds it."""
        return evidence.line_codes + index().line_users

    def _check_in_progress(self) -> None:
        """Code of this file that is being executed goes on in its old form: its place must be the same."""
        frame: Any = sys._getframe()
        while frame is not None:
            if frame.f_code.co_filename == self.path:
                self._check_frame(frame)
            frame = frame.f_back

    def _check_frame(self, frame: Any) -> None:
        name = frame.f_code.co_name
        running = next((r for r in ladder.running if r.steps.path == self.path), None)
        if name != "<module>" or running is None:
            raise Refused(f"{self.name}: {name} is still being executed")
        try:
            after = Steps(self.new, self.path)
        except (SyntaxError, ValueError, Unsteppable):
            raise Refused(f"{self.name} has to run whole") from None
        if running.inside and not running.steps.same_place(after, running.index):
            raise Refused(f"{self.name}: lines moved under the statement that is being executed")

    def _renew_classes(self) -> None:
        """3.13 keeps a class's first line and the attributes its methods set."""
        for qualname, line, attributes in self.diff.renewed:
            found = index().classes(self.path, qualname)
            if len(found) != 1:
                raise Refused(f"{self.name}: class {qualname} is not to be found")
            if line is not None:
                _renewals.append((found[0], "__firstlineno__", line))
            if attributes is not None:
                _renewals.append((found[0], "__static_attributes__", attributes))


def _codes_by_steps(source: bytes, path: str) -> set[CodeType]:
    """The code objects that a text makes when it runs by steps.

    Since 3.11 an attribute of a name that the same compilation imports is loaded in another way
    (`is_import_originated`, Python/compile.c): the same meaning in other instructions.
    """
    try:
        steps = Steps(source, path)
        waiting = [code for at in range(len(steps)) if (code := steps.code(at)) is not None]
    except (SyntaxError, ValueError, Unsteppable):
        return set()
    found: set[CodeType] = set()
    while waiting:
        inner = [constant for constant in waiting.pop().co_consts if type(constant) is CODE]
        found.update(inner)
        waiting += inner
    return found


def _alike(old: CodeType, live: CodeType) -> bool:
    return (
        old.co_firstlineno == live.co_firstlineno
        and old.co_name == live.co_name
        and old == live
        and _positions(old) == _positions(live)
    )


def _positions(code: CodeType) -> bytes:
    return code.co_linetable


def _base() -> int:
    """What `sys.getrefcount` shows for a code object that one function holds, asked as above, less one."""
    namespace: dict[str, Any] = {}
    exec("def f():\n    return 1", namespace)
    codes = {0: namespace["f"].__code__}
    for _number, code in codes.items():
        return sys.getrefcount(code) - 1
    return 0


_BASE = _base()
park.resumed.append(apply)
