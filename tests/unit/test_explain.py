"""Which running refork `refork explain` asks."""

from __future__ import annotations

import pytest

from refork.commands.explain import nearest

SHOP, BLOG = "/home/me/shop", "/home/me/blog"


@pytest.mark.parametrize(
    ("reforks", "here", "expected"),
    [
        ({}, SHOP, []),
        ({1: SHOP}, SHOP, [1]),
        ({1: SHOP}, f"{SHOP}/orders/api", [1]),
        ({1: f"{SHOP}/orders"}, SHOP, [1]),
        ({1: BLOG}, SHOP, []),
        ({1: SHOP + "s"}, SHOP, []),
        ({1: "/home/me", 2: SHOP, 3: BLOG}, SHOP, [2, 1]),
        ({1: "/", 2: f"{SHOP}/orders"}, f"{SHOP}", [1, 2]),
        ({1: SHOP, 2: SHOP}, SHOP, [2, 1]),
        ({1: f"{SHOP}/a/b", 2: f"{SHOP}/a"}, SHOP, [2, 1]),
    ],
)
def test_the_nearest_comes_first(reforks: dict[int, str], here: str, expected: list[int]) -> None:
    assert nearest(reforks, here) == expected
