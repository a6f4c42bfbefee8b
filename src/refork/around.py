"""Puts refork around a program that is running already: `refork.run` starts its command line again.

This is loaded into a process that refork does not run, and never comes back where it succeeds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

from refork import interpreter
from refork.interpreter import Invocation

DISABLE = "REFORK_DISABLE"
"""The environment variable that makes `refork.run` a plain call."""


def surround() -> None:
    """Start this very command line again under refork, in the place of this process.

    Returns only where that is not wanted, or there is nothing that could be started again.
    """
    if os.environ.get(DISABLE, "0") not in ("", "0"):
        return
    invocation = interpreter.parse_invocation(sys.orig_argv[1:])
    if not _can_run_again(invocation):
        warnings.warn(
            "refork.run: a program without a file of its own cannot be started again, so it runs"
            " without refork: save it to a file",
            RuntimeWarning,
            stacklevel=3,
        )
        return
    _return_to_start(invocation)
    _replace([*_refork(), _python(), *sys.orig_argv[1:]])


def _can_run_again(invocation: Invocation) -> bool:
    if set("cix") & set(invocation.letters) or hasattr(sys, "ps1"):
        return False
    return invocation.module is not None or bool(invocation.rest and invocation.rest[0] != "-")


def _refork() -> list[str]:
    """The command of refork in this environment; not finding it in the folder it is started in."""
    safe = ["-P"] if sys.version_info >= (3, 11) else []
    return [sys.executable, *safe, "-m", "refork"]


def _python() -> str:
    """How this Python was called, if that leads to it: the program sees it in `sys.orig_argv`."""
    spelled = sys.orig_argv[0]
    if interpreter.is_python_name(spelled):
        found = interpreter.find_leading(spelled, sys.executable, os.getcwd(), os.environ)
        if found is not None and os.path.samefile(found, sys.executable):
            return spelled
    return sys.executable


def _return_to_start(invocation: Invocation) -> None:
    """Go back to the folder the program was started in, in case it has gone elsewhere: its path is
    relative.

    Python made the path of the script absolute by putting that folder before it, and keeps it for
    `-m` as the first entry of the path.
    """
    if invocation.module is not None:
        folder = sys.path[0] if sys.path else ""
    else:
        name = invocation.rest[0]
        full = str(getattr(sys.modules["__main__"], "__file__", ""))
        folder = full[: -len(name) - 1] if full.endswith(os.sep + name) else ""
    if os.path.isabs(folder) and os.path.isdir(folder):
        os.chdir(folder)


def _replace(command: list[str]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name == "nt":  # exec there ends this process before the new one is done
        raise SystemExit(subprocess.call(command))
    os.execv(command[0], command)
