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
EADDRINUSE = 48 if sys.platform == "darwin" else 98
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

listening_at: dict[int, tuple[int, int]] = {}
"""The ports of these, each with a descriptor and its inode: the descriptor may be of something else by now."""

_requested: dict[int, Any] = {}
"""The address each bound descriptor was asked to have: port 0 is a request that many addresses answer."""


def hold(socket: Any) -> None:
    """Replace what makes the class `socket.socket` listen; called when that module has loaded."""
    hold_class(socket.socket, "accept")


def hold_class(owner: Any, accept: str) -> None:
    """The same for any class of sockets; `accept` is the name of its method that takes a connection."""
    from refork.program import connecting, freshness  # now, before anybody replaces what these need

    connecting.adapt(owner)
    put(owner, "bind", _bind(owner.bind))
    put(owner, "listen", _listen(owner.listen))
    put(owner, "shutdown", _shutdown(owner.shutdown, freshness))
    put(owner, accept, waiting_accept(getattr(owner, accept), freshness))


def put(owner: Any, name: str, function: Any) -> None:
    """Put a function in the place of a method, looking like what was there."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = getattr(owner, name).__doc__
    setattr(owner, name, function)


def _bind(original: Any) -> Any:
    @hidden
    def bind(self: Any, address: Any) -> None:
        if journal.channel is None or not is_stream(self):
            original(self, address)
            return
        if not (
            _take_back(self, address)
            or _is_free(original, self, address)
            or _make_way(self, address)
        ):
            original(self, address)
        _requested[self.fileno()] = address

    return bind


@hidden
def _is_free(bind: Any, socket: Any, address: Any) -> bool:
    """Bind it, unless it is in use."""
    try:
        bind(socket, address)
    except OSError as error:
        if error.errno != EADDRINUSE or isinstance(address, (str, bytes)):
            raise
        return False
    return True


def _listen(original: Any) -> Any:
    @hidden
    def listen(self: Any, *backlog: int) -> None:
        original(self, *backlog)
        if is_stream(self):
            if journal.channel is not None:
                original(self, DEEP)
            _tell(self)

    return listen


class NotNow(OSError):
    """There was nothing to accept after all, or nothing for this generation."""


def waiting_accept(original: Any, freshness: Any, once: Any = None, wait: Any = sleep) -> Any:
    """An `accept` in the place of `original`, which knows when to take no connection any more.

    `once` is one that does not wait, and raises `NotNow`, for sockets of which several share a thread; `wait` is
    what sleeps.
    """
    once = once or original

    @hidden
    def accept(self: Any) -> Any:
        while self.fileno() in _listening and journal.channel is not None:
            if self.gettimeout() != 0:
                # without taking it: it must not be in our hands when we are told to end. Another process, or an
                # impatient client, may have taken what was seen; then our end is what comes next
                freshness.wait_readable(self, self.gettimeout())
            if not freshness.settled() and _leave_it_to_the_next(self, wait):
                raise BlockingIOError(EAGAIN, "this generation is being replaced")
            try:
                made = once(self)
            except NotNow:
                continue
            if freshness.settled():
                return made
            _give_back(made[0])  # somebody took what was there, and this one came after the save
        return original(self)

    return accept


def _shutdown(original: Any, freshness: Any) -> Any:
    """Servers wake their `accept` so. It is the end of the socket, and of all connections that wait."""

    @hidden
    def shutdown(self: Any, how: int) -> None:
        is_held = self.fileno() in _listening and _does_listen(self)
        if is_held and freshness.state() == freshness.RETIRED:
            _detach(self)
        else:
            original(self, how)

    return shutdown


def _detach(socket: Any) -> None:
    """Have a descriptor refer to a socket that does not listen: the next generation has the one that did."""
    other = sys.modules["_socket"].socket(socket.family, socket.type, socket.proto)
    os.dup2(other.fileno(), socket.fileno(), os.get_inheritable(socket.fileno()))
    other.close()
    _listening.discard(socket.fileno())


def _give_back(made: Any) -> None:
    """Give away a connection that was accepted: a socket, or its descriptor."""
    fd = made if isinstance(made, int) else made.fileno()
    journal.tell("connection", b"", fds=[fd])
    if isinstance(made, int):
        os.close(fd)
    else:
        made.close()


def _leave_it_to_the_next(socket: Any, wait: Any) -> bool:
    """Take no connection any more: those that come wait in the backlog for the next generation.

    Waits, where the socket does, for the signal that ends us, or for its handler to say by `deferred` that it
    waits for the server to get out of here. Returns False where the program has made an end of the socket.
    """
    if socket.gettimeout() != 0:
        deadline = monotonic() + DEADLINE
        while monotonic() < deadline and not deferred:
            if not _does_listen(socket):
                return False
            wait(0.001)
    return True


def _does_listen(socket: Any) -> bool:
    module = sys.modules["_socket"]
    try:
        return bool(socket.getsockopt(module.SOL_SOCKET, module.SO_ACCEPTCONN))
    except OSError:
        return False  # closed


def listens(socket: Any) -> None:
    """Tell of a socket that native code made listen; `socket` is anything with the attributes of one."""
    if is_stream(socket):
        _tell(socket)


def is_stream(socket: Any) -> bool:
    module = sys.modules["_socket"]
    families = (module.AF_INET, module.AF_INET6, getattr(module, "AF_UNIX", None))
    return socket.type == module.SOCK_STREAM and socket.family in families


def _key(socket: Any, address: Any) -> tuple[int, str]:
    if isinstance(address, (str, bytes)):
        return int(socket.family), repr(os.path.abspath(os.fsdecode(address)))
    return int(socket.family), repr(tuple(address))


def _take_back(socket: Any, address: Any) -> bool:
    """Become the socket that is held for `address`; return False where there is none."""
    key = _key(socket, address)
    if key not in held() or not _can_be_reached(address):
        return False
    journal.quiet += 1
    try:
        named = _lead_to_it(address)  # before anything else: clients look for it now
        fd = _ask_for("claim", key)
        if fd is None:
            if named:
                os.unlink(address)  # nobody listens there, and the program binds it
            return False
        _become(socket, fd)
        return True
    finally:
        journal.quiet -= 1


def _make_way(socket: Any, address: Any) -> bool:
    """The address is in use: if it is by nobody but the supervisor, it gives the socket back, or lets go of it.

    Returns whether `socket` is bound to `address` now. A program may bind it more than once, to see whether it is
    free, or to begin anew; and what is held may be of another address with the same port.
    """
    journal.quiet += 1
    try:
        fd = _ask_for("in_use", resolved(socket, address))
        if fd is not None:
            _become(socket, fd)
        return fd is not None
    finally:
        journal.quiet -= 1


def resolved(socket: Any, address: Any) -> tuple[str, int]:
    """Host and port in numbers, as `getsockname` would tell them."""
    module = sys.modules["_socket"]
    host = address[0] or ("::" if socket.family == module.AF_INET6 else "0.0.0.0")
    try:
        found = module.getaddrinfo(host, address[1], socket.family, socket.type)
    except OSError:
        return str(host), int(address[1])
    return found[0][4][:2]  # type: ignore[no-any-return]


def _become(socket: Any, fd: int) -> None:
    os.dup2(fd, socket.fileno(), os.get_inheritable(socket.fileno()))
    os.close(fd)
    os.set_blocking(socket.fileno(), socket.gettimeout() is None)


def held() -> list[tuple[int, str]]:
    from refork.program.ladder import ladder

    return [] if ladder.start is None else ladder.start.held


def _ask_for(*message: object) -> int | None:
    """Ask the supervisor for a socket; None: it has none to give."""
    _answer, fds = ask(*message)
    return fds[0] if fds else None


def ask(*message: object) -> tuple[tuple[object, ...], list[int]]:
    """Ask the supervisor; return its answer, and what came with it: nothing where it cannot be asked."""
    if journal.channel is None or not journal.channel.passes_fds:
        return (), []
    ours, theirs = channels.pair(type(journal.channel))
    journal.tell(*message, fds=[theirs])
    os.close(theirs)
    ours.socket.settimeout(DEADLINE)
    try:
        return ours.receive()
    except Gone:
        return (), []
    finally:
        ours.close()


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
        if isinstance(name, tuple):
            listening_at[name[1]] = socket.fileno(), os.fstat(socket.fileno()).st_ino
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
    _tell_what_is_loaded()
    evidence.stop()
    for action in listened:
        action()


def _tell_what_is_loaded() -> None:
    journal.quiet += 1
    try:
        journal.sweep()
        journal.flush()
    finally:
        journal.quiet -= 1


class StillLoading:
    """Within it the program loads, although it listens already: what is read now are its dependencies."""

    def __enter__(self) -> None:
        self._before, journal.loading = journal.loading, True

    def __exit__(self, *_how: object) -> None:
        journal.loading = self._before
        _tell_what_is_loaded()
