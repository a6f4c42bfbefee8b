"""`--verify`: each graft is compared with an exact start in the background."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="grafts need Linux")

VIEWS = """\
import functools
import os
from dataclasses import dataclass

def view(request=None):
    return 1

@functools.lru_cache
def cached():
    return [n for n in range(3)]

class Base:
    kind = "base"

    @property
    def size(self):
        return 70

    @classmethod
    def make(cls):
        return super().__new__(cls)

@dataclass
class Item(Base):
    name: str = "x"

    def price(self):
        def inner():
            return os.sep
        return inner

REGISTRY = {"a": lambda: 5}

if os.path.exists("flag"):
    EXTRA = 1
"""

APP = """\
import time
import views

def local():
    return views.view()

import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
with open("starts", "a") as file:
    file.write("x")
print("up", local(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def live(folder: Path, start: Start) -> Live:
    (folder / "views.py").write_text(VIEWS)
    (folder / "app.py").write_text(APP)
    running = start("app.py", options=["--verify"])
    running.says("up 1")
    running.event("ready")
    return running


EDITS = {
    "a body": ("return 1", "return 2"),
    "a method": ("return 70", "return 80"),
    "a lambda": ("lambda: 5", "lambda: 6"),
    "lines that move": ("    return 1", "    value = 3\n    value += 1\n    return value"),
    "a wrapped function": ("range(3)", "range(4)"),
}
if sys.version_info >= (3, 12):  # before, a function that nobody has made cannot be ruled on
    EDITS["a nested function"] = ("return os.sep", "return os.linesep")


@pytest.mark.parametrize("edit", EDITS)
def test_a_graft_is_found_to_be_exact(live: Live, edit: str) -> None:
    live.save("views.py", VIEWS.replace(*EDITS[edit]))
    start = live.start(2)
    assert start["gear"] == "graft", start["reason"]
    verified = live.event("verified", generation=2)
    assert verified["checkpoint"] == start["checkpoint"]
    assert not live.all("error")
    assert len(live.all("start")) == 2


def test_a_graft_over_a_graft(live: Live) -> None:
    for number in range(2, 6):
        live.save("views.py", VIEWS.replace("return 1", f"return {number}"))
        live.says(f"up {number}")
        live.event("verified", generation=number)
    assert [event["gear"] for event in live.all("start")[1:]] == ["graft"] * 4


def test_the_background_is_not_seen(live: Live) -> None:
    live.save("views.py", VIEWS.replace("return 1", "return 2"))
    live.event("verified")
    live.says("up 2")
    assert live.lines == ["up 1", "up 2"]
    assert live.path("starts").read_text() == "xx"
    assert len(live.all("listening")) == 2
    assert live.start(2)["pid"] == live.event("ready", generation=2)["pid"]


def test_a_divergence_is_told_and_the_program_started_cold(live: Live, folder: Path) -> None:
    """The program looks at a file in a way that nobody sees: a cold start would find it now."""
    (folder / "flag").touch()
    live.save("views.py", VIEWS.replace("return 1", "return 2"))
    assert live.start(2)["gear"] == "graft"
    error = live.event("error")
    assert error["type"] == "Divergence"
    assert error["file"] == str(folder / "views.py")
    assert "views.EXTRA" in error["message"]
    cold = live.start(3)
    assert (cold["action"], cold["gear"]) == ("restart", "cold")
    assert "views.py" in cold["reason"]
    live.complains("Divergence")
    assert "waiting for a change" not in live.err
    live.event("ready", generation=3)
    live.says("up 2", count=2)
    live.save("views.py", VIEWS.replace("return 1", "return 4"))
    live.event("verified", generation=4)
    live.says("up 4")


def test_a_save_meanwhile_comes_first(live: Live) -> None:
    for number in range(2, 8):
        live.save("views.py", VIEWS.replace("return 1", f"return {number}"))
        live.says(f"up {number}")
    live.event("verified", generation=live.all("start")[-1]["generation"])
    assert not live.all("error")


def test_what_cannot_be_checked_is_said(folder: Path, start: Start) -> None:
    """Once loaded it goes another way than it first went: an exact start does not come by."""
    (folder / "views.py").write_text("def view():\n    return 1\n")
    (folder / "more.py").write_text("")
    (folder / "app.py").write_text(
        "import os\nif not os.path.exists('been'):\n    open('been', 'w').close()\n"
        "    import more\nimport views, time\nimport socket\ns = socket.socket()\n"
        "print('up', views.view(), flush=True)\ntime.sleep(600)\n"
    )
    live = start("app.py", options=["--verify"])
    live.event("ready")
    live.save("views.py", "def view():\n    return 2\n")
    live.says("up 2")
    if live.start(2)["gear"] == "graft":
        live.complains("unverified")
    assert not live.all("error")
