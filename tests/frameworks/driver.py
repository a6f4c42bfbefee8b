"""A server under refork: saves files, asks it over HTTP, and sees what became of it."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from support.live import Event, Live
from support.ports import free_port

OF_FRAMEWORKS = ("DJANGO_", "FLASK_", "WERKZEUG_", "UVICORN_", "WEB_CONCURRENCY", "GUNICORN_")
"""Variables that would change what a framework does."""


class Served(Live):
    """refork, running a server; `PORT` in the words stands for a free port."""

    def __init__(
        self, folder: Path, *words: str, files: dict[str, str] | None = None, **more: Any
    ) -> None:
        """`files` are written first; `python` is the interpreter refork runs in; the rest as
        `Live`.
        """
        self.port = free_port()
        self.python = more.pop("python", sys.executable)
        for name, text in (files or {}).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name in [name for name in os.environ if name.startswith(OF_FRAMEWORKS)]:
            more["environ"] = {name: "", **more.get("environ", {})}
        super().__init__(folder, *(word.replace("PORT", str(self.port)) for word in words), **more)

    def _spawn(self, *of_live: Any) -> Any:
        self.command = [self.python if word == sys.executable else word for word in self.command]
        return super()._spawn(*of_live)

    def edit(self, name: str, old: str, new: str) -> None:
        """Put `new` in place of `old` in a file, and save it."""
        text = self.path(name).read_text(encoding="utf-8")
        assert old in text
        self.save(name, text.replace(old, new))

    def ask(self, path: str = "/") -> tuple[int, str]:
        """Status and body of an answer. Raises OSError or HTTPException where there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def get(self, path: str = "/") -> str:
        """The body of an answer, or "" where there is none (yet)."""
        try:
            return self.ask(path)[1]
        except (OSError, http.client.HTTPException):
            return ""

    def answers(self, text: str, path: str = "/", timeout: float = 20.0) -> float:
        """Ask until the answer has `text`; return the seconds that took."""
        began = time.monotonic()
        self.wait(lambda: text in self.get(path), timeout, f"{text!r} in the answer of {path}")
        took = time.monotonic() - began
        self.start(1)  # or refork may not have read the texts yet that an edit is compared with
        return took

    def started(self) -> Event:
        """The event of the last start."""
        return self.all("start")[-1]

    def interrupt(self) -> int:
        """Ctrl-C: the whole process group is sent SIGINT; return refork's exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.code()
