"""refork under test, run by the real command line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.live import Live

Start = Callable[..., Live]

collect_ignore_glob = ["test_live_*"] if sys.platform == "win32" else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a project."""
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start refork in `folder`; at the end nothing of it may be left."""
    with contextlib.ExitStack() as stack:

        def begin(*words: str, **keys: Any) -> Live:
            live = Live(folder, *words, **keys)
            stack.callback(live.close)
            return live

        yield begin
