"""A program that the OOM killer ends: seen by the kernel's own counters, and said."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from process.conftest import Start
from refork.process.memory import Kills, kills
from support.waiting import wait_for

GREEDY = "import time\nprint('up', flush=True)\nkept = bytearray(400 << 20)\ntime.sleep(600)\n"
MODEST = "import time\nprint('modest', flush=True)\ntime.sleep(600)\n"
LIMIT = str(150 << 20)


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with a limit, if we may make one: of cgroup v1 or v2."""
    name = f"refork-test-{uuid.uuid4().hex[:8]}"
    for base, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        made = Path("/sys/fs/cgroup", base, name)
        try:
            made.mkdir()
        except OSError:
            continue
        try:
            (made / limit).open("r+").write(LIMIT)
        except OSError:
            made.rmdir()
            continue
        break
    else:
        pytest.skip("no control group with a limit can be made here")
    yield made
    wait_for(lambda: _removed(made), what="the control group is empty")


def _removed(made: Path) -> bool:
    try:
        made.rmdir()
    except OSError:
        return False
    return True


def test_the_oom_killer_is_named(folder: Path, start: Start, group: Path) -> None:
    (folder / "x.py").write_text(GREEDY)
    join = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    live = start("x.py", launch=["sh", "-c", join, "sh"])
    assert live.exit(1, timeout=30)["out_of_memory"] == "group"
    live.complains("ended by SIGKILL: the memory of its control group")
    live.save("x.py", MODEST)
    live.says("modest")
    live.end()
    live.gone()


def test_another_kill_is_not_blamed_on_memory(folder: Path, start: Start) -> None:
    if kills().machine is None:
        pytest.skip("this kernel does not count")
    (folder / "x.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    live = start("x.py")
    live.exit(1)
    live.complains("the program was ended by SIGKILL · waiting")
    assert not live.exit(1).get("out_of_memory")


FILES = {
    "v2": ("0::/a/b\n", "sys/fs/cgroup/a/b/memory.events", "low 0\noom 4\noom_kill 3\n"),
    "v1": ("4:memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill 3\n"),
    "both": ("3:cpu,memory:/a\n", "sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill 3\n"),
    "a namespace": ("0::/../x\n", "sys/fs/cgroup/memory.events", "oom_kill 3\noom_group_kill 0\n"),
    "hybrid": ("0::/s\n", "sys/fs/cgroup/unified/s/memory.events", "oom_kill 3\n"),
}


@pytest.mark.parametrize("kind", FILES)
def test_where_the_kernel_counts(tmp_path: Path, kind: str) -> None:
    own, path, text = FILES[kind]
    for name, content in (("proc/self/cgroup", own), ("proc/vmstat", "oom_kill 7\n"), (path, text)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert kills(str(tmp_path)) == Kills(group=3, machine=7)


def test_where_nothing_is_counted(tmp_path: Path) -> None:
    assert kills(str(tmp_path)) == Kills(None, None)
    assert kills(os.path.join(tmp_path, "nowhere")) == Kills(None, None)


@pytest.mark.parametrize(
    ("before", "now", "word"),
    [
        (Kills(0, 0), Kills(1, 1), "group"),
        (Kills(0, 0), Kills(0, 1), "machine"),
        (Kills(None, 0), Kills(None, 1), "machine"),
        (Kills(2, 5), Kills(2, 5), ""),
        (Kills(None, None), Kills(None, None), "unknown"),
    ],
)
def test_what_a_count_tells(before: Kills, now: Kills, word: str) -> None:
    assert now.since(before) == word
