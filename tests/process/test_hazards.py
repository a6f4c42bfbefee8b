"""What makes a fork inexact (design §6), each in a module that does it while it loads.

The checkpoint that the script asks for afterwards is not taken, and the barrier says why; what is known to be
safe is let through, and the program resumed from there is what a cold start would have been.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from process.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="checkpoints need Linux")

ENTRY = """\
import refork
import hazard
refork.checkpoint()
print("end", hazard.state(), 1, flush=True)
import os
os._exit(0)
"""

STATE = "\ndef state():\n    return 0\n"

BARRED = {
    "a thread of the program's": (
        "import threading\nstop = threading.Event()\nthreading.Thread(target=stop.wait, daemon=True).start()\n",
        "other thread",
    ),
    "a pool of threads that has worked": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
        "pool.submit(int).result()\n",
        "other thread",
    ),
    "a timer thread": (
        "import threading\nt = threading.Timer(60, print)\nt.daemon = True\nt.start()\n",
        "other thread",
    ),
    "a socket": ("import socket\ns = socket.socket()\n", "an open socket"),
    "a pipe": ("import os\nends = os.pipe()\n", "an open pipe"),
    "an epoll": ("import select\ne = select.epoll()\n", "eventpoll"),
    "a selector": ("import selectors\ns = selectors.DefaultSelector()\n", "eventpoll"),
    "an eventfd": ("import os\nfd = os.eventfd(0)\n", "eventfd"),
    "memory by name": ("import os\nfd = os.memfd_create('x')\n", "for writing"),
    "a file open for writing": ("f = open('out.txt', 'w')\n", "out.txt"),
    "a file open for both": (
        "open('data.bin', 'wb').close()\nf = open('data.bin', 'r+b')\n",
        "data.bin",
    ),
    "a file that was written": ("open('out.txt', 'w').close()\n", "it made"),
    "a folder that was made": ("import os\nos.makedirs('made', exist_ok=True)\n", "it made"),
    "a temporary folder": (
        "import tempfile\nt = tempfile.TemporaryDirectory()\n",
        "it made",
    ),
    "a database": (
        "import sqlite3\nc = sqlite3.connect('x.db')\nc.execute('create table if not exists t (a)')\n",
        "x.db",
    ),
    "a database that was closed": (
        "import sqlite3\nc = sqlite3.connect('file:x.db', uri=True)\nc.close()\n",
        "it opened the database file:x.db",
    ),
    "a child process": (
        "import subprocess\np = subprocess.Popen(['sleep', '60'])\n"
        "import atexit\natexit.register(p.kill)\n",
        "it ran a process (hazard.py:2)",
    ),
    "a child process that no event tells of": (
        "import atexit, os, signal\nfrom multiprocessing.util import spawnv_passfds\n"
        "child = spawnv_passfds(b'/bin/sleep', [b'sleep', b'60'], [])\n"
        "atexit.register(os.kill, child, signal.SIGKILL)\n",
        "a child process is running",
    ),
    "a child that was waited for": (
        "import subprocess\nsubprocess.run(['true'])\n",
        "it ran a process (hazard.py:2)",
    ),
    "a command": ("import os\nos.system('true')\n", "it ran a process (hazard.py:2)"),
    "a fork of its own": (
        "import os\npid = os.fork()\nif not pid:\n    os._exit(0)\nos.waitpid(pid, 0)\n",
        "it forked (hazard.py:2)",
    ),
    "words to another": (
        "import socket\nwith socket.socket(type=socket.SOCK_DGRAM) as s:\n"
        "    s.sendto(b'x', ('127.0.0.1', 9))\n",
        "it talked over a socket (hazard.py:3)",
    ),
    "a group of its own": ("import os\nos.setpgrp()\n", "it leads a group"),
    "a session of its own": ("import os\nos.setsid()\n", "it leads a group"),
    "a mode": ("import os\nos.chmod('late.py', 0o600)\n", "it changed"),
    "times": ("import os\nos.utime('late.py')\n", "it changed"),
    "an attribute": (
        "import os\ntry:\n    os.setxattr('late.py', 'user.x', b'1')\nexcept OSError:\n    pass\n",
        "it changed",
    ),
    "a file that was cut": ("import os\nos.truncate('late.py', 0)\n", "it changed"),
    "a file that was removed from a folder that is open": (
        "import os\nfd = os.open('sub', os.O_RDONLY)\n"
        "try:\n    os.unlink('x', dir_fd=fd)\nexcept FileNotFoundError:\n    pass\nos.close(fd)\n",
        "it removed",
    ),
    "a lock on a file": (
        "import fcntl\nf = open('late.py')\nfcntl.flock(f, fcntl.LOCK_SH)\n",
        "late.py is locked",
    ),
    "a lock on a part of a file": (
        "import fcntl\nf = open('late.py', 'a')\nfcntl.lockf(f, fcntl.LOCK_EX)\n",
        "late.py is locked",
    ),
    "what was typed": (
        "try:\n    input()\nexcept EOFError:\n    pass\n",
        "it asked for input",
    ),
    "an interval timer": (
        "import signal\nsignal.setitimer(signal.ITIMER_REAL, 60)\n",
        "an interval timer",
    ),
    "a signal that waits": (
        "import os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
        "os.kill(os.getpid(), signal.SIGUSR1)\n",
        "a signal waits",
    ),
    "a tracer": ("import sys\nsys.settrace(lambda *_: None)\n", "tracing"),
    "a tracer that has ended": (
        "import sys, refork\nsys.settrace(lambda *_: None)\nrefork.checkpoint()\nsys.settrace(None)\n",
        "tracing",
    ),
    "a profiler": ("import sys\nsys.setprofile(lambda *_: None)\n", "tracing"),
    "memory shared with children": ("import mmap\nm = mmap.mmap(-1, 4096)\n", "shared"),
    "a value shared by processes": (
        "import multiprocessing\nv = multiprocessing.Value('i', 0)\n",
        "",
    ),
    "a manager of multiprocessing": (
        "import multiprocessing\nm = multiprocessing.get_context('fork').Manager()\n",
        "",
    ),
    "a lock of logging that is held": (
        "import logging\nlogging._lock.acquire()\nimport atexit\natexit.register(logging._lock.release)\n",
        "logging holds its lock",
    ),
    "a handler of logging at work": (
        "import logging, refork\nclass Handler(logging.Handler):\n    def emit(self, record):\n"
        "        refork.checkpoint()\nlogging.getLogger().addHandler(Handler())\nlogging.error('x')\n"
        "logging.getLogger().handlers[0].acquire()\n",
        "a handler of logging holds its lock",
    ),
}

SAFE = {
    "a file open for reading": "f = open(__file__)\nf.readline()\ndef state():\n    return f.tell()\n",
    "a pool that has not worked": (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\n"
        "def state():\n    return pool.submit(int).result(10)\n"
    ),
    "a thread that has ended": (
        "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()\n" + STATE
    ),
    "a socket that was closed": "import socket\nsocket.socket().close()\n" + STATE,
    "a child by which a library is looked for": (
        "import ctypes.util\nctypes.util.find_library('c')\n" + STATE
    ),
    "a child of a library that is imported": (
        "import os, sys\nsys.path.append(os.path.abspath('site-packages'))\nimport probing\n"
        + STATE
    ),
    "a handler of forks": (
        "import os\nforks = []\nnote = lambda: forks.append(1)\n"
        "os.register_at_fork(before=note, after_in_child=note, after_in_parent=note)\n"
        "def state():\n    return len(forks)\n"
    ),
    "a lock that was given back": (
        "import fcntl\nf = open('late.py', 'a')\nfcntl.lockf(f, fcntl.LOCK_EX)\n"
        "fcntl.lockf(f, fcntl.LOCK_UN)\n" + STATE
    ),
    "a temporary folder that is gone": (
        "import tempfile\nwith tempfile.TemporaryDirectory() as t:\n"
        "    open(t + '/x', 'w').close()\n" + STATE
    ),
    "a temporary file that is gone": (
        "import tempfile\nwith tempfile.NamedTemporaryFile():\n    pass\n" + STATE
    ),
    "random numbers": (
        "import random\nrandom.seed(5)\nrandom.random()\ndef state():\n    return random.randrange(1000)\n"
    ),
    "an event loop that has run": (
        "import asyncio\nasync def f():\n    return 0\nasyncio.run(f())\n" + STATE
    ),
    "a lock of its own": (
        "import threading\nlock = threading.Lock()\nlock.acquire()\n"
        "def state():\n    lock.release()\n    return int(lock.locked())\n"
    ),
    "a database in memory": (
        "import sqlite3\nc = sqlite3.connect(':memory:')\nc.execute('create table t (a)')\n"
        "def state():\n    c.execute('insert into t values (1)')\n"
        "    return c.execute('select count(*) from t').fetchone()[0]\n"
    ),
    "memory that is only read": (
        "import mmap\nwith open(__file__, 'rb') as f:\n"
        "    m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)\n" + STATE
    ),
    "a process that was made, and not started": (
        "import multiprocessing as m\np = m.get_context('fork').Process(target=int)\n"
        "def state():\n    p.start()\n    p.join()\n    return p.exitcode, p.is_alive()\n"
    ),
    "what multiprocessing is to do in the end": (
        "import multiprocessing.util as u\nf = u.Finalize(None, int, exitpriority=1)\n"
        "def state():\n    assert f() == 0\n    return 0\n"
    ),
    "the number of its main thread": (
        "import threading, os\n"
        "def state():\n    assert threading.main_thread().native_id == os.getpid()\n    return 0\n"
    ),
    "builtins of its own": (
        "import builtins\ndef no(*_, **__):\n    raise RuntimeError('forbidden')\n"
        "builtins.eval = builtins.compile = no\n"
        "def state():\n    return int(builtins.eval is builtins.compile is no)\n"
    ),
    "memory of its own": (
        "import mmap\nm = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "def state():\n    m[0] += 1\n    return m[0]\n"
    ),
}

LIBRARIES = {
    "numpy": "import numpy\na = numpy.ones((300, 300))\ndef state():\n    return int((a @ a)[0, 0])\n",
    "scipy": "import scipy.linalg, numpy\ndef state():\n    return int(scipy.linalg.det(numpy.eye(200)))\n",
    "pandas": "import pandas\ndef state():\n    return int(pandas.Series([1, 2]).sum())\n",
    "numba": "import numba\ndef state():\n    return int(numba.njit(lambda n: n + 1)(1))\n",
}

WORKED = """\
import numba, numpy
@numba.njit(parallel=True)
def f(n):
    t = 0
    for i in numba.prange(n):
        t += i
    return t
f(100)
"""


@pytest.mark.parametrize("hazard", BARRED)
def test_no_checkpoint_past_it(hazard: str, folder: Path, start: Start) -> None:
    text, reason = BARRED[hazard]
    (folder / "late.py").touch()
    (folder / "sub").mkdir()
    (folder / "sub/x").touch()
    (folder / "hazard.py").write_text(text + STATE)
    (folder / "entry.py").write_text(ENTRY)
    live = start("entry.py")
    live.exit(1)
    assert "end 0 1" in live.lines, live.err
    reasons = [event["reason"] for event in live.all("barrier")]
    assert any(reason in one for one in reasons), reasons
    past = [event for event in live.all("checkpoint") if event["at"].endswith("entry.py:3")]
    assert not past, past
    live.save("entry.py", ENTRY.replace(", 1,", ", 2,"))
    live.says("end 0 2")


def goes_on(folder: Path, start: Start, text: str, timeout: float = 10.0) -> None:
    (folder / "hazard.py").write_text(text)
    (folder / "entry.py").write_text(ENTRY)
    (folder / "late.py").touch()
    (folder / "site-packages").mkdir()
    (folder / "site-packages/probing.py").write_text(
        "import subprocess\nsubprocess.run(['true'])\n"
    )
    live = start("entry.py")
    live.exit(1, timeout)
    shown = live.lines[-1]
    assert shown.endswith(" 1"), live.err
    past = [event["id"] for event in live.all("checkpoint") if event["at"].endswith("entry.py:3")]
    assert past, [event["reason"] for event in live.all("barrier")]
    for number in (2, 3):
        live.save("entry.py", ENTRY.replace(", 1,", f", {number},"))
        live.says(f"{shown[:-2]} {number}", timeout)
        begun = live.start(number)
        assert begun["action"] == "resume", begun
        assert begun["checkpoint"] >= past[0], (begun, past)


@pytest.mark.parametrize("case", SAFE)
def test_what_is_safe_is_let_through(case: str, folder: Path, start: Start) -> None:
    goes_on(folder, start, SAFE[case])


def has(package: str) -> bool:
    found = subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True)
    return found.returncode == 0


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_with_native_threads_may_be_imported(
    library: str, folder: Path, start: Start
) -> None:
    if not has(library):
        pytest.skip(f"{library} is not installed")
    goes_on(folder, start, LIBRARIES[library], 60.0)


@pytest.mark.skipif(not has("numba"), reason="numba is not installed")
def test_a_native_pool_that_has_worked_ends_the_ladder(folder: Path, start: Start) -> None:
    (folder / "hazard.py").write_text(WORKED + STATE)
    (folder / "entry.py").write_text(ENTRY)
    live = start("entry.py")
    live.exit(1, 60.0)
    assert live.all("barrier")
    assert not [event for event in live.all("checkpoint") if event["at"].endswith("entry.py:3")]
