"""What ends with a generation, and with refork: everything."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from operator import le
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live, alive, children, descendants, descriptors, state
from support.waiting import wait_for

WAIT = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"

DEAF = """
import signal
for name in ("TERM", "INT", "HUP"):
    signal.signal(getattr(signal, "SIG" + name), signal.SIG_IGN)
"""

FAMILIES = {
    "a child": "import subprocess; subprocess.Popen(['sleep', '600'])",
    "a shell with a child": "import subprocess; subprocess.Popen('sleep 600; true', shell=True)",
    "a session of its own": (
        "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    ),
    "a daemon": (
        "import os, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if not os.fork():\n"
        "        time.sleep(600)\n"
        "    os._exit(0)\n"
        "os.wait()"
    ),
    "a deaf child": (
        "import subprocess\n"
        "subprocess.Popen(['sh', '-c', 'trap \"\" TERM INT HUP; sleep 600 & wait'])"
    ),
    "a pool": (
        "import multiprocessing\n"
        "multiprocessing.set_start_method('fork')\n"
        "pool = multiprocessing.Pool(2)"
    ),
}


def family(kind: str, word: str) -> str:
    return f"{FAMILIES[kind]}\nimport time\nprint({word!r}, flush=True)\ntime.sleep(600)\n"


def known(live: Live) -> set[int]:
    """The supervisor, root and the parked processes, as far as the events tell."""
    return {live.process.pid} | {event["pid"] for event in live.all("checkpoint")}


def test_a_program_deaf_to_sigterm_is_killed(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(DEAF + WAIT)
    live = start("x.py", options=["--grace", "0.3"])
    live.says("up")
    live.save("x.py", DEAF + WAIT.replace("up", "two"))
    live.says("two", timeout=2)
    assert live.end(timeout=2) == -signal.SIGTERM


def test_grace_is_given(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import atexit, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "def bye():\n    time.sleep(0.3)\n    print('saved', flush=True)\n"
        "atexit.register(bye)\n" + WAIT
    )
    live = start("x.py")
    live.says("up")
    live.save("x.py", WAIT.replace("up", "two"))
    live.says("two")
    assert live.lines == ["up", "saved", "two"]


@pytest.mark.parametrize("kind", FAMILIES)
def test_descendants_end_with_their_generation(folder: Path, start: Start, kind: str) -> None:
    (folder / "x.py").write_text(family(kind, "up"))
    live = start("x.py", options=["--grace", "0.3"])
    live.says("up")
    first = set(live.processes())
    live.save("x.py", WAIT.replace("up", "two"))
    live.says("two")
    checkpoints = known(live)
    root = children(live.process.pid)
    left = {pid for pid in first if alive(pid)} - checkpoints - set(root)
    assert not left, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left]
    assert live.end() == -signal.SIGTERM
    live.gone()


@pytest.mark.parametrize("kind", FAMILIES)
def test_descendants_end_with_refork(folder: Path, start: Start, kind: str) -> None:
    (folder / "x.py").write_text(family(kind, "up"))
    live = start("x.py", options=["--grace", "0.3"])
    live.says("up")
    assert live.end(timeout=3) == -signal.SIGTERM
    live.gone(timeout=1)


@pytest.mark.parametrize("strategy", ["auto", "restart"])
@pytest.mark.parametrize("kind", [*FAMILIES, "deaf itself", "nothing"])
def test_kill_9_of_the_supervisor_leaves_nothing(
    folder: Path, start: Start, kind: str, strategy: str
) -> None:
    text = family(kind, "up") if kind in FAMILIES else WAIT
    (folder / "x.py").write_text((DEAF if kind == "deaf itself" else "") + text)
    live = start("x.py", options=["--strategy", strategy])
    live.says("up")
    assert len(live.processes()) >= 3
    live.process.kill()
    live.gone(timeout=2)


def test_kill_9_of_the_supervisor_after_reloads(folder: Path, start: Start) -> None:
    (folder / "dep.py").write_text("V = 0\n")
    (folder / "x.py").write_text(
        "import time, dep\nprint('up', dep.V, flush=True)\ntime.sleep(600)\n"
    )
    live = start("x.py")
    live.says("up 0")
    for value in range(1, 4):
        live.save("dep.py", f"V = {value}\n")
        live.says(f"up {value}")
    live.process.kill()
    live.gone(timeout=2)


def test_kill_9_of_the_supervisor_during_a_start(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(WAIT)
    live = start("x.py")
    wait_for(lambda: len(live.processes()) > 1, what="root is there")
    live.process.kill()
    live.gone(timeout=2)


def test_a_hundred_reloads_leave_no_zombie_and_no_descriptor(folder: Path, start: Start) -> None:
    (folder / "dep.py").write_text("V = 0\n")
    (folder / "x.py").write_text(
        "import subprocess, time\nimport dep\nsubprocess.Popen(['true'])\n"
        "print('up', dep.V, flush=True)\ntime.sleep(600)\n"
    )
    live = start("x.py", options=["-q"])
    live.says("up 0")
    counts = []
    for value in range(1, 101):
        live.save("dep.py", f"V = {value}\n")
        live.says(f"up {value}")
        if value in (20, 100):
            counts.append(census(live))
    # what was dismissed last may still be on its way out
    most = counts[0]
    wait_for(lambda: all(map(le, census(live), most)), 15, f"no more than at first: {counts}")
    assert len(live.all("start")) == 101


def census(live: Live) -> tuple[int, int, int]:
    """How many processes and open descriptors there are, once nothing waits to be cleared away."""
    (root,) = children(live.process.pid)
    wait_for(lambda: not zombies(live), what="no zombies")
    return len(live.processes()), descriptors(live.process.pid), descriptors(root)


def zombies(live: Live) -> list[int]:
    """But for one: what the running program itself did not wait for is its own affair."""
    generation = live.all("start")[-1]["generation"]
    program = live.event("ready", generation=generation)["pid"]  # a checkpoint changes the pid
    return [
        pid
        for pid in descendants(live.process.pid)
        if state(pid) == "Z" and pid not in children(program)
    ]


def test_a_killed_checkpoint_is_survived(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import time\nimport dep\nprint('up', dep.V, flush=True)\ntime.sleep(600)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1")
    live.event("ready")
    for event in live.all("checkpoint"):
        os.kill(event["pid"], signal.SIGKILL)
    live.save("dep.py", "V = 2\n")
    live.says("up 2")
    assert live.start(2)["action"] == "restart"
    assert live.start(2)["reason"]
    live.save("dep.py", "V = 3\n")
    live.says("up 3")
    assert live.start(3)["action"] == "resume"


def test_a_killed_root_is_survived(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import time\nimport dep\nprint('up', dep.V, flush=True)\ntime.sleep(600)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1")
    (root,) = children(live.process.pid)
    os.kill(root, signal.SIGKILL)
    wait_for(lambda: not alive(root))
    live.save("dep.py", "V = 2\n")
    live.says("up 2")
    live.save("x.py", "import time\nprint('new', flush=True)\ntime.sleep(600)\n")
    live.says("new")
    assert live.process.poll() is None
    assert live.end() == -signal.SIGTERM


def test_all_but_the_supervisor_killed(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(WAIT)
    live = start("x.py")
    live.says("up")
    for pid in live.processes():
        if pid != live.process.pid:
            os.kill(pid, signal.SIGKILL)
    assert live.exit(1)["signal"] == signal.SIGKILL
    live.save("x.py", WAIT.replace("up", "two"))
    live.says("two")


def test_a_stopped_checkpoint_goes_on_when_it_is_needed(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import time\nimport dep\nprint('up', dep.V, flush=True)\ntime.sleep(600)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1")
    for event in live.all("checkpoint"):
        os.kill(event["pid"], signal.SIGSTOP)
    live.save("dep.py", "V = 2\n")
    live.says("up 2", timeout=3)


PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207


def test_a_frozen_checkpoint_meets_a_deadline(folder: Path, start: Start) -> None:
    """Held by a tracer, not even SIGCONT moves it: a cold start serves, and says why."""
    (folder / "x.py").write_text(
        "import time\nimport dep\nprint('up', dep.V, flush=True)\ntime.sleep(600)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1")
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    for event in live.all("checkpoint"):
        if ptrace(PTRACE_SEIZE, event["pid"], None, None):
            pytest.skip("tracing is not allowed here")
        assert ptrace(PTRACE_INTERRUPT, event["pid"], None, None) == 0
    live.save("dep.py", "V = 2\n")
    live.says("up 2", timeout=15)
    assert live.start(2)["action"] == "restart"
    assert "does not answer" in live.start(2)["reason"]


def may_unshare() -> bool:
    return os.system("unshare -pf --mount-proc true 2>/dev/null") == 0


@pytest.mark.skipif(not may_unshare(), reason="needs the right to make a pid namespace")
def test_as_the_first_process_of_a_container(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(family("a daemon", "up"))
    counting = (
        "import os, time\n"
        "def state(pid):\n"
        "    try:\n"
        "        return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0]\n"
        "    except OSError:\n"
        "        return ''\n"
        "end = time.monotonic() + 3\n"
        "while any(state(p) == 'Z' for p in os.listdir('/proc') if p.isdigit()):\n"
        "    assert time.monotonic() < end, 'zombies'\n"
    )
    live = start("x.py", launch=["unshare", "-pf", "--mount-proc"], options=["--grace", "0.5"])
    live.says("up")
    for word in ("two", "three"):
        live.save("x.py", family("a daemon", word))
        live.says(word)
    live.save("x.py", counting + WAIT.replace("up", "four"))
    live.says("four")
    (first,) = children(live.process.pid)
    os.kill(first, signal.SIGTERM)
    assert live.code() == 128 + signal.SIGTERM
    live.gone()


def test_an_end_while_nothing_runs_is_quick(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("print('done')\n")
    live = start("x.py")
    live.exit(1)
    assert live.end(timeout=1) == -signal.SIGTERM


def test_standard_error_that_is_closed(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(WAIT)
    live = start("x.py", launch=["sh", "-c", 'exec "$@" 2>&-', "sh"])
    live.says("up")
    live.save("x.py", WAIT.replace("up", "two"))
    live.says("two")


def test_a_program_that_closes_all_descriptors(folder: Path, start: Start) -> None:
    """As daemons do. refork cannot hear from it any more, and still ends and replaces it."""
    (folder / "x.py").write_text("import os\nos.closerange(3, 1024)\n" + WAIT)
    live = start("x.py")
    live.says("up")
    live.save("x.py", WAIT.replace("up", "two"))
    live.says("two")


def test_python_is_found_at_its_place(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import sys\nprint(sys.executable)\n")
    live = start("x.py")
    live.says(sys.executable)


DEFECTS = {
    "in a callback": "refork.files.watching.Watching._hand_over",
    "in a task of its own": "refork.ladder.thinning.Thinning.dismiss",
    "in the loop": "refork.files.changes.Changes.compare",
    "in a message's handler": "refork.supervisor.hearing.Hearing._on_checkpoint",
}


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_of_refork_is_shown_and_leaves_nothing(
    folder: Path, start: Start, kind: str
) -> None:
    module, name, method = DEFECTS[kind].rsplit(".", 2)
    flawed = folder / "flawed.py"
    flawed.write_text(
        f"import sys\nfrom {module} import {name}\n"
        f"{'async ' if 'task' in kind else ''}def broken(*_): raise ZeroDivisionError('a defect')\n"
        f"{name}.{method} = broken\n"
        "from refork.cli import main\nsys.exit(main())\n"
    )
    (folder / "x.py").write_text(WAIT)
    live = start("x.py", entry=[str(flawed)])
    live.sound = False
    live.wait(lambda: live.all("ready") or live.process.poll() is not None, 15, "it began")
    live.save("x.py", "import os\n" + WAIT)
    assert live.code() == 1
    assert "ZeroDivisionError: a defect" in live.err
    live.gone()
