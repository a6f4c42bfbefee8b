"""One refork under test: started as a user would, seen from outside, and ended without a trace.

What runs is the real command line. Everything is learnt from outside: the events file, standard
output and standard error, and /proc.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.waiting import wait_for

Event = dict[str, Any]

TAG = "LIVE_TEST_TAG"
"""In the environment of every process of one `Live`, whatever session or parent it took."""

ENDS_WITHIN = 15.0
"""Seconds refork has to end after a SIGTERM; its own grace is 5."""


class Live:
    """refork, running a program in a folder."""

    def __init__(
        self,
        folder: Path,
        *words: str,
        options: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        launch: Sequence[str] = (),
        entry: Sequence[str] = ("-m", "refork"),
        stdin: int = subprocess.DEVNULL,
        terminal: int | None = None,
        scratch: Path | None = None,
    ) -> None:
        """Start `refork OPTIONS WORDS` in `folder`.

        `launch` stands before the command line (`unshare …`). With `terminal` that pty's slave is
        standard input, output and error, and the controlling terminal.
        """
        self.folder = folder
        self.scratch = scratch or folder.parent / f"{folder.name}-scratch"
        self.scratch.mkdir(exist_ok=True)
        self.tag = uuid.uuid4().hex
        self.sound = True
        """Whether standard error may show no line of refork's own code."""
        self.log = self.scratch / f"events-{self.tag}"
        self.events: list[Event] = []
        self._read = 0
        self._out = self.scratch / f"stdout-{self.tag}"
        self._err = self.scratch / f"stderr-{self.tag}"
        self.command = [*launch, sys.executable, *entry, "--events", str(self.log)]
        self.command += [*options, *words]
        self.process = self._spawn(dict(environ or {}), stdin, terminal)

    def _spawn(
        self, environ: Mapping[str, str], stdin: int, terminal: int | None
    ) -> subprocess.Popen[bytes]:
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            return subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=clean_environment(**{**environ, TAG: self.tag}),
                stdin=stdin if terminal is None else terminal,
                stdout=out if terminal is None else terminal,
                stderr=err if terminal is None else terminal,
                start_new_session=True,
                preexec_fn=None if terminal is None else take_terminal,
            )

    # What came out --------------------------------------------------------------------------------

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    @property
    def lines(self) -> list[str]:
        """The lines of standard output that are complete."""
        return self.out.split("\n")[:-1]

    def poll(self) -> list[Event]:
        """All events so far."""
        try:
            with open(self.log, "rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return self.events
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        self.events += [json.loads(line) for line in whole.splitlines()]
        return self.events

    def all(self, name: str, **keys: object) -> list[Event]:
        """The events of this name so far, with these keys."""
        return [event for event in self.poll() if matches(event, name, keys)]

    def event(self, name: str, timeout: float = 10.0, **keys: object) -> Event:
        """Wait for the first event of this name with these keys."""
        self.wait(lambda: self.all(name, **keys), timeout, f"{name} {keys or ''}")
        return self.all(name, **keys)[0]

    def start(self, generation: int, timeout: float = 10.0) -> Event:
        """Wait for a generation to start."""
        return self.event("start", timeout, generation=generation)

    def exit(self, generation: int, timeout: float = 10.0) -> Event:
        """Wait for a generation to end by itself."""
        return self.event("exit", timeout, generation=generation)

    def says(self, text: str, timeout: float = 10.0, count: int = 1) -> None:
        """Wait until the program has printed this line (so often), and refork is there to see a save."""
        self.start(1, timeout)
        self.wait(lambda: self.lines.count(text) >= count, timeout, f"output {text!r}")

    def complains(self, text: str, timeout: float = 10.0) -> None:
        """Wait until standard error holds this text."""
        self.wait(lambda: text in self.err, timeout, f"stderr with {text!r}")

    def wait(self, look: Callable[[], object], timeout: float, what: str) -> None:
        try:
            wait_for(look, timeout, what)
        except AssertionError as error:
            events = "\n".join(json.dumps(event) for event in self.poll()[-30:])
            raise AssertionError(
                f"{error}\n-- events\n{events}\n-- stdout\n{self.out[-2000:]}"
                f"\n-- stderr\n{self.err[-4000:]}\n-- code {self.process.poll()}"
            ) from None

    # Edits ----------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.folder / name

    def save(self, name: str, text: str) -> Path:
        """Save as most editors do: into a new file, renamed over the old one."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, text)
        return path

    def settle(self, name: str) -> None:
        """Save a file until browsers are told: what they show is searched for when the program listens,
        and that takes a moment."""
        self.wait(lambda: self._is_told(name), 10, f"somebody looks at {name}")

    def _is_told(self, name: str) -> bool:
        self.save(name, os.urandom(4).hex())
        try:
            self.wait(lambda: self.all("refresh"), 0.3, "told")
        except AssertionError:
            return False
        return True

    # Its end --------------------------------------------------------------------------------------

    def processes(self) -> list[int]:
        """Every process of this refork that is alive, wherever it went."""
        return tagged(self.tag)

    def end(self, number: int = signal.SIGTERM, timeout: float = ENDS_WITHIN) -> int:
        """Send a signal, wait for the end; return the exit code (negative: the signal)."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.code(timeout)

    def code(self, timeout: float = ENDS_WITHIN) -> int:
        """Wait for refork to end by itself."""
        self.wait(lambda: self.process.poll() is not None, timeout, "refork has ended")
        return self.process.returncode

    def close(self) -> None:
        """End it if it runs; nothing of it may be left, and it may not have broken inside."""
        try:
            if self.process.poll() is None:
                self.end()
            self.gone()
            assert not self.sound or "/refork/" not in self.err, self.err
        finally:
            kill(self.processes())
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()

    def gone(self, timeout: float = 3.0) -> None:
        """Wait until no process of it is left."""
        self.wait(lambda: not self.processes(), timeout, f"no process left: {self.processes()}")


def take_terminal() -> None:
    """Make standard input the controlling terminal: after setsid, before exec."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def matches(event: Event, name: str, keys: Mapping[str, object]) -> bool:
    return event["event"] == name and all(event.get(key) == keys[key] for key in keys)


def clean_environment(**variables: str) -> dict[str, str]:
    """Ours without what would change how Python or refork behaves."""
    dropped = ("PYTHON", "REFORK", "RUN_MAIN", "PYTEST", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


def replace(path: Path, text: str) -> None:
    """Put a text at a path by an atomic rename."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def tagged(tag: str) -> list[int]:
    """The live processes whose environment has the tag."""
    mark = f"{TAG}={tag}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if mark in file.read():
                        found.append(int(entry))
            except OSError:
                continue  # gone meanwhile, or not ours to look at
    return found


def kill(pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    return state(pid) not in ("", "Z", "X")


def state(pid: int) -> str:
    """The state letter of a process (proc(5)), "" where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return ""


def children(pid: int) -> list[int]:
    """The processes whose parent is `pid`, zombies too."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                        found.append(int(entry))
            except OSError:
                continue  # gone meanwhile
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, zombies too."""
    below = children(pid)
    return below + [other for child in below for other in descendants(child)]


def descriptors(pid: int) -> int:
    """How many file descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def has_pending(pid: int, number: int) -> bool:
    """Whether a process has been sent a signal that it has not taken yet (proc(5))."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        masks = [line.split()[1] for line in file if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
