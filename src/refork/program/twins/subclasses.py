"""What classes know their subclasses by, and who asks for it.

A class is known to each of its bases by a weak reference to it, in a dict that no attribute leads to: {address:
reference}. Taken out there, a class made ahead is found by nobody; when it is assigned its own bases again, it
comes to the end of each list, as a class that is made just then.
"""

from __future__ import annotations

import gc
import sys
from _weakref import getweakrefs, ref

from refork.program.evidence import Counters
from refork.program.twins.unseen import functions, group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ASKING = "__subclasses__"

TOOL = 3
"""A tool id of `sys.monitoring` that no kind of tool is assigned to; `evidence` has the other one."""

_bases: Any = type.__dict__["__bases__"]


def hide(classes: list[type]) -> type | None:
    """Take classes out of what their bases know; return one with which that did not succeed.

    Attributes that are set in a base meanwhile reach them when they are shown again.
    """
    references = [one for made in classes for one in getweakrefs(made) if type(one) is ref]
    ids = {id(made) for made in classes}
    for table in gc.get_referrers(*references):
        if lists_subclasses(table):
            for key in ids.intersection(table):
                del table[key]
    for made in classes:
        if any(made in type.__subclasses__(base) for base in made.__bases__):
            return made
    return None


def show(made: type) -> None:
    """Put a class at the end of its bases' subclasses."""
    _bases.__set__(made, made.__bases__)


def lists_subclasses(thing: Any) -> bool:
    """Whether a thing is what a class knows its subclasses by."""
    if type(thing) is not dict:
        return False
    for key, value in thing.items():
        return type(key) is int and type(value).__name__ == "ReferenceType" and id(value()) == key
    return False


class Askers:
    """Functions of others than the standard library that ask a class for its subclasses, and whether they ran.

    For a process that is thrown away: it gives them code of their own, or takes a tool id.
    """

    def __init__(self) -> None:
        self._ran = ""
        self._counters = Counters()
        self._functions = [
            one for one in functions() if group(str(one.__module__)) and asks(one.__code__)
        ]
        if self._counters.works:
            for one in self._functions:
                _renew(one)
        else:
            self._monitor()

    def _monitor(self) -> None:
        monitoring: Any = getattr(sys, "monitoring", None)
        if monitoring is None or monitoring.get_tool(TOOL) is not None:
            self._ran = "a function that nobody can follow"
            return
        monitoring.use_tool_id(TOOL, "refork")
        monitoring.register_callback(TOOL, monitoring.events.PY_START, self._started)
        for one in self._functions:
            monitoring.set_local_events(TOOL, one.__code__, monitoring.events.PY_START)

    def _started(self, code: Any, _offset: int) -> None:
        self._ran = code.co_qualname

    def ran(self) -> str:
        """The name of one that has run since this was asked last; "": none has."""
        for one in self._functions if self._counters.works else ():
            if self._counters.ran(one.__code__):
                self._ran = one.__qualname__
                _renew(one)
        ran, self._ran = self._ran, ""
        return ran


def _renew(function: Any) -> None:
    """Give a function code that has not run yet."""
    function.__code__ = function.__code__.replace()


def asks(code: Any) -> bool:
    """Whether a code object, or one within it, asks a class for its subclasses."""
    return (
        ASKING in code.co_names
        or ASKING in code.co_consts
        or any(asks(inner) for inner in code.co_consts if type(inner) is type(code))
    )


def text_asks(path: str) -> bool:
    """Whether a module's file, source or compiled, may ask for subclasses anywhere."""
    try:
        with open(path, "rb") as file:
            return ASKING.encode() in file.read()
    except OSError:
        return True
