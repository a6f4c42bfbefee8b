"""What refork puts into a program: its names in sys.modules, and nothing else worth mentioning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.live import Live

SHOW = """
import sys
names = sorted(sys.modules)
import json
print(json.dumps(names))
"""

FROM_THE_STANDARD_LIBRARY = {"__future__", "_socket", "atexit", "errno", "gc"}
"""What refork loads that plain python may not have: nothing with state that programs notice."""

MOST = 25
"""Modules of refork's own."""


def shown(text: str) -> set[str]:
    """The names printed by a run of SHOW, the last line of its output."""
    return set(json.loads(text.splitlines()[-1]))


def plain(folder: Path) -> set[str]:
    """What plain python has loaded."""
    command = [sys.executable, "show.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30)
    return shown(done.stdout)


@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_what_it_adds_to_sys_modules(folder: Path, strategy: str) -> None:
    (folder / "show.py").write_text(SHOW)
    live = Live(folder, "show.py", options=["--on-exit", "follow", "--strategy", strategy])
    try:
        assert live.code() == 0, live.err
        ours, theirs = shown(live.out), plain(folder)
    finally:
        live.close()
    own = {name for name in ours if name.split(".")[0] == "refork"}
    assert ours - theirs - own <= FROM_THE_STANDARD_LIBRARY
    assert theirs - ours == set()
    assert len(own) <= MOST
    rooms = {name.split(".")[1] for name in own if "." in name}
    assert rooms <= {"core", "program", "adapters"}
