"""Waiting with a deadline, by tasks that may be cancelled at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.wait_for`, but a cancellation always has its effect.

    Before Python 3.12 that loses one which comes at the same moment as the result (gh-86296), and a server that
    cancels its connections and waits for their ends would wait for ever.

    Raises asyncio.TimeoutError after `seconds`; the coroutine has been cancelled then.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        await _cancel(task)
        raise
    if not task.done():
        await _cancel(task)
        raise asyncio.TimeoutError
    return task.result()


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # it is looked at, so that nobody complains
