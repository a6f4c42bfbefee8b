"""What makes a fork of this process inexact, looked for at every checkpoint.

Each check answers with a reason that a person understands, or "" where nothing stands in the way.
"""

from __future__ import annotations

import _signal
import _thread
import gc
import os
import sys
from stat import S_ISREG, S_ISSOCK
from time import monotonic, sleep

from refork.program.journal import journal, own_names
from refork.program.loops import loop_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TASKS = "/proc/self/task"
FDS = "/proc/self/fd"

POOLS_THAT_SURVIVE = {
    "cv2", "matplotlib", "numexpr", "numpy", "pandas", "pyarrow", "scipy", "skimage", "sklearn", "torch",
}  # fmt: skip
"""Packages whose native threads, when a bare import starts them, are known to survive a fork: OpenBLAS has
atfork handlers, jemalloc's background thread is restarted. Threads that come later, by work, do not count."""

STDLIB_LOCKS = (
    ("logging", "_lock"),
    ("concurrent.futures.thread", "_global_shutdown_lock"),
    ("threading", "_active_limbo_lock"),
)
"""Locks that Python renews in a forked child: whoever holds one then cannot release it."""

ENDING = 0.2
"""Seconds that a thread may take to go when it has been joined. It needs a processor for that, and on a busy
machine waits for one; where the threads that are left are native ones and stay, this is lost once for each."""

LOOK_AGAIN = 0.0005
"""Seconds between two looks at a thread that goes; it may be waiting for the very processor that looks."""

O_ACCMODE = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


class Barriers:
    """What is known of this process that a look at it now would not show."""

    def __init__(self) -> None:
        self.inherited: set[int] = set()
        """Descriptors that were there before the program: what the launcher passed on."""
        self.ours: set[int] = set()
        """Descriptors of refork's own."""
        self.pool_threads = 0
        """Native threads that came with the bare import of POOLS_THAT_SURVIVE."""
        self.own_threads = 0
        """Threads of refork's own, which are stopped for a fork (see `hearing`)."""
        self.made: dict[str, str] = {}
        """Files and folders the program made, with what it did: a later start would find them there."""
        self.mapped = False
        """Whether the program has mapped memory, which may be shared."""
        self.started = False
        """Whether a thread was started from Python since threads were counted last."""
        self.lasting = 0
        """Threads that were waited for in vain: native ones, which stay."""
        self.changed = ""
        """Something the program did for good: it changed the outside world, or took from it; or ""."""
        self._input = -1
        """Where in a file standard input stood when the program began; -1: it is no file."""
        self._texts = 0
        """How many texts it held then."""
        self._terminal: Callable[[], object] | None = None
        """Tells the modes of the terminal, if standard input is one of this job's."""
        self._modes: object = None
        """What they were when the program began; None: it was not in the foreground."""

    def find_terminal(self) -> None:
        """Be able to tell the modes of the terminal: in root, where nobody waits."""
        self._terminal = _terminal()

    def begins(self) -> None:
        """Note how things are right before the program's first line."""
        self._input, self._texts = _place_of_input(), _texts_of_input()
        self._modes = self._terminal() if self._terminal is not None else None

    def made_here(self, path: str, what: str) -> None:
        if not self.changed and path not in self.made:
            self.made[path] = what

    def found(self) -> str:
        """Return why a fork now would be inexact, or ""."""
        return (
            _waiting_signal()
            or _alone()
            or self._tracing()
            or self._changes()
            or self._threads()
            or _children()
            or _locks()
            or _timers()
            or _leading()
            or self._standard_input()
            or self._descriptors()
            or self._shared_memory()
        )

    def _tracing(self) -> str:
        """What it has noted so far is of a part of the program: it stays in the way when it has ended."""
        reason = _tracing()
        if reason and not self.changed:
            self.changed = reason
        return reason

    def _standard_input(self) -> str:
        moved = self._input >= 0 and _place_of_input() != self._input
        if moved or _texts_of_input() > self._texts:
            return "standard input was read"
        if self._terminal and self._modes and self._terminal() not in (None, self._modes):
            return "the modes of the terminal were changed"
        begun = "LINES" in own_names(sys.modules.get("_curses"))
        return "curses has the terminal" if begun else ""

    def _changes(self) -> str:
        if self.changed:
            return self.changed
        for path, what in list(self.made.items()):
            if os.path.lexists(path):
                return what
            del self.made[path]
        return ""

    def _threads(self) -> str:
        extra = task_count() - 1 - self.pool_threads - self.own_threads
        if extra > self.lasting and self.started and not _thread._count():
            # a thread that was joined is still there for a moment (pthread_exit comes later)
            self.started = False
            until = monotonic() + ENDING
            while extra > 0 and monotonic() < until:
                sleep(LOOK_AGAIN)
                extra = task_count() - 1 - self.pool_threads - self.own_threads
            self.lasting = extra
        return f"{extra} other thread{'s' * (extra > 1)} running" if extra > 0 else ""

    def _shared_memory(self) -> str:
        """What one generation writes into shared memory, the next would find there."""
        if not self.mapped:
            return ""
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            shared = any(line.partition(" ")[2][:4] in ("rw-s", "-w-s") for line in maps)
        return "memory is mapped that may be shared" if shared else ""

    def _descriptors(self) -> str:
        known = self.inherited | self.ours | loop_descriptors()
        for entry in os.listdir(FDS):
            fd = int(entry)
            if fd in known:
                continue
            reason = _descriptor(fd)
            if reason:
                return reason
        return ""


def task_count() -> int:
    """How many threads the kernel counts in this process; `threading` does not see native ones."""
    return len(os.listdir(TASKS))


def _waiting_signal() -> str:
    """The program may take it at any time, and a fork does not inherit it."""
    return "a signal waits that the program has blocked" if _signal.sigpending() else ""


def _alone() -> str:
    """Nobody would hear of a checkpoint, and the process that parks would take that for the supervisor's end."""
    channel = journal.channel
    try:
        if channel is not None and S_ISSOCK(os.fstat(channel.fileno()).st_mode):
            return ""
    except OSError:
        pass  # the program has closed all it found open
    return "the channel to refork is closed"


def _tracing() -> str:
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return "a debugger, profiler or coverage is tracing"
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None and any(monitoring.get_tool(tool) for tool in (0, 1, 2)):
        return "a debugger, profiler or coverage is monitoring"
    return ""


def read_small(path: str) -> bytes:
    """Return the contents of a small file of /proc."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 65536)
    finally:
        os.close(fd)


def _children() -> str:
    pid = os.getpid()
    try:
        children = read_small(f"/proc/{pid}/task/{pid}/children").split()
    except OSError:
        return ""
    return f"a child process is running (pid {int(children[0])})" if children else ""


def _locks() -> str:
    for module, name in STDLIB_LOCKS:
        lock = own_names(sys.modules.get(module)).get(name)
        if lock is not None and _held(lock):
            return f"{module} holds its lock"
    logging = own_names(sys.modules.get("logging"))
    for handler in list(logging.get("_at_fork_reinit_lock_weakset", ())):
        lock = own_names(handler).get("lock")
        if lock is not None and _held(lock):
            return "a handler of logging holds its lock"
    return ""


def _held(lock: Any) -> bool:
    owned = getattr(lock, "_is_owned", None)
    if owned is not None:
        return bool(owned())
    return bool(lock.locked())


def _leading() -> str:
    """A child leads neither a session nor a group of processes: `setsid` and `setpgrp` make one lead both."""
    return "it leads a group of processes" if os.getpgrp() == os.getpid() else ""


def _timers() -> str:
    for timer in (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF):
        if _signal.getitimer(timer)[0]:
            return "an interval timer is running"
    return ""


HARMLESS = (
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/pts/",
)


def _descriptor(fd: int) -> str:
    try:
        target = os.readlink(f"{FDS}/{fd}")
    except OSError:
        return ""  # the listing's own descriptor, closed by now
    if target.startswith(HARMLESS):
        return ""
    if not target.startswith("/"):
        kind, _, name = target.partition(":")
        return f"an open {name.strip('[]') if kind == 'anon_inode' else kind}"
    if target.startswith("/dev/"):
        return f"an open device ({target})"
    return _open_file(fd, target)


def _open_file(fd: int, target: str) -> str:
    flags, locked = description(fd)
    if locked:
        return f"{target} is locked"
    if flags & O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND:
        return f"{target} is open for writing"
    return ""


def description(fd: int) -> tuple[int, bool]:
    """The flags an open file was opened with, and whether this process has locked it (proc(5), fdinfo)."""
    flags, locked = 0, False
    for line in read_small(f"/proc/self/fdinfo/{fd}").splitlines():
        if line.startswith(b"flags:"):
            flags = int(line.split()[1], 8)
        locked = locked or line.startswith(b"lock:")
    return flags, locked


def open_descriptors() -> set[int]:
    """What the launcher passed on; not the descriptor by which they are listed, whose number is free again."""
    try:
        listed = [int(entry) for entry in os.listdir(FDS)]
    except OSError:
        return {0, 1, 2}
    return {fd for fd in listed if os.path.lexists(f"{FDS}/{fd}")}


def _place_of_input() -> int:
    """Where in a file standard input stands; -1: it is none, and nothing can be read twice."""
    try:
        return os.lseek(0, 0, os.SEEK_CUR) if S_ISREG(os.fstat(0).st_mode) else -1
    except OSError:
        return -1


def _texts_of_input() -> int:
    """How many texts Python's standard input holds: one more when it has read ahead of what was asked for."""
    return sum(type(held) is str for held in gc.get_referents(sys.__stdin__))


def _terminal() -> Callable[[], object] | None:
    """What tells the modes of the terminal on standard input, without a module left that was not there."""
    if not os.isatty(0):
        return None
    there, folders = set(sys.modules), set(sys.path_importer_cache)
    try:
        import termios
    except ImportError:
        return None
    finally:
        for name in set(sys.modules) - there:
            del sys.modules[name]
        for folder in set(sys.path_importer_cache) - folders:
            del sys.path_importer_cache[folder]
    tell, failed = termios.tcgetattr, termios.error

    def modes() -> object:
        try:
            return (
                tell(0) if os.tcgetpgrp(0) == os.getpgrp() else None
            )  # in the background: the shell's
        except (OSError, failed):
            return None

    return modes


SOON = 0.002
"""Seconds after a checkpoint in haste when it may be seen first whether there was reason for it."""


class Brinks:
    """Places that looked like the last moment for a checkpoint.

    A program that connects to a database, opens a socket or starts a process may go on with it for good, or
    have it closed a moment later: libraries try at import what the machine can do. Nobody knows beforehand, so
    there is a checkpoint before the first time. If no barrier is met later on, that place was passed, and from
    then on it is worth no more than any other.
    """

    def __init__(self) -> None:
        self.taken: list[int] = []
        """Checkpoints that were taken at those places of which nobody knows yet."""
        self._passed: set[str] = set()
        self._open: list[str] = []
        """Those places."""
        self._wait = 0.0
        self._next_look = 0.0

    def add(self, place: str, checkpoint: int) -> None:
        """A checkpoint was taken at a place; 0: an earlier one was resumed there."""
        self._open.append(place)
        if checkpoint:
            self.taken.append(checkpoint)
            self._wait = SOON
            self._next_look = monotonic() + SOON

    def is_time_to_look(self) -> bool:
        """Whether one of these checkpoints may have turned out to be for nothing: asked ever less often."""
        if not self.taken or monotonic() < self._next_look:
            return False
        self._wait *= 2
        self._next_look = monotonic() + self._wait
        return True

    def look(self, barrier: str) -> None:
        """There will be another checkpoint, unless a `barrier` was found."""
        if not barrier:
            self._passed.update(self._open)
        self._open.clear()
        self.taken.clear()

    def is_passed(self, place: str) -> bool:
        """Whether what was done here before was soon undone."""
        return place in self._passed


barriers = Barriers()
brinks = Brinks()
