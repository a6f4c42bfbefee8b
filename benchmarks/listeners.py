"""Who is compared in benchmarks.watch: each watches a tree and says when it hears of a save.

Run as a process of its own: `python -m benchmarks.listeners NAME TOP`. It prints the milliseconds
it took until it listened, and from then on, for each report, the reading of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

SAVED = "saved.py"
"""The file that is saved. Nothing else changes."""

Say = Callable[[], None]
Listen = Callable[[list[str], Say, Say], object]


def directories_below(top: str) -> list[str]:
    """*top* and all directories in it."""
    return [folder for folder, _, _ in os.walk(top)]


def refork(name: str) -> Listen:
    """refork's own back-end of that name."""

    def listen(directories: list[str], ready: Say, heard: Say) -> None:
        from refork.watch.choose import open_watcher

        watcher = open_watcher(None, [directories[0]], print, name)
        watcher.watch(directories, [os.path.join(path, SAVED) for path in directories])
        ready()
        while True:
            select.select([watcher], [], [])
            if any(path.endswith(SAVED) for path in watcher.read().paths):
                heard()

    return listen


def inotify_simple(directories: list[str], ready: Say, heard: Say) -> None:
    """The library alone: what can be had at best from Python."""
    from inotify_simple import INotify, flags

    inotify = INotify()
    for path in directories:
        inotify.add_watch(path, flags.CLOSE_WRITE | flags.MOVED_TO | flags.CREATE | flags.DELETE)
    ready()
    while True:
        if any(event.mask & flags.CLOSE_WRITE for event in inotify.read()):
            heard()


def asyncinotify(directories: list[str], ready: Say, heard: Say) -> None:
    """The library as it is meant to be used, in an asyncio loop."""
    library: Any = importlib.import_module("asyncinotify")
    mask = library.Mask.CLOSE_WRITE | library.Mask.MOVED_TO | library.Mask.CREATE

    async def main() -> None:
        with library.Inotify() as inotify:
            for path in directories:
                inotify.add_watch(path, mask)
            ready()
            async for event in inotify:
                if event.mask & library.Mask.CLOSE_WRITE:
                    heard()

    asyncio.run(main())


def watchdog(directories: list[str], ready: Say, heard: Say) -> None:
    """One recursive watch; a watch for each directory would be a thread for each."""
    events: Any = importlib.import_module("watchdog.events")
    observers: Any = importlib.import_module("watchdog.observers")

    class Handler(events.FileSystemEventHandler):  # type: ignore[misc]
        def on_closed(self, event: object) -> None:
            heard()

    observer = observers.Observer()
    observer.schedule(Handler(), directories[0], recursive=True)
    observer.start()
    ready()
    threading.Event().wait()


def watchfiles(directories: list[str], ready: Say, heard: Say) -> None:
    """With its own defaults, as its users get it."""
    from watchfiles import watch

    started = False
    for changes in watch(directories[0], rust_timeout=50, yield_on_timeout=True):
        if not started:
            started = True
            ready()
        if changes:
            heard()


LISTENERS: dict[str, tuple[Listen, str]] = {
    "refork inotify": (refork("inotify"), "inotify_simple"),
    "refork watchfiles": (refork("watchfiles"), "watchfiles"),
    "refork watchman": (refork("watchman"), "refork"),
    "refork poll": (refork("poll"), "refork"),
    "inotify_simple": (inotify_simple, "inotify_simple"),
    "asyncinotify": (asyncinotify, "asyncinotify"),
    "watchdog": (watchdog, "watchdog"),
    "watchfiles": (watchfiles, "watchfiles"),
}
"""Name → how it listens, and the module it needs."""


def installed(name: str) -> bool:
    """Whether what *name* needs can be imported."""
    return importlib.util.find_spec(LISTENERS[name][1]) is not None


def main(name: str, top: str) -> None:
    """Listen, until killed."""
    directories = directories_below(top)
    began = time.monotonic()

    def ready() -> None:
        print(f"{(time.monotonic() - began) * 1000:.1f}", flush=True)

    def heard() -> None:
        print(f"{time.monotonic():.6f}", flush=True)

    LISTENERS[name][0](directories, ready, heard)


if __name__ == "__main__":
    main(*sys.argv[1:])
