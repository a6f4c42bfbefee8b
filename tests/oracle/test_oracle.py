"""Random programs, random edits, real processes: refork against plain python.

``ORACLE_EDITS`` sets how many edits are compared (default: as many as fit into the time
of a CI run), ``ORACLE_SEED`` where to begin; a divergence names its seed and its smallest case.
"""

from __future__ import annotations

import os
import sys

import pytest

from .hunt import hunt, refork_command

EDITS = int(os.environ.get("ORACLE_EDITS", "0"))
SEED = int(os.environ.get("ORACLE_SEED", "0"))
PARTS = [("auto", 0, 0.5, 35.0), ("auto", 100_000, 0.5, 35.0), ("restart", 200_000, 0.1, 10.0)]
"""Strategy, what is added to the seed, share of the edits asked for, seconds if none are asked for."""
ENOUGH = 50
"""Edits after which a share can be asked for."""


@pytest.mark.timeout(0)
@pytest.mark.parametrize(("strategy", "offset", "share", "seconds"), PARTS)
def test_refork_shows_what_plain_python_shows(
    strategy: str, offset: int, share: float, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    edits = int(EDITS * share) or sys.maxsize
    limit = float(sys.maxsize) if EDITS else seconds
    finding, tally = hunt(refork_command(strategy), SEED + offset, edits, limit)
    with capsys.disabled():
        print(f"\noracle, strategy {strategy}, from seed {SEED + offset}: {tally}")
    assert finding is None, str(finding)
    if tally.edits >= ENOUGH and sys.platform == "linux":
        resumed = tally.resumed() / tally.edits
        assert resumed > 0.15 if strategy == "auto" else resumed == 0
