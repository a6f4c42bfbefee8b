"""What programs read from: a terminal's settings, and the place in a file, are for the next as for the first.

The settings are put back after a program that had changed them, in a debugger say, was killed. Only by the
foreground job: to a job in the background the terminal is lent by nobody, and what it finds there are the settings
of the shell's own line editor.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
from typing import Any

try:
    import termios
except ImportError:  # Windows has no termios, and no echo to restore
    termios = None  # type: ignore[assignment]


class Terminal:
    """Remembers the settings of the terminal on standard input, if there is one; or where it stands, in a file."""

    def __init__(self) -> None:
        self._place = _place()
        self._settings: list[Any] | None = None
        self._fd = 0
        self.remember()

    def remember(self) -> None:
        """Note the settings, if that has not been done: before a program runs."""
        if self._settings is not None or termios is None or sys.stdin is None:
            return
        with contextlib.suppress(OSError, ValueError, termios.error):
            self._fd = sys.stdin.fileno()
            if self._in_foreground():
                self._settings = termios.tcgetattr(self._fd)

    def lend(self, again: bool) -> None:
        """A program is about to begin; `again`: not as the first one."""
        self.remember()
        if again and self._place is not None:
            with contextlib.suppress(OSError):
                os.lseek(0, self._place, os.SEEK_SET)

    def _in_foreground(self) -> bool:
        """Raises OSError where standard input is no terminal, or not ours."""
        return os.tcgetpgrp(self._fd) == os.getpgrp()

    def restore(self) -> None:
        """Put the settings back."""
        if self._settings is None or termios is None:
            return
        # should we be sent into the background just now, a SIGTTOU would stop us
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
        try:
            if self._in_foreground() and termios.tcgetattr(self._fd) != self._settings:
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._settings)
        except (OSError, termios.error):
            self._settings = None  # the terminal is gone
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _place() -> int | None:
    """Where standard input stands, if it is a regular file."""
    try:
        return os.lseek(0, 0, os.SEEK_CUR) if stat.S_ISREG(os.fstat(0).st_mode) else None
    except OSError:
        return None
