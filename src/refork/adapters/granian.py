"""granian listens by native code, in processes of its own: its sockets cannot be held."""

from __future__ import annotations

from refork.program import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(_module: Any) -> None:
    """Adapt `granian.server.common`."""
    api.say(
        "granian listens by native code: while it reloads, connections are refused as without refork"
    )
