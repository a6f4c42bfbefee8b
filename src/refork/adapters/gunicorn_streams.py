"""gunicorn: event streams and WebSockets of a worker, which has no end for them but its timeout."""

from __future__ import annotations

import os
import sys
import weakref

from refork.adapters.replace import replace
from refork.adapters.serving import is_endless
from refork.program.freshness import RETIRED, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Streams:
    """The answers of this process that do not end by themselves."""

    def __init__(self) -> None:
        self.answers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._worker: Any = None
        """The worker with threads that is to end."""

    def add(self, answer: Any) -> None:
        if answer not in self.answers:
            self.answers.add(answer)
            if self._worker is not None:
                self._worker.method_queue.defer(_let_go, self._worker, answer)

    def end_here(self) -> None:
        """In the signal handler of a worker without threads: as if the client had left.

        Raises BrokenPipeError in the midst of the answer, where there is one: what writes it is closed.
        """
        for answer in list(self.answers):
            _cut(answer)
            raise BrokenPipeError(EPIPE, "this generation is being replaced")

    def end_in_threads(self, worker: Any) -> None:
        """Cut what threads are writing; one that does not write now is not waited for."""
        self._worker = worker
        for answer in list(self.answers):
            worker.method_queue.defer(_let_go, worker, answer)

    def leave_behind(self, ended: SystemExit) -> None:
        """End the process, if a thread would be waited for that writes an answer without an end."""
        if not self.answers or state() != RETIRED:
            return
        import atexit

        atexit._run_exitfuncs()
        for file in (sys.stdout, sys.stderr):
            if file is not None:
                file.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 0)


EPIPE = 32
"""As Linux has it; gunicorn takes it for a client that has left."""


def _cut(answer: Any) -> None:
    try:
        answer.sock.shutdown(2)  # both directions
    except OSError:
        return  # its client was quicker


def _let_go(worker: Any, answer: Any) -> None:
    """In the worker's main loop: do not count this connection among those that are to be finished."""
    _cut(answer)
    worker.nr_conns -= 1


streams = Streams()


def adapt(module: Any) -> None:
    """Adapt `gunicorn.http.wsgi`."""

    def __init__(self: Any, req: Any, *args: Any, **kwargs: Any) -> None:
        init(self, req, *args, **kwargs)
        if any(name == "UPGRADE" and "websocket" in value.lower() for name, value in req.headers):
            streams.add(self)

    def start_response(self: Any, status: Any, headers: Any, *rest: Any, **more: Any) -> Any:
        if any(name.lower() == "content-type" and is_endless(value) for name, value in headers):
            streams.add(self)
        return start(self, status, headers, *rest, **more)

    init = replace(module.Response, "__init__", __init__)
    start = replace(module.Response, "start_response", start_response)
