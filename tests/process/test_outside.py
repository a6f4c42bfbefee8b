"""What a program shares with others while it loads: locks, standard input, folders that are open, the terminal.

What a fork of it would share as well, and what the next start has to find as the first one did.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from process.conftest import Start
from support.screen import Screen
from support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need Linux")

ENTRY = """\
import refork
import shop
refork.checkpoint()
import last
print(shop.answer(), last.X, flush=True)
"""


def free(path: Path) -> bool:
    """Whether nobody has a lock on a file."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def write(folder: Path, shop: str) -> None:
    (folder / "entry.py").write_text(ENTRY)
    (folder / "shop.py").write_text(shop)
    (folder / "last.py").write_text("X = 1\n")


def test_a_lock_goes_with_the_program(folder: Path, start: Start) -> None:
    """The checkpoint before it has the same file open, and outlives the program."""
    write(
        folder,
        "import fcntl, refork\nfile = open('app.lock', 'a')\nrefork.checkpoint()\n"
        "def answer():\n    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n    return 'mine'\n",
    )
    (folder / "app.lock").touch()
    live = start("entry.py")
    for number in (1, 2):
        live.save("last.py", f"X = {number}\n")
        live.says(f"mine {number}")
        live.event("exit", generation=number)
        assert free(folder / "app.lock")


def test_a_file_on_standard_input_is_read_from_its_beginning(folder: Path, start: Start) -> None:
    write(
        folder,
        "import sys\nfirst = sys.stdin.readline().strip()\n"
        "def answer():\n    return first + sys.stdin.read().strip()\n",
    )
    (folder.parent / "input").write_text("skipped\na\nb\n")
    with (folder.parent / "input").open("rb", buffering=0) as file:
        file.seek(len("skipped\n"))
        live = start("entry.py", stdin=file.fileno())
        for number in (1, 2):
            live.save("last.py", f"X = {number}\n")
            live.says(f"ab {number}")
    assert live.all("barrier")[0]["reason"] == "standard input was read"


@pytest.mark.parametrize(
    "words", ["import tty\ntty.setcbreak(0)\n", "import curses\ncurses.initscr()\n"]
)
def test_a_terminal_that_was_changed(words: str, folder: Path, start: Start) -> None:
    write(folder, words + "def answer():\n    return 'up'\n")
    (folder / "entry.py").write_text(ENTRY + "import time\ntime.sleep(60)\n")
    with Screen() as screen:
        live = start("entry.py", terminal=screen.slave, environ={"TERM": "xterm"})
        screen.shows("up 1")
        changed = screen.settings()
        assert "terminal" in live.event("barrier")["reason"]
        live.save("last.py", "X = 2\n")
        screen.shows("up 2")
        wait_for(lambda: screen.settings() == changed, what="the program has it as before")
        live.end()


def test_nothing_of_it_is_left_where_the_program_looks(folder: Path, start: Start) -> None:
    """The modes of the terminal are looked at by a module that the program has not imported."""
    text = (
        "import sys\nprint('termios' in sys.modules, *sorted(sys.path_importer_cache), sep='\\n')\n"
    )
    (folder / "x.py").write_text(text)
    elsewhere = start("x.py")
    elsewhere.event("exit")
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        live.event("exit")
        screen.shows("\n".join(elsewhere.lines))
        live.end()
    assert elsewhere.lines[0] == "False"


def test_a_file_in_a_folder_that_is_open(folder: Path, start: Start) -> None:
    write(
        folder,
        "import os\nfd = os.open('conf', os.O_RDONLY)\n"
        "with open('a.txt', opener=lambda path, flags: os.open(path, flags, dir_fd=fd)) as file:\n"
        "    value = file.read()\nos.close(fd)\ndef answer():\n    return value\n",
    )
    (folder / "conf").mkdir()
    (folder / "conf/a.txt").write_text("one")
    live = start("entry.py")
    live.says("one 1")
    live.save("conf/a.txt", "two")
    live.says("two 1")


def test_names_in_a_folder_that_is_open(folder: Path, start: Start) -> None:
    write(
        folder,
        "import os\nnames = [name for *_, found, _ in os.fwalk('conf') for name in sorted(found)]\n"
        "def answer():\n    return names\n",
    )
    (folder / "conf").mkdir()
    (folder / "conf/a").touch()
    live = start("entry.py")
    live.says("['a'] 1")
    (folder / "conf/b").touch()
    live.save("last.py", "X = 2\n")
    live.says("['a', 'b'] 2")


def test_a_native_library_of_its_own(folder: Path, start: Start) -> None:
    write(
        folder,
        "import ctypes\ntry:\n    ctypes.CDLL('./native.so')\nexcept OSError as error:\n    pass\n"
        "def answer():\n    return 'loaded'\n",
    )
    (folder / "native.so").write_text("one")
    live = start("entry.py")
    live.says("loaded 1")
    live.save("native.so", "two")
    assert live.start(2)["changed"] == [str(folder / "native.so")]


def test_bytecode_that_is_kept_elsewhere(folder: Path, start: Start) -> None:
    write(folder, "def answer():\n    return 'up'\n")
    live = start("entry.py", environ={"PYTHONPYCACHEPREFIX": str(folder.parent / "cache")})
    live.says("up 1")
    assert not live.all("barrier")
    live.save("last.py", "X = 2\n")
    live.says("up 2")
    assert live.start(2)["action"] == "resume"


def test_an_audit_hook_that_forbids_forks(folder: Path, start: Start) -> None:
    write(
        folder,
        "import sys\nclass Forbidden(Exception):\n    pass\ndef hook(event, args):\n"
        "    if event == 'os.fork':\n        raise Forbidden(event)\nsys.addaudithook(hook)\n"
        "def answer():\n    return 'up'\n",
    )
    live = start("entry.py")
    live.says("up 1")
    assert "a fork failed: Forbidden" in {event["reason"] for event in live.all("barrier")}


def test_no_checkpoint_when_the_program_is_over(folder: Path, start: Start) -> None:
    """A handler at exit runs once a start, with what the program has come to."""
    write(
        folder,
        "import atexit, refork\ndef over():\n    refork.checkpoint()\n    print('over', flush=True)\n"
        "atexit.register(over)\ndef answer():\n    return 'up'\n",
    )
    live = start("entry.py")
    live.says("over")
    live.event("exit", generation=1)
    assert not [event for event in live.all("checkpoint") if event["at"].endswith("shop.py:3")]
    live.save("shop.py", (folder / "shop.py").read_text().replace("'up'", "'UP'"))
    live.says("UP 1")


@pytest.mark.parametrize(
    "ask", ["input('name? ')", "print('name? ') or sys.stdin.readline().strip()"]
)
def test_what_it_was_told_is_asked_for_again(ask: str, folder: Path, start: Start) -> None:
    write(folder, f"import sys\nname = {ask}\ndef answer():\n    return name\n")
    with Screen() as screen:
        live = start("entry.py", terminal=screen.slave)
        screen.shows("name? ")
        screen.type("bob\n")
        screen.shows("bob 1")
        live.event("exit", generation=1)
        live.save("last.py", "X = 2\n")
        screen.shows("name? ", count=2)
        screen.type("eve\n")
        screen.shows("eve 2")
        assert os.path.basename(live.start(2)["changed"][0]) == "last.py"
        live.end()


def test_a_program_that_closes_all_it_finds_open(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, time\nos.closerange(3, 1024)\nimport refork\nrefork.checkpoint()\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    live = start("x.py")
    live.says("up")
    live.complains("the program has closed its channel to refork")
    live.save("x.py", "print('next', flush=True)\n")
    live.says("next")
