"""Starts a fresh interpreter with refork's in-program part in it."""

from __future__ import annotations

import importlib.util
import marshal
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import refork
from refork.process import kernel
from refork.program import channel as channels
from refork.program.channel import Channel, StreamChannel
from refork.program.frames import without_resume
from refork.target import Target

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(refork.__file__)))
BOOT = os.path.join(SOURCE, "refork", "program", "boot.py")


def can_fork() -> bool:
    """Whether this platform has what checkpoints take; REFORK_PORTABLE=1 says no, for tests."""
    return (
        sys.platform.startswith("linux")
        and hasattr(os, "pidfd_open")
        and os.path.isdir("/proc/self/fd")
        and os.environ.get("REFORK_PORTABLE") != "1"
    )


Started = tuple[subprocess.Popen[bytes], Channel]
"""A process, and the channel to it."""


def spawn_root(target: Target) -> Started:
    """Start a root for `target`. Raises OSError when the interpreter cannot be started."""
    return spawn(target.interpreter, target.flags, "root", environment())


def spawn(interpreter: str, flags: Sequence[str], mode: str, environ: Mapping[str, str]) -> Started:
    """Start `interpreter flags boot`; `mode` is "root" (park) or "run" (be the program at once).

    Raises OSError when the interpreter cannot be started.
    """
    ours, theirs = channels.pair()
    boot = _boot_file(interpreter)
    fds = [theirs] if boot is None else [theirs, boot]
    script = BOOT if boot is None else f"/proc/self/fd/{boot}"
    try:
        process = subprocess.Popen(
            [interpreter, *flags, script, SOURCE, str(theirs), mode],
            env=dict(environ),
            pass_fds=fds,
            preexec_fn=_before_exec,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        for fd in fds:
            os.close(fd)
    return process, ours


def _before_exec() -> None:
    """Between fork and exec: die with the supervisor, be given the orphans, and take signals as usual."""
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ignored, each reload would wait for the grace


def _boot_file(interpreter: str) -> int | None:
    """Return a descriptor of boot.py compiled so that its frame does not show, or None to use it as it is.

    Only for the very interpreter we run in: the code is of its version.
    """
    if os.path.realpath(interpreter) != os.path.realpath(sys.executable) or not hasattr(
        os, "memfd_create"
    ):
        return None
    with open(BOOT, "rb") as file:
        code = without_resume(compile(file.read(), BOOT, "exec", dont_inherit=True, optimize=0))
    header = importlib.util.MAGIC_NUMBER + bytes(12)
    boot = os.memfd_create("refork-boot")
    os.write(boot, header + marshal.dumps(code))
    os.lseek(boot, 0, os.SEEK_SET)
    return boot


def spawn_alone(interpreter: str, flags: Sequence[str]) -> Started:
    """Start an interpreter that is the program at once, where there is no root to do it.

    Raises OSError when the interpreter cannot be started.
    """
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    keys: dict[str, Any] = {"close_fds": False}
    if os.name == "posix":
        keys = {"pass_fds": [theirs.fileno()]}
    command = [interpreter, *flags, BOOT, SOURCE, str(theirs.fileno()), "run-alone"]
    try:
        process = subprocess.Popen(command, env=environment(), **keys)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, StreamChannel(ours.detach())


def program_command(interpreter: str, flags: Sequence[str]) -> tuple[list[str], list[int]]:
    """The command of a program that is started without a fork, and the descriptors it needs besides its channel.

    Root puts the numbers in that they have there: `{0}` is the channel's.
    """
    boot = _boot_file(interpreter)
    script = BOOT if boot is None else "/proc/self/fd/{1}"
    return [interpreter, *flags, script, SOURCE, "{0}", "run"], [] if boot is None else [boot]


def environment() -> dict[str, str]:
    """The environment of the program: ours, and the marks of a child (CONTRACT: inside the program)."""
    return {**os.environ, "REFORK": "1", "RUN_MAIN": "true", "REFORK_GENERATION": "1"}
