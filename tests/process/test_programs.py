"""Programs of many kinds, under refork and after an edit."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from process.conftest import Start

POOL = """
import multiprocessing
import dep

if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    with multiprocessing.Pool(2) as pool:
        print("pool", pool.map(dep.work, [1, 2, 3]), flush=True)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(folder: Path, start: Start, method: str) -> None:
    (folder / "x.py").write_text(POOL.format(method=method))
    (folder / "dep.py").write_text("def work(n):\n    return n * 1\n")
    live = start("x.py")
    live.says("pool [1, 2, 3]")
    live.exit(1)
    # within the same second and of the same size: the workers' `.pyc` would do for Python
    before = os.stat(folder / "dep.py").st_mtime_ns
    (folder / "new").write_text("def work(n):\n    return n * 2\n")
    os.utime(folder / "new", ns=(before, before + 1))
    os.replace(folder / "new", folder / "dep.py")
    live.says("pool [2, 4, 6]")
    assert live.exit(2)["code"] == 0


def test_a_module_that_only_a_forked_child_loads(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os\npid = os.fork()\n"
        "if not pid:\n    import dep\n    print('child', dep.V, flush=True)\n    os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("child 1")
    live.exit(1)
    live.save("dep.py", "V = 2\n")
    live.says("child 2")


SERVER = """
import asyncio, os
import dep

async def main():
    print("up", dep.V, flush=True)
    loop = asyncio.get_running_loop()
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

asyncio.run(main())
"""


def test_asyncio(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(SERVER)
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1")
    for value in (2, 3):
        live.save("dep.py", f"V = {value}\n")
        live.says(f"up {value}")
    assert live.end(signal.SIGINT) == 130
    assert live.lines[-1] == "cancelled"


def test_modules_imported_while_an_event_loop_runs(folder: Path, start: Start) -> None:
    """As uvicorn does: the application is imported by a coroutine."""
    (folder / "x.py").write_text(
        "import asyncio\nasync def main():\n    import dep, late\n"
        "    await asyncio.sleep(0.01)\n    print('up', dep.V, late.V, flush=True)\n"
        "    await asyncio.sleep(600)\nasyncio.run(main())\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    (folder / "late.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1 1")
    live.save("late.py", "V = 2\n")
    live.says("up 1 2")
    live.save("dep.py", "V = 2\n")
    live.says("up 2 2")
    live.save("late.py", "V = 3\n")
    live.says("up 2 3")


def test_threads(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import threading, time\nimport dep\n"
        "def work():\n    while True:\n        time.sleep(0.001)\n"
        "threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "import late\nprint('up', dep.V, late.V, len(threading.enumerate()), flush=True)\n"
        "time.sleep(600)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    (folder / "late.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("up 1 1 9")
    live.save("dep.py", "V = 2\n")
    live.says("up 2 1 9")
    live.save("late.py", "V = 2\n")
    live.says("up 2 2 9")
    assert all("late.py" not in event["at"] for event in live.all("checkpoint"))


def test_a_program_that_replaces_itself(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, sys, time\n"
        "if len(sys.argv) == 1:\n"
        "    os.execv(sys.executable, [sys.executable, *sys.argv, 'again'])\n"
        "print('one', sys.argv[1:], flush=True)\ntime.sleep(600)\n"
    )
    live = start("x.py")
    live.says("one ['again']")
    live.save("x.py", (folder / "x.py").read_text().replace("'one'", "'two'"))
    live.says("two ['again']")


def test_a_program_that_becomes_a_daemon(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\n"
        "print('daemon', flush=True)\ntime.sleep(600)\n"
    )
    live = start("x.py", options=["--grace", "0.3"])
    live.says("daemon")
    live.exit(1)
    daemons = set(live.processes())
    live.save("x.py", "print('done', flush=True)\n")
    live.says("done")
    live.exit(2)
    live.wait(lambda: len(daemons & set(live.processes())) < len(daemons), 3, "the daemon is gone")


def test_a_program_that_takes_privileges_away(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import os, time\nos.chdir('/')\nos.umask(0o077)\nos.environ.clear()\n"
        "print('up', 1, flush=True)\ntime.sleep(600)\n"
    )
    live = start("x.py")
    live.says("up 1")
    live.save("x.py", (folder / "x.py").read_text().replace("1,", "2,"))
    live.says("up 2")


def test_a_lot_of_output(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import sys\nfor n in range(200_000): print(n)\nsys.stderr.write('e' * 100_000 + '\\n')\n"
    )
    live = start("x.py", environ={"PYTHONUNBUFFERED": ""})
    live.says("199999")
    live.exit(1)
    live.save("x.py", "print('done')\n")
    live.says("done")
    assert live.lines[:200_000] == [str(number) for number in range(200_000)]


def test_output_that_waits_in_a_buffer_is_written_once(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import sys\nsys.stdout.write('half ')\nimport dep\nsys.stdout.write(f'whole {dep.V}\\n')\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py", environ={"PYTHONUNBUFFERED": ""})
    live.says("half whole 1")
    live.exit(1)
    live.save("dep.py", "V = 2\n")
    live.exit(2)
    assert live.out in ("half whole 1\nwhole 2\n", "half whole 1\nhalf whole 2\n")


def test_a_recursion_near_the_limit(folder: Path, start: Start) -> None:
    """A module loaded deep in a stack, where refork's own frames must not be one too many."""
    (folder / "x.py").write_text(
        "import sys\nsys.setrecursionlimit(220)\n"
        "def deep(n):\n    if n:\n        return deep(n - 1)\n    import dep\n    return dep.V\n"
        "print('deep', deep(120), flush=True)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.says("deep 1")
    live.exit(1)
    live.save("dep.py", "V = 2\n")
    live.says("deep 2")


def test_an_import_lock_is_not_left_held(folder: Path, start: Start) -> None:
    """A checkpoint in the middle of an import, resumed: threads can import afterwards."""
    (folder / "x.py").write_text(
        "import dep\nimport threading\nfound = []\n"
        "def work():\n    import other\n    found.append(other.V)\n"
        "threads = [threading.Thread(target=work) for _ in range(4)]\n"
        "for thread in threads: thread.start()\nfor thread in threads: thread.join(5)\n"
        "print('found', found, dep.V, flush=True)\n"
    )
    (folder / "dep.py").write_text("import inner\nV = inner.V\n")
    (folder / "inner.py").write_text("V = 1\n")
    (folder / "other.py").write_text("import dep, inner\nV = inner.V\n")
    live = start("x.py")
    live.says("found [1, 1, 1, 1] 1")
    live.exit(1)
    live.save("inner.py", "V = 2\n")
    live.says("found [2, 2, 2, 2] 2")


def test_finalizers_and_atexit_run_once(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(
        "import atexit, dep, weakref\nclass A: pass\na = A()\n"
        "weakref.finalize(a, print, 'finalized', flush=True)\n"
        "atexit.register(print, 'at exit', flush=True)\nprint('up', dep.V, flush=True)\n"
    )
    (folder / "dep.py").write_text("V = 1\n")
    live = start("x.py")
    live.exit(1)
    live.save("dep.py", "V = 2\n")
    live.exit(2)
    live.end()
    assert live.lines == ["up 1", "at exit", "finalized", "up 2", "at exit", "finalized"]


def test_tests_are_run_again(folder: Path, start: Start) -> None:
    (folder / "test_it.py").write_text(
        "import it\nimport unittest\nclass T(unittest.TestCase):\n"
        "    def test(self): self.assertEqual(it.V, 1)\n"
    )
    (folder / "it.py").write_text("V = 2\n")
    live = start("-m", "unittest", "-q")
    live.complains("FAILED")
    live.exit(1)
    live.save("it.py", "V = 1\n")
    live.complains("OK")
    assert live.exit(2)["code"] in ((0,) if sys.version_info < (3, 12) else (0, 5))
