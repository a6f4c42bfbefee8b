"""However a file is saved, and whatever becomes of it, it is hinted under the path we know."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from watch.ears import Ears, covered

LONG_AGO = (1_000_000_000, 1_000_000_000)


def truncate_and_write(file: Path) -> None:
    file.write_text("two")


def append(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("two")


def write_in_place(file: Path) -> None:
    with file.open("r+") as stream:
        stream.write("two")


def write_in_chunks(file: Path) -> None:
    with file.open("w") as stream:
        for chunk in ("t", "w", "o"):
            stream.write(chunk)
            stream.flush()


def atomic_rename(file: Path) -> None:
    aside = file.with_name("app.py.tmp4711")
    aside.write_text("two")
    aside.replace(file)


def atomic_rename_from_elsewhere(file: Path) -> None:
    aside = file.parent.parent / "aside"
    aside.write_text("two")
    aside.replace(file)


def older_file_moved_in(file: Path) -> None:
    aside = file.with_name("backup")
    aside.write_text("two")
    os.utime(aside, LONG_AGO)
    aside.replace(file)


def same_stamp_other_inode(file: Path) -> None:
    stamp = file.stat()
    aside = file.with_name("aside")
    aside.write_text("eno")
    os.utime(aside, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    aside.replace(file)


def vim_rename_to_backup(file: Path) -> None:
    backup = file.with_name("app.py~")
    file.rename(backup)
    file.write_text("two")
    backup.unlink()


def vim_copy_to_backup(file: Path) -> None:
    backup = file.with_name("app.py~")
    shutil.copy2(file, backup)
    file.write_text("two")
    backup.unlink()


def unlink_and_create(file: Path) -> None:
    file.unlink()
    file.write_text("two")


def touch(file: Path) -> None:
    os.utime(file, LONG_AGO)


def hard_link_in(file: Path) -> None:
    aside = file.parent.parent / "aside"
    aside.write_text("two")
    file.unlink()
    os.link(aside, file)


def turn_into_symlink(file: Path) -> None:
    aside = file.parent.parent / "aside"
    aside.write_text("two")
    file.unlink()
    file.symlink_to(aside)


COMPLETE = [
    truncate_and_write,
    append,
    write_in_place,
    write_in_chunks,
    atomic_rename,
    atomic_rename_from_elsewhere,
    older_file_moved_in,
    same_stamp_other_inode,
    vim_rename_to_backup,
    vim_copy_to_backup,
    unlink_and_create,
    touch,
    hard_link_in,
    turn_into_symlink,
]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A saved file in a directory of its own."""
    file = tmp_path / "project" / "app.py"
    file.parent.mkdir()
    file.write_text("one")
    return file


@pytest.mark.parametrize("save", COMPLETE)
def test_a_save_is_hinted_as_complete(ears: Ears, app: Path, save: Callable[[Path], None]) -> None:
    ears.watch(app.parent, files=[app])
    for _ in range(2):
        save(app)
        ears.hear_complete(app)


def test_a_new_file_is_hinted(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    new = app.with_name("local_settings.py")
    new.write_text("DEBUG = True")
    ears.hear_complete(new)


def test_a_new_directory_is_hinted(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    new = app.with_name("package")
    new.mkdir()
    ears.hear(new)


def test_a_removed_file_is_hinted(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    app.unlink()
    ears.hear(app)


def test_a_file_renamed_is_hinted_under_both_names(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    app.rename(app.with_name("other.py"))
    ears.hear(app, app.with_name("other.py"))


@pytest.mark.parametrize("name", ["a b.py", "näme.py", "line\nbreak.py", os.fsdecode(b"\xff.py")])
def test_any_name_will_do(ears: Ears, app: Path, name: str) -> None:
    ears.watch(app.parent, files=[app])
    (app.parent / name).write_text("x")
    ears.hear_complete(app.parent / name)


def test_a_checkout_of_hundreds_of_files_is_hinted_whole(ears: Ears, tmp_path: Path) -> None:
    files = [tmp_path / f"package{n % 20}" / f"module{n}.py" for n in range(500)]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("one")
    ears.watch(*{file.parent for file in files}, files=files)
    for file in files:
        unlink_and_create(file)
    ears.hear(*files)


def test_a_file_next_door_is_not_hinted(ears: Ears, app: Path) -> None:
    next_door = app.parent / "assets" / "style.css"
    next_door.parent.mkdir()
    next_door.write_text("")
    ears.watch(app.parent, files=[app])
    next_door.write_text("body {}")
    app.write_text("two")
    heard = ears.until(lambda heard: covered(heard, str(app)))
    assert not covered(heard, str(next_door))
