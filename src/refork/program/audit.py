"""What the audit events of the interpreter tell (PEP 578): data files, writes, listings, and barriers to come."""

from __future__ import annotations

import os
import sys

from refork.program import park, sockets
from refork.program.barriers import barriers, brinks
from refork.program.evidence import IMMORTAL_NAMES, evidence, place_of
from refork.program.frames import hidden, put_in_place
from refork.program.journal import fingerprint, is_library, is_standard, journal
from refork.program.ladder import ladder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def install() -> None:
    """Listen to audit events, for the life of the process: there is no way to take a hook out.

    The hook holds what it needs: at the very end it is called when the names of this module are gone.
    """
    handlers, notes, found, over = HANDLERS, journal, barriers, sys.is_finalizing
    bytecode = BYTECODE

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event not in handlers or notes.quiet or over():
            return
        if event == "open":
            path = args[0]
            if type(path) is str and path[-4:] in bytecode and "__pycache__" in path:
                return  # the commonest by far
        notes.quiet += 1
        try:
            handlers[event](args)
        except Exception as error:  # an observation must not change what the program does ...
            found.changed = f"refork could not follow {event}: {error!r}"  # ... nor be lost
        finally:
            notes.quiet -= 1

    # hidden also because a signal is often taken at the start of it: its handler's traceback is the program's
    sys.addaudithook(hidden(audit))
    sockets.listened.append(stop_looking_at_readers)


def stop_looking_at_readers() -> None:
    """Who reads code and frames now is of no interest to any checkpoint: the program serves, or there is none."""
    for event in ("object.__getattr__", "sys._getframe", "exec"):
        HANDLERS.pop(event, None)


def _by_import_system() -> bool:
    """Whether the import system itself is doing this: its reads and listings are recorded elsewhere."""
    frame = reader()
    if frame is None or not frame.f_code.co_filename.startswith("<frozen importlib"):
        return False
    # a loader's `get_data` and `get_source` are for programs, too
    caller = frame.f_back if frame.f_code.co_name == "get_data" else None
    return caller is None or caller.f_code.co_name == "get_code"


def where() -> str:
    """`path:line` of the user's or a library's statement that is being executed."""
    return place_of(_nearest(_is_ours))


def _cause() -> Any:
    """Its frame, but never one of the standard library: many different things are done by one statement of it."""
    return _nearest(lambda frame: _is_ours(frame) or is_standard(frame.f_code.co_filename))


def _nearest(is_passed: Callable[[Any], bool]) -> Any:
    frame: Any = sys._getframe(1)
    while frame is not None and is_passed(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("refork.")


PROBES = {("urllib3.util.connection", "_has_ipv6")}
"""Functions that a library calls when it is imported, to learn what the machine can do: what they open, they
close."""


def brink(what: str) -> None:
    """The program is about to do what cannot be forked: the last moment for a checkpoint."""
    if not (ladder.enabled() and ladder.moved_on()):
        return
    frame = _cause()
    if frame is not None and (frame.f_globals.get("__name__"), frame.f_code.co_name) in PROBES:
        return
    cause, number, start = place_of(frame), ladder.next_id, ladder.start
    if (ladder.pays() or not brinks.is_passed(cause)) and park.take("brink", where()):
        brinks.add(cause, number if ladder.start is start else 0)


def _on_thread(_args: tuple[Any, ...]) -> None:
    barriers.started = True
    starter = reader()
    if starter is None or starter.f_globals.get("__name__") != "threading":
        brink("starts a thread")


def _on_database(args: tuple[Any, ...]) -> None:
    if args[0] not in IN_MEMORY:
        brink("connects to a database")


def _on_mapping(_args: tuple[Any, ...]) -> None:
    brink("maps memory")
    barriers.mapped = True


def _brink_before(what: str) -> Callable[[tuple[Any, ...]], None]:
    return lambda _args: brink(what)


IN_MEMORY = (":memory:", b":memory:")
"""What SQLite calls a database that nobody else sees, and that goes with the connection."""

SKIPPED = ("/proc/", "/sys/", "/dev/")
BYTECODE = (".pyc", ".pyo")


def _is_no_file(name: str) -> bool:
    """Whether a path is the kernel's or a device's; in /dev/shm there are ordinary files."""
    return name.startswith(SKIPPED) and not name.startswith("/dev/shm/")


def _on_open(args: tuple[Any, ...]) -> None:
    path, mode, flags = args
    if not isinstance(path, (str, bytes)):
        return
    name = os.path.abspath(os.fsdecode(path))
    if _is_no_file(name) or "__pycache__" in name:
        return
    writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) if flags else 0
    if mode is not None and isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
    if writes:
        _on_write(name, bool(flags and flags & os.O_APPEND) or mode in ("a", "ab"))
    elif journal.loading and not is_library(name) and not name.endswith(BYTECODE):
        _on_read(name)


def _on_read(name: str) -> None:
    if _by_import_system() or os.path.isdir(name):
        return
    journal.note("read", name, fingerprint(name))
    journal.flush()


def _on_write(name: str, append: bool) -> None:
    journal.note("wrote", name)
    journal.flush()
    if append and os.path.exists(name):
        return  # like output: what was written before the checkpoint is not written again
    if os.path.exists(name):
        if os.path.isfile(name):
            _changes(f"it wrote {name}")
    else:
        brink(f"makes {name}")
        barriers.made_here(name, f"it made {name}")


def _changes(what: str) -> None:
    if not barriers.changed:
        brink(what)
        barriers.changed = what


def _path(value: Any) -> str:
    try:
        return os.path.abspath(os.fsdecode(value))
    except TypeError:
        return ""


def _on_remove(args: tuple[Any, ...]) -> None:
    name = _path(args[0])
    if "__pycache__" not in name and name not in barriers.made and os.path.lexists(name):
        _changes(f"it removed {name}")


def _on_rename(args: tuple[Any, ...]) -> None:
    source, target = _path(args[0]), _path(args[1])
    if "__pycache__" in target:
        return
    journal.note("wrote", target)
    if source in barriers.made and not os.path.lexists(target):
        barriers.made_here(target, f"it made {target}")
    else:
        _changes(f"it renamed {source}")


def _on_make(args: tuple[Any, ...]) -> None:
    name = _path(args[0])
    if "__pycache__" not in name and not os.path.lexists(name):
        brink(f"makes {name}")
        barriers.made_here(name, f"it made {name}")


def _on_link(args: tuple[Any, ...]) -> None:
    name = _path(args[1])
    if not os.path.lexists(name):
        barriers.made_here(name, f"it made {name}")


def _on_listing(args: tuple[Any, ...]) -> None:
    if not journal.loading or _by_import_system():
        return
    name = _path(args[0] if args[0] is not None else ".")
    if not name or _is_no_file(name) or is_library(name + os.sep):
        return
    if os.path.lexists(name):
        journal.note("listing", name, _names(name))
    else:
        journal.note("read", name, None)  # a folder that comes where one was missed is a change


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _on_attribute(args: tuple[Any, ...]) -> None:
    if args[1] == "__code__":
        evidence.code_read(args[0], reader())


def _on_text(args: tuple[Any, ...]) -> None:
    evidence.executes_text(args[0])


def _on_frame(_args: tuple[Any, ...]) -> None:
    evidence.frame_read(reader())


def reader() -> Any:
    """The frame that did what an audit event tells of."""
    frame: Any = sys._getframe(2)  # a frame that is asked for is made, and it is asked for often
    while frame is not None and frame.f_globals is HERE:  # hidden frames have another file on 3.10
        frame = frame.f_back
    return frame


HERE = globals()


def _on_fork(_args: tuple[Any, ...]) -> None:
    brink("forks")
    journal.flush()


def look_before_threads(threading: Any) -> None:
    """The brink before a thread is before `Thread.start`: that notes the thread, and a fork forgets the note."""
    original = threading.Thread.start

    @hidden
    def start(self: Any) -> None:
        _quiet_brink("starts a thread")
        barriers.started = True  # before 3.12 there is no event that tells
        _renew_handle(self)
        original(self)

    put_in_place(threading.Thread, "start", start)


def _renew_handle(thread: Any) -> None:
    """3.13 takes a thread that was made, and not yet started, before a fork for one that has ended."""
    handle = getattr(thread, "_handle", None)
    if handle is not None and not thread._started.is_set() and handle.is_done():
        thread._handle = type(handle)()


def _quiet_brink(what: str) -> None:
    if not journal.quiet:
        journal.quiet += 1
        try:
            brink(what)
        finally:
            journal.quiet -= 1


def look_before_processes(subprocess: Any) -> None:
    """The brink before a child process is before its pipes are made, and so before the audit event."""
    original = subprocess.Popen.__init__

    @hidden
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        _quiet_brink("starts a process")
        original(self, *args, **kwargs)

    __init__.__wrapped__ = original  # type: ignore[attr-defined]
    put_in_place(subprocess.Popen, "__init__", __init__)


HANDLERS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "open": _on_open,
    "os.listdir": _on_listing,
    "os.scandir": _on_listing,
    "os.remove": _on_remove,
    "os.rmdir": _on_remove,
    "os.rename": _on_rename,
    "os.mkdir": _on_make,
    "os.link": _on_link,
    "os.symlink": _on_link,
    "object.__getattr__": _on_attribute,
    "sys._getframe": _on_frame,
    "os.fork": _on_fork,
    "os.forkpty": _on_fork,
    "os.posix_spawn": _brink_before("starts a process"),
    "os.system": _brink_before("starts a process"),
    "os.exec": _brink_before("replaces itself"),
    "subprocess.Popen": _brink_before("starts a process"),
    "_thread.start_new_thread": _on_thread,
    "_thread.start_joinable_thread": _on_thread,
    "time.sleep": lambda _args: journal.flush(),
    "socket.__new__": _brink_before("opens a socket"),
    "sqlite3.connect": _on_database,
    "mmap.__new__": _on_mapping,
}
if not IMMORTAL_NAMES:
    HANDLERS["exec"] = _on_text  # later versions tell of each code object that runs
