"""Events where they come, polling where they do not.

What serves is tried with a probe file. Directories where the probe stays unheard, that lie on a
mount which others change, or that may not be read, are polled besides; and when a back-end cannot
go on, the next one takes over, the last of all being to poll everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from refork.watch.base import Hints, Watcher, WatchLimit
from refork.watch.bell import Bell
from refork.watch.gate import Gate
from refork.watch.mounts import device, remote_devices
from refork.watch.poll import INTERVAL, PollWatcher
from refork.watch.probe import DEADLINE, Trial, is_probe

Make = Callable[[Bell], Watcher]
"""Opens a back-end that has a descriptor of its own, or rings the bell it is given.

It raises :class:`WatchLimit` if it cannot."""


class FallbackWatcher:
    """See :class:`refork.watch.base.Watcher`. Never raises ``WatchLimit``.

    Args:
        makers: back-ends to try, best first. With none, everything is polled.
        probe_directories: where to try what serves.
        say: told in one line why something else serves, or is needed besides.
        interval: seconds between two looks where polling is needed.
        remote: device number → file system type of the mounts to poll besides; default: asked
            from the system.
        patience: seconds to wait for a probe's event.
    """

    blind: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        makers: Iterable[Make],
        probe_directories: Sequence[str],
        say: Callable[[str], None],
        interval: float = INTERVAL,
        remote: dict[int, str] | None = None,
        patience: float = DEADLINE,
    ) -> None:
        self._makers = list(makers)
        self._say = say
        self._interval = interval
        kinds = remote_devices() if remote is None else remote
        self._unheard: dict[int | None, str] = {
            number: f"others can change a {kind} mount without an event"
            for number, kind in kinds.items()
        }
        self._devices: dict[str, int | None] = {}
        self._explained: set[tuple[str, int | None]] = set()
        self._directories: frozenset[str] = frozenset()
        self._files: frozenset[str] = frozenset()
        self._early = Hints()  # for the next read()
        self._blind: dict[str, str] = {}
        self._events: Watcher | None = None
        self._poller: PollWatcher | None = None
        self._bell = Bell()
        self._gate = Gate(self._bell)
        self._trial = Trial((), patience, self._bell)
        self._next([])
        self._try_out(probe_directories, patience)

    @property
    def name(self) -> str:
        """The back-ends that serve, joined by ``+``."""
        serving = [part.name for part in (self._events, self._poller) if part is not None]
        return "+".join(serving) or "poll"

    def fileno(self) -> int:
        return self._gate.fileno()

    def close(self) -> None:
        self._trial.end()
        for part in (self._events, self._poller):
            if part is not None:
                part.close()
        self._gate.close()
        self._bell.close()

    def watch(self, directories: Collection[str], files: Collection[str]) -> None:
        self._directories, self._files = frozenset(directories), frozenset(files)
        self._watch_events()
        self._watch_polled()

    def read(self) -> Hints:
        self._bell.hush()
        hints, self._early = self._early, Hints()
        if self._poller is not None:
            hints |= self._poller.read()
        hints |= self._read_events(renew=bool(hints))
        for directory in self._trial.judge(hints):
            self._give_up_on(directory)
        return _without_probes(hints)

    # ------------------------------------------------------------------ events

    def _watch_events(self) -> None:
        if self._events is None:
            return
        try:
            self._events.watch(
                self._directories | self._trial.directories, self._files | self._trial.files
            )
        except WatchLimit as error:
            self._fall_back(error)

    def _read_events(self, renew: bool) -> Hints:
        """What the events say; *renew* the watches if polling found what they might not know."""
        if renew:
            self._watch_events()
        if self._events is None:
            return Hints()
        try:
            hints = self._events.read()
        except WatchLimit as error:
            self._fall_back(error)
            return Hints(lost=True)
        if self._events.blind != self._blind:
            self._watch_polled()
        return hints

    def _fall_back(self, error: WatchLimit) -> None:
        """Go on with the next back-end, and have everything compared."""
        assert self._events is not None, "only events have limits"
        self._gate.remove(self._events)
        self._events.close()
        self._events = None
        self._trial.end()
        self._next([str(error)])
        self._watch_polled()
        self._lose()

    def _next(self, reasons: list[str]) -> None:
        """Start the first back-end that can; say so if it is not the very first."""
        while self._makers and self._events is None:
            make = self._makers.pop(0)
            try:
                self._events = self._start(make)
            except WatchLimit as error:
                reasons.append(str(error))
        if reasons:
            self._say(f"watching by {self._manner()}: {'; '.join(reasons)}")

    def _start(self, make: Make) -> Watcher:
        events = make(self._bell)
        try:
            events.watch(self._directories, self._files)
        except WatchLimit:
            events.close()
            raise
        self._gate.add(events)
        return events

    def _manner(self) -> str:
        return self._events.name if self._events else f"polling every {self._interval:g} s"

    def _lose(self) -> None:
        """Whoever reads next compares everything."""
        self._early |= Hints(lost=True)
        self._bell.ring()

    # ------------------------------------------------------------------ trying out

    def _try_out(self, directories: Iterable[str], patience: float) -> None:
        """Leave probes. Either they are heard at once, or the bell rings when the time is up."""
        if self._events is None:
            return
        one_a_device = {self._device(directory): directory for directory in directories}
        self._trial = Trial(one_a_device.values(), patience, self._bell)
        self._watch_events()
        self._trial.leave()
        self._early |= self.read()
        self._trial.wait()

    def _give_up_on(self, directory: str) -> None:
        """The probe in *directory* stayed unheard: poll whatever is on the same device."""
        excuse = f"{self._manner()} did not tell of a file written there"
        self._unheard[self._device(directory)] = excuse
        self._explain(directory, excuse)
        self._watch_polled()
        self._lose()

    # ------------------------------------------------------------------ polling besides

    def _watch_polled(self) -> None:
        """Poll those directories that the events do not tell of."""
        polled, files = self._directories, self._files
        if self._events is not None:
            self._blind = dict(self._events.blind)
            polled = frozenset(self._without_events())
            files = frozenset(file for file in files if os.path.dirname(file) in polled)
        if polled and self._poller is None:
            self._poller = PollWatcher(self._interval, self._bell)
        if self._poller is not None:
            self._poller.watch(polled, files)

    def _without_events(self) -> Iterator[str]:
        """The directories watched for which events are not enough; says why."""
        yield from self._blind
        for directory, excuse in self._blind.items():
            self._explain(directory, excuse)
        for directory in sorted(self._directories) if self._unheard else ():
            excuse = self._unheard.get(self._device(directory), "")
            if excuse:
                self._explain(directory, excuse)
                yield directory

    def _explain(self, directory: str, excuse: str) -> None:
        """Say *excuse*, if any, once for each device."""
        reason = (excuse, self._device(directory))
        if excuse and reason not in self._explained:
            self._explained.add(reason)
            self._say(f"also polling every {self._interval:g} s in {directory}: {excuse}")

    def _device(self, directory: str) -> int | None:
        if directory not in self._devices:
            self._devices[directory] = device(directory)
        return self._devices[directory]


def _without_probes(hints: Hints) -> Hints:
    """Nobody else needs to know of the probes."""
    if not any(map(is_probe, hints.paths | hints.unfinished)):
        return hints
    return Hints(
        paths=frozenset(path for path in hints.paths if not is_probe(path)),
        lost=hints.lost,
        unfinished=frozenset(path for path in hints.unfinished if not is_probe(path)),
    )
