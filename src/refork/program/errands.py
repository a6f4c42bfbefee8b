"""Processes that are forked from a checkpoint to find something out, and never become the program.

They run the user's code, so nothing that it does may reach the world: their terminal is none of the user's,
and they end before what cannot be forked, or before a file is written.
"""

from __future__ import annotations

import os

from refork.program import audit, park
from refork.program.journal import journal
from refork.program.ladder import ladder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from refork.program.channel import Channel

    Handler = Callable[[tuple[Any, ...]], None]
    Point = tuple[int, tuple[tuple[str, int], ...], str]
    """A point of the program: modules loaded, statements in progress, and the file it is in."""

NICE = 10
"""How much the background gives way to the program."""

STREAMS = (0, 1, 2)


class Streams:
    """Standard streams that look like those of the program, and lead nowhere."""

    def __init__(self) -> None:
        self._former = [os.dup(fd) for fd in STREAMS]
        self._terminal, line = os.openpty()
        os.set_blocking(self._terminal, False)
        os.set_blocking(line, False)  # nobody reads on: much output is an error, not a wait
        self._file = os.memfd_create("output")
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in STREAMS:
            seen = self._file if fd else nothing
            os.dup2(line if os.isatty(fd) else seen, fd)
        os.close(line)
        os.close(nothing)

    def written(self) -> bool:
        """Whether anything was written since it was asked last."""
        park.flush_output()
        size = os.lseek(self._file, 0, os.SEEK_CUR)
        os.lseek(self._file, 0, os.SEEK_SET)
        try:
            return bool(os.read(self._terminal, 1 << 16)) or size > 0
        except BlockingIOError:
            return size > 0
        except OSError:  # nobody has the other end open: no stream was a terminal
            return size > 0

    def restore(self) -> None:
        """Give the program's own streams back."""
        park.flush_output()
        for fd, former in zip(STREAMS, self._former, strict=True):
            os.dup2(former, fd)
            os.close(former)
        os.close(self._terminal)
        os.close(self._file)


def begin() -> Streams:
    """Become such a process."""
    os.nice(NICE)
    return Streams()


def attempt(channel: Channel, action: Callable[[], None]) -> None:
    """Do something of refork's; where it fails, say so and end."""
    try:
        action()
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
        channel.send("failed", f"{type(error).__name__} at {place}: {error}"[:500])
        os._exit(1)


def here(at: str) -> Point:
    """The point of the program at `path:line`."""
    running = tuple((one.steps.path, one.needs()) for one in ladder.running)
    return journal.loads, running, at.rpartition(":")[0]


def point(told: Any) -> Point:
    """A point, as another process told of it."""
    loads, running, path = told
    return loads, tuple((str(one), int(needs)) for one, needs in running), path


def stop_before_effects(stop: Callable[[str, str], None]) -> None:
    """Call `stop` with the kind and place of every checkpoint that might be taken, and before any effect.

    Kind "effect" is what would reach the world, "brink" what cannot be forked, "hidden" what cannot be
    compared.
    """
    ladder.stop = stop
    ladder.loads = -1  # so that every brink counts
    _former.update(audit.HANDLERS)
    for event in (*EFFECTS, *HIDDEN, "open", "sqlite3.connect"):
        audit.HANDLERS[event] = _before(event, audit.HANDLERS.get(event), stop)


_former: dict[str, Handler] = {}

EFFECTS = (
    *("os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr"),
    *("fcntl.flock", "fcntl.lockf"),
    *("os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "subprocess.Popen"),
    *("os.kill", "os.killpg", "signal.pthread_kill"),
    *("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"),
    "builtins.input",
)
"""Audit events (PEP 578) of what others than this process can notice."""

HIDDEN = ("os.putenv", "os.unsetenv")
"""Those of what a process holds where no comparison of objects finds it."""


def _before(event: str, handler: Handler | None, stop: Callable[[str, str], None]) -> Handler:
    def heard(args: tuple[Any, ...]) -> None:
        if event == "open":
            reaches = _writes(*args)
        elif event == "sqlite3.connect":
            reaches = not audit.is_in_memory(args[0])
        else:
            reaches = "__pycache__" not in str(args[0] if args else "")
        if reaches:
            stop("hidden" if event in HIDDEN else "effect", audit.where())

    return heard if handler is None else audit.after(heard, handler)


def go_on() -> None:
    """Undo `stop_before_effects`."""
    audit.HANDLERS.clear()
    audit.HANDLERS.update(_former)
    ladder.stop = None
    ladder.loads = journal.loads


def _writes(path: Any, mode: Any, flags: Any) -> bool:
    if not isinstance(path, (str, bytes)):
        return False
    name = os.fsdecode(path)
    if "__pycache__" in name or name.startswith(("/dev/null", "/proc/")):
        return False
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool(flags and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
