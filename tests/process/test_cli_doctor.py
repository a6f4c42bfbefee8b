"""`refork doctor`: each finding, on made-up machines and on this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from refork.commands import doctor
from refork.commands.doctor import Finding
from refork.settings import Settings
from refork.watch.base import Hints

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def texts(findings: Iterator[Finding]) -> list[tuple[str, bool]]:
    return [(finding.text, finding.fine) for finding in findings]


def test_it_reports_from_outside_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "REFORK"))}
    done = subprocess.run(
        [sys.executable, "-m", "refork", "doctor"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stderr == ""
    subjects = [line[2:12].strip() for line in done.stdout.splitlines()]
    for subject in ("watching", "python", "gears", "start", "memory", "bytecode"):
        assert subject in subjects
    assert "a save here was seen after" in done.stdout
    assert os.listdir(tmp_path) == []


# ── watching ─────────────────────────────────────────────────────────────────────────────────────


def test_polling_sees_the_save_too(tmp_path: Path) -> None:
    ((text, fine),) = texts(doctor.watching(Settings(poll=0.05), str(tmp_path)))
    assert text.startswith("poll: a save here was seen after ")
    assert fine
    assert os.listdir(tmp_path) == []


class Deaf:
    """A back-end that is never told of anything."""

    name = "deaf"

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def fileno(self) -> int:
        return self.reader

    def watch(self, directories: Collection[str], files: Collection[str]) -> None: ...

    def read(self) -> Hints:
        return Hints()

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


def test_a_save_that_nobody_sees_is_the_one_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", -0.95)
    monkeypatch.setattr(doctor, "open_watcher", lambda *_: Deaf())
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []
    assert doctor.examine(Settings(), lines.append) == 1
    assert lines[0].startswith("! watching   deaf: a save in ")
    assert lines[0].endswith("try --poll")
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written_nothing_is_tested(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    finding, *_ = doctor.watching(Settings(), gone)
    assert "not tested, since nothing can be written in" in finding.text


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


def fake_proc(tmp_path: Path, watches: int, instances: int) -> str:
    """A /proc with one process that has one inotify instance with two watches."""
    settings = tmp_path / "proc" / "sys" / "fs" / "inotify"
    settings.mkdir(parents=True)
    (settings / "max_user_watches").write_text(f"{watches}\n")
    (settings / "max_user_instances").write_text(f"{instances}\n")
    process = tmp_path / "proc" / "7"
    (process / "fd").mkdir(parents=True)
    (process / "fdinfo").mkdir()
    (process / "fd" / "3").symlink_to("anon_inode:inotify")
    (process / "fd" / "4").symlink_to("/etc/hosts")
    (process / "fdinfo" / "3").write_text("pos:\t0\ninotify wd:1 ino:2\ninotify wd:2 ino:3\n")
    (tmp_path / "proc" / "8").mkdir()
    return str(tmp_path / "proc")


@LINUX
@pytest.mark.parametrize(
    ("watches", "instances", "fine", "advice"),
    [
        (10**6, 128, [True, True], []),
        (4, 128, [False, False, True], ["raise it: sysctl fs.inotify.max_user_watches=524288"]),
        (
            10**6,
            1,
            [True, False, False],
            ["raise it: sysctl fs.inotify.max_user_instances=1024"],
        ),
    ],
)
def test_limits_beside_what_is_needed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    watches: int,
    instances: int,
    fine: list[bool],
    advice: list[str],
) -> None:
    project = tmp_path / "project"
    (project / "a" / "b").mkdir(parents=True)
    (project / "a" / "__pycache__").mkdir()
    (project / ".git" / "objects").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", ["", str(project / "a"), str(tmp_path / "none")])
    found = texts(doctor.limits(str(project), fake_proc(tmp_path, watches, instances)))
    assert [is_fine for _, is_fine in found] == fine
    assert found[0][0] == (
        f"inotify: 2 of {watches:,} watches in use, 3 folders here and in libraries"
    )
    assert f"inotify: 1 of {instances:,} instances in use" in [text for text, _ in found]
    assert [text for text, _ in found if text.startswith("raise it")] == advice


def test_without_inotify_there_are_no_limits(tmp_path: Path) -> None:
    assert texts(doctor.limits(str(tmp_path), str(tmp_path))) == []


@LINUX
def test_our_own_inotify_is_counted() -> None:
    from inotify_simple import INotify, flags

    with INotify() as inotify:
        inotify.add_watch("/", flags.CREATE)
        assert doctor._watches_of("/proc/self", str(inotify.fileno())) == 1
        instances, watches = doctor.inotify_in_use("/proc")
    assert instances >= 1
    assert watches >= 1


# ── gears ────────────────────────────────────────────────────────────────────────────────────────


@LINUX
@pytest.mark.parametrize(
    ("settings", "environ", "reason"),
    [
        (Settings(), {}, ""),
        (Settings(strategy="restart"), {}, "the strategy is restart"),
        (Settings(), {"COVERAGE_PROCESS_START": "x"}, "COVERAGE_PROCESS_START has coverage trace"),
    ],
)
def test_what_stands_in_the_way_of_resuming(
    settings: Settings, environ: dict[str, str], reason: str
) -> None:
    found = doctor.no_resume(settings, environ)
    assert found.startswith(reason)
    text, fine = doctor.gears(settings, environ)
    assert fine is (not reason)
    assert text.startswith("cold starts only: " if reason else "graft (evidence: ")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [("platform", "darwin", "forks are safe on Linux only"), ("fork", None, "cannot fork")],
)
def test_other_systems_start_cold(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, reason: str
) -> None:
    if name == "fork":
        monkeypatch.delattr(os, "fork", raising=False)
    else:
        monkeypatch.setattr(sys, "platform", value)
    assert reason in doctor.no_resume(Settings(), {})


def test_a_slow_bare_start_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_bare_start", lambda: 0.25)
    *_, (text, fine) = texts(doctor.python(Settings(), {}))
    assert text.startswith("bare Python starts in 250 ms: look at .pth files")
    assert not fine


# ── memory, bytecode, libraries ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("available", "budget", "expected"),
    [
        (8192, None, ("8,192 MB available, 2,048 MB of it for checkpoints", True)),
        (8192, 100, ("8,192 MB available, 100 MB of it for checkpoints", True)),
        (80, 100, ("80 MB available, 100 MB of it for checkpoints", False)),
        (100, None, ("100 MB available, 25 MB of it for checkpoints", False)),
        (0, None, ("not known here", True)),
    ],
)
def test_memory(
    monkeypatch: pytest.MonkeyPatch,
    available: int,
    budget: int | None,
    expected: tuple[str, bool],
) -> None:
    monkeypatch.setattr(doctor, "available_memory", lambda: available * 2**20)
    assert texts(doctor.memory(Settings(memory_budget=budget))) == [expected]


def test_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(**environ: str) -> tuple[str, bool]:
        (finding,) = texts(doctor.bytecode(str(tmp_path), environ))
        return finding

    assert found() == ("kept in __pycache__", True)
    assert found(PYTHONPYCACHEPREFIX="/x") == ("kept below /x", True)
    assert found(PYTHONDONTWRITEBYTECODE="1")[1] is False
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert found()[0].startswith(f"{tmp_path} is read-only: set PYTHONPYCACHEPREFIX")


def test_libraries_are_found_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*doctor.POOLS, *doctor.REPORTERS, "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemError('imported')")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    pools, reporters, torch = texts(doctor.libraries())
    assert pools[0].startswith("jax, polars, tensorflow, grpc: no checkpoint once")
    assert reporters[0].startswith("ddtrace, newrelic, ")
    assert torch[0].startswith("torch: ")
    monkeypatch.setattr(sys, "path", [])
    assert texts(doctor.libraries()) == []
