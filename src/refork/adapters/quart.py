"""Quart: the reloader that `app.run()` starts, in this process or around it, leaves that to refork."""

from __future__ import annotations

from refork.adapters.replace import replace
from refork.program import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(module: Any) -> None:
    """Adapt `quart.app`."""

    def run(
        self: Any,
        host: Any = None,
        port: Any = None,
        debug: Any = None,
        use_reloader: bool = True,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if use_reloader:
            api.follow()
        original(self, host, port, debug, False, *args, **kwargs)

    original = replace(module.Quart, "run", run)
