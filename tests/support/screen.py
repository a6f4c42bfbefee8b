"""A terminal for a program under test: what is typed goes in, what is shown is collected."""

from __future__ import annotations

import os
import select
import termios
from typing import Any

from support.waiting import wait_for


class Screen:
    """A pseudo-terminal. A context manager."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.shown = ""

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.master)
        os.close(self.slave)

    def type(self, text: str) -> None:
        """Type text; "\\x03" is Ctrl-C, "\\x1a" Ctrl-Z."""
        os.write(self.master, text.encode())

    def read(self) -> str:
        """All that has been shown so far."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break  # nobody has the other end open
            if not data:
                break
            self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return self.shown

    def shows(self, text: str, timeout: float = 10.0, count: int = 1) -> None:
        """Wait until the text has been shown so often."""
        try:
            wait_for(lambda: self.read().count(text) >= count, timeout, f"{text!r} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n-- screen\n{self.shown[-4000:]}") from None

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self.slave)

    @property
    def echoes(self) -> bool:
        return bool(self.settings()[3] & termios.ECHO)
