"""What refork raises, and what its command line turns into one line and an exit code.

::

    ReforkError          something refork itself cannot do
    └── UsageError       the user can put it right: exit code 2

A message is one line that names the thing and the way out.
"""

from __future__ import annotations


class ReforkError(Exception):
    """Base of all errors that refork raises by itself."""

    exit_code = 1


class UsageError(ReforkError):
    """A wrong option, setting or target."""

    exit_code = 2
