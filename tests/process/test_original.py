"""What Django's autoreload is known for, and refork must have, as far as no other test is about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import alive

MARK = "import os\nwith open({log!r}, 'a') as file:\n    print(os.getpid(), file=file)\n"

WHO = """
import json, os, subprocess, sys
names = ("REFORK", "REFORK_GENERATION", "RUN_MAIN")
ask = f"import os; print(*[os.environ.get(name) for name in {names}])"
print("mine", *[os.environ.get(name) for name in names], flush=True)
subprocess.run([sys.executable, "-c", ask])
"""


@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_the_parent_never_runs_a_line_of_the_users(
    folder: Path, start: Start, strategy: str
) -> None:
    """Its state stays pristine: the user's code ran in other processes only, and is not even mapped there."""
    log = folder.parent / "who"
    mark = MARK.format(log=str(log))
    (folder / "package").mkdir()
    for name in ("x.py", "module.py", "package/__init__.py"):
        (folder / name).write_text(mark)
    wait = "import module, package, time\nprint('up', {0}, flush=True)\ntime.sleep(600)\n"
    (folder / "x.py").write_text(mark + wait.format(1))
    live = start("x.py", options=["--strategy", strategy])
    live.says("up 1")
    for number in (2, 3):
        live.save("x.py", mark + wait.format(number))
        live.says(f"up {number}")
    seen = {int(line) for line in log.read_text().split()}
    assert seen
    assert live.process.pid not in seen
    assert alive(live.process.pid)
    with open(f"/proc/{live.process.pid}/maps", encoding="utf-8") as file:
        assert str(folder) not in file.read()


def test_the_marks_of_a_child(folder: Path, start: Start) -> None:
    """Processes of the program's own inherit them, as they do from Django."""
    (folder / "x.py").write_text(WHO)
    live = start("x.py")
    live.says("mine 1 1 true")
    live.says("1 1 true")
    live.exit(1)
    live.save("x.py", WHO + "print('more')\n")
    live.says("mine 1 2 true", timeout=15)
    live.says("1 2 true")


def test_optimised_bytecode_stands_for_its_source(folder: Path, start: Start) -> None:
    """`.opt-1.pyc`, once `.pyo`: what is watched is the source."""
    (folder / "module.py").write_text("V = 1\n")
    (folder / "x.py").write_text("import module\nprint('V', module.V, __debug__, flush=True)\n")
    live = start("python", "-O", "x.py", environ={"PATH": os.environ["PATH"]})
    live.says("V 1 False")
    live.exit(1)
    assert list(folder.glob("__pycache__/module.*.opt-1.pyc"))
    live.save("module.py", "V = 2\n")
    live.says("V 2 False")
