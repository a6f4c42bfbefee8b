"""What only inotify does: limits, overflow, and telling a finished save from a begun one."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from watch.ears import Ears, covered

if sys.platform != "linux":
    pytest.skip("inotify is Linux's", allow_module_level=True)

from refork.watch.base import Hints, WatchLimit
from refork.watch.inotify import InotifyWatcher


@pytest.fixture
def ears(nothing_left: None) -> Iterator[Ears]:
    watcher = InotifyWatcher()
    yield Ears(watcher)
    watcher.close()


def in_user_namespace(*command: str, options: tuple[str, ...] = ()) -> str:
    """Run *command* in a user namespace of its own; what it printed."""
    inside = ["unshare", "--user", *options]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    done = subprocess.run([*inside, *command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_small_world(limit: str, value: int, code: str) -> str:
    """Run Python *code* where the user's inotify *limit* is *value*; what it printed."""
    lower = f'echo {value} > /proc/sys/user/{limit} && exec {sys.executable} -c "$0"'
    return in_user_namespace("sh", "-c", lower, code, options=("--map-root-user",))


# ------------------------------------------------------------------ limits


def test_too_many_watches_is_a_limit(tmp_path: Path) -> None:
    code = f"""
from refork.watch.base import WatchLimit
from refork.watch.inotify import InotifyWatcher
watcher = InotifyWatcher()
try:
    watcher.watch([{str(tmp_path)!r}], [])
except WatchLimit as error:
    print(error)
"""
    said = in_small_world("max_inotify_watches", 2, code)
    assert said.startswith(
        "inotify refuses more than 2 watches; sysctl fs.inotify.max_user_watches"
    )


def test_too_many_instances_is_a_limit() -> None:
    code = """
from refork.watch.base import WatchLimit
from refork.watch.inotify import InotifyWatcher
first = InotifyWatcher()
try:
    InotifyWatcher()
except WatchLimit as error:
    print(error)
"""
    said = in_small_world("max_inotify_instances", 1, code)
    assert "fs.inotify.max_user_instances" in said


def test_a_limit_met_while_reading_is_raised_by_read(tmp_path: Path) -> None:
    code = f"""
import os
from refork.watch.base import WatchLimit
from refork.watch.inotify import InotifyWatcher
top = {str(tmp_path)!r}
watcher = InotifyWatcher()
watcher.watch([top + "/a/b/c/d/e/f"], [])
os.makedirs(top + "/a/b/c/d/e/f")
try:
    watcher.read()
except WatchLimit as error:
    print("limit")
"""
    depth = len(tmp_path.parts)
    assert in_small_world("max_inotify_watches", depth + 2, code) == "limit"


# ------------------------------------------------------------------ overflow


def test_overflow_loses_hints_but_no_watches(ears: Ears, tmp_path: Path) -> None:
    noisy, moved = tmp_path / "noisy", tmp_path / "moved"
    for directory in (noisy, moved):
        directory.mkdir()
    ears.watch(noisy, moved)
    overflow(noisy)
    moved.rename(tmp_path / "elsewhere")  # not told any more: the queue is full
    moved.mkdir()
    assert ears.watcher.read().lost
    ears.forget()
    for directory in (noisy, moved):
        (directory / "app.py").write_text("x")
        ears.hear_complete(directory / "app.py")
    assert not ears.watcher.read()


def overflow(directory: Path) -> None:
    """Make more events than the kernel keeps. Equal events in a row would be merged into one."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    files = [directory / name for name in "ab"]
    for file in files:
        file.touch()
    for n in range(limit + 1):
        os.utime(files[n % 2])


# ------------------------------------------------------------------ finished or not


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "app.py"
    file.write_text("one")
    return file


def test_a_save_is_unfinished_until_it_is_closed(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    with app.open("w") as stream:
        assert ears.watcher.read() == Hints(unfinished=frozenset([str(app)]))
        stream.write("two")
        stream.flush()
        assert ears.watcher.read() == Hints(unfinished=frozenset([str(app)]))
        os.utime(app)
        assert ears.watcher.read() == Hints(unfinished=frozenset([str(app)]))
    assert ears.watcher.read() == Hints(paths=frozenset([str(app)]))
    os.utime(app)
    assert ears.watcher.read() == Hints(paths=frozenset([str(app)]))


def test_a_replacement_is_unfinished_while_the_file_is_away(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    app.rename(app.with_name("app.py~"))
    hints = ears.watcher.read()
    assert hints.unfinished == {str(app)}
    assert hints.paths == {str(app) + "~"}
    stream = app.open("w")
    assert ears.watcher.read().unfinished == {str(app)}
    stream.close()
    assert ears.watcher.read().paths == {str(app)}


def test_a_log_being_written_wakes_for_nothing(ears: Ears, app: Path) -> None:
    with app.with_name("debug.log").open("a") as log:
        ears.watch(app.parent, files=[app])
        log.write("line\n")
        log.flush()
        assert not ears.watcher.read()


def test_a_whole_save_is_one_hint(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    app.write_text("two")
    assert ears.watcher.read() == Hints(paths=frozenset([str(app)]))


# ------------------------------------------------------------------ cost


def test_watching_the_same_again_asks_the_kernel_nothing(
    ears: Ears, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories = [tmp_path / f"package{n}" for n in range(100)]
    for directory in directories:
        directory.mkdir()
    ears.watch(*directories)
    asked: list[object] = []
    inotify = ears.watcher._inotify  # type: ignore[attr-defined]
    add_watch = inotify.add_watch

    def count(path: str, mask: int) -> int:
        asked.append(path)
        return int(add_watch(path, mask))

    monkeypatch.setattr(inotify, "add_watch", count)
    ears.watch(*directories)
    assert asked == []
    (tmp_path / "more").mkdir()
    ears.watch(*directories, tmp_path / "more")
    assert len(asked) <= len(tmp_path.parts) + 1


def test_idle_costs_nothing(ears: Ears, tmp_path: Path) -> None:
    directories = [tmp_path / f"package{n}" for n in range(500)]
    for directory in directories:
        directory.mkdir()
    threads = threading.active_count()
    ears.watch(*directories)
    before = time.process_time()
    ears.hear_nothing()
    assert time.process_time() - before < 0.02
    assert threading.active_count() == threads


def test_a_save_is_seen_in_under_two_milliseconds(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    took = []
    for n in range(50):
        app.write_text(str(n))
        began = time.perf_counter()
        assert select.select([ears.watcher], [], [], 1)[0]
        assert covered(ears.watcher.read(), str(app))
        took.append(time.perf_counter() - began)
    assert min(took) < 0.002  # the least: a timer in the path would show, a busy machine not


# ------------------------------------------------------------------ races


def test_trees_made_while_we_look_are_watched(ears: Ears, tmp_path: Path) -> None:
    """Somebody else makes the directories, at the very moment the watches move down."""
    wanted = [tmp_path / f"d{n}" / "a" / "b" / "c" for n in range(150)]
    ears.watch(*wanted)

    def make() -> None:
        for path in wanted:
            path.mkdir(parents=True)

    maker = threading.Thread(target=make)
    maker.start()
    while maker.is_alive():
        ears.watcher.read()
    maker.join()
    ears.forget()
    for directory in wanted:
        (directory / "app.py").write_text("x")
    ears.hear(*(directory / "app.py" for directory in wanted))


def test_directories_replaced_while_we_look_are_watched(ears: Ears, tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    wanted.mkdir(parents=True)
    ears.watch(wanted)

    def replace() -> None:
        for _ in range(200):
            shutil.rmtree(tmp_path / "a")
            wanted.mkdir(parents=True)

    maker = threading.Thread(target=replace)
    maker.start()
    while maker.is_alive():
        ears.watcher.read()
    maker.join()
    ears.forget()
    (wanted / "app.py").write_text("x")
    ears.hear_complete(wanted / "app.py")


# ------------------------------------------------------------------ closed doors


def test_no_instance_no_watcher(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("refork.watch.inotify.INotify", refuse)
    with pytest.raises(WatchLimit, match="max_user_instances"):
        InotifyWatcher()


def test_a_directory_that_may_not_be_read_is_blind(tmp_path: Path) -> None:
    """In a user namespace without a mapping even root may only do what the mode says."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o311)
    code = f"""
from refork.watch.inotify import InotifyWatcher
watcher = InotifyWatcher()
watcher.watch([{str(locked)!r}, {str(tmp_path)!r}], [])
print(*watcher.blind)
watcher.watch([{str(tmp_path)!r}], [])
print(*watcher.blind)
"""
    try:
        assert in_user_namespace(sys.executable, "-c", code) == str(locked)
    finally:
        locked.chmod(0o755)
