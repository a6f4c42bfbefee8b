"""No connection is refused or reset, no request sent after a save is answered by old code."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from load.hammer import Hammer
from load.sites import SITES

RELOADS = int(os.environ.get("LOAD_RELOADS", "12"))
"""For each server. `make load` asks for 1,000."""

FEW = 3
"""For what is no more than another way to start."""

GREMLIN = bool(os.environ.get("LOAD_GREMLIN"))
"""Whether processes are kept waiting at random."""

SEED = int(os.environ.get("LOAD_SEED", "1"))

WAYS: dict[str, tuple[Sequence[str], dict[str, str]]] = {
    "fork": ((), {}),
    "restart": (("--strategy", "restart"), {}),
    "portable": ((), {"REFORK_PORTABLE": "1"}),
}
"""How generations are made: options and environment."""


def hammer(folder: Path, name: str, way: str, reloads: int, gremlin: bool) -> None:
    site = SITES[name]
    if site.needs:
        pytest.importorskip(site.needs)
    folder.mkdir()
    options, environ = WAYS[way]
    one = Hammer(folder, site, options, environ)
    try:
        outcome = one.run(reloads, seed=SEED, gremlin=gremlin)
        print(f"\n{name} ({way}): {outcome}")
    finally:
        one.live.close()
    assert outcome.counts.seen["answered"] > reloads
    assert outcome.counts.wrong() == {}, outcome.counts.examples


@pytest.mark.timeout(120 + RELOADS * 5)
@pytest.mark.parametrize("name", SITES)
def test_nothing_is_refused_reset_or_stale(name: str, tmp_path: Path) -> None:
    hammer(tmp_path / "site", name, "fork", RELOADS, GREMLIN)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", SITES)
def test_nor_where_each_process_may_be_kept_waiting_anywhere(name: str, tmp_path: Path) -> None:
    hammer(tmp_path / "site", name, "fork", FEW * 2, gremlin=True)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["restart", "portable"])
@pytest.mark.parametrize("name", ["django", "uvicorn", "gunicorn", "wsgiref", "waitress"])
def test_nor_where_each_generation_is_a_cold_start(name: str, way: str, tmp_path: Path) -> None:
    hammer(tmp_path / "site", name, way, FEW, gremlin=False)
