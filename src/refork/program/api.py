"""What a program, or an adapter on its behalf, may ask of refork while it runs.

What is asked for before a checkpoint holds for every program resumed from it; the supervisor keeps
account.
"""

from __future__ import annotations

import os
import sys
import time

from refork.program import park
from refork.program.journal import journal
from refork.program.ladder import ladder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Handler = Callable[[list[str]], object]


def inside() -> bool:
    """Whether this process is a program that refork runs, or a forked child of one."""
    return journal.channel is not None


def is_program() -> bool:
    """Whether this process is the program itself, and no child of its own making."""
    return journal.channel is not None and os.getpid() == journal.pid


def follow() -> None:
    """Have refork end when the program ends: what a framework's own reloader would do."""
    journal.tell("follow")


def wait() -> None:
    """Have refork wait for a change when the program ends now, whatever its exit code."""
    journal.tell("wait")


def say(text: str) -> None:
    """Have refork say this once on its terminal."""
    journal.tell("say", text)


def three_fails() -> None:
    """Say that exit code 3 means a failure to this program, and not that it wants to be started
    again.
    """
    _register("three_fails", "")


def watch(pattern: str) -> None:
    """Restart when a file that `pattern` (a path, a folder or a glob) names changes."""
    _register("watch", os.path.abspath(pattern))


def appear(pattern: str) -> None:
    """Restart when a file appears that `pattern` names, and that would have been loaded."""
    _register("appear", os.path.abspath(pattern))


def refresh(pattern: str) -> None:
    """Have browsers refreshed when a file that `pattern` names changes, and nothing restarted."""
    _register("refresh", os.path.abspath(pattern))


def exclude(pattern: str) -> None:
    """Do not react to files that `pattern` names; its `*` crosses folders, as in `fnmatch`."""
    _register("exclude", pattern)


def handle(pattern: str, handler: Handler, by: str) -> None:
    """Offer changes of files that `pattern` names to `handler`, before a restart is thought of.

    `handler(paths)` returns whether all is dealt with, or the set of those paths that are. It is
    called in a thread of refork's. `by` is who the event says handled it. In a forked child, which
    hears nothing, a change restarts.
    """
    if not is_program():
        watch(pattern)
        return
    from refork.program.hearing import hearing

    pattern = os.path.abspath(pattern)
    hearing.add(pattern, handler, by)
    _register("handle", pattern)


def checkpoint() -> bool:
    """Take a checkpoint here; return whether one was taken. A program resumed from it comes here
    again.
    """
    if not is_program():
        return False
    return park.take("ladder", _caller())


def brink(at: str) -> None:
    """Take the deepest checkpoint here, if loading has gone on since the last one; `at` is
    `path:line`.
    """
    if ladder.enabled() and ladder.moved_on():
        park.take("brink", at)


def live_script() -> str:
    """The tag of live reload for a page of this program; "" where it is off."""
    from refork.adapters.insert import live_origin, tag

    origin = live_origin()
    return tag(origin) if origin else ""


def generation() -> int:
    """The number of the program's generation."""
    return journal.generation


def tell_error(error: BaseException) -> None:
    """Tell of an exception that ended the program although somebody caught it: it waits for a
    change then.
    """
    from refork.program.main import tell_error as tell

    tell(error)


def escape(folder: str) -> str:
    """A folder as a pattern that names just it, whatever characters it has."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in folder)


def watch_all(patterns: Iterable[object]) -> None:
    """`watch`, for whatever a framework was given as paths."""
    for pattern in patterns:
        watch(os.fspath(pattern) if isinstance(pattern, os.PathLike) else str(pattern))


CLOCK_OF_FILES = 5
"""CLOCK_REALTIME_COARSE (time(7)): what Linux stamps files with, a few milliseconds behind the time
of day.
"""


def _register(kind: str, pattern: str) -> None:
    """Tell a wish, and when it was made: files changed after that have changed for the program."""
    try:
        at = time.clock_gettime_ns(CLOCK_OF_FILES)
    except (AttributeError, OSError):
        at = time.time_ns()
    journal.tell("register", kind, pattern, at)


def _caller() -> str:
    journal.quiet += 1
    try:
        frame = sys._getframe(1)
        while frame.f_back is not None and os.sep + "refork" + os.sep in frame.f_code.co_filename:
            frame = frame.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    finally:
        journal.quiet -= 1
