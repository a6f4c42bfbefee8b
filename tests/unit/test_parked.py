"""Questions to a parked process: each gets its own answer, whoever else gave up waiting."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from refork.process.channel import Parked
from refork.program import channel as channels
from refork.program.channel import Channel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no channels")


async def asked_after(give_up: str) -> tuple[object, ...] | None:
    ours, theirs = channels.pair()
    other = Channel(theirs)
    parked = Parked(1, os.getpid(), ours, lambda _parked: None)
    try:
        first = asyncio.ensure_future(
            parked.ask("tidy", timeout=0.01 if give_up == "deadline" else 5)
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if give_up == "cancelled":
            first.cancel()
        await asyncio.wait([first])
        second = asyncio.ensure_future(parked.ask("resume", timeout=5))
        await asyncio.sleep(0)
        other.send("tidied")
        other.send("forked", 7)
        return await second
    finally:
        parked.close()
        other.close()


@pytest.mark.parametrize("give_up", ["cancelled", "deadline"])
def test_a_late_answer_is_not_taken_for_that_to_the_next_question(give_up: str) -> None:
    assert asyncio.run(asked_after(give_up)) == ("forked", 7)
