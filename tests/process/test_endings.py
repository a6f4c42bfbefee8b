"""How a program ends, and what refork makes of it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from process.conftest import Start


def test_code_3_starts_again(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, sys\nn = os.environ['REFORK_GENERATION']\nprint('run', n)\n"
        "sys.exit(3 if n in '12' else 0)\n"
    )
    live = start("x.py")
    assert live.exit(3)["code"] == 0
    assert live.lines == ["run 1", "run 2", "run 3"]
    assert [event["code"] for event in live.all("exit")] == [3, 3, 0]
    assert "exit code 3" in live.start(2)["reason"]


@pytest.mark.parametrize("code", [0, 1, 2, 77, 255])
def test_other_codes_are_passed_on_with_follow(folder: Path, start: Start, code: int) -> None:
    (folder / "x.py").write_text(f"raise SystemExit({code})\n")
    live = start("x.py", options=["--on-exit", "follow"])
    assert live.code() == code
    assert live.exit(1)["code"] == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT])
def test_death_by_a_signal_is_passed_on_with_follow(
    folder: Path, start: Start, number: signal.Signals
) -> None:
    default = "" if number is signal.SIGKILL else f"signal.signal({int(number)}, signal.SIG_DFL)"
    (folder / "x.py").write_text(
        f"import os, signal, time\n{default}\nos.kill(os.getpid(), {int(number)})\ntime.sleep(60)\n"
    )
    live = start("x.py", options=["--on-exit", "follow"])
    assert live.code() == -number
    assert live.exit(1)["signal"] == number
    assert not list(folder.glob("core*"))


def test_a_script_is_waited_for_by_default(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("print('one')\n")
    live = start("x.py")
    live.exit(1)
    live.save("x.py", "print('two')\n")
    live.says("two")
    live.exit(2)
    assert live.process.poll() is None


def test_a_death_by_sigkill_is_said(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import time\nprint('up')\ntime.sleep(600)\n")
    live = start("x.py")
    live.says("up")
    os.kill(live.event("ready")["pid"], signal.SIGKILL)
    assert live.exit(1)["signal"] == signal.SIGKILL
    live.complains("SIGKILL")
    live.save("x.py", "print('again')\n")
    live.says("again")


ERRORS = {
    "exception": ("1 / 0\n", "ZeroDivisionError"),
    "syntax": ("def f(:\n", "SyntaxError"),
    "system exit": ("raise SystemExit('no settings')\n", "no settings"),
    "name": ("import nowhere_to_be_found\n", "ModuleNotFoundError"),
    "null bytes": ("a = 1\0\n", "null bytes"),
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("place", ["main", "imported", "deeper"])
def test_an_error_at_the_first_start_keeps_it_watching(
    folder: Path, start: Start, kind: str, place: str
) -> None:
    text, complaint = ERRORS[kind]
    if (kind, place) == ("null bytes", "main") and sys.version_info < (3, 11):
        complaint = "SyntaxError"  # this Python takes a NUL for the end of the line there
    files = {
        "x.py": "import upper\nprint('well')\n",
        "upper.py": "import lower\n",
        "lower.py": "\n",
    }
    broken = {"main": "x.py", "imported": "upper.py", "deeper": "lower.py"}[place]
    for name, good in files.items():
        (folder / name).write_text(text + good if name == broken else good)
    live = start("x.py")
    live.complains(complaint)
    live.exit(1)
    live.save(broken, files[broken])
    live.says("well")
    assert live.exit(2)["code"] == 0


@pytest.mark.parametrize("kind", ["exception", "syntax", "system exit"])
@pytest.mark.parametrize("broken", ["x.py", "upper.py"])
def test_an_error_after_an_edit_keeps_it_watching(
    folder: Path, start: Start, kind: str, broken: str
) -> None:
    text, complaint = ERRORS[kind]
    files = {"x.py": "import upper\nprint('well', upper.V)\n", "upper.py": "V = 1\n"}
    for name, good in files.items():
        (folder / name).write_text(good)
    live = start("x.py")
    live.says("well 1")
    live.exit(1)
    live.save(broken, files[broken] + text)
    live.complains(complaint)
    live.exit(2)
    live.save(broken, files[broken] + "V = 2\n")
    live.says("well 2" if broken == "upper.py" else "well 1", count=1)
    assert live.exit(3)["code"] == 0


def test_a_missing_module_that_is_then_written(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import later\nprint(later.V)\n")
    live = start("x.py")
    live.complains("No module named 'later'")
    live.exit(1)
    live.save("later.py", "V = 'here'\n")
    live.says("here")


def test_a_program_that_only_asks_for_another_start_is_slowed_down(
    folder: Path, start: Start
) -> None:
    """Exit code 3 starts it again as ever; but not as fast as the machine can, for nothing."""
    (folder / "x.py").write_text("raise SystemExit(3)\n")
    live = start("x.py")
    live.complains("asks for another start as soon as it begins, 6 times in a row: next in 1 s")
    live.complains("7 times in a row: next in 2 s, or on a change")
    assert {event["code"] for event in live.all("exit")} == {3}
    assert live.all("start")[-1]["reason"] == "the program asked for it (exit code 3)"
    live.save("x.py", "print('enough')\n")
    live.says("enough")
    assert live.all("start")[-1]["changed"]


def test_after_a_save_it_may_ask_again_at_once(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("raise SystemExit(3)\n")
    live = start("x.py")
    live.complains("6 times in a row")
    live.save(
        "x.py",
        "import os\nif os.path.exists('once'):\n    print('second')\nelse:\n"
        "    open('once', 'w').close()\n    raise SystemExit(3)\n",
    )
    live.says("second")
    assert not live.process.poll()
