"""Every divergence that was ever found, by name: it must not come back."""

from __future__ import annotations

import pytest

from .case import named
from .hunt import refork_command
from .runner import run_session
from .session import Session

CASES = named()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_case(case: Session) -> None:
    found, _ = run_session(refork_command(), case)
    assert found is None, f"{case.says}\n{found.difference}"
