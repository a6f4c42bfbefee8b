"""The back-ends that watch whole trees: which trees, and what happens when they break."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from refork.watch.base import WatchLimit
from refork.watch.fallback import FallbackWatcher
from refork.watch.native import REPAIRS, NativeWatcher
from refork.watch.roots import Roots, is_wide, topmost
from refork.watch.watchman import WatchmanWatcher, find_socket
from support.waiting import wait_for
from watch.conftest import listens
from watch.ears import Ears


def test_trees_in_trees_are_one() -> None:
    found = topmost(["/srv/a/b", "/srv/a", "/srv/a-b", "/srv/ab/c", "/srv/a/b/c"])
    assert set(found) == {"/srv/a", "/srv/a-b", "/srv/ab/c"}


def test_half_the_machine_is_no_tree() -> None:
    home = os.path.expanduser("~")
    assert all(map(is_wide, ["/", "/srv", home]))
    assert not is_wide(os.path.join(home, "project"))
    assert topmost(["/", "/srv", "/srv/project/app", "/srv/project"]) == ["/srv/project"]


def test_only_the_edges_are_polled(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "package"
    inner.mkdir(parents=True)
    (tmp_path / "link").symlink_to("project")
    top, link, absent = str(inner.parent), str(tmp_path / "link"), str(tmp_path / "absent")
    roots = Roots()
    roots.update([top, str(inner), link, absent])
    assert list(roots.tops) == [top]
    assert set(roots.edges) == {top, link, absent}


def test_a_report_from_a_tree_is_spelled_as_asked_for(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to("project")
    roots = Roots()
    roots.update([str(tmp_path / "link"), str(tmp_path / "project")])
    noted: list[str] = []
    assert not roots.hint(str(tmp_path / "project" / "app.py"), noted.append)
    assert set(noted) == {str(tmp_path / "link" / "app.py"), str(tmp_path / "project" / "app.py")}
    assert not roots.hint(str(tmp_path / "project" / "deep" / "app.py"), noted.append)
    assert len(noted) == 2


# ------------------------------------------------------------------ breaking


def test_watchfiles_that_breaks_again_and_again_is_replaced(
    nothing_left: None, tmp_path: Path
) -> None:
    said: list[str] = []
    watcher = FallbackWatcher([NativeWatcher], [], said.append, interval=0.01, remote={})
    ears = Ears(watcher)
    ears.watch(tmp_path)
    for n in range(REPAIRS + 1):
        (tmp_path / os.fsdecode(b"\xff%d" % n)).touch()
        ears.until(lambda heard: heard.lost)
        ears.forget()
    assert len(said) == 1
    assert said[0].startswith("watching by polling every 0.01 s: watchfiles: Unable to decode")
    (tmp_path / "app.py").touch()
    ears.hear(tmp_path / "app.py")
    watcher.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Watchman to be killed, and its socket."""
    command = shutil.which("watchman")
    if command is None:
        pytest.skip("watchman is not installed (Debian: apt-get install watchman)")
    sockname = str(tmp_path / "sock")
    places = [f"--sockname={sockname}", f"--logfile={sockname}.log", f"--pidfile={sockname}.pid"]
    with subprocess.Popen([command, "--foreground", "--no-save-state", *places]) as process:
        try:
            wait_for(lambda: listens(sockname), what="watchman listens")
            yield process, sockname
        finally:
            process.kill()


def test_watchman_killed_is_replaced(
    nothing_left: None, daemon: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    process, sockname = daemon
    said: list[str] = []
    make = lambda bell: WatchmanWatcher(bell, sockname)  # noqa: E731
    watcher = FallbackWatcher([make], [], said.append, interval=0.01, remote={})
    project = tmp_path / "project"
    project.mkdir()
    ears = Ears(watcher)
    ears.watch(project)
    process.kill()
    ears.until(lambda heard: heard.lost)
    assert said == ["watching by polling every 0.01 s: watchman went away"]
    ears.forget()
    (project / "app.py").touch()
    ears.hear(project / "app.py")
    watcher.close()


def test_a_watchman_that_does_not_run_is_not_started(
    nothing_left: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHMAN_SOCK", str(tmp_path / "sock"))
    with pytest.raises(WatchLimit, match="watchman does not run"):
        WatchmanWatcher()
    assert not (tmp_path / "sock").exists()


def test_no_watchman_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHMAN_SOCK", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(WatchLimit, match="watchman is not installed"):
        find_socket()
