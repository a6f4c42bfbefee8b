"""Servers made of `socketserver` and `http.server`: Django's runserver, Werkzeug's and Flask's,
wsgiref's.

They have no graceful stop: SIGTERM cuts what is being answered. When a generation is replaced, here
is what happens instead: connections without a request go to the next generation, requests that run
are finished within the supervisor's grace, and only then does the signal have its effect.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from refork.adapters.passing import is_ours_to_answer
from refork.adapters.replace import replace
from refork.program import api
from refork.program.frames import hidden
from refork.program.freshness import RETIRED, state
from refork.program.sockets import deferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STEP = 0.001
"""Seconds between two looks at what still runs."""

HEAD = 0.25
"""Seconds for a request that has begun to arrive and is not complete, once the generation is to
end.
"""

WAITING, READING, BUSY, STREAMING = "waiting", "reading", "busy", "streaming"

ENDLESS = ("text/event-stream", "multipart/x-mixed-replace")
"""As in `streams`, which would bring asyncio along."""


class Handlers:
    """The handlers of this process, each with what it does and its thread."""

    def __init__(self) -> None:
        self.doing: dict[Any, str] = {}
        self.threads: dict[Any, int] = {}
        self.accepting = False
        """Whether the main thread is between an accepted connection and its handler."""

    def set(self, handler: Any, what: str) -> None:
        self.doing[handler] = what

    def begin(self, handler: Any) -> None:
        """A connection has been accepted, and `handler` was made for it."""
        self.threads[handler] = _thread_id()
        self.doing[handler] = WAITING
        self.end(handler.request)

    def end(self, handler: Any) -> None:
        self.doing.pop(handler, None)
        self.threads.pop(handler, None)

    def stream(self, handler: Any) -> None:
        """What is being sent has no end: nobody waits for it."""
        if handler in self.doing:
            self.doing[handler] = STREAMING

    def at_work(self, is_late: bool) -> bool:
        """Whether a request runs; `is_late`: one that has not arrived in full does not count."""
        return any(
            not _is_upgraded(handler) if what == BUSY else what != STREAMING and not is_late
            for handler, what in list(self.doing.items())
        )

    def main_is_busy(self, is_late: bool) -> bool:
        """Whether the main thread is with a connection that it will be done with; see `at_work`."""
        main = _thread_id()
        mine = [one for one, thread in list(self.threads.items()) if thread == main]
        if not mine:
            return self.accepting
        counted = (BUSY,) if is_late else (WAITING, READING, BUSY)
        return any(self.doing.get(one) in counted for one in mine)

    def finish(self) -> None:
        """Wait for the requests that run; the supervisor's grace bounds it."""
        late = monotonic() + HEAD
        while self.at_work(monotonic() > late):
            sleep(STEP)


handlers = Handlers()


def adapt(module: Any) -> None:
    """Adapt `http.server`, `socketserver` or `wsgiref.handlers`."""
    if module.__name__ == "http.server":
        _adapt_requests(module.BaseHTTPRequestHandler)
    elif module.__name__ == "socketserver":
        _adapt_servers(module.BaseServer)
        _adapt_threads(module.ThreadingMixIn)
    else:
        _adapt_answers(module.BaseHandler)


def _thread_id() -> int:
    import _thread

    return _thread.get_ident()


def _is_upgraded(handler: Any) -> bool:
    """Whether the connection has become a WebSocket."""
    headers = getattr(handler, "headers", None)
    return headers is not None and "websocket" in (headers.get("Upgrade") or "").lower()


def is_endless(content_type: object) -> bool:
    return str(content_type).lower().startswith(ENDLESS)


# Requests -----------------------------------------------------------------------------------------


def _adapt_requests(base: Any) -> None:
    above = base.__mro__[1]

    def setup(self: Any) -> None:
        above.setup(self)
        handlers.begin(self)
        if _await_request(self):
            self.handle_one_request = _one_after_another(self)
        else:
            self.handle = _nothing

    def finish(self: Any) -> None:
        for name in ("handle_one_request", "handle"):
            self.__dict__.pop(name, None)
        try:
            above.finish(self)
        finally:
            handlers.end(self)

    def parse_request(self: Any) -> Any:
        parsed = parse(self)
        if handlers.doing.get(self) == READING:
            handlers.set(self, BUSY)
        return parsed

    def send_header(self: Any, keyword: str, value: str) -> None:
        if keyword.lower() == "content-type" and is_endless(value):
            handlers.stream(self)
        send(self, keyword, value)

    for function in (hidden(setup), hidden(finish)):
        function.__qualname__ = f"{above.__name__}.{function.__name__}"
        setattr(base, function.__name__, function)
    parse = replace(base, "parse_request", parse_request)
    send = replace(base, "send_header", send_header)


def _nothing() -> None:
    """In the place of `handle`, for a connection that another generation has."""


def _await_request(handler: Any) -> bool:
    """Wait for the first byte of a request; False: the connection is not ours any more."""
    handlers.set(handler, WAITING)
    if not is_ours_to_answer(handler.connection):
        return False
    handlers.set(handler, READING)
    return True


def _one_after_another(handler: Any) -> Any:
    """`handle_one_request` of a connection that may be kept; its first request has begun."""
    original = handler.handle_one_request
    begun = [True]

    @hidden
    def handle_one_request() -> None:
        if not begun and not _await_request(handler):
            handler.close_connection = True
            return
        begun.clear()
        original()

    return handle_one_request


def _adapt_answers(base: Any) -> None:
    def start_response(self: Any, status: str, headers: Any, *rest: Any, **more: Any) -> Any:
        if any(name.lower() == "content-type" and is_endless(value) for name, value in headers):
            handlers.stream(getattr(self, "request_handler", None))
        return original(self, status, headers, *rest, **more)

    original = replace(base, "start_response", start_response)


# Servers ------------------------------------------------------------------------------------------


def _adapt_servers(base: Any) -> None:
    def serve_forever(self: Any, *args: Any, **kwargs: Any) -> None:
        ending = Ending() if api.inside() and _is_main() else None
        try:
            original(self, *args, **kwargs)
        finally:
            if ending is not None:
                ending.remove()

    def _handle_request_noblock(self: Any) -> None:
        if not _is_main():
            one(self)
            return
        handlers.accepting = True
        try:
            one(self)
        finally:
            handlers.accepting = False
        if deferred:
            deferred.pop()()

    original = replace(base, "serve_forever", serve_forever)
    one = replace(base, "_handle_request_noblock", _handle_request_noblock)


def _adapt_threads(mixin: Any) -> None:
    """A connection counts from when it is accepted, and not only when its thread has begun."""

    def process_request(self: Any, request: Any, client_address: Any) -> None:
        if _serves_http(self):
            handlers.set(request, WAITING)
        start(self, request, client_address)

    def process_request_thread(self: Any, request: Any, client_address: Any) -> None:
        try:
            run(self, request, client_address)
        finally:
            handlers.end(request)

    start = replace(mixin, "process_request", process_request)
    run = replace(mixin, "process_request_thread", process_request_thread)


def _serves_http(server: Any) -> bool:
    module = sys.modules.get("http.server")
    kind = getattr(server, "RequestHandlerClass", None)
    return (
        module is not None
        and isinstance(kind, type)
        and issubclass(kind, module.BaseHTTPRequestHandler)
    )


def _is_main() -> bool:
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def _is_in_hub() -> bool:
    """Whether this is the task of gevent's that runs all others, and may not wait for any."""
    module = sys.modules.get("gevent")
    return module is not None and module.getcurrent() is module.get_hub()


class Ending:
    """Stands before the program's own answer to SIGTERM as long as a server runs in the main
    thread.
    """

    def __init__(self) -> None:
        import signal

        self._signal = signal
        self._before: Any = signal.getsignal(signal.SIGTERM)
        self._stands = self._before not in (signal.SIG_IGN, None)
        self._is_late = False
        if self._stands:
            signal.signal(signal.SIGTERM, self.heard)

    def heard(self, number: int, frame: Any) -> None:
        if state() != RETIRED:
            self._go_on(number, frame)
        elif handlers.main_is_busy(self._is_late):
            deferred[:] = [lambda: self._finish(number, frame)]
            if not self._is_late:
                self._come_again(number)
        elif _is_in_hub():
            import gevent

            gevent.spawn(self._finish, number, frame)
        else:
            self._finish(number, frame)

    def _come_again(self, number: int) -> None:
        """Look once more when a request that was arriving has had its time."""
        import _thread

        self._is_late = True
        _thread.start_new_thread(_send_later, (number,))

    def _finish(self, number: int, frame: Any) -> None:
        handlers.finish()
        self._go_on(number, frame)

    def _go_on(self, number: int, frame: Any) -> None:
        """Do what would have been done at once."""
        if callable(self._before):
            self._before(number, frame)
        else:
            self._signal.signal(number, self._before)
            os.kill(os.getpid(), number)

    def remove(self) -> None:
        if self._stands and self._signal.getsignal(self._signal.SIGTERM) == self.heard:
            self._signal.signal(self._signal.SIGTERM, self._before)


def _send_later(number: int) -> None:
    sleep(HEAD)
    os.kill(os.getpid(), number)
