"""A program on disk: written, changed, saved in the ways editors and tools save."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from .session import Step
from .tree import Tree, changed_paths

OLDER = 100.0
"""Seconds by which an ``older`` save goes back in time."""


def write_tree(root: Path, tree: Tree) -> None:
    """Write a whole program into an empty folder."""
    for path, text in tree.texts().items():
        create(root / path, text)


def create(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def apply_step(root: Path, old: Tree, step: Step) -> None:
    """Make the files what the step says, touching no others."""
    for path in changed_paths(old, step.tree):
        if path in step.tree.files:
            save(root / path, step.tree.text(path), step.ways.get(path, "inplace"))
        else:
            delete(root, root / path)
        time.sleep(step.gap)
    for path in step.touched:
        os.utime(root / path)


def save(path: Path, text: str, way: str) -> None:
    """One file, as an editor would (``atomic``) or a tool with its own idea of time."""
    before = path.stat() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    if way == "atomic":
        beside = path.with_name(f".{path.name}.tmp")
        beside.write_text(text, encoding="utf-8", newline="")
        os.replace(beside, path)
        return
    path.write_text(text, encoding="utf-8", newline="")
    if way == "older":
        backdate(path, path.stat().st_mtime_ns - int(OLDER * 1e9))
    if way == "same" and before is not None and before.st_size != len(text.encode()):
        backdate(path, before.st_mtime_ns)


def backdate(path: Path, mtime: int) -> None:
    os.utime(path, ns=(mtime, mtime))


def delete(root: Path, path: Path) -> None:
    """A file, and its folders when nothing but caches is left in them."""
    path.unlink()
    folder = path.parent
    while folder != root and not [p for p in folder.iterdir() if p.name != "__pycache__"]:
        shutil.rmtree(folder)
        folder = folder.parent
