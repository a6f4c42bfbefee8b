"""Waiting for evidence, always with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

STEP = 0.002
"""Seconds between two looks."""


def wait_for(look: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Call *look* until it returns something true, and return that.

    Raises:
        AssertionError: after *timeout* seconds, with *what* was waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout} s still not: {what or look}")
        time.sleep(STEP)


def passed(moment: float) -> bool:
    """Whether a moment of the monotonic clock is over."""
    return time.monotonic() > moment
