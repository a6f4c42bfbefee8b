"""One tool going through all the edits on a fresh copy of the site."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.answers import Seen, free_port
from benchmarks.served import Served
from demo.edits import EDITS, Edit

WELCOME = "Welcome to your new Wagtail site!"
PAUSE = 0.7
"""Seconds between an answer and the next save: nobody types faster."""


class Run:
    """What one tool did: the first answer and, by name of the edit, every save.

    command may hold {port} and {events}; saves is how often each kind of edit is made.
    """

    def __init__(self, command: Sequence[str], site: Path, saves: int) -> None:
        self.site = site
        self.saves = saves
        self.cold = Seen(0)
        self.seen: dict[str, list[Seen]] = {}
        self.how: dict[str, str] = {}
        self.number = 0
        port = free_port()
        events = site.parent / "events"
        arguments = [part.format(port=port, events=events) for part in command]
        self.server = Served(arguments, site, port, site.parent / "log", events=events)

    def go(self, mending: bool) -> list[int]:
        """Serve, edit, stop; returns the ids of processes that had to be killed at the end."""
        print(f"$ {_shown(self.server.command)}", flush=True)
        with self.server as server:
            self.cold = server.first_answer("/", WELCOME)
            self._say("first answer", self.cold, "")
            for edit in EDITS:
                for _ in range(self.saves):
                    self._save(edit)
            if mending:
                self._mend()
            return server.stop()

    def median(self, name: str) -> float:
        """Milliseconds from save to served, for one kind of edit."""
        return median(one.ms for one in self.seen[name])

    def refused(self) -> int:
        """Connections refused while the new code was on its way."""
        return sum(one.refused for seen in self.seen.values() for one in seen)

    def cut(self) -> int:
        """Connections accepted, and closed without an answer."""
        return sum(one.cut for seen in self.seen.values() for one in seen)

    def _save(self, edit: Edit) -> None:
        time.sleep(PAUSE)
        self.number += 1
        self.server.new_events()
        save, marker = edit.apply(self.site, self.number)
        self._note(edit.name, self.server.save(save, edit.path, marker))

    def _mend(self) -> None:
        """A syntax error must be shown in the browser, and the repair must end it."""
        view = self.site / "search" / "views.py"
        good = view.read_text()
        time.sleep(PAUSE)
        broken = f"{good}\ndef broken(:\n"
        shown = self.server.save(lambda: _write(view, broken), "/", "def broken(:")
        self._note("syntax error, shown", shown)
        time.sleep(PAUSE)
        mended = self.server.save(lambda: _write(view, good), "/", WELCOME)
        self._note("syntax error, mended", mended)

    def _note(self, name: str, seen: Seen) -> None:
        self.seen.setdefault(name, []).append(seen)
        self.how[name] = self._said()
        self._say(name, seen, self.how[name])

    def _said(self) -> str:
        """What refork's events say about the last save; nothing for other tools."""
        for event in reversed(self.server.new_events()):
            if event["event"] == "start":
                return str(event.get("gear") or event.get("action"))
            if event["event"] == "refresh":
                return "refresh"
        return ""

    @staticmethod
    def _say(name: str, seen: Seen, how: str) -> None:
        print(f"  {name:<28}{seen.ms:>8,.0f} ms  {how}".rstrip(), flush=True)


def _shown(command: Sequence[str]) -> str:
    """A command as one would type it."""
    return " ".join(os.path.relpath(word) if os.path.isabs(word) else word for word in command)


def _write(file: Path, text: str) -> None:
    file.write_text(text)
