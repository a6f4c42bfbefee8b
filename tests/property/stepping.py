"""What a module comes to: its namespace, the lines it asked for, its error."""

from __future__ import annotations

import sys
from typing import Any

from property.worlds import NAME, Description

PATH = f"{NAME}.py"


class Runner:
    """Executes a module."""

    def __init__(self, name: str) -> None:
        self.lines: list[int] = []
        self.namespace: dict[str, Any] = {"__name__": name, "__doc__": None, "here": self._here}
        self.error: tuple[str, list[int]] | None = None

    def _here(self, *_: object) -> None:
        self.lines.append(sys._getframe(1).f_lineno)

    def whole(self, source: bytes) -> None:
        code = compile(source, PATH, "exec", dont_inherit=True)
        self._execute(code)

    def _execute(self, code: Any) -> None:
        try:
            exec(code, self.namespace)
        except Exception as error:  # random statements fail in any way; it is compared
            lines, place = [], error.__traceback__
            while place is not None:
                lines.append(place.tb_lineno)
                place = place.tb_next
            self.error = (repr(error), lines[1:])

    def outcome(self) -> object:
        """Namespace, lines that were asked for, and error, comparable."""
        kept = {k: v for k, v in self.namespace.items() if k != "here"}
        return Description().of(kept), self.lines, self.error
