"""Whether this program is still the one to answer what has just come.

A request that was sent after a save must not be answered by the code before it, however quick it
is. So a server asks here when the first byte of a request is there. What it learns, without a word
to the supervisor:

    OPEN     no save has been made that is not ruled on: the request came in time
    PENDING  a save was made, and it is not known yet what follows from it: wait some milliseconds
    RETIRED  this generation is being replaced: the next one answers
"""

from __future__ import annotations

import select
import sys
from time import monotonic, sleep

from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OPEN, PENDING, RETIRED = "open", "pending", "retired"

STEP = 0.001
"""Seconds between two looks."""

PATIENCE = 10.0
"""Seconds to wait for a decision; a supervisor that takes longer is stopped or broken, and is not
asked again."""

IN = 1
"""POLLIN of poll(2)."""

POLLRDHUP = 0x2000 if sys.platform == "linux" else 1
"""poll(2) on Linux: the other end sends nothing more. Elsewhere an end can be read, as any message can."""


_poll: Any = getattr(select, "poll", None)
"""As it is now: gevent puts one of its own in its place, and eventlet takes it away."""


def poller() -> Any:
    """A poll object that says who is readable; made anew for each thread that waits."""
    return _poll()


def wait_readable(socket: Any, timeout: float | None) -> list[int]:
    """Wait until a socket has something to read, or until our end is said.

    Returns the descriptors that tell; none after `timeout` seconds, or where no supervisor listens.
    """
    channel = journal.channel
    if channel is None:
        return []
    name = GREEN.get(type(socket).__module__.partition(".")[0])
    if name is not None:
        return _wait_green(name, [socket.fileno(), channel.fileno()], timeout)
    poll = poller()
    poll.register(socket.fileno(), IN)
    poll.register(channel.fileno(), POLLRDHUP)
    return [fd for fd, _event in poll.poll(None if timeout is None else timeout * 1000)]


GREEN = {"gevent": "gevent.select", "eventlet": "eventlet.green.select"}
"""Packages whose sockets belong to one of many tasks of a thread, each with what lets the others run meanwhile."""


def _wait_green(name: str, fds: list[int], timeout: float | None) -> list[int]:
    if name == GREEN["eventlet"]:
        fds.pop()  # of which two tasks cannot wait for the same
    ready: list[int] = __import__(name, fromlist=["select"]).select(fds, [], [], timeout)[0]
    return ready


def state() -> str:
    """How things are now."""
    channel = journal.channel
    if channel is None:
        return OPEN
    if not journal.fresh:
        return RETIRED if channel.is_ended() else OPEN
    poll = poller()
    # In this order: the supervisor marks that it decides before it takes hints from the watcher,
    # and says its last word to us before it takes the mark away.
    watcher, deciding, _standing = journal.fresh
    poll.register(watcher, IN)
    poll.register(deciding, IN)
    poll.register(channel.fileno(), POLLRDHUP)
    ready = [fd for fd, _event in poll.poll(0)]
    if not ready:
        return OPEN
    return RETIRED if channel.fileno() in ready else PENDING


def settled() -> bool:
    """Wait until it is known whether this generation goes on; return whether it does."""
    now = state()
    if now == PENDING:
        deadline = monotonic() + PATIENCE
        while now == PENDING and monotonic() < deadline:
            sleep(STEP)
            now = state()
        if now == PENDING:
            journal.fresh = []
    return now != RETIRED


def stands_in() -> bool:
    """Whether this is the last good generation, serving while the present one does not start."""
    if not journal.fresh:
        return False
    poll = poller()
    poll.register(journal.fresh[2], IN)
    return bool(poll.poll(0))
