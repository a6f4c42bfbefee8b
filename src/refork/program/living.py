"""What lives in this process and was made from the user's own code: an index, made while it is parked."""

from __future__ import annotations

import gc
import sys

from refork.program.evidence import evidence, names_lines
from refork.program.journal import is_library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any

FUNCTION: Any = type(lambda: None)


def _kinds() -> tuple[dict[Any, str], Any]:
    """Types that have no name among the built-in ones: of what may be suspended, and of tracebacks."""

    async def waiting() -> None: ...

    async def asynchronous() -> Any:
        yield

    coroutine = waiting()
    found: dict[Any, str] = {type(_ for _ in ()): "gi_code"}
    found[type(coroutine)], found[type(asynchronous())] = "cr_code", "ag_code"
    coroutine.close()
    try:
        raise LookupError
    except LookupError as error:
        return found, type(error.__traceback__)


GENERATORS, TRACEBACK = _kinds()


class Index:
    """All that lives in this process and was made from the user's own code, by file."""

    def __init__(self) -> None:
        self.functions: dict[str, list[FunctionType]] = {}
        self.suspended: dict[str, str] = {}
        """Files with a generator or coroutine that has begun or waits to begin."""
        self.traced: dict[str, str] = {}
        """Files with a frame in a traceback that somebody keeps."""
        self.classes: dict[tuple[str, str], list[type]] = {}
        self.line_users: list[CodeType] = []
        """Code of functions that may read line numbers, whether or not it ever ran."""
        for thing in gc.get_objects():
            self._add(thing)

    def _add(self, thing: Any) -> None:
        kind = type(thing)
        if kind is FUNCTION:
            name = thing.__code__.co_filename
            if not evidence.monitoring and names_lines(thing.__code__):
                self.line_users.append(thing.__code__)
            # what `exec` makes for the frame of a module is judged as a frame (`_check_in_progress`)
            if not is_library(name) and thing.__code__.co_name != "<module>":
                self.functions.setdefault(name, []).append(thing)
        elif kind in GENERATORS:
            code = getattr(thing, GENERATORS[kind])
            self.suspended.setdefault(code.co_filename, code.co_name)
        elif kind is TRACEBACK:
            code = thing.tb_frame.f_code
            self.traced.setdefault(code.co_filename, code.co_name)
        elif sys.version_info >= (3, 13) and issubclass(kind, type):
            # not `isinstance`, which asks the thing itself: a weak proxy, or anything of the user's
            own = type.__dict__["__dict__"].__get__(thing)
            if "__firstlineno__" in own:
                key = (str(own.get("__module__")), thing.__qualname__)
                self.classes.setdefault(key, []).append(thing)
