"""What a browser has to do about a changed file."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

Kind = Literal["css", "image", "reload"]

STYLES = frozenset({".css"})
IMAGES = frozenset(
    {".apng", ".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".svg", ".webp"}
)


def classify(path: str) -> Kind:
    """How a page takes up a changed file: styles and images in place, all else by a reload.

    A preprocessor's source (`.scss`, `.less`) is a reload: no page loads it, and the style made
    from it is a change of its own.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix in STYLES:
        return "css"
    return "image" if suffix in IMAGES else "reload"
