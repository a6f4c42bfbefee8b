"""What a program asked to be looked at: kept by checkpoint, compared with how it was then."""

from __future__ import annotations

from pathlib import Path

import pytest

from refork.files.registered import Registered
from refork.process import files

EARLY, LATE = 0, 2**63 - 1
"""Times of registrations: before any file was stamped, and after."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "some.txt").write_text("1")
    return tmp_path


def changed(registered: Registered, path: Path) -> bool:
    return registered.changed(files.look(str(path)), known=False)


def test_a_watched_file_is_compared_with_how_the_program_found_it(folder: Path) -> None:
    registered = Registered()
    assert registered.add("watch", str(folder), LATE, 0)
    path = folder / "some.txt"
    assert registered.restarts(str(path))
    assert not changed(registered, path)
    path.write_text("22")
    assert changed(registered, path)
    assert not changed(registered, path)
    path.write_text("22")
    assert not changed(registered, path), "the same once more"
    path.unlink()
    assert changed(registered, path)


def test_a_file_touched_since_has_changed(folder: Path) -> None:
    registered = Registered()
    registered.add("watch", str(folder / "*.txt"), EARLY, 0)
    assert registered.late(str(folder / "*.txt")) == [str(folder / "some.txt")]
    assert changed(registered, folder / "some.txt")
    assert registered.late(str(folder / "*.txt")) == []


def test_what_is_handled_is_not_read_before_it_changes(folder: Path) -> None:
    registered = Registered()
    registered.add("handle", str(folder / "**" / "*.txt"), LATE, 0)
    assert registered.handled_by(str(folder / "some.txt")) == [str(folder / "**" / "*.txt")]
    assert not registered.restarts(str(folder / "some.txt"))
    assert not changed(registered, folder / "some.txt")
    assert not changed(registered, folder / "other.py")


def test_a_wish_is_taken_down_once(folder: Path) -> None:
    registered = Registered()
    assert registered.add("watch", str(folder), LATE, 0)
    assert not registered.add("watch", str(folder), LATE, 3)
    assert registered.add("handle", str(folder), LATE, 0)


def test_wishes_after_a_checkpoint_go_with_it(folder: Path) -> None:
    registered = Registered()
    registered.add("watch", "/before", LATE, 0)
    registered.add("watch", "/after", LATE, 1)
    registered.add("three_fails", "", LATE, 1)
    registered.return_to(1)
    assert registered.restarts("/before")
    assert not registered.restarts("/after")
    assert not registered.three_fails()
    registered.return_to(None)
    assert not registered.concerns("/before")


def test_patterns_to_leave_out_cross_folders(folder: Path) -> None:
    registered = Registered()
    registered.add("exclude", "*/build/*", LATE, 0)
    assert registered.excludes("/a/build/b/c.py")
    assert not registered.excludes("/a/b.py")
    assert not registered.concerns("/a/build/b/c.py")


def test_a_new_folder_is_found(folder: Path) -> None:
    registered = Registered()
    registered.add("watch", str(folder), EARLY, 0)
    assert registered.directories() == {str(folder)}
    (folder / "new" / "deep").mkdir(parents=True)
    file = folder / "new" / "deep" / "file"
    file.write_text("")
    assert registered.reaches(str(folder / "new" / "deep"))
    assert not registered.reaches(str(folder.parent / "other"))
    registered.find_folders()
    assert str(folder / "new" / "deep") in registered.directories()
    assert registered.misses(str(file))
    assert changed(registered, file)
    assert not registered.misses(str(file)), "it has been seen as it is"
