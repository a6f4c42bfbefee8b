"""Which files are likely to be edited first, before any was: those of the project that were modified last."""

from __future__ import annotations

import os
import time
from bisect import bisect_left, bisect_right

GUESSED = 4
LOOKED_AT = 4000
"""Directory entries looked at for the guess of a first start."""

RECENT = 24 * 3600.0
"""Seconds since its modification, for a file to be guessed hot."""

TOGETHER = 60.0
"""Seconds within which a checkout, an unpacked archive or a generator writes its files."""

MANY = 10
"""Files written together that are no work of hands; the starter of a framework writes about as many."""

SKIPPED = {"node_modules", "__pycache__", "site-packages", "venv", "env", "build", "dist"}


def hot(folder: str) -> dict[str, int]:
    """The files of a project that were modified last, each with the step that will be edited: not known, -1."""
    found = sorted(_sources(folder))
    times = [modified for modified, _path in found]
    limit = time.time() - RECENT
    edited = [
        path
        for modified, path in found[-GUESSED - 2 * MANY :]
        if modified > limit and _written_about(times, modified) < MANY
    ]
    return dict.fromkeys(edited[-GUESSED:], -1)


def _written_about(times: list[float], moment: float) -> int:
    """How many files, of these times in order, were written about that moment."""
    return bisect_right(times, moment + TOGETHER) - bisect_left(times, moment - TOGETHER)


def _sources(folder: str) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    waiting = [folder]
    looked = 0
    while waiting and looked < LOOKED_AT:
        try:
            entries = list(os.scandir(waiting.pop(0)))
        except OSError:
            continue
        looked += len(entries)
        for entry in entries:
            if entry.name.startswith(".") or entry.name in SKIPPED:
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.name.endswith(".py") and entry.is_file():
                    found.append((entry.stat().st_mtime, entry.path))
            except OSError:
                continue  # gone meanwhile
    return found
