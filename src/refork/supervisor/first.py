"""The first generation, begun while the supervisor is still being imported.

That import takes longer than a small program. So the command line starts root as soon as the interpreter is
known, and asks it for the first program as soon as the settings are: what the program says waits in its channel
until somebody hears it.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from refork.files import guess
from refork.process import memory
from refork.process.spawn import Started, can_fork, spawn_root
from refork.process.terminal import Terminal
from refork.program import channel as channels
from refork.program.channel import Channel, Gone
from refork.settings import Settings
from refork.sockets.freshness import Freshness
from refork.supervisor.signals import ENDING
from refork.target import Target, described

BACKLOG = 128


@dataclass
class First:
    """What was begun already, for the supervisor to go on with."""

    started: Started | None = None
    """Root, if it is starting."""
    program: Channel | None = None
    """The channel of the first program, if root was asked for it and it was told to go."""
    began: float = field(default_factory=time.monotonic)
    """When that was, on the monotonic clock."""
    hot: Mapping[str, int] = field(default_factory=dict)
    live: socket.socket | None = None
    """Where live reload is going to be served."""
    freshness: Freshness | None = None
    terminal: Terminal | None = None
    kills: memory.Kills = field(default_factory=memory.kills)
    """What the kernel had killed for lack of memory before."""

    def take(self) -> Channel | None:
        """The channel of the first program, once."""
        program, self.program = self.program, None
        return program

    def give_up(self) -> None:
        """End root, in which nothing of the user's has run."""
        if self.started is not None:
            process, channel = self.started
            channel.close()
            process.wait()


def start_root(target: Target) -> First:
    """Start the program's interpreter: it takes a while to come up, and needs no settings."""
    try:
        return First(spawn_root(target) if can_fork() else None)
    except OSError:
        return First()  # the supervisor tries again, and says why it cannot be


def begin(first: First, settings: Settings, target: Target, cwd: str) -> None:
    """Have root fork the first program, and let it go.

    Signals that end refork wait from here on, until `Signals.listen` takes them.
    """
    first.hot = guess.hot(cwd)
    if first.started is None or settings.strategy == "restart":
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    first.terminal = Terminal()
    first.freshness = Freshness()
    environ = {"REFORK_LAST_GOOD": "1"} if settings.on_error == "last-good" else {}
    if settings.live_reload:
        first.live = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        environ["REFORK_LIVE"] = f"http://127.0.0.1:{first.live.getsockname()[1]}"
    first.began = time.monotonic()
    ours, theirs = channels.pair()
    try:
        fields = _fields(target, first.hot, environ)
        first.started[1].send("resume", fields, fds=[theirs])
        ours.send("go", [], fds=first.freshness.fds())
        first.program = ours
    except Gone:
        ours.close()  # root is gone: the supervisor finds out why
    finally:
        os.close(theirs)


def _fields(
    target: Target, hot: Mapping[str, int], environ: Mapping[str, str]
) -> dict[str, object]:
    """What a first program is told (`program.ladder.Start`)."""
    return {
        "generation": 1,
        "next_id": 1,
        "forks": True,
        "changed": {},
        "hot": dict(hot),
        "graft": False,
        "environ": dict(environ),
        "target": described(target),
    }
