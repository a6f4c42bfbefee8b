"""What can be told about the process itself, apart from the modules it loaded."""

from __future__ import annotations

import builtins
import gc
import hashlib
import os
import re
import signal
import sys
import threading
import warnings
from typing import Any

from .account import Describer, is_own, relative

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE", "SIGALRM")


def facts(d: Describer) -> dict[str, Any]:
    """Everything a program could ask of the interpreter and the kernel."""
    return {
        "argv": [relative(a) for a in sys.argv],
        "path": [relative(p) for p in sys.path],
        "cwd": relative(os.getcwd()),
        "flags": re.sub(r"dont_write_bytecode=\d", "", str(sys.flags)),
        "environ": environment(),
        "modules": [name for name in sys.modules if not name.startswith("oracle_digest")],
        "main": [is_own(sys.modules["__main__"].__name__), main_type()],
        "warnings": [repr(f) for f in warnings.filters],
        "threads": [t.name for t in threading.enumerate()],
        "signals": [repr(handler(d, name)) for name in SIGNALS],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "umask": umask(),
        "hooks": hooks(),
        "builtins": sorted(vars(builtins)),
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.callbacks],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval()],
        "streams": [stream(s) for s in (sys.stdin, sys.stdout, sys.stderr)],
        "random": random_state(),
        "stack": stack(),
        "monitoring": monitoring(),
    }


def main_type() -> str:
    return type(sys.modules["__main__"]).__name__


def environment() -> list[list[str]]:
    """Variables, less those that say that refork is there and those of the harness."""
    hidden = ("REFORK", "ORACLE", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE", "RUN_MAIN")
    return [[k, v] for k, v in sorted(os.environ.items()) if not k.startswith(hidden)]


def handler(d: Describer, name: str) -> Any:
    return d.describe(signal.getsignal(getattr(signal, name)))


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def hooks() -> list[Any]:
    plain = [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__]
    traced = [sys.gettrace() is None, sys.getprofile() is None]
    finders = [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path]
    return [*plain, *traced, finders, len(sys.path_hooks), threading.excepthook.__name__]


def stream(s: Any) -> list[Any]:
    shape = [s.encoding, s.errors, s.line_buffering, s.write_through]
    return [type(s).__name__, s.name, s.mode, s.fileno(), *shape]


def random_state() -> str | None:
    """The state of the shared generator, where the program has seeded it (else it is chance)."""
    modules = [m for n, m in list(sys.modules.items()) if is_own(n)]
    seeded = any(n.startswith("seeded_") for m in modules for n in getattr(m, "__dict__", {}))
    if not seeded or "random" not in sys.modules:
        return None
    state = sys.modules["random"].getstate()
    return hashlib.md5(repr(state).encode()).hexdigest()


def stack() -> list[list[str]]:
    """Who called: the frames below the program must be the program's alone."""
    found: list[list[str]] = []
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        name = os.path.basename(frame.f_code.co_filename)
        if "oracle_digest" not in frame.f_code.co_filename:
            found.append([name, frame.f_code.co_name])
    return found


def monitoring() -> list[Any]:
    """Who uses `sys.monitoring`; refork does while the program loads."""
    tools = getattr(sys, "monitoring", None)
    return (
        []
        if tools is None
        else [t for t in map(tools.get_tool, range(6)) if t not in (None, "refork")]
    )
