"""One refork process under test: started, watched through its events file, and ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cold import environment, split

Event = dict[str, Any]
END_LIMIT = 10.0
"""Seconds refork may take to end when asked to."""
REFORK_LINE = re.compile(r"^refork\b.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Seen:
    """What has come out since the last mark."""

    starts: tuple[Event, ...]
    events: tuple[Event, ...]
    out: str
    err: str
    digest: str | None  # the account of the generation started last
    end: Event | None  # its exit event

    @property
    def code(self) -> int | None:
        if self.end is None:
            return None
        return int(self.end["code"]) if "code" in self.end else -int(self.end["signal"])


class Live:
    """A program under a supervisor. A context manager; nothing is left behind."""

    def __init__(self, command: Sequence[str], root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch
        self.events_file = scratch / "events"
        self.command = [*command, "--events", str(self.events_file), "--on-exit", "wait"]
        self.events: list[Event] = []
        self.read_to = 0
        self.mark_events = self.mark_out = self.mark_err = 0

    def __enter__(self) -> Live:
        self.out_file = open(self.scratch / "stdout", "wb")
        self.err_file = open(self.scratch / "stderr", "wb")
        self.process = subprocess.Popen(
            [*self.command, "entry.py"],
            cwd=self.root,
            env=environment(self.root, self.scratch / "out"),
            stdin=subprocess.DEVNULL,
            stdout=self.out_file,
            stderr=self.err_file,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.out_file.close()
        self.err_file.close()

    def end(self) -> list[str]:
        """Ask it to end, and say which processes it left running (they are killed)."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return kill_session(self.process.pid)

    def mark(self) -> None:
        """From here on ``seen`` tells what is new."""
        self.poll()
        self.mark_events = len(self.events)
        self.mark_out, self.mark_err = self.sizes()

    def running(self) -> bool:
        """Whether the generation started last has not come to its end."""
        last = [e["event"] for e in self.events if e["event"] in ("start", "exit")]
        return last[-1:] == ["start"]

    def sizes(self) -> tuple[int, int]:
        names = ("stdout", "stderr")
        out, err = (os.stat(self.scratch / name).st_size for name in names)
        return out, err

    def poll(self) -> bool:
        """Read new events; whether there were any."""
        try:
            with open(self.events_file, "rb") as file:
                file.seek(self.read_to)
                data = file.read()
        except FileNotFoundError:
            return False
        whole = data[: data.rfind(b"\n") + 1]
        self.read_to += len(whole)
        self.events += [json.loads(line) for line in whole.splitlines()]
        return bool(whole)

    def seen(self) -> Seen:
        """Everything since the mark."""
        events = tuple(self.events[self.mark_events :])
        starts = tuple(e for e in events if e["event"] == "start")
        last = events[events.index(starts[-1]) :] if starts else ()
        out, accounts = split(self.tail("stdout", self.mark_out))
        err = REFORK_LINE.sub("", split(self.tail("stderr", self.mark_err))[0])
        pids = {e["pid"] for e in last if e["event"] in ("start", "checkpoint", "ready")}
        digests = [digest for pid, digest in accounts if pid in pids]
        end = next((e for e in last if e["event"] == "exit"), None)
        return Seen(starts, events, out, err, digests[-1] if digests else None, end)

    def tail(self, name: str, start: int) -> str:
        with open(self.scratch / name, "rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    def wait_for(self, event: str, limit: float) -> bool:
        """Wait until an event of this name has come since the mark."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and self.process.poll() is None:
            self.poll()
            if any(e["event"] == event for e in self.events[self.mark_events :]):
                return True
            time.sleep(0.002)
        return False


def kill_session(session: int) -> list[str]:
    """Kill what is left of a session, and say what it was."""
    left = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (found := process_of(int(entry.name), session)):
            left.append(found)
            os.kill(int(entry.name), signal.SIGKILL)
    return left


def process_of(pid: int, session: int) -> str | None:
    """A process's status line if it belongs to the session and is not just a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return stat if int(fields[3]) == session and fields[0] != "Z" else None
