"""Files that a pattern names, as they were seen last: nobody was observed to read them."""

from __future__ import annotations

import hashlib

from refork.core.journal import Fingerprint
from refork.core.plan import Change
from refork.process import files

LARGEST = 1 << 18
"""Bytes of a file that is read before it ever changed; a larger one counts as changed when its times do."""

ALL = 1 << 25
"""Bytes of all that are read so: a pattern may name a whole tree."""


class Sightings:
    """Each with its fingerprint, and a digest of its contents where they were read."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Fingerprint, bytes | None]] = {}
        self._left = ALL
        """Bytes that may still be read before anything changed."""

    def __contains__(self, path: object) -> bool:
        return path in self._seen

    def paths(self) -> set[str]:
        return set(self._seen)

    def is_other(self, path: str) -> bool:
        """Whether a file has another fingerprint than it was seen with, or was never seen."""
        return path not in self._seen or self._seen[path][0] != files.fingerprint(path)

    def look(self, path: str, before: int | None = None) -> None:
        """See a file as it is now; as unseen if it was not last touched `before` then (ns, as `st_ctime_ns`)."""
        now = files.fingerprint(path)
        size = LARGEST if now is None else now[0]
        found = files.look(path) if size < min(LARGEST, self._left) else Change(path, now, None)
        touched = found.fingerprint
        if before is None or (touched is not None and touched[-1] < before):
            self._left -= 0 if found.text is None else size
            self.take(found)
        else:
            self._seen.pop(path, None)

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
