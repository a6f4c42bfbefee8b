"""Quart: the reloader that `app.run()` starts, which replaces the process, leaves that to refork."""

from __future__ import annotations

from refork.adapters.replace import replace
from refork.program import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt `quart.app`."""

    async def observe_changes(*_args: Any, **_kwargs: Any) -> None:
        api.follow()

    if hasattr(module, "observe_changes"):
        replace(module, "observe_changes", observe_changes)
