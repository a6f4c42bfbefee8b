"""Random programs and edits under ``--hoist``. ``ORACLE_EDITS`` and ``ORACLE_SEED`` as in `test_oracle`."""

from __future__ import annotations

import sys

import pytest

from .hoisted import hunt
from .test_oracle import EDITS, ENOUGH, SEED

SHARE, SECONDS = 0.1, 30.0
"""Of the edits asked for; seconds if none are asked for."""


@pytest.mark.timeout(0)
@pytest.mark.skipif(sys.platform != "linux", reason="twins need Linux")
def test_what_was_imported_ahead_cannot_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    edits = int(EDITS * SHARE) or sys.maxsize
    finding, tally = hunt(SEED + 1000, edits, float(sys.maxsize) if EDITS else SECONDS)
    with capsys.disabled():
        print(f"\noracle, with --hoist, from seed {SEED + 1000}: {tally}")
    assert finding is None, str(finding)
    if tally.edits >= ENOUGH:
        assert tally.gears["kept"]
