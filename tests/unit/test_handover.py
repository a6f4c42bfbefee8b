"""Signals around a fork: none stays blocked that was not."""

from __future__ import annotations

import _signal
import signal
import traceback
from collections.abc import Iterable

import pytest

from refork.program import handover
from refork.program.frames import WORKS


def blocked() -> set[int]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_what_was_blocked_is_blocked_again() -> None:
    outside = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        within = blocked()
        before = handover.block_signals()
        assert signal.SIGINT in blocked()
        handover.unblock_signals(before)
        assert blocked() == within
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, outside)


def test_an_interrupt_while_blocking_leaves_nothing_blocked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when Ctrl-C came just before: Python looks for signals when it has blocked them."""
    outside = blocked()
    original = _signal.pthread_sigmask

    def interrupted(how: int, numbers: Iterable[int]) -> set[int]:
        known: set[int] = original(how, numbers)
        if how == signal.SIG_BLOCK and numbers:
            raise KeyboardInterrupt
        return known

    monkeypatch.setattr("_signal.pthread_sigmask", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        handover.block_signals()
    monkeypatch.undo()
    assert blocked() == outside
    if WORKS:
        files = {frame.filename for frame in traceback.extract_tb(raised.tb)}
        assert handover.__file__ not in files, "the program may look at it"
