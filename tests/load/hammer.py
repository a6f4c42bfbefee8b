"""Saves in a loop while clients ask; each save is waited for, and then the next one is made."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from load.clients import Counts, Crowd
from load.gremlin import Gremlin
from load.sites import Site
from support.live import Live, replace
from support.ports import free_port
from support.waiting import wait_for

DEADLINE = 20.0
"""Seconds for a save to be served."""


@dataclass
class Outcome:
    """What one run came to."""

    counts: Counts
    reloads: int
    gears: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    """From each save to the first answer that shows it."""

    def __str__(self) -> str:
        times = sorted(self.milliseconds)
        middle, last = times[len(times) // 2], times[int(len(times) * 0.95)]
        return (
            f"{self.reloads} reloads {dict(self.gears)}; {dict(self.counts.seen)}; "
            f"save to answer median {middle:.0f} ms, p95 {last:.0f} ms; "
            f"slowest answer {self.counts.slowest * 1000:.0f} ms"
        )


class Hammer:
    """One site under load."""

    def __init__(
        self,
        folder: Path,
        site: Site,
        options: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.site = site
        self.port = free_port()
        for name, text in site.files.items():
            (folder / name).write_text(text.replace("PORT", str(self.port)))
        words = [word.replace("PORT", str(self.port)) for word in site.words]
        # gunicorn has a socket below the home folder, which all that run at a time would share
        home = {"HOME": str(folder.parent)}
        self.live = Live(folder, *words, options=options, environ={**home, **(environ or {})})
        self.saved = 1
        self.path = folder / site.edited

    def run(self, reloads: int, seed: int = 1, gremlin: bool = False) -> Outcome:
        """Save `reloads` times; with a gremlin on a machine that is slow anywhere at any time."""
        self.live.event("listening", timeout=20)
        if not gremlin:
            return self._run(reloads, seed)
        disturber = Gremlin(self.live.processes, seed)
        disturber.start()
        try:
            return self._run(reloads, seed)
        finally:
            disturber.stop()

    def _run(self, reloads: int, seed: int) -> Outcome:
        chance = random.Random(seed)
        crowd = Crowd(("127.0.0.1", self.port), lambda: self.saved)
        outcome = Outcome(crowd.counts, reloads)
        crowd.start()
        try:
            for version in range(2, reloads + 2):
                began = time.monotonic()
                self._save(version, chance.choice(["LOADED", "body"]))
                self._served(crowd, version)
                outcome.milliseconds.append((time.monotonic() - began) * 1000)
                time.sleep(chance.choice([0, 0, 0.005, 0.03]))
        finally:
            crowd.stop()
        outcome.gears.update(str(event["gear"]) for event in self.live.all("start"))
        return outcome

    def _save(self, version: int, name: str) -> None:
        text = self.path.read_text()
        replace(self.path, re.sub(rf"{name} = \d+", f"{name} = {version}", text))
        self.saved = version

    def _served(self, crowd: Crowd, version: int) -> None:
        try:
            wait_for(lambda: crowd.counts.newest >= version, DEADLINE, f"version {version}")
        except AssertionError as error:
            self.live.wait(lambda: False, 0, f"{error}: {crowd.counts}")
