"""Which paths a pattern names."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from refork.core.journal import Journal
from refork.core.plan import Change
from refork.files.changes import Changes
from refork.files.patterns import Patterns, folders_of, matches, reaches
from refork.files.registered import Registered
from refork.settings import Settings


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/a/x.po", "/a/x.po"),
        ("/a/b/x.po", "/a"),
        ("/a/x.po", "/a/*.po"),
        ("/a/x.po", "/a/**/*.po"),
        ("/a/b/c/x.po", "/a/**/*.po"),
        ("/a/b/x.po", "/a/**"),
        ("/a", "/a/**"),
        ("/a/x.po", "/?/x.po"),
        ("/a[b]/x.po", "/a[[]b]/*.po"),
        ("/a/.env", "/a/.env"),
        ("/a/.env", "/a/.*"),
        ("/a/.git/x", "/a/.git"),
    ],
)
def test_matches(path: str, pattern: str) -> None:
    assert matches(path, pattern)


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/ab/x.po", "/a"),
        ("/a/b/x.po", "/a/*.po"),
        ("/a/x.pot", "/a/**/*.po"),
        ("/a/.x.swp", "/a"),
        ("/a/.x.swp", "/a/**"),
        ("/a/.git/x", "/a/**"),
        ("/a/.git/x", "/a/*/x"),
    ],
)
def test_does_not_match(path: str, pattern: str) -> None:
    assert not matches(path, pattern)


def test_what_is_ignored_may_be_hidden() -> None:
    assert matches("/var/.cache/x", "/var/**", hidden=True)
    assert matches("/var/.x", "/var", hidden=True)


def test_a_mere_name_is_ignored_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    patterns = Patterns(Settings(watch=("*.po",), ignore=("*.log", "var/*.txt")))
    here = os.getcwd()
    assert patterns.ignores(f"{here}/x.log")
    assert patterns.ignores(f"{here}/deep/.hidden/x.log")
    assert patterns.ignores(f"{here}/var/x.txt")
    assert not patterns.ignores(f"{here}/x.txt")
    assert patterns.restarts(f"{here}/x.po")
    assert not patterns.restarts(f"{here}/deep/x.po"), "what to watch is meant as in a shell"


def test_the_folders_of_a_pattern(tmp_path: Path) -> None:
    for name in ("a/empty", "a/full/deep", "b/.hidden", "b/c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a/full/c.yaml").write_text("")

    def found(pattern: str) -> set[str]:
        return {os.path.relpath(one, tmp_path) for one in folders_of(str(tmp_path / pattern))}

    assert found("a/*/c.yaml") == {"a", "a/empty", "a/full"}
    assert found("**/*.yaml") == {".", "a", "a/empty", "a/full", "a/full/deep", "b", "b/c"}
    assert found("b") == {"b", "b/c"}
    assert found("a/full/c.yaml") == {"a/full"}
    assert found("a/missing/c.yaml") == {"a/missing"}


def test_folders_on_the_way() -> None:
    assert reaches("/a", "/a/*/c/*.po")
    assert reaches("/a/b/c", "/a/*/c/*.po")
    assert not reaches("/a/b/d", "/a/*/c/*.po")
    assert not reaches("/a/.git", "/a/**/*.po")


def test_what_went_before_its_folder_was_watched_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program may be up, and somebody move files, before the watcher stands."""
    monkeypatch.chdir(tmp_path)
    for name in ("moved", "stays"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "one.txt").write_text("1")
    patterns = Patterns(replace(Settings(), watch=("data",)))
    hinted: list[list[str]] = []
    supervisor = SimpleNamespace(
        patterns=patterns,
        registered=Registered(),
        watching=SimpleNamespace(has=lambda _folder: True),
        lineage=SimpleNamespace(journal=Journal()),
        hinted=lambda found, _everything: hinted.append(found),
    )
    changes = Changes(supervisor)  # type: ignore[arg-type]
    changes.look_into([str(tmp_path)])
    assert not hinted
    (tmp_path / "data" / "moved").rename(tmp_path / "away")
    changes.look_into([str(tmp_path)])
    gone = str(tmp_path / "data" / "moved" / "one.txt")
    assert hinted == [[gone]]
    assert patterns.differs(Change(gone, None, None))
    changes.look_into([str(tmp_path)])
    assert len(hinted) == 1, "once"
