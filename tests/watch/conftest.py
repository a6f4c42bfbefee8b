"""The back-ends, and a check that each gives back what it took."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from refork.watch.base import Watcher
from refork.watch.fallback import FallbackWatcher, Make
from refork.watch.native import NativeWatcher
from refork.watch.poll import PollWatcher
from support.waiting import wait_for
from watch.ears import Ears

Open = Callable[[pytest.FixtureRequest], Watcher]


def _inotify(request: pytest.FixtureRequest) -> Watcher:
    if sys.platform != "linux":
        pytest.skip("inotify is Linux's")
    from refork.watch.inotify import InotifyWatcher

    return InotifyWatcher()


def _poll(request: pytest.FixtureRequest) -> Watcher:
    return PollWatcher(0.01)


def _with_edges(make: Make) -> Watcher:
    """The back-ends that watch trees leave the edges to polling."""
    return FallbackWatcher([make], [], pytest.fail, interval=0.01, remote={})


def _watchfiles(request: pytest.FixtureRequest) -> Watcher:
    return _with_edges(NativeWatcher)


def _watchman(request: pytest.FixtureRequest) -> Watcher:
    from refork.watch.watchman import WatchmanWatcher

    sockname = request.getfixturevalue("watchman")
    return _with_edges(lambda bell: WatchmanWatcher(bell, sockname))


def _fallen_back(request: pytest.FixtureRequest) -> Watcher:
    return FallbackWatcher([], [], pytest.fail, interval=0.01, remote={})


BACK_ENDS: dict[str, Open] = {
    "inotify": _inotify,
    "poll": _poll,
    "watchfiles": _watchfiles,
    "watchman": _watchman,
    "fallen-back": _fallen_back,
}


@pytest.fixture
def watchman(watchman_daemon: str) -> Iterator[str]:
    """The socket of that Watchman, which forgets afterwards what the test watched.

    Each root it keeps is one inotify instance, and a user has 128 of them for all tests at once.
    """
    yield watchman_daemon
    words = ["--no-spawn", f"--sockname={watchman_daemon}", "watch-del-all"]
    subprocess.run(["watchman", *words], check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="session")
def watchman_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a Watchman of our own, which ends with the tests."""
    command = shutil.which("watchman")
    if command is None:
        pytest.skip("watchman is not installed (Debian: apt-get install watchman)")
    home = tmp_path_factory.mktemp("watchman")
    sockname = str(home / "sock")
    places = [f"--sockname={sockname}", f"--logfile={home / 'log'}", f"--pidfile={home / 'pid'}"]
    daemon = subprocess.Popen([command, "--foreground", "--no-save-state", *places])
    try:
        wait_for(lambda: listens(sockname), what="watchman listens")
        yield sockname
    finally:
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def listens(sockname: str) -> bool:
    """Whether somebody takes connections there; the file alone says nothing."""
    with socket.socket(socket.AF_UNIX) as knock:
        return knock.connect_ex(sockname) == 0


def descriptors() -> int:
    """How many file descriptors this process has; -1 where that cannot be told."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return -1


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails when a test leaves a file descriptor or a thread behind."""
    threads, fds = set(threading.enumerate()), descriptors()
    yield
    wait_for(lambda: set(threading.enumerate()) <= threads, what="threads gone")
    wait_for(lambda: descriptors() <= fds, what="file descriptors closed")


@pytest.fixture(params=list(BACK_ENDS))
def ears(request: pytest.FixtureRequest, nothing_left: None) -> Iterator[Ears]:
    """Ears on each back-end in turn."""
    watcher = BACK_ENDS[request.param](request)
    yield Ears(watcher)
    watcher.close()
