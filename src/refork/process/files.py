"""Fingerprints and contents of files, as the supervisor sees them now."""

from __future__ import annotations

import os

from refork.core.journal import Fingerprint
from refork.core.plan import Change

LARGEST = 16 << 20
"""Bytes of a file whose contents are compared; a larger one counts as changed when its times do."""


def fingerprint(path: str) -> Fingerprint:
    """Return the fingerprint of the file at `path`, or None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def look(path: str) -> Change:
    """Return how the file at `path` is now, its contents read between two equal fingerprints."""
    for _attempt in range(5):
        before = fingerprint(path)
        text = contents(path) if before is not None and before[0] <= LARGEST else None
        if fingerprint(path) == before:
            break
    return Change(path, before, text)


def names(folder: str) -> tuple[str, ...]:
    """Return the sorted names in a folder; none if it cannot be listed."""
    try:
        return tuple(sorted(os.listdir(folder)))
    except OSError:
        return ()


def contents(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except OSError:
        return None
