"""A cancellation is never lost, whatever happens at the same moment."""

from __future__ import annotations

import asyncio

import pytest

from refork.web.deadline import within


def test_the_result_comes_back() -> None:
    async def main() -> None:
        assert await within(5, asyncio.sleep(0, "result")) == "result"
        with pytest.raises(ZeroDivisionError):
            await within(5, failing())

    asyncio.run(main())


async def failing() -> None:
    raise ZeroDivisionError


def test_what_takes_too_long_is_cancelled() -> None:
    seen = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await within(0.01, long())

    asyncio.run(main())
    assert seen == ["cancelled"]


@pytest.mark.parametrize("rounds", range(8))
def test_a_cancellation_at_the_moment_of_the_result_is_one(rounds: int) -> None:
    async def main() -> None:
        event = asyncio.Event()

        async def endless() -> None:
            while True:
                await within(60, event.wait())
                event.clear()

        task = asyncio.ensure_future(endless())
        await asyncio.sleep(0.01)
        event.set()
        for _round in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        done, _waiting = await asyncio.wait({task}, timeout=5)
        assert done == {task}
        assert task.cancelled()

    asyncio.run(main())
