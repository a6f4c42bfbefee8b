"""`python -m refork` is the same as `refork`."""

from __future__ import annotations

import os


def entry() -> None:
    """The console script `refork`. A Ctrl-C while its command line is still imported ends it like any other."""
    try:
        from refork import cli

        cli.entry()
    except KeyboardInterrupt:
        os._exit(130)


if __name__ == "__main__":
    entry()
