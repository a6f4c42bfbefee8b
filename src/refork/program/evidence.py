"""What is known of how code was used while the program was loading: what a graft has to be sure of.

- Which functions ran. On 3.12+ `sys.monitoring` tells, once for each code object. On 3.10 and 3.11 the
  interpreter itself counts runs in a field of the code object, which is read when somebody asks: loading
  costs nothing there.
- Who read a function's `__code__` and may have made something of it (an audit event).
- Whose line numbers may have been kept: by a reader of frames (an audit event), or by code that names what
  holds line numbers (`tb_lineno`), which no event tells of. What such code does with them is not known.
"""

from __future__ import annotations

import _thread
import gc
import os
import sys

from refork.program.journal import is_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

    Key = tuple[str, str, int]

TOOL = 4
"""A tool id of `sys.monitoring` that no kind of tool is assigned to (PEP 669 assigns 0, 1, 2 and 5)."""

SIGNATURE_ONLY = {
    "inspect", "functools", "types", "typing", "asyncio.coroutines", "dataclasses", "unittest.mock",
    "_pytest.compat", "django.utils.inspect", "abc", "enum", "typing_extensions", "pydantic._internal",
    "starlette._utils", "pluggy._hooks",
}  # fmt: skip
"""Modules that read `__code__` for its signature and flags only, which a graft leaves as they are."""

BODY_READERS = {"getclosurevars"}
"""Functions of theirs that look at the names in a body."""

NAMES_ONLY = {
    "collections", "enum", "typing", "typing_extensions", "dataclasses", "attr", "pydantic", "zope",
    "functools", "sqlalchemy", "abc", "types", "refork",
}  # fmt: skip
"""Packages that look at frames for the names in them, not for line numbers."""

LINE_NAMES = {
    "co_firstlineno", "co_lines", "co_linetable", "co_lnotab", "co_positions", "f_lasti", "f_lineno",
    "tb_lasti", "tb_lineno",
}  # fmt: skip
"""Attributes that hold line numbers, or what tells them."""

BY_NAME = {"getattr", "attrgetter", "__getattribute__"}
"""What reads an attribute whose name is a string."""

INTERNED = tuple(map(sys.intern, LINE_NAMES))
IMMORTAL_NAMES = sys.version_info >= (3, 12)
"""Whether references to interned strings are not counted (PEP 683)."""

FIRST_LINE = "__firstlineno__"
"""The same, of classes (3.13); the body of each class names it, too."""

CLASSES_HAVE_LINES = sys.version_info >= (3, 13)

HARMLESS = {"overload": "typing.py", "Logger.findCaller": "__init__.py"}
"""Functions of the standard library that read line numbers, and where a graft does no harm: `typing.overload`
tells overloads of one name apart by theirs, and gives none away; logging takes the frame in a way that is seen."""

COUNTERS = {(3, 10): (168, 1, 0), (3, 11): (52, 2, 0xFFF8)}
"""Where a code object counts its runs: offset, bytes, value of a code that never ran.

3.10: `co_opcache_flag`; 3.11: `co_warmup`, which starts at -8 (Include/cpython/code.h of each). The place is
tried out before it is trusted (`Counters.works`)."""


class Evidence:
    """What was seen in this process."""

    def __init__(self) -> None:
        self.ran: set[Key] = set()
        self.code_readers: dict[Key, str] = {}
        self.line_readers: dict[str, str] = {}
        self.line_users: dict[str, str] = {}
        """Code that has run and names what holds line numbers: its file, and its name."""
        self.line_codes: list[CodeType] = []
        """Code of functions that does, whether or not it ran: where nobody tells, its counter is asked."""
        self.loads_of: dict[str, int] = {}
        """How often the code of a file was executed, where nobody tells what ran: each has its own counters."""
        self.monitoring = False
        self.scanning = False
        """Whether code has to be looked at before it runs, because `sys.monitoring` does not tell of it."""
        self._uses: tuple[int, ...] | None = None
        self._own: dict[str, bool] = {}
        self._libraries: dict[str, bool] = {}
        """Files of frames that were looked at, and whether they are a library's."""

    def start(self) -> None:
        """Begin to note which functions run, where `sys.monitoring` can tell."""
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None or monitoring.get_tool(TOOL) is not None:
            self.scanning = True
            return
        monitoring.use_tool_id(TOOL, "refork")
        disable = monitoring.DISABLE
        own, ran, users = self._own, self.ran, self.line_users

        def started(code: CodeType, _offset: int) -> object:
            name = code.co_filename
            mine = own.get(name)
            if mine is None:
                mine = own[name] = not is_library(name) and name[:1] != "<"
            if mine:
                ran.add((name, code.co_qualname, code.co_firstlineno))  # type: ignore[attr-defined]
            if names_lines(code):
                users.setdefault(name, code.co_qualname)  # type: ignore[attr-defined]
            return disable

        monitoring.register_callback(TOOL, monitoring.events.PY_START, started)
        monitoring.set_events(TOOL, monitoring.events.PY_START)
        self.monitoring = True

    def loads(self) -> None:
        """The code of a module is about to be loaded, and nothing else before it is executed."""
        if self.scanning:
            self._uses = _uses_of_line_names()

    def executes(self, code: CodeType) -> None:
        """A module is about to run. Without `sys.monitoring` nothing is left later of its code."""
        if self.scanning:
            path = code.co_filename
            self.loads_of[path] = self.loads_of.get(path, 0) + 1
            before, self._uses = self._uses, None
            if before is None or before != _uses_of_line_names():
                self._look_through(code)

    def executes_text(self, code: CodeType) -> None:
        """A text that is in no file is about to run: `exec`, `eval`."""
        if self.scanning and code.co_filename[:1] == "<":
            self._look_through(code)

    def _look_through(self, code: CodeType) -> None:
        for body in _naming_lines(code):
            if body.co_flags & OPTIMIZED:
                self.line_codes.append(body)
            else:
                self.line_users.setdefault(body.co_filename, body.co_name)

    def stop(self) -> None:
        """Note no more, and give `sys.monitoring` back: nothing is left of it in the program."""
        if self.monitoring:
            monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
            monitoring.set_events(TOOL, 0)
            monitoring.register_callback(TOOL, monitoring.events.PY_START, None)
            monitoring.free_tool_id(TOOL)
            self.monitoring = False
        self.scanning = False

    def code_read(self, function: Any, reader: Any) -> None:
        """Somebody (the frame `reader`) read the `__code__` of a function."""
        if reader is None:
            return
        if _module_of(reader) in SIGNATURE_ONLY and reader.f_code.co_name not in BODY_READERS:
            return
        code = function.__code__
        if not is_library(code.co_filename):
            self.code_readers.setdefault(key_of(code), place_of(reader))

    def succeed(self, old: Key, new: Key, ran: bool) -> None:
        """What is known of a function is known of it under its new code, too."""
        if ran:
            self.ran.add(new)
        if old in self.code_readers:
            self.code_readers[new] = self.code_readers[old]

    def frame_read(self, reader: Any) -> None:
        """Somebody took hold of a frame: the line numbers of those on the stack may have been kept."""
        if reader is None or _module_of(reader).partition(".")[0] in NAMES_ONLY:
            return
        place = place_of(reader)
        frame = reader
        while frame is not None:
            name = frame.f_code.co_filename
            library = self._libraries.get(name)
            if library is None:
                library = self._libraries[name] = is_library(name)
            if not library:
                self.line_readers.setdefault(name, place)
            frame = frame.f_back


def names_lines(code: CodeType) -> bool:
    """Whether a code object may read a line number somewhere."""
    names = code.co_names
    if SUSPECTS.isdisjoint(names) or not _names_lines(code, names):
        return False
    if code.co_filename.startswith(REFORK):
        return False
    known = HARMLESS.get(getattr(code, "co_qualname", code.co_name))
    return known is None or not is_library(code.co_filename) or known not in code.co_filename


def _uses_of_line_names() -> tuple[int, ...] | None:
    """A number that grows when code is loaded that names what holds line numbers, and all that could lower it.

    The names of a code object are interned: those of all code are one string each, with a reference from each. A
    collection, or another thread, may free code at the same time: then nothing is known, and None returned.
    """
    if IMMORTAL_NAMES or _thread._count():
        return None
    _youngest, middle, oldest = gc.get_count()
    return sum(map(sys.getrefcount, INTERNED)), middle, oldest


def _names_lines(code: CodeType, names: tuple[str, ...]) -> bool:
    if not LINE_NAMES.isdisjoint(names):
        return True
    if CLASSES_HAVE_LINES and FIRST_LINE in names and "__qualname__" not in names:
        return True
    return not BY_NAME.isdisjoint(names) and any(
        type(one) is str and one in LINE_NAMES for one in code.co_consts
    )


def _naming_lines(code: CodeType) -> list[CodeType]:
    """Those of a code object and all within it that may read a line.

    In one function and by local names, as it is called for each module and looks at all its constants.
    """
    suspects = []
    bodies = [code]
    kind, harmless = type(code), SUSPECTS.isdisjoint
    for body in bodies:
        if not harmless(body.co_names):
            suspects.append(body)
        for inner in body.co_consts:
            if type(inner) is kind:
                bodies.append(inner)
    return [body for body in suspects if names_lines(body)]


def may_name_lines(code: CodeType) -> bool:
    """Whether a function, or what it makes when it runs, may read a line number."""
    return bool(_naming_lines(code))


REFORK = os.path.dirname(os.path.dirname(__file__)) + os.sep

SUSPECTS = LINE_NAMES | BY_NAME | ({FIRST_LINE} if CLASSES_HAVE_LINES else set())

OPTIMIZED = 0x1
"""CO_OPTIMIZED (Include/cpython/code.h): a function."""


def key_of(code: CodeType) -> Key:
    return (code.co_filename, getattr(code, "co_qualname", code.co_name), code.co_firstlineno)


def _module_of(frame: Any) -> str:
    name = frame.f_globals.get("__name__", "")
    return name if isinstance(name, str) else ""


def place_of(frame: Any) -> str:
    """`path:line` of what a frame is executing."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?:0"


class Counters:
    """Reads the interpreter's own counters of runs, on the versions that keep them."""

    def __init__(self) -> None:
        self._place = COUNTERS.get(sys.version_info[:2])
        self._fd = -1
        self.works = False
        if self._place is not None:
            try:
                self._fd = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
                self.works = self._proven()
            except OSError:
                self.works = False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def ran(self, code: CodeType) -> bool:
        """Whether a code object was ever executed."""
        assert self._place is not None
        offset, size, never = self._place
        data = os.pread(self._fd, size, id(code) + offset)
        return int.from_bytes(data, sys.byteorder) != never

    def _proven(self) -> bool:
        """Whether the counter is where it is thought to be: three fresh functions, of which two run."""
        made: list[Any] = []
        for _ in range(3):
            namespace: dict[str, Any] = {}
            exec(compile("def f(n):\n    return n + 1", "<counter>", "exec"), namespace)
            made.append(namespace["f"])
        if any(self.ran(function.__code__) for function in made):
            return False
        made[1](1)
        for number in range(300):
            made[2](number)
        return [self.ran(function.__code__) for function in made] == [False, True, True]


evidence = Evidence()
