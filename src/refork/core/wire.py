"""How two processes of refork put a message into bytes.

A message is a plain tuple whose first item is its tag. `marshal` is used because it is built into the
interpreter: nothing is imported into the user's process for it. Format 4 is read by every Python from
3.4 on, so that the two ends may be of different versions.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 4

LARGEST = 60_000
"""Bytes that fit in one packet of a channel with room to spare; a longer message travels in a file."""


def pack(message: tuple[Any, ...]) -> bytes:
    """Return `message` as bytes; only None, bool, int, float, str, bytes, tuple, list, dict."""
    return marshal.dumps(message, FORMAT)


def unpack(data: bytes) -> tuple[object, ...]:
    """Return the message in `data`. Raises ValueError, TypeError or EOFError when there is none."""
    message = marshal.loads(data)
    if not isinstance(message, tuple) or not message or not isinstance(message[0], str):
        raise ValueError("not a message")
    return message
