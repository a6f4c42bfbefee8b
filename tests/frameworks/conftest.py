"""Programs under refork, ended and looked after when a test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frameworks.driver import Served

Start = Callable[..., Served]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start refork with these words in a fresh folder, which holds these files."""
    started: list[Served] = []
    folder = tmp_path / "site"
    folder.mkdir()

    def begin(*words: str, **more: Any) -> Served:
        started.append(Served(folder, *words, **more))
        return started[-1]

    yield begin
    for live in started:
        live.close()
