"""macOS and Windows: what the platform has, by way of watchfiles (FSEvents, ReadDirectoryChangesW).

watchfiles looks at its own queue every few milliseconds, in a thread; that is the price of one
library for all platforms, and on Linux reason enough to use inotify directly. Its notifications
carry no order, so a file that was removed and created counts as complete.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from refork.watch.base import Findings, Hints, WatchLimit
from refork.watch.bell import Bell
from refork.watch.roots import Roots

STEP_MS = 10
"""How often watchfiles looks at its queue. 10 ms: seen after 15 ms, 0.4 % of a core when idle
(5 ms: 8 ms and 0.7 %; 50 ms, its default: 71 ms and 0.1 %), measured by ``benchmarks/watch.py``."""

BATCH_MS = 50
"""Changes that go on and on are handed over at least this often."""

REPAIRS = 20
"""How often it may break until something else has to serve."""

DELETED = 3
"""watchfiles.Change.deleted"""


class NativeWatcher:
    """The back-end by watchfiles. See :class:`refork.watch.base.Watcher`.

    Args:
        bell: rung when hints wait; its owner closes it. Without one, the watcher has its own.
    """

    name = "watchfiles"

    def __init__(self, bell: Bell | None = None) -> None:
        self._bell = bell or Bell()
        self._owns_bell = bell is None
        self._roots = Roots()
        self._directories: frozenset[str] = frozenset()
        self._pump: _Pump | None = None
        self._heard: list[set[tuple[int, str]]] = []  # appended to by the pump's thread
        self._broken: list[str] = []  # the same
        self._repairs = 0

    @property
    def blind(self) -> dict[str, str]:
        """The edges of the trees: poll these besides."""
        return self._roots.edges

    def fileno(self) -> int:
        return self._bell.fileno()

    def watch(self, directories: Collection[str], files: Collection[str]) -> None:
        self._directories = frozenset(directories)
        shaken = self._roots.shaken
        self._roots.update(self._directories)
        if shaken or self._pump is None or self._roots.tops != self._pump.tops:
            self._renew()

    def _renew(self) -> None:
        """Watch the trees as they are now. The old watch ends last, so nothing is missed."""
        before, self._pump = self._pump, None
        if self._roots.tops:
            self._pump = _Pump(self._roots.tops, self)
        if before is not None:
            before.stop()

    def read(self) -> Hints:
        self._bell.hush()
        findings = Findings()
        findings.lost = self._repair()
        turned = False
        while self._heard:
            for path, gone in _by_path(self._heard.pop(0)).items():
                note = findings.later if gone else findings.now
                turned |= self._roots.hint(path, note)
        if turned:
            self.watch(self._directories, ())
        return findings.hints()

    def _repair(self) -> bool:
        """Start again what broke. Returns whether anything did.

        watchfiles gives up for good at a file name that is no Unicode.

        Raises:
            WatchLimit: it breaks too often.
        """
        if not self._broken:
            return False
        reason = self._broken.pop()
        self._repairs += 1
        if self._repairs > REPAIRS:
            raise WatchLimit(f"watchfiles: {reason}")
        self._renew()
        return True

    def close(self) -> None:
        if self._pump is not None:
            self._pump.stop()
            self._pump = None
        if self._owns_bell:
            self._bell.close()

    def hear(self, changes: set[tuple[int, str]]) -> None:
        """Called by the pump's thread: these happened."""
        self._heard.append(changes)
        self._bell.ring()

    def fail(self, reason: str) -> None:
        """Called by the pump's thread: it cannot go on."""
        self._broken.append(reason)
        self._bell.ring()


class _Pump:
    """One set of trees, and the thread that waits for what happens in them.

    Raises:
        WatchLimit: the trees cannot be watched.
    """

    def __init__(self, tops: dict[str, tuple[int, int]], watcher: NativeWatcher) -> None:
        self.tops = tops
        self._watcher = watcher
        self._stop = threading.Event()
        try:
            self._notify = RustNotify(sorted(tops), False, False, 0, True, True)
        except (OSError, WatchfilesRustInternalError) as error:
            raise WatchLimit(f"watchfiles: {error}") from error
        self._thread = threading.Thread(target=self._run, name="refork-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                changes = self._notify.watch(BATCH_MS, STEP_MS, 0, self._stop)
            except (OSError, RuntimeError) as error:
                self._watcher.fail(str(error))
                return
            if isinstance(changes, str):  # "stop"
                return
            self._watcher.hear(changes)

    def stop(self) -> None:
        """End the thread; it takes a few milliseconds to notice."""
        self._stop.set()
        self._thread.join()
        self._notify.close()


def _by_path(changes: set[tuple[int, str]]) -> dict[str, bool]:
    """Path → whether it was only removed."""
    gone: dict[str, bool] = {}
    for kind, path in changes:
        gone[path] = kind == DELETED and gone.get(path, True)
    return gone
