"""What browsers see of refork: the error page on the program's own addresses, and live reload."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from refork.settings import Settings
from refork.web.edits import classify
from refork.web.live import LiveReload
from refork.web.problem import Problem

if TYPE_CHECKING:
    from refork.web.error_page import ErrorPage


class Browser:
    """Hears of every event, and tells the pages what concerns them."""

    def __init__(self, settings: Settings) -> None:
        self.environ: dict[str, str] = {}
        """What the program has to know of it."""
        if settings.on_error == "last-good":
            self.environ["REFORK_LAST_GOOD"] = "1"
        self._live = LiveReload() if settings.live_reload else None
        self._page: ErrorPage | None = None
        self._origin: str | None = None
        self._problem: Problem | None = None
        self._changed: Sequence[str] = ()

    async def start(self, sock: socket.socket | None = None) -> None:
        """Serve live reload, on `sock` if it is given; the program learns its origin (REFORK_LIVE)."""
        if self._live is not None:
            self._origin = await self._live.start(listening=sock)
            self.environ["REFORK_LIVE"] = self._origin

    def event(self, name: str, generation: int, keys: dict[str, Any]) -> None:
        if name == "start":
            self._changed = keys["changed"]
            self._problem = None
        elif name == "ready" and self._live is not None and self._problem is None:
            self._live.notify("ready", generation=generation)
        elif name == "refresh":
            self.refresh(keys["files"], generation)

    def refresh(self, files: Iterable[str], generation: int) -> None:
        """Have pages take up changed files: styles and images in place, all else by a reload."""
        if self._live is None:
            return
        kinds: dict[str, list[str]] = {}
        for file in files:
            kinds.setdefault(classify(file), []).append(file)
        for kind, group in kinds.items():
            self._live.notify(kind, group, generation)

    def failed(self, message: Sequence[Any], generation: int) -> None:
        """Note why the program does not start, as it told it."""
        self._problem = Problem.told(message[5], self._changed, generation)

    def show(self, sockets: Sequence[socket.socket], code: int, generation: int) -> None:
        """Answer on the held sockets in the program's place, which ended with `code`."""
        if not sockets:
            return
        if self._page is None:
            self._page = _error_page(self._origin)
        problem = self._problem or Problem.read(
            "SystemExit",
            f"the program ended with code {code}",
            changed=self._changed,
            generation=generation,
        )
        self._page.show(problem, sockets)
        if self._live is not None:
            self._live.notify("error", generation=generation)

    def hide(self) -> None:
        """Accept nothing more: what comes now waits for the next generation."""
        if self._page is not None:
            self._page.hide()

    async def close(self) -> None:
        if self._page is not None:
            await self._page.close()
        if self._live is not None:
            await self._live.close()


def _error_page(origin: str | None) -> ErrorPage:
    from refork.web.error_page import ErrorPage  # most programs start: this is seldom needed

    return ErrorPage(origin)
