"""The working folder, which may be removed and made again while refork runs."""

from __future__ import annotations

import os


def identity(path: str) -> tuple[int, int] | None:
    """Device and inode of a folder, or None where it cannot be looked at."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)


class Home:
    """The folder that refork was started in. Processes follow the inode of theirs, people its name."""

    def __init__(self) -> None:
        """Raises OSError when there is none to begin with."""
        self.path = os.getcwd()

    def enter(self) -> str:
        """Be in the folder of that name: "same" as before, "new" if it was made again, or "gone"."""
        now = identity(self.path)
        if now is None:
            return "gone"
        if now == identity("."):
            return "same"
        os.chdir(self.path)
        return "new"
