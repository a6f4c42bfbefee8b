"""The fork itself, what it would change, how many pages it shares, and how to start afresh instead."""

from __future__ import annotations

import _signal
import os
import sys

from refork.program.barriers import task_count
from refork.program.frames import hidden, put_in_place
from refork.program.journal import is_standard, journal, own_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from refork.program.channel import Channel


real_fork: Any = getattr(os, "fork", None)
"""As it is now: programs put functions of their own in the place of those of `os` (gevent, eventlet)."""

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def own_pages() -> int:
    """How many pages of this process are not of files (statm, proc(5)); 0 where that is not known."""
    try:
        with open("/proc/self/statm", "rb") as file:
            _size, resident, shared, *_rest = file.read().split()
    except OSError:
        return 0
    return int(resident) - int(shared)


forks = False
"""Whether refork itself forks just now."""


def fork() -> int:
    """`os.fork()` as refork's own, of which no handler of the program's is told."""
    global forks
    forks = True
    try:
        return _fork_silently()
    finally:
        forks = False


def look_at_handlers() -> None:
    """Handlers of forks that a program registers are for its own forks: a cold start would see none of refork's.

    Those of the standard library run in any case: what they do is known, and made good where it has to be.
    """
    original = getattr(os, "register_at_fork", None)
    if original is None:
        return

    @hidden
    def register_at_fork(*args: Any, **handlers: Any) -> None:
        if not _is_called_by_library():
            handlers = {name: _not_for_ours(handler) for name, handler in handlers.items()}
        original(*args, **handlers)

    for module in (os, sys.modules["posix"]):
        put_in_place(module, "register_at_fork", register_at_fork)


def _is_called_by_library() -> bool:
    """Whether the standard library has called what calls this."""
    journal.quiet += 1
    try:
        frame: Any = sys._getframe()
        while frame is not None and frame.f_globals is globals():
            frame = frame.f_back
        return frame is not None and is_standard(frame.f_code.co_filename)
    finally:
        journal.quiet -= 1


def _not_for_ours(handler: Any) -> Any:
    if not callable(handler):
        return handler

    @hidden
    def handle() -> None:
        if not forks:
            handler()

    handle.__name__ = handle.__qualname__ = getattr(handler, "__qualname__", "handler")
    return handle


def _fork_silently() -> int:
    """`os.fork()` without the warning of 3.12+ about threads: which ones may be here is known (`barriers`)."""
    warnings = sys.modules.get("_warnings")
    if sys.version_info < (3, 12) or warnings is None or task_count() == 1:
        return int(real_fork())
    silence = ("ignore", None, DeprecationWarning, None, 0)
    warnings.filters.insert(0, silence)
    _filters_mutated(warnings)
    try:
        return int(real_fork())
    finally:
        warnings.filters.remove(silence)
        _filters_mutated(warnings)


def _filters_mutated(warnings: Any) -> None:
    for name in ("_filters_mutated", "_filters_mutated_lock_held"):  # renamed in 3.14
        mutated = getattr(warnings, name, None)
        if mutated is not None:
            mutated()
            return


def random_state() -> Any:
    """Where `random` is in its sequence; None: nobody has imported it."""
    source = own_names(sys.modules.get("random")).get("_inst")
    return None if source is None else source.getstate()


def restore_random(state: Any) -> None:
    """`random` seeds itself anew in a forked child; a cold start would have gone on in its sequence."""
    if state is not None:
        own_names(sys.modules["random"])["_inst"].setstate(state)


def renew_main_thread() -> None:
    """`threading` has the kernel's number of its main thread from the process that imported it."""
    main: Any = own_names(sys.modules.get("threading")).get("_main_thread")
    if "_native_id" in own_names(main):
        main._native_id = os.getpid()


def execute(own: Channel, message: tuple[Any, ...], fds: list[int]) -> None:
    """Start a fresh interpreter as the program: where checkpoints are not wanted."""
    pid = real_fork()
    if not pid:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        command = message[1]
        for index, fd in enumerate(fds):
            os.set_inheritable(fd, True)
            command = [part.replace(f"{{{index}}}", str(fd)) for part in command]
        try:
            os.execv(command[0], command)
        finally:
            os._exit(127)
    for fd in fds:
        os.close(fd)
    own.send("forked", pid)
