"""Why a program does not start, as a value: what the error page shows.

It is made from plain facts (file, line, function) that the program reports; source lines are read
here, in the supervisor. Values of variables and of the environment are never part of it.
"""

from __future__ import annotations

import os
import sysconfig
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTEXT = 4  # lines shown before and after the one that failed
WIDTH = 1000  # characters shown of one line
MAX_SOURCE = 4_000_000  # bytes; a larger file is shown without its lines
OWN = str(Path(__file__).resolve().parent.parent) + os.sep
LIBRARIES = tuple(
    sorted(
        {
            os.path.realpath(path) + os.sep
            for key, path in sysconfig.get_paths().items()
            if key in ("stdlib", "platstdlib", "purelib", "platlib")
        }
    )
)


@dataclass(frozen=True)
class SourceLine:
    """One line of a file: its number (from 1) and its text, without the line end."""

    number: int
    text: str


@dataclass(frozen=True)
class Frame:
    """One level of a traceback. `context` holds the lines around `line`, itself included.

    `span` are the columns that were running: from 0, the end exclusive; (0, 0) if unknown.
    """

    file: str
    line: int
    function: str
    context: tuple[SourceLine, ...] = ()
    span: tuple[int, int] = (0, 0)

    @property
    def text(self) -> str:
        """The line that was running; empty if the file could not be read."""
        return next((one.text for one in self.context if one.number == self.line), "")

    @property
    def source(self) -> str:
        """The same, stripped."""
        return self.text.strip()

    @property
    def is_library(self) -> bool:
        """True if the file belongs to Python or to an installed package, not to the project."""
        real = os.path.realpath(self.file)
        parts = Path(real).parts
        return "site-packages" in parts or "dist-packages" in parts or real.startswith(LIBRARIES)

    @property
    def is_machinery(self) -> bool:
        """True for the import system's and refork's own frames, which tell a reader nothing."""
        return self.file.startswith(("<frozen ", OWN))


@dataclass(frozen=True)
class Problem:
    """An exception that ended a generation before it was ready.

    `kind` is the exception's type name (`module.Name` as Python prints it), `frames` the traceback,
    outermost first. For a SyntaxError, the last frame is the place in the file named by it, with
    `column` (from 1, or 0 if unknown). `text` is the traceback as Python printed it, if known.
    `cause` is the exception before this one, `cause_is_direct` tells `raise … from` from
    "during handling of".
    """

    kind: str
    message: str
    frames: tuple[Frame, ...] = ()
    changed: tuple[str, ...] = ()
    generation: int = 0
    column: int = 0
    text: str = ""
    cause: Problem | None = None
    cause_is_direct: bool = True
    notes: tuple[str, ...] = ()
    members: tuple[Problem, ...] = ()
    """Of an exception group."""

    @classmethod
    def told(
        cls, facts: Mapping[str, Any], changed: Sequence[str] = (), generation: int = 0
    ) -> Problem:
        """Make a problem of what `refork.program.failure` tells, reading the source lines now."""
        cause = facts["cause"]
        frames = [frame_at(place[0], place[1], place[2], place[3:5]) for place in facts["frames"]]
        syntax = facts["syntax"]
        if syntax is not None:
            frames.append(frame_at(syntax[0], syntax[1], ""))
        return cls(
            kind=facts["kind"],
            message=facts["message"],
            frames=tuple(frames),
            changed=tuple(changed),
            generation=generation,
            column=syntax[2] if syntax else 0,
            cause=cls.told(cause, changed, generation) if cause else None,
            cause_is_direct=facts["direct"],
            notes=tuple(facts["notes"]),
            members=tuple(cls.told(one, changed, generation) for one in facts["members"]),
        )

    @classmethod
    def read(
        cls,
        kind: str,
        message: str,
        places: Iterable[tuple[str, int, str]] = (),
        *,
        syntax: tuple[str, int, int] | None = None,
        changed: Sequence[str] = (),
        generation: int = 0,
        text: str = "",
        cause: Problem | None = None,
        cause_is_direct: bool = True,
    ) -> Problem:
        """Make a problem from plain facts, reading the source lines now.

        `places` are (file, line, function), outermost first; `syntax` is (file, line, column) of a
        SyntaxError. Files that cannot be read are shown without their lines; nothing is raised.
        """
        frames = [frame_at(*place) for place in places]
        if syntax is not None:
            frames.append(frame_at(syntax[0], syntax[1], ""))
        return cls(
            kind=kind,
            message=message,
            frames=tuple(frames),
            changed=tuple(changed),
            generation=generation,
            column=syntax[2] if syntax else 0,
            text=text,
            cause=cause,
            cause_is_direct=cause_is_direct,
        )

    @property
    def title(self) -> str:
        """The last line of the traceback."""
        return f"{self.kind}: {self.message}" if self.message else self.kind

    @property
    def shown(self) -> tuple[Frame, ...]:
        """The frames worth showing: all but the machinery's."""
        return tuple(frame for frame in self.frames if not frame.is_machinery)

    @property
    def focus(self) -> Frame | None:
        """The frame to look at first: in a changed file, else in the project, else the last."""
        inner_first = self.shown[::-1]
        changed = {os.path.realpath(path) for path in self.changed}
        in_changed = (one for one in inner_first if os.path.realpath(one.file) in changed)
        in_project = (one for one in inner_first if not one.is_library)
        return next(in_changed, None) or next(in_project, None) or next(iter(inner_first), None)


def frame_at(file: str, line: int, function: str, span: Sequence[int] = (0, 0)) -> Frame:
    """The frame with the lines around `line` read from `file`; without them if that fails.

    `span` counts bytes in UTF-8, as code objects do.
    """
    context = lines_around(file, line)
    text = next((one.text for one in context if one.number == line), "")
    return Frame(file, line, function, context, _columns(text, *span))


def _columns(text: str, start: int, end: int) -> tuple[int, int]:
    """The characters for some bytes of a line; (0, 0) if they are not all there, or are all of it."""
    data = text.encode("utf-8", "replace")
    if not 0 <= start < end <= len(data):
        return (0, 0)
    first = len(data[:start].decode("utf-8", "ignore"))
    last = len(data[:end].decode("utf-8", "ignore"))
    return (0, 0) if text[first:last] == text.strip() else (first, last)


def lines_around(file: str, line: int) -> tuple[SourceLine, ...]:
    """Up to CONTEXT lines on either side of `line`, decoded as Python would decode the file."""
    try:
        if not os.path.isfile(file) or os.path.getsize(file) > MAX_SOURCE:
            return ()
        with open(file, "rb") as raw:
            encoding, _ = tokenize.detect_encoding(raw.readline)
        with open(file, encoding=encoding, errors="replace") as source:
            lines = source.read().split("\n")
    except (OSError, SyntaxError, LookupError, ValueError):
        return ()  # gone, unreadable, a NUL in its name, or an encoding that does not exist
    first, last = max(1, line - CONTEXT), min(len(lines), line + CONTEXT)
    return tuple(SourceLine(n, lines[n - 1][:WIDTH]) for n in range(first, last + 1))
