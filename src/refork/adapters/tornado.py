"""Tornado: `autoreload`, which `debug=True` starts, leaves watching to refork; its server stops in order."""

from __future__ import annotations

import weakref
from time import monotonic, sleep

from refork.adapters.ending import Ending
from refork.adapters.passing import give
from refork.adapters.replace import replace
from refork.adapters.serving import is_endless
from refork.program import api, freshness
from refork.program.freshness import OPEN, PATIENCE, RETIRED, STEP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt the module of Tornado's that has loaded."""
    ADAPT[module.__name__](module)


def _adapt_reloader(module: Any) -> None:
    def start(*_args: Any, **_kwargs: Any) -> None:
        api.follow()

    def wait() -> None:
        """The program ends here, and refork waits for a change."""

    def watch(filename: str) -> None:
        api.watch(api.escape(filename))

    replace(module, "start", start)
    replace(module, "wait", wait)
    replace(module, "watch", watch)


# Connections --------------------------------------------------------------------------------------


class Streams:
    """The connections of this process's servers; what Tornado connects to itself is none of them."""

    def __init__(self) -> None:
        self.all: weakref.WeakSet[Any] = weakref.WeakSet()
        self.endless: weakref.WeakSet[Any] = weakref.WeakSet()
        """Event streams and WebSockets: nobody waits for their end."""
        self.servers: weakref.WeakSet[Any] = weakref.WeakSet()
        self.loop: Any = None
        self._asked: dict[Any, float] = {}
        """Streams with a request of which it is not known yet who answers it, and since when."""
        self.ending = Ending(self._begin)

    def is_ours(self, stream: Any) -> bool:
        """Whether to read what has come to an idle stream now; it is gone if the next one reads it."""
        now = freshness.state()
        if now == OPEN:
            self._asked.pop(stream, None)
            return True
        if now == RETIRED:
            return not hand_over(stream)
        if monotonic() - self._asked.setdefault(stream, monotonic()) > PATIENCE:
            return True
        sleep(STEP)  # the loop comes here again at once
        return False

    def forget(self, stream: Any) -> None:
        self._asked.pop(stream, None)

    def _begin(self) -> None:
        self.loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        for server in list(self.servers):
            server.stop()
        for stream in list(self.all):
            if is_idle(stream):
                hand_over(stream)
        if any(is_busy(stream) for stream in self.all if stream not in self.endless):
            self.loop.call_later(STEP, self._finish)
        else:
            self.ending.go_on()


streams = Streams()


def is_idle(stream: Any) -> bool:
    """Whether a stream waits for the head of a request: only that is read up to an empty line."""
    return not stream.closed() and stream._read_regex is not None and stream.reading()


def _may_read(stream: Any) -> bool:
    """Whether to read now: an idle stream only once there is something, for it may have come too late."""
    if stream not in streams.all or not is_idle(stream):
        return True
    return _has_come(stream.socket) and streams.is_ours(stream)


def _has_come(socket: Any) -> bool:
    """Whether something can be read; an end counts."""
    poll = freshness.poller()
    poll.register(socket.fileno(), 1)
    return bool(poll.poll(0))


def is_busy(stream: Any) -> bool:
    """Whether a stream has a request that is not answered yet."""
    return not stream.closed() and not is_idle(stream)


def hand_over(stream: Any) -> bool:
    """Give the connection of an idle stream to the next generation; return whether that could be."""
    if hasattr(stream.socket, "pending"):  # TLS is a matter of two processes only
        return False
    give(stream.socket.fileno(), bytes(stream._read_buffer))
    stream._read_buffer.clear()
    stream._read_buffer_size = 0
    streams.forget(stream)
    stream.close()  # our descriptor; the connection stays with whoever has it now
    return True


def _adapt_streams(module: Any) -> None:
    def read_from_fd(self: Any, buf: Any) -> Any:
        try:
            return read(self, buf) if _may_read(self) else None
        finally:
            del buf  # a view of a buffer that can grow only when nobody looks at it

    def read_until_regex(self: Any, *args: Any, **kwargs: Any) -> Any:
        """The stream reads ahead while an answer is written: what it read then was looked at by nobody."""
        if self in streams.all and self._read_buffer and not freshness.settled():
            hand_over(self)
        return read_head(self, *args, **kwargs)

    read = replace(module.IOStream, "read_from_fd", read_from_fd)
    read_head = replace(module.IOStream, "read_until_regex", read_until_regex)


def _adapt_server(module: Any) -> None:
    def handle_stream(self: Any, stream: Any, address: Any) -> Any:
        streams.all.add(stream)
        return handle(self, stream, address)

    def add_sockets(self: Any, sockets: Any) -> None:
        add(self, sockets)
        streams.servers.add(self)
        streams.loop = ioloop()
        streams.ending.stand()

    handle = replace(module.HTTPServer, "handle_stream", handle_stream)
    add = replace(module.HTTPServer, "add_sockets", add_sockets)


def ioloop() -> Any:
    from tornado.ioloop import IOLoop

    return IOLoop.current().asyncio_loop  # type: ignore[attr-defined]


def _adapt_connection(module: Any) -> None:
    def write_headers(self: Any, start_line: Any, headers: Any, *args: Any, **kwargs: Any) -> Any:
        code = getattr(start_line, "code", 0)
        if code == SWITCHING or is_endless(headers.get("Content-Type", "")):
            streams.endless.add(self.stream)
        return write(self, start_line, headers, *args, **kwargs)

    write = replace(module.HTTP1Connection, "write_headers", write_headers)


SWITCHING = 101
"""The status of an answer after which the connection is a WebSocket."""

ADAPT = {
    "tornado.autoreload": _adapt_reloader,
    "tornado.http1connection": _adapt_connection,
    "tornado.httpserver": _adapt_server,
    "tornado.iostream": _adapt_streams,
}
