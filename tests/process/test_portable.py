"""The path of platforms without a safe fork, forced where there is one."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live, alive

PORTABLE = {"REFORK_PORTABLE": "1"}
WAIT = "import time\nprint('up 1', flush=True)\ntime.sleep(600)\n"


def begin(folder: Path, start: Start, text: str, *options: str) -> Live:
    (folder / "entry.py").write_text(text)
    return start("entry.py", options=options, environ=PORTABLE)


def test_a_save_starts_a_fresh_interpreter(folder: Path, start: Start) -> None:
    live = begin(folder, start, WAIT)
    live.says("up 1")
    old = live.start(1)["pid"]
    live.save("entry.py", WAIT.replace("up 1", "up 2"))
    live.says("up 2")
    begun = live.start(2)
    assert (begun["action"], begun["reason"]) == ("restart", "this platform has no safe fork")
    assert not alive(old)
    assert not live.all("checkpoint")


def test_imported_modules_and_data_files_are_observed(folder: Path, start: Start) -> None:
    (folder / "data.json").write_text("1")
    (folder / "shop.py").write_text("VALUE = 1\n")
    live = begin(
        folder, start, "import shop\nprint(shop.VALUE, open('data.json').read(), flush=True)\n"
    )
    live.says("1 1")
    live.exit(1)
    live.save("data.json", "2")
    live.says("1 2")
    live.exit(2)
    live.save("shop.py", "VALUE = 2\n")
    live.says("2 2")


def test_an_error_at_the_start_is_survived(folder: Path, start: Start) -> None:
    live = begin(folder, start, "print(1\n")
    live.event("error", type="SyntaxError")
    live.save("entry.py", "print('mended', flush=True)\n")
    live.says("mended")


@pytest.mark.parametrize("code", [0, 7])
def test_an_exit_code_is_passed_on(folder: Path, start: Start, code: int) -> None:
    live = begin(folder, start, f"raise SystemExit({code})\n", "--on-exit", "follow")
    assert live.code() == code


def test_exit_code_3_starts_again(folder: Path, start: Start) -> None:
    text = "import os\nraise SystemExit(3 if os.environ['REFORK_GENERATION'] == '1' else 0)\n"
    live = begin(folder, start, text)
    live.exit(2)


def test_a_deaf_program_is_killed_after_the_grace(folder: Path, start: Start) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    live = begin(folder, start, deaf + WAIT, "--grace", "0.3")
    live.says("up 1")
    live.save("entry.py", deaf + WAIT.replace("up 1", "up 2"))
    live.says("up 2")


def test_refork_ends_by_sigterm_with_its_program(folder: Path, start: Start) -> None:
    live = begin(folder, start, WAIT)
    live.says("up 1")
    assert live.end(signal.SIGTERM) == -signal.SIGTERM
    live.gone()
