"""Which files are guessed to be edited first."""

from __future__ import annotations

import os
import time
from pathlib import Path

from refork.files import guess

NOW = time.time()


def made(folder: Path, name: str, ago: float) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    os.utime(path, (NOW - ago, NOW - ago))
    return str(path)


def test_those_modified_last_newest_last(tmp_path: Path) -> None:
    paths = [made(tmp_path, f"deep/{ago}.py", ago * 600) for ago in (5, 1, 3, 2, 4, 6)]
    assert list(guess.hot(str(tmp_path))) == [paths[4], paths[2], paths[3], paths[1]]


def test_none_that_is_old_or_no_source(tmp_path: Path) -> None:
    made(tmp_path, "old.py", 2 * guess.RECENT)
    for name in ("notes.txt", ".venv/a.py", "venv/a.py", "node_modules/a.py"):
        made(tmp_path, name, 1)
    assert guess.hot(str(tmp_path)) == {}


def test_a_checkout_is_nobodys_work_but_what_was_edited_since_is(tmp_path: Path) -> None:
    for number in range(60):
        made(tmp_path, f"app/m{number}.py", 3600 + number / 10)
    assert guess.hot(str(tmp_path)) == {}
    edited = made(tmp_path, "app/m7.py", 60)
    assert list(guess.hot(str(tmp_path))) == [edited]


def test_no_folder_no_guess(tmp_path: Path) -> None:
    assert guess.hot(str(tmp_path / "gone")) == {}
