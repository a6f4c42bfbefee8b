"""Puts a function of refork's in the place of a framework's own."""

from __future__ import annotations

import functools

from refork.program.frames import hidden

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def replace(owner: Any, name: str, function: Callable[..., Any]) -> Any:
    """Put `function` at `owner.name`, looking like what was there, and return that.

    Its frames do not show; a coroutine function's would not run without what makes them visible.
    """
    original = getattr(owner, name)
    if not function.__code__.co_flags & GENERATOR_FLAGS:
        hidden(function)
    setattr(owner, name, functools.wraps(original)(function))
    return original


GENERATOR_FLAGS = 0x20 | 0x80 | 0x200
"""CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR (Include/cpython/code.h)."""
