"""The fingerprint of a file that is loaded: by the status that the import system asked for, or by a new one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from refork.program.journal import Journal, fingerprint


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "m.py"
    path.write_text("V = 1\n")
    return str(path)


def test_the_status_of_the_file_found_last_serves_once(file: str) -> None:
    journal = Journal()
    before = fingerprint(file)
    journal.met = file, os.stat(file)
    Path(file).write_text("V = 1000\n")
    journal.load(file, "m")
    assert journal.latest == (file, before), "what is written after the look is a change"
    journal.load(file, "m")
    assert journal.latest == (file, fingerprint(file))
    assert journal.latest != (file, before)


def test_the_status_of_another_file_does_not_serve(file: str, tmp_path: Path) -> None:
    journal = Journal()
    journal.met = str(tmp_path), os.stat(tmp_path)
    journal.load(file, "m")
    assert journal.latest == (file, fingerprint(file))
