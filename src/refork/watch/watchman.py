"""Watchman: a daemon that watches whole trees for everybody, where it runs already.

Spoken to over its own socket in its JSON protocol: a request is one JSON array on a line, an
answer one JSON object on a line, and objects with a ``subscription`` come whenever something
happens (https://facebook.github.io/watchman/docs/socket-interface). A client library for that
would be bigger than what is needed of it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from refork.watch.base import Findings, Hints, WatchLimit
from refork.watch.bell import Bell
from refork.watch.roots import Roots

TRIES, MOMENT = 20, 0.01
"""How often, and seconds in between, a root that is being let go of is asked for again."""

TIMEOUT = 10.0
"""Seconds for an answer. The first request for a tree waits until the daemon has seen all of it."""


class WatchmanWatcher:
    """The back-end by a running Watchman. See :class:`refork.watch.base.Watcher`.

    Args:
        bell: rung when hints wait; its owner closes it. Without one, the watcher has its own.
        sockname: the daemon's socket; default: where the ``watchman`` command says it is.

    Raises:
        WatchLimit: no daemon runs.
    """

    name = "watchman"

    def __init__(self, bell: Bell | None = None, sockname: str | None = None) -> None:
        self._daemon = _Daemon(sockname or find_socket())
        self._bell = bell or Bell()
        self._owns_bell = bell is None
        self._roots = Roots()
        self._directories: frozenset[str] = frozenset()
        self._subscribed: dict[str, tuple[int, int]] = {}
        self._closed = False
        self._daemon.start(self._bell)

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
        tops = self._roots.tops
        for top in list(self._subscribed):
            if shaken or tops.get(top) != self._subscribed[top]:
                del self._subscribed[top]
                self._daemon.unsubscribe(top)
        for top in tops.keys() - self._subscribed.keys():
            self._daemon.subscribe(top)
            self._subscribed[top] = tops[top]

    def read(self) -> Hints:
        self._bell.hush()
        findings = Findings()
        turned = False
        for message in self._daemon.heard():
            top = message["subscription"]
            if top not in self._subscribed:
                continue
            if message.get("canceled"):
                self._subscribed.pop(top)
                turned |= self._roots.hint(top, findings.later)
            findings.lost |= bool(message.get("is_fresh_instance"))
            for file in message.get("files", ()):
                note = findings.now if file["exists"] else findings.later
                turned |= self._roots.hint(os.path.join(top, file["name"]), note)
        if turned:
            self.watch(self._directories, ())
        return findings.hints()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._daemon.close()
            if self._owns_bell:
                self._bell.close()


class _Daemon:
    """The conversation. A thread receives: answers for who asked, the rest for ``heard()``.

    Raises:
        WatchLimit: nobody listens at *sockname*.
    """

    def __init__(self, sockname: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(sockname)
        except OSError as error:
            self._socket.close()
            raise WatchLimit("watchman does not run") from error
        self._answers: list[dict[str, Any]] = []
        self._told: list[dict[str, Any]] = []
        self._news = threading.Condition()  # guards the two above
        self._gone = False
        self._watches: dict[str, str] = {}  # top → the root that Watchman has it in

    def start(self, bell: Bell) -> None:
        """Receive, and ring *bell* when something was told."""
        self._thread = threading.Thread(
            target=self._receive, args=(bell,), name="refork-watchman", daemon=True
        )
        self._thread.start()

    def subscribe(self, top: str) -> None:
        """Be told of everything in the tree below *top* that changes from now on.

        A tree that was removed and made again may be known by its former root for a moment, while the daemon
        lets go of that.
        """
        for left in reversed(range(TRIES)):
            try:
                self._subscribe(top)
                return
            except WatchLimit as error:
                if "cancel" not in str(error) or not left:
                    raise
                time.sleep(MOMENT)

    def _subscribe(self, top: str) -> None:
        watched = self._ask("watch-project", top)
        root = self._watches[top] = watched["watch"]
        query = {
            "fields": ["name", "exists"],
            "since": self._ask("clock", root)["clock"],
            "empty_on_fresh_instance": True,
        }
        if "relative_path" in watched:
            query["relative_root"] = watched["relative_path"]
        self._ask("subscribe", root, top, query)

    def unsubscribe(self, top: str) -> None:
        """Undo ``subscribe()``; the tree may be gone."""
        try:
            self._ask("unsubscribe", self._watches.pop(top), top)
        except WatchLimit:
            if self._gone:
                raise

    def heard(self) -> list[dict[str, Any]]:
        """What was told since the last time.

        Raises:
            WatchLimit: the daemon is gone.
        """
        with self._news:
            told, self._told = self._told, []
        if self._gone:
            raise WatchLimit("watchman went away")
        return told

    def _ask(self, *request: object) -> dict[str, Any]:
        """One request and its answer; the daemon answers in order."""
        with self._news:
            try:
                self._socket.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                raise WatchLimit(f"watchman: {error}") from error
            if not self._news.wait_for(lambda: self._answers or self._gone, TIMEOUT):
                raise WatchLimit(f"watchman did not answer {request[0]} in {TIMEOUT:g} s")
            if not self._answers:
                raise WatchLimit("watchman went away")
            answer = self._answers.pop(0)
        if "error" in answer:
            raise WatchLimit(f"watchman: {answer['error']}")
        return answer

    def _receive(self, bell: Bell) -> None:
        with self._socket.makefile("rb") as lines:
            for line in _until_hung_up(lines):
                message = json.loads(line.decode("utf-8", "surrogateescape"))
                with self._news:
                    (self._told if "subscription" in message else self._answers).append(message)
                    self._news.notify()
                bell.ring()
        with self._news:
            self._gone = True
            self._news.notify()
        bell.ring()

    def close(self) -> None:
        """Hang up. The daemon forgets the subscriptions and keeps its watches."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the daemon was faster
        self._thread.join()
        self._socket.close()


def _until_hung_up(lines: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from lines
    except OSError:
        pass  # the daemon was killed


def find_socket() -> str:
    """Where a running daemon listens. Asking does not start one.

    Raises:
        WatchLimit: there is no ``watchman`` command, or it does not know.
    """
    if known := os.environ.get("WATCHMAN_SOCK"):
        return known
    command = shutil.which("watchman")
    if command is None:
        raise WatchLimit("watchman is not installed")
    try:
        answer = subprocess.run(
            [command, "--no-spawn", "get-sockname"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=True,
        )
        return str(json.loads(answer.stdout)["sockname"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise WatchLimit(f"watchman does not say where it listens: {error}") from error
