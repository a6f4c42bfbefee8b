"""uvicorn: `--reload` is served by refork, loading ends before the event loop begins, and a stop is
quick.
"""

from __future__ import annotations

import inspect
import os

from refork.adapters import wrap
from refork.adapters.protocols import Connections
from refork.adapters.replace import replace
from refork.program import api
from refork.program.freshness import RETIRED, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOLS = ("H11Protocol", "HttpToolsProtocol", "ZttpProtocol")

OF_RELOADING = ("reload_dirs", "reload_includes", "reload_excludes")


def _is_idle(protocol: Any) -> bool:
    """Whether a protocol has no request to answer, and none that still arrives."""
    cycle = protocol.cycle
    return cycle is None or (cycle.response_complete and not cycle.more_body)


connections = Connections(_is_idle)


def adapt(module: Any) -> None:
    """Adapt `uvicorn.config`, `uvicorn.server` or one of uvicorn's implementations of HTTP."""
    if module.__name__ == "uvicorn.config":
        _adapt_config(module.Config)
    elif module.__name__ == "uvicorn.server":
        _adapt_server(module)
    else:
        for name in PROTOCOLS:
            if hasattr(module, name):
                connections.watch(getattr(module, name))


def _adapt_config(config: Any) -> None:
    """Make a configuration that asks for reloading one that does not: then uvicorn starts no other
    process.
    """
    signature = inspect.signature(config.__init__)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        api.three_fails()  # uvicorn's STARTUP_FAILURE
        bound = signature.bind(self, *args, **kwargs)
        if bound.arguments.get("reload"):
            api.follow()
            _watch(**{name: bound.arguments.pop(name, None) for name in OF_RELOADING})
            bound.arguments["reload"] = False
        if _wants_more(bound.arguments.get("workers")) and api.is_program():
            # others would be fresh interpreters, whose files nobody sees; `--reload` does the same
            api.say("uvicorn runs one worker while refork reloads it")
            bound.arguments["workers"] = 1
        original(*bound.args, **bound.kwargs)

    def load(self: Any) -> None:
        original_load(self)
        self.loaded_app = wrap.asgi(self.loaded_app)

    original = replace(config, "__init__", __init__)
    original_load = replace(config, "load", load)


def _wants_more(workers: Any) -> bool:
    """Whether more than one worker is asked for, as uvicorn reads it."""
    if workers is None:
        asked = os.environ.get("WEB_CONCURRENCY", "")
        return asked.isdigit() and int(asked) > 1
    return isinstance(workers, int) and workers > 1


def _watch(reload_dirs: Any, reload_includes: Any, reload_excludes: Any) -> None:
    """Watch what uvicorn was told to besides Python files; those are found by what is loaded."""
    for include in _listed(reload_includes):
        if include == "*.py":
            continue
        for folder in _listed(reload_dirs) or [os.getcwd()]:
            place = api.escape(os.path.abspath(folder))
            api.watch(os.path.join(place, "**", include))
    for exclude in _listed(reload_excludes):
        api.exclude(os.path.join(os.getcwd(), exclude))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [os.fspath(item) for item in value or ()]


def _adapt_server(module: Any) -> None:
    server = module.Server

    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        _load_protocols(self.config)
        api.brink(f"{module.__file__}:{original.__code__.co_firstlineno}")
        return original(self, *args, **kwargs)

    async def shutdown(self: Any, *args: Any, **kwargs: Any) -> None:
        if state() == RETIRED:
            connections.pass_on_idle(self.server_state.connections)
            module.asyncio.get_running_loop().call_soon(wrap.end_streams)
        await original_shutdown(self, *args, **kwargs)

    original = replace(server, "run", run)
    original_shutdown = replace(server, "shutdown", shutdown)
    if hasattr(server, "handle_exit"):
        _hurry(module)


def _load_protocols(config: Any) -> None:
    """Import uvicorn's own parts now, not within the loop: a running uvloop cannot be forked."""
    import uvicorn.config as names

    chosen = (
        (getattr(names, "HTTP_PROTOCOLS", {}), getattr(config, "http", None)),
        (getattr(names, "WS_PROTOCOLS", {}), getattr(config, "ws", None)),
        (getattr(names, "LIFESPAN", {}), getattr(config, "lifespan", None)),
    )
    for known, name in chosen:
        place = known.get(name) if isinstance(name, str) else None
        if isinstance(place, str):
            _import(place.partition(":")[0])


def _import(name: str) -> None:
    import importlib

    try:
        importlib.import_module(name)
    except ImportError:
        return  # uvicorn says what is missing, when it comes to that


# Stopping -----------------------------------------------------------------------------------------

STEP = 0.002
"""Seconds between two looks whether all is closed."""


def _hurry(module: Any) -> None:
    """Let uvicorn look at once whether it is to end, and not wait for what has ended.

    Its main loop looks every 0.1 s, and it gives connections 0.1 s to close. Both are sleeps of the
    module `uvicorn.server`; they keep their length, unless there is nothing left that could use the
    time.
    """
    hurried = Hurried(module.asyncio)
    module.asyncio = hurried

    def handle_exit(self: Any, *args: Any) -> None:
        original(self, *args)
        hurried.leave(self)

    original = replace(module.Server, "handle_exit", handle_exit)


class Hurried:
    """The module `asyncio` for `uvicorn.server`; its `sleep` ends early when a server is to end."""

    def __init__(self, asyncio: Any) -> None:
        self._asyncio = asyncio
        self._leaving: list[Any] = []
        """Servers that were told to end."""
        self._asleep: dict[Any, Any] = {}
        """Futures that a sleep waits for, each with its loop."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asyncio, name)

    def leave(self, server: Any) -> None:
        """Wake what sleeps: called by a signal handler, between any two instructions of the main
        thread.
        """
        if server not in self._leaving:
            self._leaving.append(server)
        for future, loop in list(self._asleep.items()):
            loop.call_soon_threadsafe(_finish, future)

    async def sleep(self, delay: float, result: Any = None) -> Any:
        """As `asyncio.sleep`."""
        if self._leaving:
            await self._wait_for_the_rest(delay)
            return result
        loop = self._asyncio.get_running_loop()
        future = loop.create_future()
        timer = loop.call_later(delay, _finish, future)
        self._asleep[future] = loop
        try:
            await future
        finally:
            timer.cancel()
            del self._asleep[future]
        return result

    async def _wait_for_the_rest(self, delay: float) -> None:
        """Wait while anything is at work in the loop but the server itself; `delay` at most."""
        loop = self._asyncio.get_running_loop()
        deadline = loop.time() + delay
        await self._asyncio.sleep(0)
        while loop.time() < deadline and self._is_busy(loop):
            await self._asyncio.sleep(STEP)

    def _is_busy(self, loop: Any) -> bool:
        if any(
            server.server_state.connections or server.server_state.tasks for server in self._leaving
        ):
            return True
        mine = self._asyncio.current_task()
        return any(
            not _of_uvicorn(task) for task in self._asyncio.all_tasks(loop) if task is not mine
        )


def _finish(future: Any) -> None:
    if not future.done():
        future.set_result(None)


def _of_uvicorn(task: Any) -> bool:
    """Whether a task only waits for the server to tell the application that it ends."""
    return getattr(task.get_coro(), "__qualname__", "") == "LifespanOn.main"
