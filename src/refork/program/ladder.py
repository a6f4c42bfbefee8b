"""The checkpoints beneath this process, and when another one is worth its price.

A checkpoint costs a fork, and then a copy of each page that is written to again, be it only for a reference
count. So the price grows with the process, and what checkpoints may cost is a share of the time that the
generation has run.
"""

from __future__ import annotations

import _thread
import os
import time

from refork.program.forking import own_pages
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from refork.program.running import Running

BOUND = 0.10
"""Share of a generation's time that refork may cost it while it loads, what observes it included."""

COARSE = 0.05
"""Share that checkpoints may cost, for one of no particular place to be taken."""

ALLOWANCE = 0.025
"""Seconds that checkpoints in likely places may cost whatever their share: less than anybody waits for. It is
enough for five beneath a script of the standard library, and for one or two beneath a small application."""

OBSERVING = 30e-6
"""Seconds that a module costs to observe, the lookups, audit events and messages of its loading included. Measured
without checkpoints: 15 to 20 microseconds each of 1,559 modules (1,000 of them generated), 35 of the 1,565 of
Wagtail's starter."""

FORKING = 2.5e-3
"""Seconds that a checkpoint takes, from the looks at what may stand in its way to the word that there is one.
Measured: 2.8 to 3.5 at 7 MB and 3.3 to 5.3 at 27. Not measured each time: on a busy machine that is mostly the time
of others, and two starts of one program would have different ladders."""

COPYING = 1.7e-6
"""Seconds that each page of its own costs the program after a fork: where reference counts change, the page is
copied. Measured on 1,000 modules: a fork at 45 MB (11,555 pages) made the rest of loading 18 ms longer."""

COPIED = 65_536
"""Pages that are copied at most, or so: what a larger process holds besides is data, which nobody touches."""

SOONEST = 0.010
"""Seconds between two checkpoints of the ladder, however cheap a fork is."""


class Start:
    """How a program is to go on: what the supervisor says when it starts a generation."""

    __slots__ = (
        "changed", "collects", "environ", "forks", "generation", "graft", "held", "hoist", "hot", "next_id",
        "target", "twin", "verify",
    )  # fmt: skip

    def __init__(self, fields: dict[str, Any]) -> None:
        self.generation: int = fields["generation"]
        self.next_id: int = fields["next_id"]
        self.forks: bool = fields["forks"]
        """Whether checkpoints are to be taken."""
        self.changed: dict[str, bytes | None] = fields["changed"]
        """Files that changed, with their new text; None: gone, or no text."""
        self.hot: dict[str, int] = fields["hot"]
        """Files edited lately, each with the step that was edited first."""
        self.graft: bool = fields["graft"]
        self.held: list[tuple[int, str]] = []
        """Families and addresses of the listening sockets that the supervisor holds."""
        self.environ: dict[str, str] = fields["environ"]
        self.target: dict[str, Any] = fields["target"]
        self.verify: dict[str, Any] | None = fields.get("verify")
        """What is asked of a process that is only to be compared with another (see `verify`)."""
        self.hoist: dict[str, Any] | None = fields.get("hoist")
        """What is asked of a process by which a twin is made (see `hoist`)."""
        self.collects: bool = fields.get("collects", False)
        """Whether to let the collector do its work before all else, and park once more when it is done."""
        self.twin: int = fields.get("twin", 0)
        """The twin whose modules are still as they would be loaded now; 0: none is."""


class Ladder:
    """What this process knows of the checkpoints beneath it."""

    def __init__(self) -> None:
        self.start: Start | None = None
        self.next_id = 0
        self.loads = 0
        """How many modules were loaded at the last checkpoint."""
        self.ahead = 0
        """The twin whose modules are not all in their place yet; 0: none."""
        self.running: list[Running] = []
        """Modules in progress that run by steps, outermost first."""
        self.statuses: dict[int, int] = {}
        """How children of a parked process ended that nobody has asked about."""
        self.stop: Callable[[str, str], None] | None = None
        """Called with kind and place of each checkpoint that might be taken, where none is."""
        self.thread = _thread.get_ident()
        """The thread the program began in; a fork leaves its identity as it is (pthread_self(3))."""
        self.full_collections = 0
        """How many there had been when this generation was let go."""
        self.told: set[str] = set()
        """Reasons not to fork that were told: each is told once a generation."""
        self._began = 0.0
        """When this generation was let go, and when it took its last checkpoint, on the monotonic clock."""
        self._last = 0.0
        self._spent = 0.0
        """Seconds that its checkpoints have cost it, the copies included."""
        self._loads_before = 0
        """How many modules had been loaded when this generation was let go."""
        self._coarse_from = self._not_before = 0.0
        """When one of no particular place, or any other, can be afforded at the earliest: until then nobody has
        to look at the memory again."""
        self._allowance_spent = False
        """Whether one was found too dear for what is left of the allowance: memory seldom shrinks."""

    def begin(self) -> None:
        """A generation begins, here."""
        self._began = self._last = time.monotonic()
        self._spent = self._coarse_from = self._not_before = 0.0
        self._allowance_spent = False
        self._loads_before = journal.loads
        self.told = set()

    def taken(self, began: float) -> None:
        """There is a checkpoint here, which was begun then: by this generation, or by one before."""
        self.loads = journal.loads
        if began >= self._began:
            self._last = time.monotonic()
            self._spent += self._price(own_pages())

    def enabled(self) -> bool:
        start = self.start
        return (
            start is not None
            and start.forks
            and journal.loading  # a program that serves has a socket for good
            and os.getpid() == journal.pid
        )

    def due(self) -> bool:
        """Whether another checkpoint, of no particular place, is worth its price."""
        if self.stop is not None:
            return True
        now = time.monotonic()
        if now < self._coarse_from or not self.is_rested():
            return False
        pages = own_pages()
        wanted = self._began + (self._spent + self._price(pages)) / COARSE
        self._coarse_from = max(wanted, self._affordable_from(pages))
        if now < self._coarse_from:
            return False
        self._coarse_from = now + SOONEST  # it may be forbidden here, and then soon after as well
        return True

    def is_within(self) -> bool:
        """Whether all of them together have cost no more than coarse ones may."""
        return self._spent <= COARSE * (time.monotonic() - self._began)

    def affords(self, likely: bool = True) -> bool:
        """Whether one can be paid for in a likely place, or else between any two statements."""
        now = time.monotonic()
        if now < self._not_before and (self._allowance_spent or not likely):
            return False
        pages = own_pages()
        self._allowance_spent = self._spent + self._price(pages) > ALLOWANCE
        if likely and not self._allowance_spent:
            return True
        self._not_before = self._affordable_from(pages)
        return now >= self._not_before

    def _affordable_from(self, pages: int) -> float:
        """When one that shares so many pages can be afforded at the earliest, on the monotonic clock."""
        observing = (journal.loads - self._loads_before) * OBSERVING
        return self._began + (self._spent + self._price(pages) + observing) / BOUND

    def _price(self, pages: int) -> float:
        return FORKING + min(pages, COPIED) * COPYING

    def moved_on(self) -> bool:
        """Whether loading has gone on since the last checkpoint."""
        return journal.loads > self.loads or self.is_rested()

    def is_rested(self) -> bool:
        """Whether the last checkpoint was some time ago."""
        return time.monotonic() - self._last > SOONEST

    def pays(self, likely: bool = True) -> bool:
        """The same, and whether it saves anything."""
        return self.moved_on() and self.affords(likely)


ladder = Ladder()
