"""The demo's site: what `wagtail start` and `manage.py migrate` make, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

NAME = "mysite"


def command(name: str) -> str:
    """Path of a command installed beside the running Python."""
    return str(Path(sys.executable).with_name(name))


def create(folder: Path) -> Path:
    """A fresh site in folder, which is emptied first; returns the site's own folder.

    Raises subprocess.CalledProcessError, with the output, when the starter fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    site = folder / NAME
    site.mkdir(parents=True)
    _run([command("wagtail"), "start", NAME, str(site)], folder.parent)
    _run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], site)
    return site


def _run(arguments: list[str], cwd: Path) -> None:
    subprocess.run(arguments, cwd=cwd, check=True, capture_output=True, text=True)
