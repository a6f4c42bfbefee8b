"""Directories come, go, move and are reached by many ways; what is in them stays watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from watch.ears import Ears, covered


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A saved file three directories deep."""
    file = tmp_path / "home" / "project" / "package" / "app.py"
    file.parent.mkdir(parents=True)
    file.write_text("one")
    return file


def save(file: Path) -> None:
    file.write_text(file.read_text() + "+" if file.exists() else "new")


# ------------------------------------------------------------------ not there yet


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_a_directory_is_watched_once_it_exists(ears: Ears, tmp_path: Path, depth: int) -> None:
    directory = tmp_path.joinpath(*"abcde"[:depth])
    ears.watch(directory, files=[directory / "app.py"])
    directory.mkdir(parents=True)
    ears.hear(directory)
    save(directory / "app.py")
    ears.hear_complete(directory / "app.py")


def test_it_may_come_step_by_step(ears: Ears, tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b" / "c"
    ears.watch(directory)
    (tmp_path / "a").mkdir()
    ears.forget()
    (tmp_path / "a" / "b").mkdir()
    ears.forget()
    directory.mkdir()
    ears.hear(directory)
    save(directory / "app.py")
    ears.hear(directory / "app.py")


def test_what_came_together_with_the_directory_is_covered(ears: Ears, tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "app.py"
    ears.watch(file.parent, files=[file])
    file.parent.mkdir(parents=True)
    save(file)
    ears.hear(file)


def test_it_may_be_moved_into_place(ears: Ears, tmp_path: Path, app: Path) -> None:
    wanted = tmp_path / "elsewhere" / "package"
    ears.watch(wanted, files=[wanted / "app.py"])
    app.parent.parent.rename(tmp_path / "elsewhere")
    ears.hear_complete(wanted / "app.py")
    save(wanted / "app.py")
    ears.hear_complete(wanted / "app.py")


def test_a_file_may_be_in_the_way(ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "package").write_text("a file")
    ears.watch(tmp_path / "package")
    (tmp_path / "package").unlink()
    (tmp_path / "package").mkdir()
    ears.hear(tmp_path / "package")
    save(tmp_path / "package" / "app.py")
    ears.hear(tmp_path / "package" / "app.py")


# ------------------------------------------------------------------ gone and back


@pytest.mark.parametrize("above", [0, 1, 2])
def test_removed_and_made_again(ears: Ears, app: Path, above: int) -> None:
    ears.watch(app.parent, files=[app])
    for _ in range(2):
        shutil.rmtree(app.parents[above])
        ears.hear(app)
        app.parent.mkdir(parents=True)
        save(app)
        ears.hear(app)
        save(app)
        ears.hear_complete(app)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_removed_and_made_again_before_anybody_looks(ears: Ears, app: Path, above: int) -> None:
    ears.watch(app.parent, files=[app])
    shutil.rmtree(app.parents[above])
    app.parent.mkdir(parents=True)
    save(app)
    ears.hear(app)
    save(app)
    ears.hear_complete(app)


@pytest.mark.skipif(os.name == "nt", reason="a directory in use cannot be removed")
@pytest.mark.parametrize("above", [0, 1, 2])
def test_removed_while_a_program_stands_in_it(ears: Ears, app: Path, above: int) -> None:
    ears.watch(app.parent, files=[app])
    held = os.open(app.parents[above], os.O_RDONLY)
    try:
        shutil.rmtree(app.parents[above])
        app.parent.mkdir(parents=True)
        save(app)
        ears.hear(app)
        save(app)
        ears.hear_complete(app)
    finally:
        os.close(held)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_another_one_moved_into_its_place(ears: Ears, app: Path, above: int) -> None:
    moved = app.parents[above]
    ears.watch(app.parent, files=[app])
    shutil.copytree(moved, moved.with_name("other"))
    moved.rename(moved.with_name("old"))
    moved.with_name("other").rename(moved)
    ears.hear(app)
    save(moved.with_name("old") / app.relative_to(moved))
    save(app)
    ears.hear_complete(app)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_moved_away_and_back(ears: Ears, app: Path, above: int) -> None:
    moved = app.parents[above]
    ears.watch(app.parent, files=[app])
    moved.rename(moved.with_name("aside"))
    ears.hear(app)
    moved.with_name("aside").rename(moved)
    ears.hear(app)
    save(app)
    ears.hear_complete(app)


@pytest.mark.parametrize("above", [0, 1, 2])
def test_what_was_moved_away_is_no_longer_hinted(ears: Ears, app: Path, above: int) -> None:
    moved = app.parents[above]
    other = app.parents[3] / "other.py"
    ears.watch(app.parent, other.parent, files=[app, other])
    moved.rename(app.parents[3] / "aside")
    ears.hear(app)
    save(app.parents[3] / "aside" / app.relative_to(moved))
    save(other)
    heard = ears.until(lambda heard: covered(heard, str(other)))
    assert not covered(heard, str(app))


# ------------------------------------------------------------------ symbolic links


def test_hints_are_spelled_as_the_directory_was(ears: Ears, app: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(app.parent.parent)
    spelled = tmp_path / "link" / "package" / "app.py"
    ears.watch(spelled.parent, files=[spelled])
    save(app)
    ears.hear_complete(spelled)


def test_two_spellings_are_both_hinted(ears: Ears, app: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(app.parent)
    spelled = tmp_path / "link" / "app.py"
    ears.watch(spelled.parent, app.parent, files=[spelled, app])
    save(app)
    ears.hear(spelled, app)
    ears.watch(app.parent, files=[app])
    save(app)
    ears.hear_complete(app)


def turn(link: Path, target: str | Path) -> None:
    link.unlink()
    link.symlink_to(target)


def swap(link: Path, target: str | Path) -> None:
    link.with_name("next").symlink_to(target)
    link.with_name("next").replace(link)


@pytest.mark.parametrize("turn_to", [turn, swap])
@pytest.mark.parametrize("relative", [False, True])
def test_a_link_on_the_way_turned_elsewhere(
    ears: Ears, tmp_path: Path, turn_to: Callable[[Path, str | Path], None], relative: bool
) -> None:
    releases = [tmp_path / "releases" / name / "package" for name in ("one", "two", "three")]
    for package in releases:
        package.mkdir(parents=True)
        (package / "app.py").write_text(package.parent.name)
    current, file = tmp_path / "current", tmp_path / "current" / "package" / "app.py"
    current.symlink_to(releases[0].parent)
    ears.watch(file.parent, files=[file])
    for package in releases[1:]:
        turn_to(current, os.path.relpath(package.parent, tmp_path) if relative else package.parent)
        ears.hear(file)
        save(package / "app.py")
        ears.hear_complete(file)


def test_a_dangling_link_comes_to_life(ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("../" + tmp_path.name + "/later/inner")
    ears.watch(tmp_path / "link", files=[tmp_path / "link" / "app.py"])
    (tmp_path / "later" / "inner").mkdir(parents=True)
    ears.hear(tmp_path / "link")
    save(tmp_path / "later" / "inner" / "app.py")
    ears.hear_complete(tmp_path / "link" / "app.py")


def test_a_link_to_a_link(ears: Ears, app: Path, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(app.parent)
    ears.watch(tmp_path / "one", files=[tmp_path / "one" / "app.py"])
    save(app)
    ears.hear_complete(tmp_path / "one" / "app.py")
    (tmp_path / "other").mkdir()
    turn(tmp_path / "two", tmp_path / "other")
    ears.hear(tmp_path / "one" / "app.py")


def test_a_circle_of_links_is_only_absent(ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    directory = tmp_path / "one" / "package"
    ears.watch(directory)
    (tmp_path / "two").unlink()
    (tmp_path / "two" / "package").mkdir(parents=True)
    ears.hear(directory)


# ------------------------------------------------------------------ what is asked for


def test_what_is_no_longer_asked_for_is_no_longer_hinted(
    ears: Ears, app: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "app.py"
    other.parent.mkdir()
    ears.watch(app.parent, other.parent, files=[app, other])
    ears.watch(other.parent, files=[other])
    save(app)
    save(other)
    heard = ears.until(lambda heard: covered(heard, str(other)))
    assert not covered(heard, str(app))
    ears.watch(app.parent, other.parent, files=[app, other])
    save(app)
    ears.hear(app)


def test_a_directory_and_the_one_in_it_are_independent(ears: Ears, app: Path) -> None:
    inner, outer = app, app.parent.parent / "outer.py"
    ears.watch(inner.parent, outer.parent, files=[inner, outer])
    ears.watch(inner.parent, files=[inner])
    save(inner)
    ears.hear_complete(inner)
    ears.watch(outer.parent, files=[outer])
    save(outer)
    ears.hear_complete(outer)


@pytest.mark.parametrize("nonsense", ["/", "/nul\0in/it", "/" + "long" * 2000, "/" + "a/" * 1500])
def test_a_hopeless_directory_harms_nobody(ears: Ears, app: Path, nonsense: str) -> None:
    ears.watch(nonsense, app.parent, files=[app])
    save(app)
    ears.hear_complete(app)


def test_nothing_asked_for_nothing_heard(ears: Ears) -> None:
    ears.watch()
    assert not ears.watcher.read()


def test_closing_twice_is_closing_once(ears: Ears, app: Path) -> None:
    ears.watch(app.parent, files=[app])
    ears.watcher.close()
    ears.watcher.close()
