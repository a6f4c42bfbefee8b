"""What happened since a page was made, so that a page that was away catches up. Pure."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = frozenset({"reload", "css", "image", "error", "ready"})
KEPT = 256  # events; a page that missed more than these reloads
MAX_FILES = 64  # files named in one event


@dataclass(frozen=True)
class Event:
    """One thing a page has to know: one of KINDS, or `hello`. `number` counts from 1."""

    number: int
    kind: str
    files: tuple[str, ...]
    generation: int


class History:
    """The last events, and the generation that was announced last.

    `boot` marks this supervisor: numbers given out by another one mean nothing here.
    """

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._events: deque[Event] = deque(maxlen=KEPT)
        self.number = 0
        self.generation = 0

    def add(self, kind: str, files: Sequence[str], generation: int) -> Event:
        """Append an event. Raises ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {', '.join(sorted(KINDS))}")
        self.number += 1
        if kind in ("ready", "error"):
            self.generation = max(self.generation, generation)
        event = Event(self.number, kind, tuple(files[:MAX_FILES]), generation)
        self._events.append(event)
        return event

    def id(self, number: int | None = None) -> str:
        """The `id:` of an event's number (default: the last one)."""
        return f"{self._boot}-{self.number if number is None else number}"

    def number_of(self, identity: str) -> int | None:
        """The number in an `id:`; None if it is not one of ours."""
        boot, _, number = identity.rpartition("-")
        is_ours = boot == self._boot and number.isascii() and number.isdigit() and len(number) < 16
        return int(number) if is_ours and int(number) <= self.number else None

    def after(self, number: int) -> list[Event]:
        """The events later than `number`; a single reload if some of them are forgotten."""
        if number < self.number - len(self._events):
            return [self._now("reload")]
        return [event for event in self._events if event.number > number]

    def greeting(self, since: str) -> list[Event]:
        """What a page is told first; the rest follows from the last event's number on.

        `since` is the last id it knows ("" if none). A `hello` says which generation answers now,
        so that a page of an earlier one reloads; an id not of ours means that nothing is known.
        """
        number = self.number_of(since) if since else self.number
        if number is None:
            return [self._now("hello"), self._now("reload")]
        return [Event(number, "hello", (), self.generation)]

    def _now(self, kind: str) -> Event:
        return Event(self.number, kind, (), self.generation)

    def encode(self, event: Event) -> bytes:
        """The event as a server-sent event (WHATWG HTML 9.2)."""
        data = {"id": self.id(event.number), "kind": event.kind, "generation": event.generation}
        text = json.dumps({**data, "files": event.files}, ensure_ascii=True)
        return f"id: {self.id(event.number)}\ndata: {text}\n\n".encode("ascii")
