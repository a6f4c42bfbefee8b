"""Ctrl-C and the other signals that end refork: the program gets each once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from process.conftest import Start
from refork.supervisor.signals import ONE
from support.live import Live, clean_environment, has_pending, take_terminal
from support.screen import Screen
from support.waiting import wait_for

COUNTS = """
import os, signal, sys, time
got = 0
def handler(number, frame):
    global got
    got += 1
    print("got", number, got, flush=True)
    if {leaves}:
        raise SystemExit({code})
signal.signal(signal.SIG{name}, handler)
print("up", flush=True)
end = time.monotonic() + {patience}
while time.monotonic() < end:
    time.sleep(0.01)
print("patience over", flush=True)
"""


def program(folder: Path, name: str = "INT", code: int = 0, patience: float = 60) -> None:
    """Leaves with `code` at the signal; with patience only when that is over."""
    text = COUNTS.format(name=name, code=code, leaves=patience == 60, patience=patience)
    (folder / "x.py").write_text(text)


WAIT = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.05)\n"
"""In naps: a signal that comes right before one long sleep (after Python's last look for signals, and before
the system call) is seen when that is over. Plain Python lost about one Ctrl-C in a thousand here."""


def by_terminal(live: Live, screen: Screen) -> None:
    screen.type("\x03")


def by_kill(live: Live, screen: Screen) -> None:
    live.process.send_signal(signal.SIGINT)


def by_group(live: Live, screen: Screen) -> None:
    os.killpg(live.process.pid, signal.SIGINT)


Way = Callable[[Live, Screen], None]
WAYS = [by_terminal, by_kill, by_group]


@pytest.mark.parametrize("strategy", ["auto", "restart"])
@pytest.mark.parametrize("way", WAYS)
def test_the_program_gets_ctrl_c_once(folder: Path, start: Start, way: Way, strategy: str) -> None:
    program(folder, patience=0.4)
    with Screen() as screen:
        live = start("x.py", options=["--strategy", strategy], terminal=screen.slave)
        screen.shows("up")
        way(live, screen)
        screen.shows("patience over")
        assert live.code() == 0
        assert screen.read().count("got 2") == 1
        assert "Traceback" not in screen.shown


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_refork_ends_with_130(folder: Path, start: Start, way: Way, generation: int) -> None:
    (folder / "x.py").write_text(WAIT.replace("'up'", "'up', 1"))
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("up 1")
        if generation == 2:
            live.save("x.py", WAIT.replace("'up'", "'up', 2"))
            screen.shows("up 2")
        way(live, screen)
        assert live.code() == 130
        assert screen.read().count("KeyboardInterrupt") == 1, "as plain Python shows it"
        assert "/refork/" not in screen.shown


def test_the_program_chooses_the_code(folder: Path, start: Start) -> None:
    program(folder, code=7)
    live = start("x.py")
    live.says("up")
    assert live.end(signal.SIGINT) == 7
    assert live.lines == ["up", "got 2 1"]


@pytest.mark.parametrize("way", WAYS)
def test_a_second_ctrl_c_forces(folder: Path, start: Start, way: Way) -> None:
    program(folder, patience=50)
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("up")
        way(live, screen)
        screen.shows("got 2 1")
        wait_for(lambda: not has_pending(live.process.pid, signal.SIGINT), what="it is taken")
        pressed = time.monotonic()
        wait_for(
            lambda: time.monotonic() > pressed + 10 * ONE,
            what="somebody presses it again",
        )
        way(live, screen)
        assert live.code(timeout=3) == 130


def test_ctrl_c_while_refork_waits_for_a_change(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("print('done')\n")
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        live.exit(1)
        screen.type("\x03")
        assert live.code(timeout=3) == 130
        assert "Traceback" not in screen.read()


def test_ctrl_c_during_a_slow_start(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import slow\n")
    (folder / "slow.py").write_text(WAIT)
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("up")
        screen.type("\x03")
        assert live.code(timeout=3) == 130


def test_an_interrupt_between_two_statements_shows_none_of_reforks_frames(
    folder: Path, start: Start
) -> None:
    """As if Ctrl-C came while refork compiles the next one."""
    (folder / "x.py").write_text(
        "from refork.program import steps\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "steps.Steps.code = interrupted\nprint('never')\nprint('never')\n"
    )
    live = start("x.py", options=["--on-exit", "follow"])
    assert live.code() == -signal.SIGINT
    assert "KeyboardInterrupt" in live.err
    assert "/refork/" not in live.err


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_while_the_old_generation_is_being_stopped(
    folder: Path, start: Start, way: Way
) -> None:
    program(folder, name="TERM", patience=50)
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("up")
        live.save("x.py", "print('second')\n")
        screen.shows(f"got {int(signal.SIGTERM)} 1")
        way(live, screen)
        assert live.code(timeout=3) == 130
        assert "second" not in screen.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_reach_the_program_and_end_refork(
    folder: Path, start: Start, number: signal.Signals
) -> None:
    program(folder, name=number.name[3:])
    live = start("x.py")
    live.says("up")
    assert live.end(number) == -number
    assert live.lines == ["up", f"got {int(number)} 1"]


def test_a_terminal_that_goes_away(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(WAIT)
    with Screen() as screen:
        live = start("x.py", terminal=screen.slave)
        screen.shows("up")
    assert live.code(timeout=5) in (-signal.SIGHUP, 128 + signal.SIGHUP)


def test_sigint_inherited_as_ignored_stalls_nothing(folder: Path, start: Start) -> None:
    """`refork x.py &` in a script: the shell ignores SIGINT for it."""
    (folder / "x.py").write_text("import signal\nprint(signal.getsignal(signal.SIGINT).name)\n")
    live = start("x.py", launch=["sh", "-c", 'trap "" INT; exec "$@"', "sh"])
    live.says("SIG_IGN")
    live.exit(1)
    live.save("x.py", "import time\nprint('two')\ntime.sleep(60)\n")
    live.says("two")
    live.save("x.py", "import time\nprint('three')\ntime.sleep(60)\n")
    live.says("three")
    assert live.end(signal.SIGTERM) == -signal.SIGTERM


def test_signals_blocked_by_the_launcher_stall_nothing(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(WAIT)
    block = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM,"
        " signal.SIGINT, signal.SIGCHLD}); os.execv(sys.argv[1], sys.argv[1:])"
    )
    live = start("x.py", launch=[sys.executable, "-c", block])
    live.says("up")
    live.save("x.py", WAIT.replace("up", "down"))
    live.says("down", timeout=3)
    assert live.end(signal.SIGTERM, timeout=3) == -signal.SIGTERM


def test_ctrl_z_and_fg(folder: Path, start: Start) -> None:
    """Everything stops and goes on, and a save in between is seen."""
    (folder / "x.py").write_text(WAIT)
    command = f"{sys.executable} -m refork x.py"
    with Screen() as screen:
        shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=folder,
            stdin=screen.slave,
            stdout=screen.slave,
            stderr=screen.slave,
            env=clean_environment(PS1="$ ", TERM="dumb"),
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        try:
            screen.type(f"{command}\n")
            screen.shows("up\n")
            screen.type("\x1a")
            screen.shows("Stopped")
            (folder / "x.py").write_text(WAIT.replace("up", "down"))
            screen.type("echo $((40 + 2)) here\n")
            screen.shows("42 here")
            assert "down\n" not in screen.shown
            screen.type("fg\n")
            screen.shows("down\n")
            screen.type("\x03")
            screen.type("echo code $?\n")
            screen.shows("code 130")
            screen.type("exit\n")
            assert shell.wait(5) == 0
        finally:
            shell.kill()
            shell.wait()


def test_no_signal_is_lost_or_doubled_by_a_checkpoint(folder: Path, start: Start) -> None:
    """SIGWINCH to the whole group, while the program goes from process to process."""
    (folder / "x.py").write_text(
        "import signal, time\nimport refork\ngot = 0\n"
        "def count(*_):\n    global got\n    got += 1\n    print('got', got, flush=True)\n"
        "signal.signal(signal.SIGWINCH, count)\nprint('up', flush=True)\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end and got < 40:\n"
        "    refork.checkpoint()\n"
        "print('end', got)\n"
    )
    live = start("x.py", options=["-q"])
    live.says("up")
    for number in range(1, 41):
        os.killpg(live.process.pid, signal.SIGWINCH)
        live.says(f"got {number}", timeout=3)
    live.says("end 40")
    assert live.exit(1)["code"] == 0
    assert len(live.all("checkpoint")) > 5


PRESSED = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "refork.{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("module", ["cli", "settings", "usage"])
def test_ctrl_c_while_refork_itself_is_imported(folder: Path, module: str) -> None:
    (folder / "sitecustomize.py").write_text(PRESSED.format(module=module))
    done = subprocess.run(
        [sys.executable, "-m", "refork", "--help"],
        env=clean_environment(PYTHONPATH=str(folder)),
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
