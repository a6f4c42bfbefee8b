"""Hears from the supervisor which files have changed, and has the program deal with them in place.

A thread waits on the program's channel, from the first handler on. It is stopped for the moment of
a fork, the program's own or that of a checkpoint, and started again in whoever goes on: so it is no
barrier.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock, get_ident, start_new_thread

from refork.program import park
from refork.program.barriers import barriers
from refork.program.channel import Channel, Gone
from refork.program.freshness import IN, poller
from refork.program.handover import block_signals, unblock_signals
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Handler = Callable[[list[str]], object]


class Hearing:
    """The handlers of this program, and the thread that calls them."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[tuple[Handler, str]]] = {}
        self._running: tuple[int, int, Any] | None = None
        """Both ends of the pipe that stops the thread, and a lock that is free when it has ended.
        """
        self._ident = 0
        self._paused = False
        self._hooked = False

    def add(self, pattern: str, handler: Handler, by: str) -> None:
        """Call `handler` about files that the supervisor finds to match `pattern`."""
        self._handlers.setdefault(pattern, []).append((handler, by))
        if not self._hooked:
            self._hooked = True
            park.parting.append(self.pause)
            park.going_on.append(self.go_on)
            os.register_at_fork(
                before=self._before_fork,
                after_in_parent=self._after_in_parent,
                after_in_child=self._after_in_child,
            )
        if self._running is None:
            self._start()

    # The thread -----------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop the thread, if it runs, until `go_on`."""
        if self._running is None or get_ident() == self._ident:
            return  # a handler that forks is in the thread itself
        reader, writer, ended = self._running
        os.write(writer, b".")
        ended.acquire()
        self._running = None
        self._paused = True
        barriers.own_threads = 0
        barriers.ours -= {reader, writer}
        os.close(reader)
        os.close(writer)

    def go_on(self) -> None:
        """Start the thread again after `pause`, in this process."""
        if self._paused:
            self._paused = False
            self._start()

    def _before_fork(self) -> None:
        if not journal.quiet:
            self.pause()

    def _after_in_parent(self) -> None:
        if not journal.quiet:
            self.go_on()

    def _after_in_child(self) -> None:
        if not journal.quiet:
            self._paused = (
                False  # a child of the program's own: it is not the one that is spoken to
            )

    def _start(self) -> None:
        channel = journal.channel
        if channel is None:
            return
        journal.quiet += 1
        try:
            reader, writer = os.pipe()
            ended = allocate_lock()
            ended.acquire()
            self._running = (reader, writer, ended)
            barriers.ours |= {reader, writer}
            barriers.own_threads = 1
            mask = block_signals()
            start_new_thread(self._run, (channel, reader, ended))
            unblock_signals(mask)
        finally:
            journal.quiet -= 1

    def _run(self, channel: Channel, stop: int, ended: Any) -> None:
        self._ident = get_ident()
        try:
            poll = poller()
            poll.register(channel.fileno(), IN)
            poll.register(stop, IN)
            while all(fd != stop for fd, _event in poll.poll()):
                message, _fds = channel.receive()
                if message[0] == "changed":
                    self._changed(channel, message)
        except Gone:
            return
        finally:
            ended.release()

    # What is heard --------------------------------------------------------------------------------

    def _changed(self, channel: Channel, message: tuple[Any, ...]) -> None:
        """`message` is ("changed", token, [(path, patterns it matches), …]); answer who handled
        what.
        """
        _tag, token, offered = message
        work: dict[tuple[Handler, str], list[str]] = {}
        for path, patterns in offered:
            for pattern in patterns:
                for one in self._handlers.get(pattern, ()):
                    paths = work.setdefault(one, [])
                    if path not in paths:
                        paths.append(path)
        handled: dict[str, str] = {}
        refused: set[str] = set()
        for (handler, by), paths in work.items():
            done = _call(handler, paths)
            handled.update({path: by for path in paths if path in done})
            refused.update(path for path in paths if path not in done)
        channel.send("handled", token, list(handled.items()), sorted(refused - set(handled)))


def _call(handler: Handler, paths: list[str]) -> set[str]:
    """The paths that a handler has dealt with. One that fails is reported as any uncaught exception
    is.
    """
    try:
        result = handler(list(paths))
    except (
        Exception
    ) as error:  # a handler is the program's own code; what it cannot do a restart will
        trace = error.__traceback__
        assert trace is not None  # its first frame is this one
        sys.excepthook(type(error), error.with_traceback(trace.tb_next), trace.tb_next)
        return set()
    if isinstance(result, (set, frozenset)):
        return set(result)
    return set(paths) if result else set()


hearing = Hearing()
