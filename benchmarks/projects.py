"""Django projects of any size, with the dependencies that real ones have.

A project of n own modules: `common` (helpers that most others import), `config` (settings, URLs),
`core` (a model, the view that the benchmarks ask) and apps of ten modules each. An app's models
stand on `common`, its services on its own models and on the services of apps before it, its views
on services, forms and the services of the app before it; `django.contrib.admin` imports every
`admin` module.

Every module that can be edited ends in `describe()`, whose text names the last body edit and the
last statement edit; `/probe/<module>` returns it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import app_sources, sources

FIXED = 10
"""Modules of common (4), config (3) and core (3); config's gateways are loaded by few."""

AGE = 3600.0
"""Seconds since the files were written."""

APP = ("__init__", "apps", "constants", "managers", "models", "services", "forms", "views", "urls")
"""What an app is made of; with `admin`, ten."""

LOADED = """
import sys, django
django.setup()
import config.urls
print("\\n".join(name for name, module in sys.modules.items() if "describe" in vars(module)))
"""


@dataclass(frozen=True)
class Project:
    """A generated project: its folder, and its editable modules in the order they are loaded."""

    folder: Path
    modules: tuple[str, ...]

    def file(self, module: str) -> Path:
        """The source file of one of its modules."""
        return self.folder / Path(*module.split(".")).with_suffix(".py")

    def place(self, where: str) -> str:
        """The first, middle or last own module in the order of loading."""
        return {
            "first": self.modules[0],
            "middle": self.modules[len(self.modules) // 2],
            "last": self.modules[-1],
        }[where]


def generate(folder: Path, size: int) -> Project:
    """Write a project of `size` own modules (at least 10, a multiple of 10) into a new folder.

    The files are an hour old and compiled, the database of Django's own apps is there: a project
    in the middle of its life.
    """
    apps = [f"app{number:03}" for number in range((size - FIXED) // 10)]
    write(folder, "manage.py", sources.MANAGE)
    write(folder, ".env", "SITE_TITLE=Generated\nPAGE_SIZE=20\n")
    _fixed(folder, apps)
    for number, name in enumerate(apps):
        _app(folder, name, apps[:number])
    _python(folder, "manage.py", "migrate", "--verbosity", "0")
    return Project(folder, tuple(_python(folder, "-c", LOADED).split()))


def body_edit(text: str, number: int) -> tuple[str, str]:
    """Change what describe() returns, on the same line; the new text and what is served then."""
    return _renumber(text, "body", number)


def lines_edit(text: str, number: int) -> tuple[str, str]:
    """Change a function's body so that the lines below it move, `describe()` among them."""
    text = text.replace(sources.ROOM, f"{sources.ROOM}\n    shift = {number}  # one more line", 1)
    return _renumber(text, "body", number)


def statement_edit(text: str, number: int) -> tuple[str, str]:
    """Add a class attribute and change a constant; the new text and what is served then."""
    text = text.replace(sources.MARKS, f"{sources.MARKS}\n    mark_{number} = {number}", 1)
    start = text.index("EDITION = ")
    end = text.index("\n", start)
    return f"{text[:start]}EDITION = {number}{text[end:]}", f"edition {number}."


def _renumber(text: str, word: str, number: int) -> tuple[str, str]:
    start = text.rindex(f"{word} ") + len(word) + 1
    end = text.index(",", start)
    return f"{text[:start]}{number}{text[end:]}", f"{word} {number},"


def _fixed(folder: Path, apps: list[str]) -> None:
    for name, text in sources.COMMON.items():
        write(folder, f"common/{name}.py", text)
    write(folder, "config/__init__.py", '"""Configuration."""\n')
    write(folder, "config/settings.py", sources.settings(apps))
    write(folder, "config/urls.py", sources.root_urls(apps))
    for kind in ("wsgi", "asgi"):
        write(folder, f"config/{kind}.py", sources.gateway(kind))
    for name, text in sources.CORE.items():
        write(folder, f"core/{name}.py", text)


def _app(folder: Path, name: str, before: list[str]) -> None:
    for part in (*APP, "admin"):
        write(folder, f"{name}/{part}.py", app_sources.app_module(part, name, before))


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - AGE,) * 2)


def _python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"DJANGO_SETTINGS_MODULE": "config.settings", "PATH": "", "PYTHONPATH": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout
