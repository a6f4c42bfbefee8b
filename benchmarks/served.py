"""A server under measurement: started, edited and stopped from outside, with all its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.answers import NotServed, Seen, wait_for

MARK = "BENCHMARK_TOKEN"
"""Environment variable by which every process of a server is recognised, orphans too."""

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Served:
    """A server process on a loopback port, in a session of its own.

    command: what to run; cwd: where; port: where it will listen; log: file for its output;
    events: the file given to refork's --events, if any.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        port: int,
        log: Path,
        *,
        events: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.cwd = cwd
        self.port = port
        self.log = log
        self.events = events
        self.token = uuid.uuid4().hex
        self.env = {**os.environ, **(env or {}), MARK: self.token}
        self.started = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def __enter__(self) -> Served:
        self.started = time.monotonic()
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def first_answer(self, path: str, marker: str, seconds: float = 120) -> Seen:
        """Milliseconds from the start of the command to the first answer with marker in it."""
        return self._wait(path, marker, seconds, self.started)

    def save(
        self, edit: Callable[[], object], path: str, marker: str, *, seconds: float = 120
    ) -> Seen:
        """Do the edit, and wait until its marker is served at path."""
        since = time.monotonic()
        edit()
        return self._wait(path, marker, seconds, since)

    def _wait(self, path: str, marker: str, seconds: float, since: float) -> Seen:
        try:
            return wait_for(self.port, path, marker, seconds, since, self._running)
        except NotServed as error:
            raise NotServed(f"{error}\n--- {' '.join(self.command)}\n{self.tail()}") from None

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tail(self, lines: int = 40) -> str:
        """The end of the server's output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def new_events(self) -> list[dict[str, Any]]:
        """The events written since the last call; none without an events file."""
        if self.events is None or not self.events.exists():
            return []
        with open(self.events, "rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]

    def pids(self) -> list[int]:
        """Every living process that was started by this server, orphans included."""
        wanted = f"{MARK}={self.token}".encode()
        return [pid for pid in _all_pids() if wanted in _environ(pid) and _alive(pid)]

    def cpu_seconds(self) -> float:
        """User and system time that the living processes have used so far."""
        return sum(_cpu(pid) for pid in self.pids())

    def stop(self, grace: float = 10.0) -> list[int]:
        """Terminate the command, then kill whatever is left; returns the ids of what was left."""
        process = self._process
        if process is None:
            return []
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        left = self.pids()
        for pid in left:
            _kill(pid)
        self._process = None
        return left


def end_on_sigterm() -> None:
    """Let a SIGTERM unwind the stack, so that servers are stopped on the way."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def private_bytes(pid: int) -> int:
    """Memory that only this process holds, in bytes."""
    return _rollup(pid, ("Private_Clean", "Private_Dirty"))


def proportional_bytes(pid: int) -> int:
    """Memory with shared pages divided by those who share them (PSS), in bytes."""
    return _rollup(pid, ("Pss",))


def _rollup(pid: int, keys: tuple[str, ...]) -> int:
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in keys:
            total += int(value.split()[0]) * 1024
    return total


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone meanwhile, or somebody else's
        return b""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS if fields else 0.0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
