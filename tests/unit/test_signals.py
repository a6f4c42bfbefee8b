"""Which signals count."""

from __future__ import annotations

import signal

import pytest

from refork.supervisor import signals
from refork.supervisor.signals import ONE, Signals


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(("later", "number", "forced"), [
    (ONE / 2, signal.SIGTERM, 0),
    (ONE * 2, signal.SIGTERM, 1),
    (ONE / 2, signal.SIGINT, 1),
])  # fmt: skip
def test_what_a_launcher_sends_twice_counts_once(
    monkeypatch: pytest.MonkeyPatch, later: float, number: int, forced: int
) -> None:
    """timeout(1) signals its child, and then its group, which the child is in."""
    clock = Clock()
    monkeypatch.setattr(signals, "time", clock)
    first: list[int] = []
    again: list[None] = []
    taken = Signals(first.append, lambda: again.append(None))
    taken._got(signal.SIGTERM)
    clock.now += later
    taken._got(number)
    assert first == [signal.SIGTERM]
    assert len(again) == forced
