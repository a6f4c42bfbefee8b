"""waitress: it has no graceful stop, and its connections are all in the hands of its main thread."""

from __future__ import annotations

import sys
import weakref

from refork.adapters import wrap
from refork.adapters.ending import Ending
from refork.adapters.passing import pass_on
from refork.adapters.replace import replace
from refork.adapters.serving import is_endless
from refork.program import api, freshness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Channels:
    """The connections of this process, which waitress calls channels."""

    def __init__(self) -> None:
        self.all: weakref.WeakSet[Any] = weakref.WeakSet()
        self.endless: weakref.WeakSet[Any] = weakref.WeakSet()
        """Those whose answer does not end by itself."""
        self.servers: weakref.WeakSet[Any] = weakref.WeakSet()
        self.is_ending = False
        self.ending = Ending(self._begin)

    def _begin(self) -> None:
        """In a signal handler: have the main loop look, which may be waiting."""
        self.is_ending = True
        for server in list(self.servers):
            server.trigger._physical_pull()

    def look(self) -> None:
        """In the main loop, between two rounds: end when nothing is left to be answered."""
        if not self.is_ending:
            return
        for server in list(self.servers):
            server.accepting = False
        for channel in list(self.all):
            if is_idle(channel):
                hand_over(channel)
        if not any(is_busy(channel) for channel in self.all if channel not in self.endless):
            self.is_ending = False
            self.ending.go_on()


channels = Channels()


def is_idle(channel: Any) -> bool:
    """Whether a channel has no request whose head has arrived, and nothing to send."""
    begun = channel.request
    return (
        channel.connected
        and not channel.requests
        and not channel.total_outbufs_len
        and not channel.close_when_flushed
        and not channel.will_close
        and (begun is None or not begun.headers_finished)
    )


def is_busy(channel: Any) -> bool:
    """Whether a channel has something to answer, or to send."""
    return bool(channel.connected and not is_idle(channel))


def hand_over(channel: Any) -> bool:
    """Give the connection of an idle channel to the next generation; return whether that could be."""
    received = b"" if channel.request is None else channel.request.header_plus
    if not pass_on(channel.socket, received):
        return False
    channel.handle_close()
    return True


def adapt(module: Any) -> None:
    """Adapt the module of waitress's that has loaded."""
    ADAPT[module.__name__](module)


def _adapt_channel(module: Any) -> None:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        channels.all.add(self)

    def handle_read(self: Any) -> None:
        if not is_idle(self) or freshness.settled() or not hand_over(self):
            read(self)

    init = replace(module.HTTPChannel, "__init__", __init__)
    read = replace(module.HTTPChannel, "handle_read", handle_read)


def _adapt_server(module: Any) -> None:
    def accept_connections(self: Any) -> None:
        accept(self)
        channels.servers.add(self)
        channels.ending.stand()

    accept = replace(module.BaseWSGIServer, "accept_connections", accept_connections)
    wrap.after_init(module.BaseWSGIServer, "application", wrap.wsgi)


def _adapt_task(module: Any) -> None:
    def build_response_header(self: Any) -> Any:
        if any(
            name.lower() == "content-type" and is_endless(v) for name, v in self.response_headers
        ):
            channels.endless.add(self.channel)
        return build(self)

    build = replace(module.Task, "build_response_header", build_response_header)


def _adapt_loop(module: Any) -> None:
    """Each of the two kinds of rounds of the main loop is followed by a look."""
    for name in ("poll", "poll2"):
        _look_after(module, name)


def _look_after(module: Any, name: str) -> None:
    def poll(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        channels.look()

    original = replace(module, name, poll)


def _adapt_runner(module: Any) -> None:
    """An application that does not load ends `waitress-serve` in order: what it was is told."""

    def show_exception(*args: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            api.tell_error(error)
        show(*args)

    show = replace(module, "show_exception", show_exception)


ADAPT = {
    "waitress.channel": _adapt_channel,
    "waitress.runner": _adapt_runner,
    "waitress.server": _adapt_server,
    "waitress.task": _adapt_task,
    "waitress.wasyncore": _adapt_loop,
}
