"""Which back-end watches.

====================  ==========================================================================
Linux                 inotify; if it cannot (limits), Watchman where it runs already; polling
macOS, Windows        watchfiles; polling
``--poll``            polling
``REFORK_WATCHER``    the back-end of that name; polling if it cannot
====================  ==========================================================================

Watchman comes second although it is a fine program: it waits until the tree has been quiet for
20 ms, and is one more process to ask (``docs/watching.md`` has the figures). It serves where
inotify is refused, because the watches of a running daemon are granted already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from refork.errors import UsageError
from refork.watch.base import Watcher
from refork.watch.bell import Bell
from refork.watch.fallback import FallbackWatcher, Make
from refork.watch.poll import INTERVAL


def _inotify(bell: Bell) -> Watcher:
    from refork.watch.inotify import InotifyWatcher

    return InotifyWatcher()


def _watchfiles(bell: Bell) -> Watcher:
    from refork.watch.native import NativeWatcher

    return NativeWatcher(bell)


def _watchman(bell: Bell) -> Watcher:
    from refork.watch.watchman import WatchmanWatcher

    return WatchmanWatcher(bell)


BACK_ENDS: dict[str, Make] = {
    "inotify": _inotify,
    "watchfiles": _watchfiles,
    "watchman": _watchman,
}


def open_watcher(
    poll: float | None,
    probe_directories: Sequence[str],
    say: Callable[[str], None],
    wanted: str | None = None,
) -> FallbackWatcher:
    """The watcher to use here, tried out.

    It does not wait: a probe that is not heard at once (inotify's is) is given its time while
    the caller goes on, and ``read()`` draws the consequences.

    Args:
        poll: seconds between two looks, if polling is asked for; None: events where possible.
        probe_directories: where to leave a probe file. Those that may not be written are skipped.
        say: called with one line when something other than the best back-end serves, at any time.
        wanted: name of a back-end; default: ``REFORK_WATCHER`` of the environment, if set.

    Raises:
        UsageError: there is no back-end of that name.
    """
    wanted = wanted or os.environ.get("REFORK_WATCHER") or None
    names = back_ends(wanted) if poll is None else []
    makers = [BACK_ENDS[name] for name in names]
    return FallbackWatcher(makers, probe_directories, say, INTERVAL if poll is None else poll)


def back_ends(wanted: str | None, platform: str = sys.platform) -> list[str]:
    """The names of the back-ends to try before polling, best first.

    Raises:
        UsageError: there is no back-end called *wanted*.
    """
    if wanted is None:
        return ["inotify", "watchman"] if platform == "linux" else ["watchfiles"]
    if wanted == "poll":
        return []
    if wanted not in BACK_ENDS:
        known = ", ".join([*BACK_ENDS, "poll"])
        raise UsageError(f"REFORK_WATCHER={wanted}: no such watcher; there are {known}")
    return [wanted]
