"""What serves is tried; where it does not hear, polling does; and the user is told why, once."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

from refork.errors import UsageError
from refork.watch.base import Hints, Watcher, WatchLimit
from refork.watch.bell import Bell
from refork.watch.choose import back_ends, open_watcher
from refork.watch.fallback import FallbackWatcher, Make
from refork.watch.mounts import device, is_remote, remote_devices
from refork.watch.poll import PollWatcher
from refork.watch.probe import PREFIX
from support.waiting import wait_for
from watch.ears import Ears, covered

QUICK = 0.01


class Scripted:
    """A back-end that hears what the test lets it hear."""

    name = "scripted"

    def __init__(self, bell: Bell) -> None:
        self.bell = bell
        self.blind: Mapping[str, str] = {}
        self.watched: set[str] = set()
        self.next = Hints()
        self.limit: str | None = None
        self.closed = False

    def fileno(self) -> int:
        return self.bell.fileno()

    def watch(self, directories: Collection[str], files: Collection[str]) -> None:
        if self.limit:
            raise WatchLimit(self.limit)
        self.watched = set(directories)

    def tell(self, *paths: str) -> None:
        """Let these be heard."""
        self.next |= Hints(frozenset(paths))
        self.bell.ring()

    def read(self) -> Hints:
        if self.limit:
            raise WatchLimit(self.limit)
        hints, self.next = self.next, Hints()
        return hints

    def close(self) -> None:
        self.closed = True


class Stage:
    """A fallback watcher on scripted back-ends, and what it said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.cast: list[Scripted] = []
        self.watchers: list[FallbackWatcher] = []

    def make(self, bell: Bell) -> Watcher:
        self.cast.append(Scripted(bell))
        return self.cast[-1]

    def open(
        self, *makers: Make, probe: Collection[Path] = (), remote: dict[int, str] | None = None
    ) -> Ears:
        self.watchers.append(
            FallbackWatcher(
                makers, [str(path) for path in probe], self.said.append, QUICK, remote or {}, 0.1
            )
        )
        return Ears(self.watchers[-1])


@pytest.fixture
def stage(nothing_left: None) -> Iterator[Stage]:
    stage = Stage()
    yield stage
    for watcher in stage.watchers:
        watcher.close()


@pytest.fixture
def app(tmp_path: Path) -> Path:
    file = tmp_path / "app.py"
    file.write_text("one")
    return file


def refuse(bell: Bell) -> Watcher:
    raise WatchLimit("no, says the system")


# ------------------------------------------------------------------ one takes over


def test_the_second_best_serves_and_it_is_said(stage: Stage, app: Path) -> None:
    ears = stage.open(refuse, stage.make)
    assert ears.watcher.name == "scripted"
    assert stage.said == ["watching by scripted: no, says the system"]


def test_polling_serves_when_nothing_else_does(stage: Stage, app: Path) -> None:
    ears = stage.open(refuse, refuse)
    assert stage.said == [
        "watching by polling every 0.01 s: no, says the system; no, says the system"
    ]
    ears.watch(app.parent, files=[app])
    app.write_text("two")
    ears.hear(app)
    assert ears.watcher.name == "poll"


@pytest.mark.parametrize("when", ["watching", "reading"])
def test_a_limit_met_later_changes_to_polling(stage: Stage, app: Path, when: str) -> None:
    ears = stage.open(stage.make)
    ears.watch(app.parent, files=[app])
    fileno = ears.watcher.fileno()
    stage.cast[0].limit = "too many watches"
    if when == "watching":
        ears.watcher.watch([str(app.parent)], [str(app)])
    else:
        stage.cast[0].bell.ring()
    ears.until(lambda heard: heard.lost)
    assert stage.said == ["watching by polling every 0.01 s: too many watches"]
    assert stage.cast[0].closed
    assert ears.watcher.fileno() == fileno
    ears.forget()
    app.write_text("two")
    ears.hear(app)


def test_the_one_that_takes_over_watches_the_same(stage: Stage, app: Path) -> None:
    ears = stage.open(stage.make, stage.make)
    ears.watch(app.parent, files=[app])
    stage.cast[0].limit = "too many watches"
    stage.cast[0].bell.ring()
    ears.until(lambda heard: heard.lost)
    assert stage.cast[1].watched == {str(app.parent)}
    stage.cast[1].tell(str(app))
    ears.hear_complete(app)


def test_one_that_refuses_its_first_watch_is_closed(stage: Stage, app: Path) -> None:
    def make(bell: Bell) -> Watcher:
        watcher = stage.make(bell)
        stage.cast[-1].limit = "not one watch"
        return watcher

    ears = stage.open(make)
    assert stage.cast[0].closed
    assert stage.said == ["watching by polling every 0.01 s: not one watch"]
    ears.watch(app.parent, files=[app])
    app.write_text("two")
    ears.hear(app)


# ------------------------------------------------------------------ probes


def test_a_probe_that_is_heard_is_silence(stage: Stage, tmp_path: Path, app: Path) -> None:
    ears = stage.open(stage.make, probe=[tmp_path])
    probe = tmp_path / f"{PREFIX}{os.getpid()}"
    assert probe.exists()
    stage.cast[0].tell(str(probe), str(app))
    assert ears.watcher.read() == Hints(frozenset([str(app)]))
    assert not probe.exists()
    ears.watch(tmp_path)
    assert ears.watcher.name == "scripted"
    assert stage.said == []


def test_a_probe_that_is_not_heard_means_polling(stage: Stage, tmp_path: Path, app: Path) -> None:
    ears = stage.open(stage.make, probe=[tmp_path])
    ears.watcher.watch([str(tmp_path)], [str(app)])
    assert tmp_path in map(Path, stage.cast[0].watched)
    ears.until(lambda heard: heard.lost)
    assert stage.said == [
        f"also polling every 0.01 s in {tmp_path}: scripted did not tell of a file written there"
    ]
    assert not list(tmp_path.glob(f"{PREFIX}*"))
    ears.forget()
    app.write_text("two")
    ears.hear(app)
    assert ears.watcher.name == "scripted+poll"


def test_a_probe_is_watched_for_until_it_is_judged(stage: Stage, tmp_path: Path) -> None:
    ears = stage.open(stage.make, probe=[tmp_path])
    other = tmp_path / "other"
    ears.watcher.watch([str(other)], [])
    assert stage.cast[0].watched == {str(other), str(tmp_path)}
    stage.cast[0].tell(str(tmp_path / f"{PREFIX}{os.getpid()}"))
    ears.forget()
    ears.watch(other)
    assert stage.cast[0].watched == {str(other)}


def test_where_nothing_may_be_written_nothing_is_tried(stage: Stage, tmp_path: Path) -> None:
    began = time.monotonic()
    ears = stage.open(stage.make, probe=[tmp_path / "absent", Path("/proc/self")])
    assert not select.select([ears.watcher], [], [], 0.3)[0]
    assert time.monotonic() - began < 5
    assert stage.said == []


def test_closing_takes_the_probe_away(stage: Stage, tmp_path: Path) -> None:
    stage.open(stage.make, probe=[tmp_path])
    assert list(tmp_path.glob(f"{PREFIX}*"))
    stage.watchers.pop().close()
    assert not list(tmp_path.glob(f"{PREFIX}*"))


def test_one_probe_a_device(stage: Stage, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    stage.open(stage.make, probe=[tmp_path / "a", tmp_path / "b"])
    assert len(list(tmp_path.rglob(f"{PREFIX}*"))) == 1


# ------------------------------------------------------------------ polling besides


def test_a_remote_mount_is_polled_besides(stage: Stage, app: Path) -> None:
    ears = stage.open(stage.make, remote={os.stat(app).st_dev: "9p"})
    ears.watch(app.parent, app.parent / "not" / "yet", files=[app])
    assert len(stage.said) == 1  # for each mount, not for each directory
    assert stage.said[0].startswith(f"also polling every 0.01 s in {app.parent}")
    assert stage.said[0].endswith(": others can change a 9p mount without an event")
    app.write_text("two")
    ears.hear(app)
    stage.cast[0].tell(str(app))
    ears.hear(app)


def test_blind_directories_are_polled_besides(stage: Stage, app: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "app.py"
    other.parent.mkdir()
    ears = stage.open(stage.make)
    ears.watch(app.parent, other.parent, files=[app, other])
    stage.cast[0].blind = {str(other.parent): "it may not be read"}
    stage.cast[0].tell(str(app))
    ears.hear(app)
    assert stage.said == [f"also polling every 0.01 s in {other.parent}: it may not be read"]
    other.write_text("two")
    app.write_text("two")
    heard = ears.until(lambda heard: covered(heard, str(other)))
    assert not covered(heard, str(app))


@pytest.mark.skipif(sys.platform != "linux", reason="FUSE")
def test_a_real_mount_changed_behind_the_kernels_back(stage: Stage, tmp_path: Path) -> None:
    """Like a folder shared with a container's host: the probe is heard, the host's are not."""
    from refork.watch.inotify import InotifyWatcher

    if not shutil.which("bindfs") or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("bindfs is not installed, or /dev/fuse is not to be had")
    host, guest = tmp_path / "host", tmp_path / "guest"
    for directory in (host, guest):
        directory.mkdir()
    (host / "app.py").write_text("one")
    fuse = subprocess.Popen(["bindfs", "-f", str(host), str(guest)])
    try:
        wait_for((guest / "app.py").exists, what="mounted")
        remote = remote_devices()
        assert remote[os.stat(guest).st_dev].startswith("fuse")
        ears = stage.open(lambda bell: InotifyWatcher(), probe=[guest], remote=remote)
        ears.watch(guest, files=[guest / "app.py"])
        assert ears.watcher.name == "inotify+poll"
        (host / "app.py").write_text("three")
        ears.hear(guest / "app.py")
        stage.watchers.pop().close()
    finally:
        fuse.terminate()  # it unmounts by itself
        fuse.wait(10)


# ------------------------------------------------------------------ mounts


def test_remote_kinds() -> None:
    remote = ("nfs4", "9p", "virtiofs", "fuse", "fuse.sshfs", "cifs")
    assert all(map(is_remote, remote))
    assert not any(map(is_remote, ("ext4", "overlay", "tmpfs", "btrfs", "fusectl", "fuseblk")))


def test_mountinfo_is_read(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 254:0 / / rw,noatime shared:1 - ext4 /dev/vda rw\n"
        "60 22 0:52 / /mnt/c\\040d rw,noatime - 9p C:\\134 rw,aname=drvfs\n"
        "61 22 0:53 / /src rw shared:2 master:1 - fuse.sshfs host: rw\n"
    )
    assert remote_devices(str(table)) == {
        os.makedev(0, 52): "9p",
        os.makedev(0, 53): "fuse.sshfs",
    }
    assert remote_devices(str(tmp_path / "absent")) == {}


def test_the_device_of_what_does_not_exist_is_that_of_what_does(tmp_path: Path) -> None:
    assert device(str(tmp_path / "a" / "b")) == os.stat(tmp_path).st_dev
    assert device("/nul\0in/it") is None


# ------------------------------------------------------------------ choosing


def test_what_is_tried_where() -> None:
    assert back_ends(None, "linux") == ["inotify", "watchman"]
    assert back_ends(None, "darwin") == back_ends(None, "win32") == ["watchfiles"]
    assert back_ends("watchman") == ["watchman"]
    assert back_ends("poll") == []


def test_an_unknown_name_is_the_users_error() -> None:
    with pytest.raises(UsageError, match="REFORK_WATCHER=kqueue: no such watcher; there are"):
        open_watcher(None, [], print, "kqueue")


@pytest.mark.parametrize("poll", [None, 0.02])
def test_opened_for_real(nothing_left: None, app: Path, poll: float | None) -> None:
    said: list[str] = []
    watcher = open_watcher(poll, [str(app.parent)], said.append)
    try:
        ears = Ears(watcher)
        ears.watch(app.parent, files=[app])
        app.write_text("two")
        ears.hear_complete(app)
        assert said == []
        assert not list(app.parent.glob(f"{PREFIX}*"))
        if sys.platform == "linux":
            assert watcher.name == ("inotify" if poll is None else "poll")
    finally:
        watcher.close()


@pytest.mark.parametrize("name", ["watchfiles", "poll"])
def test_the_environment_may_choose(
    nothing_left: None, app: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("REFORK_WATCHER", name)
    said: list[str] = []
    watcher = open_watcher(None, [str(app.parent)], said.append)
    try:
        ears = Ears(watcher)
        ears.watch(app.parent, files=[app])
        assert watcher.name.startswith(name)
        ears.hear_nothing()
        app.write_text("two")
        ears.hear(app)
        assert said == []
    finally:
        watcher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_inotify_is_tried_out_before_anybody_notices(tmp_path: Path) -> None:
    threads = threading.active_count()
    watcher = open_watcher(None, [str(tmp_path)], pytest.fail)
    assert threading.active_count() == threads  # no timer was needed
    watcher.close()


# ------------------------------------------------------------------ polling itself


def test_a_slow_look_stretches_the_interval(
    nothing_left: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def slow(self: PollWatcher) -> None:
        looks.append(time.monotonic())
        time.sleep(0.05)

    monkeypatch.setattr(PollWatcher, "_look_around", slow)
    watcher = PollWatcher(0.001)
    watcher.watch([str(tmp_path)], [])
    wait_for(lambda: len(looks) >= 3, what="three looks")
    watcher.close()
    assert looks[2] - looks[1] >= 0.4
