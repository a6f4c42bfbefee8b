"""Why the program does not start, as plain facts: what `refork.web.problem` makes a page of.

Places in files only: no values of variables, and nothing of the environment.
"""

from __future__ import annotations

from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

MOST_FRAMES = 100
"""Frames told of one exception: the last ones."""

MOST = 16
"""Exceptions told of: causes, and members of groups."""

LONGEST = 2000
"""Characters of a message."""


class Facts:
    """Tells of one exception, and of those behind it."""

    def __init__(self, is_ours: Callable[[str], bool]) -> None:
        """`is_ours(file)`: whether a frame is no concern of the reader's."""
        self._is_ours = is_ours
        self._seen: set[int] = set()

    def of(self, error: BaseException) -> dict[str, Any]:
        """The facts, which `refork.core.wire` can send."""
        self._seen.add(id(error))
        before, is_direct = _before(error)
        return {
            "kind": name_of(type(error)),
            "message": message_of(error),
            "frames": self._frames(error.__traceback__),
            "syntax": _syntax(error),
            "notes": [str(note)[:LONGEST] for note in _notes(error)],
            "cause": self._next(before),
            "direct": is_direct,
            "members": [told for told in map(self._next, _members(error)) if told],
        }

    def _next(self, error: BaseException | None) -> dict[str, Any] | None:
        if error is None or id(error) in self._seen or len(self._seen) >= MOST:
            return None
        return self.of(error)

    def _frames(self, trace: TracebackType | None) -> list[tuple[str, int, str, int, int]]:
        frames = []
        while trace is not None:
            code = trace.tb_frame.f_code
            if not self._is_ours(code.co_filename):
                frames.append((code.co_filename, trace.tb_lineno, code.co_name, *_span(trace)))
            trace = trace.tb_next
        return frames[-MOST_FRAMES:]


def files_of(error: BaseException) -> set[str]:
    """All files that may have to do with an exception: of its frames, and of what is behind it."""
    files: set[str] = set()
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        trace = current.__traceback__
        while trace is not None:
            files.add(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        if isinstance(current, SyntaxError) and current.filename:
            files.add(str(current.filename))  # it is in no frame
        waiting += [current.__cause__, current.__context__, *_members(current)]
    return files


def name_of(kind: type) -> str:
    """The name of an exception's type, as Python prints it."""
    module = kind.__module__
    return (
        kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    )


def text_of(thing: object) -> str:
    """What an exception, or what it holds, says of itself."""
    try:
        return str(thing)[:LONGEST]
    except Exception:  # an exception's own __str__ may raise anything
        return "(its message could not be made)"


def message_of(error: BaseException) -> str:
    """What Python prints after the type; of a SyntaxError without the place, which is told apart."""
    return text_of(error.msg if isinstance(error, SyntaxError) and error.filename else error)


def _before(error: BaseException) -> tuple[BaseException | None, bool]:
    if error.__cause__ is not None:
        return error.__cause__, True
    return (None if error.__suppress_context__ else error.__context__), False


def _members(error: BaseException) -> tuple[BaseException, ...]:
    """Of an exception group; its type is not a built-in one below 3.11."""
    if not any(kind.__name__ == "BaseExceptionGroup" for kind in type(error).__mro__):
        return ()
    return tuple(one for one in getattr(error, "exceptions", ()) if isinstance(one, BaseException))


def _notes(error: BaseException) -> list[object]:
    notes = getattr(error, "__notes__", None)
    return list(notes[:MOST]) if isinstance(notes, list) else []


def _syntax(error: BaseException) -> tuple[str, int, int] | None:
    if not isinstance(error, SyntaxError) or not error.filename:
        return None
    return (str(error.filename), error.lineno or 0, error.offset or 0)


def _span(trace: TracebackType) -> tuple[int, int]:
    """The bytes of its line that a frame was executing (PEP 657); 0, 0 where that is not known."""
    positions = getattr(trace.tb_frame.f_code, "co_positions", None)
    if positions is None or trace.tb_lasti < 0:
        return 0, 0
    found = next(islice(positions(), trace.tb_lasti // 2, None), (None,) * 4)
    line, last, start, end = found
    if start is None or end is None or line != trace.tb_lineno or last != line:
        return 0, 0
    return start, end
