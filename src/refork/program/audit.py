"""What the audit events of the interpreter tell (PEP 578): data files, writes, listings, and barriers to come."""

from __future__ import annotations

import os
import sys

from refork.program import forking, park, sockets
from refork.program.barriers import FDS, barriers, brinks
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
    sockets.listened.append(look_less)
    forking.look_at_handlers()


def look_less() -> None:
    """What happens often, and is of no interest to any checkpoint now: the program serves, or there is none."""
    for event in OFTEN:
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
    return place_of(_nearest(is_ours))


def nearest_cause() -> Any:
    """Its frame, but never one of the standard library: many different things are done by one statement of it."""
    return _nearest(lambda frame: is_ours(frame) or is_standard(frame.f_code.co_filename))


def _nearest(is_passed: Callable[[Any], bool]) -> Any:
    frame: Any = sys._getframe(1)
    while frame is not None and is_passed(frame):
        frame = frame.f_back
    return frame


def is_ours(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("refork.")


PROBES = {("urllib3.util.connection", "_has_ipv6")}
"""Functions that a library calls when it is imported, to learn what the machine can do: what they open, they
close."""


def brink(what: str) -> None:
    """The program is about to do what cannot be forked: the last moment for a checkpoint."""
    if not (ladder.enabled() and ladder.moved_on()):
        return
    frame = nearest_cause()
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


def is_in_memory(database: Any) -> bool:
    """Whether a database of SQLite's is one that nobody else sees, and that goes with the connection."""
    name = os.fsdecode(database)
    is_uri = name.startswith("file:")
    return name in ("", ":memory:") or (is_uri and (":memory:" in name or "mode=memory" in name))


def _on_database(args: tuple[Any, ...]) -> None:
    if not is_in_memory(args[0]):
        brink("connects to a database")
        _later("on_database")(args)


def _on_mapping(_args: tuple[Any, ...]) -> None:
    brink("maps memory")
    barriers.mapped = True


def _brink_before(what: str) -> Callable[[tuple[Any, ...]], None]:
    return lambda _args: brink(what)


def _later(name: str) -> Callable[[tuple[Any, ...]], None]:
    """A handler in `world`, which is loaded when something of the kind is done: few programs do it."""

    def handle(args: tuple[Any, ...]) -> None:
        if journal.loading and not (args and type(args[0]) is str and is_cache(args[0])):
            from refork.program import world

            getattr(world, name)(args)

    return handle


SKIPPED = ("/proc/", "/sys/", "/dev/")
BYTECODE = (".pyc", ".pyo")


def is_no_file(name: str) -> bool:
    """Whether a path is the kernel's or a device's; in /dev/shm there are ordinary files."""
    return name.startswith(SKIPPED) and not name.startswith("/dev/shm/")


def after(
    first: Callable[[tuple[Any, ...]], None], handler: Callable[[tuple[Any, ...]], None]
) -> Callable[[tuple[Any, ...]], None]:
    """A handler that comes after another one, with no frames between it and the event but those of this file."""

    def both(args: tuple[Any, ...]) -> None:
        first(args)
        handler(args)

    return both


def _on_open(args: tuple[Any, ...]) -> None:
    path, mode, flags = args
    if not isinstance(path, (str, bytes)):
        return
    name = os.fsdecode(path)
    writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) if flags else 0
    if mode is not None and isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
    append = bool(flags and flags & os.O_APPEND) or mode in ("a", "ab")
    for one in _meant(name) if mode is None else (os.path.abspath(name),):
        if is_no_file(one) or is_cache(one):
            continue
        if writes:
            _on_write(one, append)
        elif journal.loading and not is_library(one) and not one.endswith(BYTECODE):
            _on_read(one)


def _meant(name: str) -> list[str]:
    """The files that `os.open` may open by this name."""
    if name[:1] == "/" or not journal.loading:
        return [os.path.abspath(name)]
    from refork.program import world

    return world.possible(name)


def is_cache(name: str) -> bool:
    """Whether Python keeps bytecode there: what is missing it makes again, and what is there tells nothing."""
    if "__pycache__" in name:
        return True
    prefix = sys.pycache_prefix
    return prefix is not None and os.path.join(name, "").startswith(
        os.path.join(os.path.abspath(prefix), "")
    )


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
            changes(f"it wrote {name}")
    else:
        brink(f"makes {name}")
        barriers.made_here(real(name), f"it made {name}")


def changes(what: str) -> None:
    if not barriers.changed:
        brink(what)
        barriers.changed = what


def _on_rename(args: tuple[Any, ...]) -> None:
    target = path_of(args[1], args[3])
    if not is_cache(target):
        journal.note("wrote", target)
        _later("on_rename")(args)


def path_of(value: Any, folder: int = -1) -> str:
    """The path of an argument: a name, in a folder that is open where there is one, or a descriptor; or ""."""
    try:
        if isinstance(value, int):
            return os.readlink(f"{FDS}/{value}")
        name = os.fsdecode(value)
        return os.path.abspath(
            name if folder < 0 else os.path.join(os.readlink(f"{FDS}/{folder}"), name)
        )
    except (TypeError, OSError):
        return ""


def real(name: str) -> str:
    """The same however its folder is spelled: a folder that is open has one name."""
    folder, base = os.path.split(name)
    return os.path.join(os.path.realpath(folder), base)


def _on_listing(args: tuple[Any, ...]) -> None:
    if not journal.loading or _by_import_system():
        return
    name = path_of(args[0] if args[0] is not None else ".")
    if not name or is_no_file(name) or is_library(name + os.sep):
        return
    if barriers.made and real(name) in barriers.made:
        return  # its own, as what is in there
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
    "os.remove": _later("on_remove"),
    "os.rmdir": _later("on_remove"),
    "os.rename": _on_rename,
    "os.mkdir": _later("on_make"),
    "os.link": _later("on_link"),
    "os.symlink": _later("on_link"),
    "object.__getattr__": _on_attribute,
    "sys._getframe": _on_frame,
    **dict.fromkeys(("os.fork", "os.forkpty"), after(_on_fork, _later("on_fork"))),
    **dict.fromkeys(
        ("os.posix_spawn", "os.system", "subprocess.Popen"),
        after(_brink_before("starts a process"), _later("on_process")),
    ),
    "os.exec": _brink_before("replaces itself"),
    "_thread.start_new_thread": _on_thread,
    "_thread.start_joinable_thread": _on_thread,
    "time.sleep": lambda _args: journal.flush(),
    "socket.__new__": _brink_before("opens a socket"),
    "sqlite3.connect": _on_database,
    "mmap.__new__": _on_mapping,
    "builtins.input": _later("on_input"),
    "ctypes.dlopen": _later("on_library"),
    "fcntl.fcntl": _later("on_control"),
    "fcntl.flock": _later("on_flock"),
    "fcntl.lockf": _later("on_flock"),
    "os.chmod": _later("on_status"),
    "os.chown": _later("on_status"),
    "os.removexattr": _later("on_change"),
    "os.setxattr": _later("on_change"),
    "os.truncate": _later("on_change"),
    "os.utime": _later("on_status"),
    "socket.connect": _later("on_talk"),
    "socket.sendmsg": _later("on_talk"),
    "socket.sendto": _later("on_talk"),
}
if not IMMORTAL_NAMES:
    HANDLERS["exec"] = _on_text  # later versions tell of each code object that runs

OFTEN = (
    *("exec", "object.__getattr__", "sys._getframe"),
    *("fcntl.fcntl", "socket.connect", "socket.sendmsg", "socket.sendto"),
)
"""What servers do all the time."""
