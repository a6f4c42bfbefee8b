"""`python -m refork` is the same as `refork`."""

from __future__ import annotations

from refork.cli import entry

if __name__ == "__main__":
    entry()
