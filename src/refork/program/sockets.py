"""Listening sockets outlive a generation: the supervisor holds them while no program does.

The first `bind` and `listen` happen as ever; then a copy goes to the supervisor. The next generation's `bind`
to the same address is given that socket back, with the connections that waited in its backlog meanwhile.
Only what is asked for is given: an address nobody binds any more is released.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from refork.program import channel as channels
from refork.program.channel import Gone
from refork.program.evidence import evidence
from refork.program.frames import hidden
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EAGAIN = 35 if sys.platform == "darwin" else 11
"""`errno` would be one more module in the user's process."""

DEADLINE = 30.0
"""Seconds to wait for the supervisor's answer; it may have an old generation to stop first."""

DEEP = 1024
"""Connections that may wait while one generation follows another, whatever backlog was asked for."""

deferred: list[Any] = []
"""What is to be done when a server has come back from accepting."""

listened: list[Any] = []
"""What is to be done once the program listens."""

_listening: set[int] = set()
"""Descriptors that listen, and that the supervisor holds too."""

_requested: dict[int, Any] = {}
"""The address each bound descriptor was asked to have: port 0 is a request that many addresses answer."""


def hold(socket: Any) -> None:
    """Replace `bind` and `listen` of the class `socket.socket`; called when that module has loaded."""
    owner = socket.socket
    bind, listen, accept = owner.bind, owner.listen, owner.accept

    @hidden
    def held_bind(self: Any, address: Any) -> None:
        if journal.channel is None or not _is_stream(self):
            bind(self, address)
            return
        if not _take_back(self, address):
            bind(self, address)
        _requested[self.fileno()] = address

    @hidden
    def held_listen(self: Any, *backlog: int) -> None:
        listen(self, *backlog)
        if _is_stream(self):
            if journal.channel is not None:
                listen(self, DEEP)
            _tell(self)

    @hidden
    def held_accept(self: Any) -> Any:
        while self.fileno() in _listening:
            _wait_for_one(self)
            if not _settled():
                _leave_it_to_the_next(self)
            made = accept(self)
            if _settled():  # else somebody took what was there, and this one came after the save
                return made
            journal.tell("connection", b"", fds=[made[0].fileno()])
            made[0].close()
        return accept(self)

    replaced = ((held_bind, bind), (held_listen, listen), (held_accept, accept))
    for function, original in replaced:
        function.__name__ = function.__qualname__ = original.__name__
        function.__doc__ = original.__doc__
    owner.bind, owner.listen, owner.accept = held_bind, held_listen, held_accept


def _wait_for_one(socket: Any) -> None:
    """Wait for a connection without taking it: it must not be in our hands when we are told to end.

    Another process or an impatient client may have taken what the server saw; then our end is what
    comes next.
    """
    from refork.program import freshness

    timeout = socket.gettimeout()
    if timeout != 0:
        freshness.wait_readable(socket, timeout)


def _settled() -> bool:
    from refork.program import freshness

    return freshness.settled()


def _leave_it_to_the_next(socket: Any) -> None:
    """Take no connection any more: those that come wait in the backlog for the next generation.

    Raises BlockingIOError where the socket does not wait; elsewhere waits for the signal that ends us,
    or for its handler to say by `deferred` that it waits for the server to get out of here.
    """
    if socket.gettimeout() != 0:
        deadline = monotonic() + DEADLINE
        while monotonic() < deadline and not deferred:
            sleep(0.001)
    raise BlockingIOError(EAGAIN, "this generation is being replaced")


def listens(socket: Any) -> None:
    """Tell of a socket that native code made listen; `socket` is anything with the attributes of one."""
    if _is_stream(socket):
        _tell(socket)


def _is_stream(socket: Any) -> bool:
    module = sys.modules["_socket"]
    families = (module.AF_INET, module.AF_INET6, getattr(module, "AF_UNIX", None))
    return socket.type == module.SOCK_STREAM and socket.family in families


def _key(socket: Any, address: Any) -> tuple[int, str]:
    if isinstance(address, (str, bytes)):
        return int(socket.family), repr(os.path.abspath(os.fsdecode(address)))
    return int(socket.family), repr(tuple(address))


def _take_back(socket: Any, address: Any) -> bool:
    """Become the socket that is held for `address`; return False where there is none."""
    start_holds = _held()
    key = _key(socket, address)
    if key not in start_holds or not _can_be_reached(address):
        return False
    journal.quiet += 1
    try:
        named = _lead_to_it(address)  # before anything else: clients look for it now
        fd = _ask(key)
        if fd is None:
            if named:
                os.unlink(address)  # nobody listens there, and the program binds it
            return False
        os.dup2(fd, socket.fileno(), os.get_inheritable(socket.fileno()))
        os.close(fd)
        os.set_blocking(socket.fileno(), socket.gettimeout() is None)
        return True
    finally:
        journal.quiet -= 1


def _held() -> list[tuple[int, str]]:
    from refork.program.ladder import ladder

    return [] if ladder.start is None else ladder.start.held


def _ask(key: tuple[int, str]) -> int | None:
    if journal.channel is None or not journal.channel.passes_fds:
        return None
    ours, theirs = channels.pair(type(journal.channel))
    journal.tell("claim", key, fds=[theirs])
    os.close(theirs)
    ours.socket.settimeout(DEADLINE)
    try:
        _message, fds = ours.receive()
    except Gone:
        return None
    finally:
        ours.close()
    return fds[0] if fds else None


def _can_be_reached(address: Any) -> bool:
    """Whether a socket held for `address` has a name, or can be given it back."""
    if not isinstance(address, (str, bytes)):
        return True
    path = os.path.abspath(os.fsdecode(address))
    return os.path.lexists(path) or os.path.lexists(kept_name(path))


def _lead_to_it(address: Any) -> bool:
    """Put a UNIX socket's name back, which servers remove before they bind; return whether it was gone."""
    if not isinstance(address, (str, bytes)):
        return False
    path = os.path.abspath(os.fsdecode(address))
    if os.path.lexists(path):
        return False
    os.link(kept_name(path), path)
    return True


def kept_name(path: str) -> str:
    """A second name of a UNIX socket, by which it stays reachable when the first is removed."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.refork")


def _tell(socket: Any) -> None:
    address = _requested.get(socket.fileno(), socket.getsockname())
    journal.quiet += 1
    try:
        if isinstance(address, (str, bytes)):
            _keep_name(os.path.abspath(os.fsdecode(address)))
        name = socket.getsockname()
        shown = list(name[:2]) if isinstance(name, tuple) else os.fsdecode(name)
        _listening.add(socket.fileno())
        passes = journal.channel is not None and journal.channel.passes_fds
        fds = [socket.fileno()] if passes else []
        journal.tell("listening", _key(socket, address), shown, fds=fds)
    finally:
        journal.quiet -= 1
    if os.getpid() == journal.pid:
        serving()


def _keep_name(path: str) -> None:
    kept = kept_name(path)
    try:
        if os.path.lexists(kept):
            os.unlink(kept)
        os.link(path, kept)
    except OSError:
        return  # a file system without links: the name is bound anew each time


def serving() -> None:
    """The program serves: loading is over, and nothing of refork's evidence is needed any more."""
    journal.loading = False
    journal.quiet += 1
    try:
        journal.sweep()
        journal.flush()
    finally:
        journal.quiet -= 1
    evidence.stop()
    for action in listened:
        action()


class StillLoading:
    """Within it the program loads, although it listens already: what is read now are its dependencies."""

    def __enter__(self) -> None:
        self._before, journal.loading = journal.loading, True

    def __exit__(self, *_how: object) -> None:
        journal.loading = self._before
        journal.quiet += 1
        try:
            journal.sweep()
            journal.flush()
        finally:
            journal.quiet -= 1
