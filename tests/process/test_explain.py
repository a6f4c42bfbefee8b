"""`refork explain`, asked as a user would; and what it announces is what a save then does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from process.conftest import Start
from refork.errors import ReforkError
from refork.process import inquiry
from support.live import Live, clean_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")

FILES = {
    "views.py": "import helper\n\ndef used():\n    return 1\n\n"
    "def idle():\n    return 2\n\nV = used()\n",
    "helper.py": "TEXT = open('data.txt').read()\n",
    "data.txt": "some\n",
    "app.py": "import time\nimport views\ntry:\n    import local\nexcept ImportError:\n    pass\n"
    "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n"
    "print('up', views.idle(), flush=True)\ntime.sleep(600)\n",
}


def explain(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "refork", "explain", *words],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.fixture
def live(folder: Path, start: Start) -> Live:
    """A program that has loaded all of FILES."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    running = start("app.py", options=["--ignore", "*.log", "--watch", "extra.toml"])
    running.event("ready")
    running.says("up 2")
    return running


def said(folder: Path, name: str, words: str) -> list[str]:
    """The lines of what is said of `name` that hold `words`."""
    done = explain(folder, name)
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines() if words in line]


def test_nobody_to_ask(folder: Path) -> None:
    done = explain(folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"refork: explain: no refork runs in {folder}")
    assert done.stderr.count("\n") == 1


def test_the_overview(folder: Path, live: Live) -> None:
    done = explain(folder)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert f"process {live.process.pid} in {folder}" in text
    assert f"generation 1, process {live.event('ready')['pid']}, ready" in text
    for event in live.all("checkpoint"):
        assert f"{event['id']}  {event['kind']:7} process {event['pid']} at " in text
    assert "--watch " in text
    assert "127.0.0.1" in text
    assert " MB in " in text


def test_from_a_folder_below(folder: Path, live: Live) -> None:
    below = folder / "static" / "css"
    below.mkdir(parents=True)
    done = explain(below, "../../views.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("views.py\n")


def test_several_reforks_are_told_apart(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text("import time\ntime.sleep(600)\n")
    older, younger = start("x.py"), start("x.py")
    for live in (older, younger):
        live.event("ready")
    first, *rest = sorted((older.process.pid, younger.process.pid), reverse=True)
    done = explain(folder)
    assert done.stdout.startswith(
        f"asking process {first} in {folder}; there are others: {rest[0]}"
    )


def test_the_role_of_each_file(folder: Path, live: Live) -> None:
    for name, role in {
        "views.py": "loaded as module views",
        "data.txt": "read as data",
        "local.py": "looked up here for module local, which was not found",
        "extra.toml": "matches --watch",
        "some.log": "ignored: it matches --ignore",
        "nothing.txt": "not known",
    }.items():
        assert role in explain(folder, name).stdout, name


def test_what_cannot_be_grafted_is_named(folder: Path, live: Live) -> None:
    (graft,) = said(folder, "views.py", ", for idle")
    assert graft.startswith("graft from checkpoint ")
    (replay,) = said(folder, "views.py", ", for used (ran while loading)")
    assert replay.startswith("replay from checkpoint ")


BODY = FILES["views.py"].replace("return 2", "return 3")
RAN = FILES["views.py"].replace("return 1", "return 7")
TOP = FILES["views.py"].replace("import helper", "import helper, json")
LAST = FILES["views.py"].replace("V = used()", "V = 5")
NOTHING = FILES["views.py"].replace("V = used()", "V = used()  # a remark")


@pytest.mark.parametrize(
    ("name", "words", "text"),
    [
        ("views.py", ", for idle", BODY),
        ("views.py", ", for used (ran", RAN),
        ("views.py", "its first statement changed", TOP),
        ("views.py", "its last statement changed", LAST),
        ("data.txt", "other contents", "another\n"),
        ("local.py", "anything, as a new file", "A = 1\n"),
        ("extra.toml", "anything, as a new file", "a = 1\n"),
    ],
)
def test_what_is_announced_is_what_happens(
    folder: Path, live: Live, name: str, words: str, text: str
) -> None:
    (line,) = said(folder, name, words)
    live.save(name, text)
    done = live.start(2)
    how = f"{done['gear']} from checkpoint {done['checkpoint']} ("
    assert ("cold start" if done["gear"] == "cold" else how) in line, done
    if name != "views.py":
        assert done["reason"] in line


def test_nothing_is_announced_and_nothing_happens(folder: Path, live: Live) -> None:
    (line,) = said(folder, "views.py", "nothing in its code changed")
    live.save("views.py", NOTHING)
    assert line.endswith(f": ignore: {live.event('ignore')['reason']}")
    assert len(live.all("start")) == 1


def test_asking_changes_nothing(folder: Path, live: Live) -> None:
    for name in FILES:
        explain(folder, name)
    explain(folder)
    assert [event["event"] for event in live.poll()].count("start") == 1
    live.save("views.py", BODY)
    assert live.start(2)["gear"] == "graft"
    live.says("up 3")


@pytest.mark.parametrize(
    "sent",
    [b"", b"\n", b"{", b"17\n", b'["a"]\n', b"\xff\xfe\n", b'"' + b"a" * 100_000, b'"a\\u0000b"\n'],
)
def test_a_hostile_question_harms_nobody(folder: Path, live: Live, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.settimeout(10)
        connected.connect(inquiry.name(os.getuid(), live.process.pid))
        try:
            connected.sendall(sent)
            connected.shutdown(socket.SHUT_WR)
            connected.recv(1 << 16)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up, which is an answer
    assert explain(folder).returncode == 0


def test_who_keeps_quiet_keeps_nobody_waiting(folder: Path, live: Live) -> None:
    silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2)]
    try:
        for connected in silent:
            connected.connect(inquiry.name(os.getuid(), live.process.pid))
        assert explain(folder, "views.py").returncode == 0
        live.save("views.py", BODY)
        live.says("up 3")
    finally:
        for connected in silent:
            connected.close()


def test_a_name_that_somebody_took_is_not_trusted(folder: Path) -> None:
    """The name of a process that is no refork: its owner is asked for, and is another process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as false:
        false.bind(inquiry.name(os.getuid(), os.getppid()))
        false.listen()
        with pytest.raises(ReforkError, match="is not the refork"):
            inquiry.ask(os.getppid(), None)
