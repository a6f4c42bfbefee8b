"""gunicorn: its reloader is replaced by refork, and it stops without cutting or losing a request.

Exit code 3 means that a worker did not boot.
"""

from __future__ import annotations

import os

from refork.adapters import gunicorn_streams as streaming
from refork.adapters import wrap
from refork.adapters.gunicorn_streams import streams
from refork.adapters.passing import goes_on_arriving, is_ours_to_answer, pass_on
from refork.adapters.replace import replace
from refork.program import api
from refork.program.frames import hidden
from refork.program.freshness import RETIRED, state
from refork.program.sockets import StillLoading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STEP = 0.002
"""Seconds between two looks whether a worker has ended."""

OF_WSGI = ("sync", "gthread", "ggevent", "geventlet", "gtornado")
"""Modules of `gunicorn.workers` whose workers serve WSGI."""


def adapt(module: Any) -> None:
    """Adapt the module of gunicorn's that has loaded."""
    ADAPT[module.__name__](module)


def _adapt_arbiter(module: Any) -> None:
    api.three_fails()
    module.time = Hurried(module.time)

    def start(self: Any) -> None:
        api.brink(f"{module.__file__}:{original.__code__.co_firstlineno}")
        original(self)

    def spawn_worker(self: Any) -> Any:
        _renew_pid(self)
        try:
            return spawn(self)
        except SystemExit as ended:  # of the worker; the arbiter returns
            streams.leave_behind(ended)
            raise

    def halt(self: Any, reason: Any = None, exit_status: int = 0) -> None:
        if exit_status:
            api.wait()  # its workers do not boot, or find no application
        end(self, reason, exit_status)

    def close_sockets(listeners: Any, unlink: bool = True) -> None:
        """The names of UNIX sockets stay for the next generation."""
        close(listeners, unlink and state() != RETIRED)

    close = replace(module.sock, "close_sockets", close_sockets)
    original = replace(module.Arbiter, "start", start)
    end = replace(module.Arbiter, "halt", halt)
    spawn = replace(module.Arbiter, "spawn_worker", spawn_worker)


def _renew_pid(arbiter: Any) -> None:
    """The arbiter has noted down its process id, and workers leave a parent that has another one.

    A checkpoint since then has given it a new one: the child of that fork is the program.
    """
    before, arbiter.pid = arbiter.pid, os.getpid()
    if arbiter.pidfile is not None and before != arbiter.pid:
        arbiter.pidfile.unlink()
        arbiter.pidfile.create(arbiter.pid)


def _adapt_reloader(module: Any) -> None:
    for engine in list(module.reloader_engines):
        module.reloader_engines[engine] = Reloader
    module.preferred_reloader = Reloader


class Reloader:
    """What a worker takes for its reloader: it has refork watch."""

    def __init__(self, extra_files: Any = None, interval: float = 1, callback: Any = None) -> None:
        api.follow()
        api.watch_all(extra_files or ())

    def start(self) -> None:
        """Nothing to start: refork watches."""

    def add_extra_file(self, filename: str) -> None:
        """Watch one more file."""
        api.watch(api.escape(filename))


class Hurried:
    """The module `time` for the arbiter; its `sleep` ends when the worker waited for has ended."""

    def __init__(self, time: Any) -> None:
        self._time = time

    def __getattr__(self, name: str) -> Any:
        return getattr(self._time, name)

    def sleep(self, seconds: float) -> None:
        """As `time.sleep`."""
        if state() != RETIRED:
            self._time.sleep(seconds)
            return
        deadline = self._time.monotonic() + seconds
        while self._time.monotonic() < deadline and not _has_dead_child():
            self._time.sleep(STEP)


def _has_dead_child() -> bool:
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True  # all have been waited for


def _adapt_sockets(module: Any) -> None:
    """Have it call `listen` on a socket that listens already: so it is known to have begun."""
    if hasattr(module.BaseSocket, "_is_listening"):
        module.BaseSocket._is_listening = staticmethod(lambda _sock: False)


# Requests -----------------------------------------------------------------------------------------


def _adapt_parser(module: Any) -> None:
    """Each request of a connection is looked at before it is read, and while its head arrives."""

    def __next__(self: Any) -> Any:
        sock = getattr(self.unreader, "sock", None)
        if sock is not None and _is_between_requests(self) and not is_ours_to_answer(sock):
            raise StopIteration  # as for a connection that is not to be kept
        heads[self.unreader] = self.unreader.buf.getvalue()
        try:
            return original(self)
        finally:
            del heads[self.unreader]

    original = replace(module.Parser, "__next__", __next__)
    module.Parser.next = module.Parser.__next__


heads: dict[Any, bytes] = {}
"""What has been read of requests whose head is not complete."""


def _adapt_unreader(module: Any) -> None:
    def chunk(self: Any, *args: Any) -> Any:
        if self not in heads:
            return original(self, *args)
        if not goes_on_arriving(self.sock) and pass_on(self.sock, heads[self]):
            return b""
        data = original(self, *args)
        heads[self] += data
        return data

    original = replace(module.SocketUnreader, "chunk", chunk)


def _is_between_requests(parser: Any) -> bool:
    if parser.unreader.buf.getvalue():
        return False  # it has begun: it came with the one before
    before = parser.mesg
    return before is None or (not before.should_close() and parser.finish_body())


def _adapt_worker(module: Any) -> None:
    def load_wsgi(self: Any) -> None:
        _load(self.app)
        original(self)
        names = {base.__module__ for base in type(self).__mro__}
        if names & {f"gunicorn.workers.{name}" for name in OF_WSGI}:
            self.wsgi = wrap.wsgi(self.wsgi)

    original = replace(module.Worker, "load_wsgi", load_wsgi)


@hidden
def _load(app: Any) -> None:
    """Load the application, which gunicorn finds loaded then: what hinders it is shown by refork."""
    try:
        with StillLoading():  # the arbiter listens already
            app.wsgi()
    except SystemExit as error:
        api.tell_error(error)
        raise SystemExit(NOT_BOOTED) from None  # else the arbiter starts it again and again
    except Exception as error:
        api.tell_error(error)
        raise


NOT_BOOTED = 3
"""The exit code of a worker that ends the arbiter (`Arbiter.WORKER_BOOT_ERROR`)."""


def _adapt_one_at_a_time(module: Any) -> None:
    def handle_exit(self: Any, *args: Any) -> None:
        original(self, *args)
        if state() == RETIRED:
            streams.end_here()

    original = replace(module.SyncWorker, "handle_exit", handle_exit)


def _adapt_threads(module: Any) -> None:
    """Connections without a request would be kept for seconds: the next generation has them."""
    if not hasattr(module, "PollableMethodQueue"):
        return  # before 24

    def handle_exit(self: Any, *args: Any) -> None:
        original(self, *args)
        if state() == RETIRED:
            self.method_queue.defer(_pass_on_waiting, self)
            streams.end_in_threads(self)

    def wait_for_data(self: Any, timeout: float) -> Any:
        if not self.data_ready and not is_ours_to_answer(self.sock, timeout):
            return True  # and there is its end
        return wait(self, 0)

    original = replace(module.ThreadWorker, "handle_exit", handle_exit)
    if hasattr(module.TConn, "wait_for_data"):
        wait = replace(module.TConn, "wait_for_data", wait_for_data)


def _pass_on_waiting(worker: Any) -> None:
    for waiting in (worker.keepalived_conns, getattr(worker, "pending_conns", [])):
        for connection in list(waiting):
            waiting.remove(connection)
            worker.poller.unregister(connection.sock)
            pass_on(connection.sock)
            worker.nr_conns -= 1
            connection.close()


def _adapt_green(module: Any) -> None:
    """Its main task sleeps for a second, and only then looks whether it is to end."""
    woken = module.gevent = Woken(module.gevent)

    def handle_exit(self: Any, *args: Any) -> None:
        original(self, *args)
        if state() == RETIRED:
            woken.wake()

    original = replace(module.GeventWorker, "handle_exit", handle_exit)


class Woken:
    """The module `gevent` for a worker; its `sleep` ends when the worker is to end."""

    def __init__(self, gevent: Any) -> None:
        self._gevent = gevent
        self._ending: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gevent, name)

    def sleep(self, seconds: float) -> None:
        """As `gevent.sleep`."""
        if self._ending is None:
            from gevent.event import Event

            self._ending = Event()
        if self._ending.is_set():
            self._gevent.sleep(min(seconds, STEP))  # until what is being answered has been
        else:
            self._ending.wait(seconds)

    def wake(self) -> None:
        if self._ending is not None:
            self._ending.set()


ADAPT = {
    "gunicorn.arbiter": _adapt_arbiter,
    "gunicorn.http.parser": _adapt_parser,
    "gunicorn.http.unreader": _adapt_unreader,
    "gunicorn.http.wsgi": streaming.adapt,
    "gunicorn.reloader": _adapt_reloader,
    "gunicorn.sock": _adapt_sockets,
    "gunicorn.workers.base": _adapt_worker,
    "gunicorn.workers.ggevent": _adapt_green,
    "gunicorn.workers.gthread": _adapt_threads,
    "gunicorn.workers.sync": _adapt_one_at_a_time,
}
