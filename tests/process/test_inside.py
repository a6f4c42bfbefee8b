"""`import refork` in a program: under refork, without it, and bringing it in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.live import TAG, Live, clean_environment, kill, tagged
from support.waiting import wait_for

SCRIPT = """
import os, sys
import refork

def main(*args, **kwargs):
    print("main", args, kwargs, refork.active, refork.generation, flush=True)
    print("argv", sys.argv, sys.flags.dev_mode, __name__, flush=True)
    return 7

if __name__ == "__main__":
    sys.exit(refork.run(main, 1, two=2))
"""

API = """
import os, time
import refork

print("before", flush=True)
refork.watch("data")

@refork.on_change("texts/*.txt")
def renew(paths):
    print("told", [os.path.basename(path) for path in paths], flush=True)
    if os.path.exists("raise"):
        raise ValueError("cannot")
    return not os.path.exists("refuse")

print("checkpoint", refork.checkpoint(), flush=True)
print("after", 0, flush=True)
while True:
    time.sleep(60)
"""

LINE = 1 + API[: API.index('print("checkpoint"')].count("\n")
"""That of the checkpoint it asks for."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    folder = tmp_path / "program"
    (folder / "data").mkdir(parents=True)
    (folder / "texts").mkdir()
    (folder / "some.py").write_text(API)
    made = Live(folder, "some.py")
    made.says("after 0")
    yield made
    made.close()


def python(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run plain Python, that is: without refork on the command line."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# Under refork -----------------------------------------------------------------------------------


def test_a_change_is_dealt_with_in_place(live: Live) -> None:
    live.save("texts/a.txt", "1")
    live.says("told ['a.txt']")
    refreshed = live.event("refresh")
    assert (refreshed["files"], refreshed["by"]) == ([str(live.path("texts/a.txt"))], "renew")
    live.path("texts/a.txt").unlink()
    live.says("told ['a.txt']", count=2)
    assert len(live.all("start")) == 1


@pytest.mark.parametrize("how", ["refuse", "raise"])
def test_what_is_not_dealt_with_restarts(live: Live, how: str) -> None:
    live.path(how).touch()
    live.save("texts/a.txt", "1")
    assert live.start(2)["reason"] == "texts/a.txt was not dealt with in place"
    live.says("after 0", count=2)
    assert ("ValueError: cannot" in live.err) == (how == "raise")


def test_a_handler_that_takes_too_long_is_given_up(live: Live) -> None:
    live.save("some.py", API.replace("    return not", "    time.sleep(30)\n    return not"))
    live.says("after 0", count=2)
    live.save("texts/a.txt", "1")
    assert live.start(3)["reason"] == "texts/a.txt was not dealt with in place"
    live.says("after 0", count=3)


def test_a_folder_that_is_watched(live: Live) -> None:
    live.save("data/deep/x", "1")
    assert live.start(2)["reason"] == "data/deep/x is watched by the program"
    live.says("after 0", count=2)
    live.save("data/deep/x", "2")
    live.start(3)
    live.says("after 0", count=3)


def test_a_program_goes_on_from_its_own_checkpoint(live: Live) -> None:
    """It is resumed there with its wishes: they were told before."""
    live.save("some.py", API.replace('"after", 0', '"after", 1'))
    live.says("after 1")
    assert live.lines.count("before") == 1
    deepest = live.all("checkpoint", generation=1)[-1]["at"]
    again = deepest.endswith(
        f"some.py:{LINE}"
    )  # else the machine was slow enough for one more after it
    assert live.lines.count("checkpoint True") == 1 + again
    assert live.start(2)["action"] == "resume"
    live.save("texts/a.txt", "1")
    live.says("told ['a.txt']")
    live.save("data/x", "1")
    live.start(3)


def test_wishes_are_forgotten_with_the_code_that_had_them(live: Live) -> None:
    live.save("some.py", API.replace('refork.watch("data")', "pass"))
    live.says("after 0", count=2)
    live.save("data/x", "1")
    live.save("texts/a.txt", "1")
    live.says("told ['a.txt']")
    assert len(live.all("start")) == 2


def test_the_thread_that_hears_is_not_seen(tmp_path: Path) -> None:
    """No warning about a fork in a threaded process, no thread in `threading`."""
    (tmp_path / "some.py").write_text("""
import os, threading, warnings
import refork
warnings.simplefilter("error")
refork.on_change("*.txt")(print)
print(threading.active_count(), threading.enumerate(), flush=True)
if not os.fork():
    os._exit(5)
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
""")
    live = Live(tmp_path, "some.py", scratch=tmp_path / "scratch")
    try:
        live.exit(1)
        assert "1 [<_MainThread(MainThread" in live.out
        assert live.lines[-1] == "5"
        assert "Warning" not in live.err
    finally:
        live.close()


# Without it -------------------------------------------------------------------------------------


def test_without_refork_all_of_it_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text("""
import sys
import refork
refork.watch("x")
assert refork.on_change("*.txt")(print) is print
assert refork.checkpoint() is False
assert (refork.active, refork.generation) == (False, 0)
assert "run" in dir(refork) and "active" in dir(refork)
try:
    refork.nonsense
except AttributeError as error:
    print(error)
print(sorted(name for name in sys.modules if name.startswith("refork")))
""")
    done = python(tmp_path, "some.py")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["module 'refork' has no attribute 'nonsense'", "['refork']"]


def test_run_is_a_plain_call_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(SCRIPT)
    done = python(tmp_path, "some.py", REFORK_DISABLE="1")
    assert done.stdout.startswith("main (1,) {'two': 2} False 0\n")
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("words", [("-c", SCRIPT), ("-i", "some.py")], ids=["-c", "-i"])
def test_what_cannot_be_run_again_runs_as_it_is(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "some.py").write_text(SCRIPT)
    done = python(tmp_path, *words)
    assert done.stdout.startswith("main (1,) {'two': 2} False 0\n")
    assert "RuntimeWarning: refork.run: " in done.stderr


# Bringing it in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("some.py", "a", "--b"), ("-X", "dev", "some.py", "a"), ("-m", "some", "a"), ("folder", "a")],
    ids=" ".join,
)
def test_run_puts_refork_around_this_command_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "some.py").write_text(SCRIPT)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(SCRIPT)
    plain = python(tmp_path, *words, REFORK_DISABLE="1")
    done = python(tmp_path, *words, REFORK_ON_EXIT="follow", REFORK_QUIET="1")
    assert (done.returncode, done.stderr) == (7, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "main (1,) {'two': 2} True 1"
    assert lines[1:] == plain.stdout.splitlines()[1:]


def test_run_leads_back_to_where_the_program_was_started(tmp_path: Path) -> None:
    moved = SCRIPT.replace("    sys.exit", "    os.chdir('elsewhere')\n    sys.exit")
    (tmp_path / "some.py").write_text(moved)
    (tmp_path / "elsewhere").mkdir()
    done = python(tmp_path, "some.py", REFORK_ON_EXIT="follow", REFORK_QUIET="1")
    assert (done.returncode, done.stderr) == (7, "")


def test_a_program_that_brings_refork_in_is_started_again(tmp_path: Path) -> None:
    looping = SCRIPT.replace("    return 7", "    import time\n    while True: time.sleep(0.05)")
    (tmp_path / "some.py").write_text(looping)
    tag = f"inside-{os.getpid()}-{tmp_path.name}"
    output = tmp_path / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "some.py"],
            cwd=tmp_path,
            env=clean_environment(**{TAG: tag}),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: "True 1" in output.read_text(), what="the first generation")
        (tmp_path / "some.py").write_text(looping.replace('"main"', '"edited"'))
        wait_for(lambda: "edited (1,) {'two': 2} True 2" in output.read_text(), what="the second")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(10) == 130
        assert output.read_text().count("Traceback") <= 1  # the program's own
        wait_for(lambda: not tagged(tag), what="nothing left of it")
    finally:
        kill(tagged(tag))
        process.wait()
