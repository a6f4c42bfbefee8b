"""What stands in the code of a `try` or `with` for the steps of its body, which run by themselves.

The code is the user's statement with another body. Whatever this module does there happens in frames that do
not show, and what the user's own objects are called from is the frame of that code.
"""

from __future__ import annotations

from refork.program.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

MARK = "\0refork: the steps of a body"
"""A constant that no text has: put in the place of the bridge until the code is compiled."""


def bridged(code: CodeType, bridge: Bridge | None) -> CodeType:
    """Return `code` with the bridge in its place."""
    constants = [bridge if value == MARK else value for value in code.co_consts]
    return code.replace(co_consts=tuple(constants))


class Bridge:
    """Joins the statement around a body with its body."""

    def __init__(self, header: int) -> None:
        self.header = header
        """The step that began the statement."""
        self.error: BaseException | None = None
        """What a step of the body raised."""
        self._entered = False
        self._enter: Any = None
        self._exit: Any = None

    @hidden
    def __neg__(self) -> None:
        """Raise what a step of the body raised, and have it keep the context it had.

        An operator: the place of an attribute or a call that takes several lines is not kept as it is.
        """
        error, self.error = self.error, None
        assert error is not None
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context

    @hidden
    def manager(self, manager: Any) -> Any:
        """Stand for a context manager; for what is none the interpreter shall say so itself."""
        enter, leave = _special(manager, "__enter__"), _special(manager, "__exit__")
        if enter is None or leave is None:
            return manager
        self._enter, self._exit = enter, leave
        return self

    @hidden
    def __enter__(self) -> Any:
        return None if self._entered else self._enter()

    @hidden
    def __exit__(self, *error: Any) -> Any:
        if self._entered or error[0] is not None:  # or the target could not be assigned to
            return self._exit(*error)
        self._entered = True
        return None


@hidden
def _special(thing: Any, name: str) -> Any:
    """A special method, looked up as the interpreter does: on the type, and bound (`_PyObject_LookupSpecial`)."""
    kind = type(thing)
    for owner in type.__dict__["__mro__"].__get__(kind):
        own = type.__dict__["__dict__"].__get__(owner)
        if name in own:
            found = own[name]
            bind = getattr(type(found), "__get__", None)
            return found if bind is None else bind(found, thing, kind)
    return None
