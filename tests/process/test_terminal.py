"""Programs that talk to the terminal."""

from __future__ import annotations

import fcntl
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import clean_environment, take_terminal
from support.screen import Screen
from support.waiting import wait_for

PDB = """value = {value}
breakpoint()
print('after', value, flush=True)
import time; time.sleep(60)
"""


@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_breakpoint_can_be_used(folder: Path, start: Start, strategy: str) -> None:
    (folder / "x.py").write_text(PDB.format(value=1))
    with Screen() as screen:
        live = start("x.py", options=["--strategy", strategy], terminal=screen.slave)
        screen.shows("(Pdb) ")
        screen.type("value + 40\n")
        screen.shows("41\n")
        screen.shows("(Pdb) ", count=2)
        screen.type("value = 7\n")
        screen.shows("(Pdb) ", count=3)
        screen.type("c\n")
        screen.shows("after 7")
        live.end()


def test_a_save_while_in_the_debugger(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import readline\n" + PDB.format(value=1))
    with Screen() as screen:
        before = screen.settings()
        live = start("x.py", terminal=screen.slave)
        screen.shows("(Pdb) ")
        wait_for(lambda: screen.settings() != before, what="readline has taken the terminal")
        live.save("x.py", "import sys\nprint('line:', sys.stdin.readline())\n")
        live.start(2)
        wait_for(lambda: screen.settings() == before, what="the settings are back")
        screen.type("hello\n")
        screen.shows("line: hello")


def test_a_save_while_in_the_debugger_twice(folder: Path, start: Start) -> None:
    """The second debugger is as usable as the first."""
    (folder / "x.py").write_text(PDB.format(value=1))
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("(Pdb) ")
        live.save("x.py", PDB.format(value=2))
        screen.shows("(Pdb) ", count=2)
        screen.type("value + 40\n")
        screen.shows("42\n")
        live.end()


@pytest.mark.parametrize("end", ["kill", "leave", "crash"])
def test_the_echo_is_restored(folder: Path, start: Start, end: str) -> None:
    (folder / "x.py").write_text(
        "import os, signal, termios, time\n"
        "mine = termios.tcgetattr(0)\nmine[3] &= ~termios.ECHO\n"
        "termios.tcsetattr(0, termios.TCSANOW, mine)\nprint('dark', flush=True)\n"
        + {"kill": "os.kill(os.getpid(), signal.SIGKILL)\n", "leave": "", "crash": "1 / 0\n"}[end]
    )
    with Screen() as screen:
        assert screen.echoes
        live = start("x.py", terminal=screen.slave)
        screen.shows("dark")
        live.exit(1)
        assert screen.echoes
        live.end()
        assert screen.echoes


def test_the_echo_is_restored_when_refork_ends(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import getpass, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "getpass.getpass('secret: ')\n"
    )
    with Screen() as screen:
        before = screen.settings()
        live = start("x.py", options=["--grace", "0.2"], terminal=screen.slave)
        screen.shows("secret: ")
        wait_for(lambda: not screen.echoes)
        screen.type("\x03")
        assert live.code() == 130
        assert screen.settings() == before


def test_input(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("print('hello', input('name? '))\n")
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("name? ")
        screen.type("Ada\n")
        screen.shows("hello Ada")
        live.exit(1)
        live.save("x.py", "print('good day', input('your name? '))\n")
        screen.shows("your name? ")
        screen.type("Byron\n")
        screen.shows("good day Byron")


def test_the_end_of_input(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import sys\nprint(sys.stdin.read().upper())\n")
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.type("some text\n\x04")
        screen.shows("SOME TEXT")
        live.exit(1)


def in_a_shell(folder: Path, screen: Screen) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        cwd=folder,
        stdin=screen.slave,
        stdout=screen.slave,
        stderr=screen.slave,
        env=clean_environment(PS1="$ ", TERM="dumb"),
        start_new_session=True,
        preexec_fn=take_terminal,
    )


def test_in_the_background_the_terminal_is_left_to_the_shell(folder: Path) -> None:
    """Its line editor has settings of its own, which are neither noted nor replaced."""
    text = "import time\nprint('{}', flush=True)\nwhile True: time.sleep(0.05)\n"
    (folder / "x.py").write_text(text.format("one"))
    with Screen() as screen:
        shell = in_a_shell(folder, screen)
        try:
            wait_for(lambda: not screen.settings()[3] & termios.ICANON, what="readline reads")
            screen.type(f"{sys.executable} -m refork x.py & \n")
            screen.shows("one\n")
            wait_for(lambda: not screen.settings()[3] & termios.ICANON, what="readline reads")
            editing = screen.settings()
            (folder / "x.py").write_text(text.format("two"))
            screen.shows("two\n")
            assert screen.settings() == editing
            screen.type("fg\n")
            screen.shows("refork x.py\n")
            wait_for(lambda: screen.settings()[3] & termios.ICANON, what="the shell gave it away")
            given = screen.settings()
            (folder / "x.py").write_text(text.format("three"))
            screen.shows("three\n")
            assert screen.settings() == given
            screen.type("\x03")
            screen.type("exit\n")
            shell.wait(5)
            assert "Stopped" not in screen.shown
        finally:
            shell.kill()
            shell.wait()


def test_the_program_is_in_the_foreground_group(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import os\nprint('front', os.tcgetpgrp(0) == os.getpgrp())\n")
    with Screen() as screen:
        start("x.py", terminal=screen.slave)
        screen.shows("front True")


def test_the_size_of_the_window_is_told(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, signal, time\n"
        "def changed(*_): print('size', os.get_terminal_size(), flush=True)\n"
        "signal.signal(signal.SIGWINCH, changed)\nprint('up', flush=True)\n"
        "while True: time.sleep(1)\n"
    )
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("up")
        fcntl.ioctl(screen.master, termios.TIOCSWINSZ, struct.pack("4H", 33, 77, 0, 0))
        screen.shows("columns=77, lines=33")
        live.end()
