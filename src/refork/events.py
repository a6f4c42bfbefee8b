"""The `--events` file: one JSON object a line, for scripts, tests and benchmarks."""

from __future__ import annotations

import json
import os
import time

from refork.errors import UsageError

# Without O_NONBLOCK, opening a named pipe that nobody reads would hang the start, and writing to
# one whose reader sleeps would hang a reload. Windows has neither the pipe nor the flag.
_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_APPEND
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class EventLog:
    """Appends events to a file; with no path it swallows them.

    A write that fails (disk full, pipe closed) ends the log, never the reload: `failure` then
    holds the reason, for somebody who prints.
    """

    def __init__(self, path: str | None) -> None:
        """Open `path` for appending.

        Raises:
            UsageError: the path cannot be opened for writing.
        """
        self.path = path
        self.failure: str | None = None
        self._fd = -1 if path is None else _open(path)

    def emit(self, event: str, generation: int, **keys: object) -> None:
        """Write one line; `t` is in seconds of the monotonic clock."""
        if self._fd < 0:
            return
        record = {"t": time.monotonic(), "event": event, "generation": generation, **keys}
        line = json.dumps(record, default=_plain, separators=(", ", ": ")) + "\n"
        try:
            # One write of a whole line: lines of several writers do not mix under O_APPEND.
            os.write(self._fd, line.encode("ascii"))
        except BlockingIOError:
            pass  # a pipe whose reader does not keep up loses events rather than stop reloads
        except OSError as error:
            self.failure = f"{self.path}: {error.strerror}: no more events are written"
            self.close()

    def close(self) -> None:
        """Close the file; later events are swallowed. May be called again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS, 0o666)
    except OSError as error:
        raise UsageError(
            f"--events {path}: {error.strerror}; name a file in a folder you may write to"
        ) from error
    except ValueError as error:  # NUL in the path, or text that no file name can hold
        raise UsageError(f"--events {path!r}: not a file name: {error}") from error


def _plain(value: object) -> object:
    """What JSON has no word for: sets and paths."""
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"an event cannot hold {value!r}")
