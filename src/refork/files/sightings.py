"""Files that a pattern names, as they were seen last: nobody was observed to read them."""

from __future__ import annotations

import hashlib

from refork.core.journal import Fingerprint
from refork.core.plan import Change
from refork.process import files

LARGEST = 1 << 20
"""Bytes of a file that is read before it ever changed; a larger one counts as changed when its times do."""

MOST = 2000
"""Files read before they ever changed: a pattern may name a whole tree."""


class Sightings:
    """Each with its fingerprint, and a digest of its contents where they were read."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Fingerprint, bytes | None]] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._seen

    def paths(self) -> set[str]:
        return set(self._seen)

    def fingerprint(self, path: str) -> Fingerprint:
        return self._seen[path][0]

    def look(self, path: str, before: int | None = None) -> None:
        """See a file as it is now; as unseen if it was not last touched `before` then (ns, as `st_ctime_ns`)."""
        self._seen.pop(path, None)
        now = files.fingerprint(path)
        if before is None or (now is not None and now[-1] < before):
            may_read = now is not None and now[0] <= LARGEST and len(self._seen) < MOST
            self.take(files.look(path) if may_read else Change(path, now, None))

    def take(self, change: Change) -> None:
        """See a file as it was found to be."""
        self._seen[change.path] = (change.fingerprint, _digest(change))

    def is_same(self, change: Change) -> bool:
        """Whether a file is as it was seen last: other times do not make it another one."""
        fingerprint, digest = self._seen[change.path]
        return fingerprint == change.fingerprint or (
            digest is not None and digest == _digest(change)
        )


def _digest(change: Change) -> bytes | None:
    if change.text is None:
        return None
    return hashlib.blake2b(change.text, digest_size=16).digest()
