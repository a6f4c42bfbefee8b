"""Modules that load when they are first asked for anything: it is for the program to ask, and never for refork."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from process.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need Linux")

LAZILY = """\
import importlib.util
import sys

def lazily(name):
    spec = importlib.util.find_spec(name)
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""

ENTRY = """\
import refork
from lazily import lazily
heavy = lazily("heavy")
random = lazily("random")
import shop
refork.checkpoint()
import late
print("asked", flush=True)
print(heavy.X, shop.answer(), flush=True)
"""

ASKED = """\
import sys
class Asked:
    def __getattribute__(self, name):
        print("asked for", name, flush=True)
        raise AttributeError(name)
    __class__ = property(lambda self: print("asked for its class", flush=True))
sys.modules["asked"] = Asked()
kept = Asked()
def answer():
    return 1
"""


def write(folder: Path, shop: str) -> None:
    (folder / "lazily.py").write_text(LAZILY)
    (folder / "heavy.py").write_text("print('loads')\nX = 1\n")
    (folder / "shop.py").write_text(shop)
    (folder / "late.py").write_text("")
    (folder / "entry.py").write_text(ENTRY)


def test_a_lazy_module_is_loaded_by_the_program_and_seen_then(folder: Path, start: Start) -> None:
    write(folder, "def answer():\n    return 1\n")
    live = start("entry.py")
    live.says("1 1")
    live.exit(1)
    assert live.lines == ["asked", "loads", "1 1"]
    live.save("heavy.py", "print('loads')\nX = 2\n")
    live.says("2 1")
    assert live.start(2)["gear"] == "replay"
    live.exit(2)
    live.save("shop.py", "def answer():\n    return 2\n")
    live.says("2 2")
    assert live.start(3)["gear"] == "graft"
    live.exit(3)
    assert live.lines[:6] == ["asked", "loads", "1 1", "asked", "loads", "2 1"]


@pytest.mark.parametrize("options", [(), ("--verify",)])
def test_nobody_asks_what_stands_for_a_module(
    options: tuple[str, ...], folder: Path, start: Start
) -> None:
    write(folder, ASKED)
    live = start("entry.py", options=options)
    live.says("1 1")
    live.exit(1)
    live.save("shop.py", ASKED.replace("return 1", "return 2"))
    live.says("1 2")
    assert live.start(2)["gear"] == "graft"
    live.exit(2)
    if options:
        live.event("verified", 20)
    assert not [line for line in live.lines if line.startswith("asked for")], live.lines
