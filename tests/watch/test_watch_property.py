"""Whatever is done to a small tree, what looks different afterwards was hinted.

The model is the file system itself: every watched name is looked at before and after, and a name
whose look differs must be covered by a hint. inotify tells everything within the system call that
does it, so nothing is waited for and thousands of trees can be tried.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watch.ears import covered

if sys.platform != "linux":
    pytest.skip("inotify is Linux's", allow_module_level=True)

from refork.watch.base import Hints
from refork.watch.inotify import InotifyWatcher

NAMES = "abc"
DEEPEST = 3

directories = st.lists(st.sampled_from(NAMES), max_size=DEEPEST).map(lambda parts: "/".join(parts))
places = st.lists(st.sampled_from(NAMES), min_size=1, max_size=DEEPEST).map("/".join)
targets = st.one_of(places, places.map(lambda place: "../" + place), st.sampled_from([".", ".."]))

Step = Callable[[Path], object]


def _save(top: Path, at: str) -> object:
    return (top / at).write_text(os.urandom(8).hex())


def _replace(top: Path, at: str, to: str) -> object:
    return (top / at).replace(top / to)


def _exchange(top: Path, at: str, to: str) -> object:
    (top / at).rename(top / "aside")
    (top / to).rename(top / at)
    return (top / "aside").rename(top / to)


def _remove(top: Path, at: str) -> None:
    here = top / at
    if here.is_symlink() or here.is_file():
        here.unlink()
    else:
        shutil.rmtree(here)


def _link(top: Path, at: str, to: str, absolute: bool) -> None:
    (top / at).symlink_to(top / to if absolute else to)


def _mkdir(top: Path, at: str) -> None:
    (top / at).mkdir(parents=True)


steps = st.one_of(
    places.map(lambda at: ("save", at)),
    places.map(lambda at: ("mkdir", at)),
    places.map(lambda at: ("remove", at)),
    st.tuples(st.just("replace"), places, places),
    st.tuples(st.just("exchange"), places, places),
    st.tuples(st.just("link"), places, targets, st.booleans()),
    st.just(("read",)),
    directories.map(lambda at: ("watch", at)),
    directories.map(lambda at: ("unwatch", at)),
)

ACTIONS: dict[str, Callable[..., object]] = {
    "save": _save,
    "mkdir": _mkdir,
    "remove": _remove,
    "replace": _replace,
    "exchange": _exchange,
    "link": _link,
}


def look(watched: set[str]) -> dict[str, tuple[int, ...] | None]:
    """What every name that could matter looks like."""
    names = [f"{directory}/{name}" for directory in watched for name in NAMES]
    return {name: look_at(name) for name in names}


def look_at(name: str) -> tuple[int, ...] | None:
    """Of a symbolic link the link itself: who depends on its target watches that as well."""
    try:
        status = os.lstat(name)
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):
        return (status.st_ino,)
    return (status.st_ino, status.st_size, status.st_mtime_ns)


class Tree:
    """The tree, its watcher, and what is known of both."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.watched: set[str] = set()
        self.watcher = InotifyWatcher()
        self.before: dict[str, tuple[int, ...] | None] = {}
        self.heard = Hints()

    def run(self, action: str, *arguments: object) -> None:
        if action in ACTIONS:
            try:
                ACTIONS[action](self.top, *arguments)
            except OSError:
                pass  # not every step is possible everywhere; what it did before counts
        elif action == "read":
            self.check()
        else:
            self.check()
            directory = os.path.join(self.top, str(arguments[0])).rstrip("/")
            (self.watched.add if action == "watch" else self.watched.discard)(directory)
            self.watcher.watch(self.watched, [])
            self.before = look(self.watched)

    def check(self) -> None:
        heard = self.watcher.read()
        after = look(self.watched)
        missed = [name for name in after if after[name] != self.before[name]]
        assert all(covered(heard, name) for name in missed), (missed, heard)
        self.before = after


@settings(max_examples=300, deadline=None)
@given(
    watched=st.sets(directories, min_size=1, max_size=4),
    first=st.lists(steps, max_size=8),
    then=st.lists(steps, min_size=1, max_size=12),
)
def test_what_looks_different_was_hinted(
    watched: set[str], first: list[tuple[object, ...]], then: list[tuple[object, ...]]
) -> None:
    with tempfile.TemporaryDirectory() as top:
        tree = Tree(Path(top))
        try:
            for step in first:
                tree.run(*step)  # type: ignore[arg-type]
            for directory in watched:
                tree.run("watch", directory)
            for step in then:
                tree.run(*step)  # type: ignore[arg-type]
            tree.check()
        finally:
            tree.watcher.close()
