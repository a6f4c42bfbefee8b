"""What plain python makes of a program: the truth the oracle holds refork to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path(__file__).parent / "lib"
DIGEST = re.compile("\x1eDIGEST (\\d+) (.*)\n")
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
ADDRESS = re.compile("0x[0-9a-f]{6,}")
LIMIT = 30.0
"""Seconds a plain run may take."""


class Endless(Exception):
    """A program does not come to its end within the limit."""


@dataclass(frozen=True)
class Outcome:
    """What one run of a program showed."""

    out: str
    err: str
    digest: str | None
    code: int | None  # None: it was still running, as a server does


def environment(root: Path, out: Path) -> dict[str, str]:
    """The environment of both sides. ``root`` holds the program; ``out`` is for what it writes."""
    kept = {k: os.environ[k] for k in KEPT if k in os.environ}
    own = {"PYTHONPATH": str(LIBRARY), "ORACLE_ROOT": str(root), "ORACLE_OUT": str(out)}
    return {**kept, **own, "PYTHONHASHSEED": "0"}


def split(text: str) -> tuple[str, list[tuple[int, str]]]:
    """The program's own output, without addresses, and the accounts in it with the pid that gave them."""
    accounts = [(int(pid), digest) for pid, digest in DIGEST.findall(text)]
    return ADDRESS.sub("0x", DIGEST.sub("", text)), accounts


def run(root: Path, out: Path) -> Outcome:
    """Run ``entry.py`` of a folder under plain python, without reading or writing caches there."""
    environ = {**environment(root, out), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "entry.py"],
            cwd=root,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Endless from None
    text, accounts = split(done.stdout.decode(errors="replace"))
    digest = accounts[-1][1] if accounts else None
    return Outcome(text, split(done.stderr.decode(errors="replace"))[0], digest, done.returncode)
