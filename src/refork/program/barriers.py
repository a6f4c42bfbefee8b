"""What makes a fork of this process inexact, looked for at every checkpoint.

Each check answers with a reason that a person understands, or "" where nothing stands in the way.
"""

from __future__ import annotations

import _thread
import os
import sys
from time import monotonic, sleep

from refork.program.loops import loop_descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
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
        """Something the program changed in the outside world for good, or ""."""

    def made_here(self, path: str, what: str) -> None:
        if not self.changed and path not in self.made:
            self.made[path] = what

    def found(self) -> str:
        """Return why a fork now would be inexact, or ""."""
        return (
            _tracing()
            or self._changes()
            or self._threads()
            or _children()
            or _locks()
            or _timers()
            or self._descriptors()
            or self._shared_memory()
        )

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
        lock = getattr(sys.modules.get(module), name, None)
        if lock is not None and _held(lock):
            return f"{module} holds its lock"
    return ""


def _held(lock: Any) -> bool:
    owned = getattr(lock, "_is_owned", None)
    if owned is not None:
        return bool(owned())
    return bool(lock.locked())


def _timers() -> str:
    signal = sys.modules.get("_signal")
    if signal is None:
        return ""
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        if signal.getitimer(timer)[0]:
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
    flags = _flags(fd)
    if flags & O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND:
        return f"{target} is open for writing"
    return ""


def _flags(fd: int) -> int:
    """The flags an open file was opened with (proc(5), fdinfo)."""
    for line in read_small(f"/proc/self/fdinfo/{fd}").splitlines():
        if line.startswith(b"flags:"):
            return int(line.split()[1], 8)
    return 0


def renew_files(known: Iterable[int]) -> None:
    """Open the regular files of this process again, so that their offsets are no longer shared.

    `/proc/self/fd/N` opens the same inode even if its name is gone.
    """
    known = set(known)
    for entry in os.listdir(FDS):
        fd = int(entry)
        if fd not in known and fd > 2:
            _renew_file(fd)


def _renew_file(fd: int) -> None:
    try:
        if not os.readlink(f"{FDS}/{fd}").startswith("/") or _flags(fd) & O_ACCMODE != os.O_RDONLY:
            return
        position = os.lseek(fd, 0, os.SEEK_CUR)
        again = os.open(f"{FDS}/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # not seekable, or not readable: nothing to share
    inheritable = os.get_inheritable(fd)
    os.lseek(again, position, os.SEEK_SET)
    os.dup2(again, fd, inheritable)
    os.close(again)


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
