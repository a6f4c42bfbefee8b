"""A Celery worker under refork, with a real Redis."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from frameworks.conftest import Start
from frameworks.driver import Served
from frameworks.sites import CELERY
from support.ports import free_port
from support.waiting import wait_for

pytest.importorskip("celery")
pytest.importorskip("redis")

CALL = "from tasks import tell; print(tell.delay().get(timeout=20))"
QUICK = ("--without-mingle", "--without-gossip", "--without-heartbeat")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis of the test's own."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    command = [
        server,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_up(port), 10, "Redis to answer")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def is_up(port: int) -> bool:
    import redis

    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False


def call(live: Served, broker: str) -> str:
    """What the task answers."""
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        cwd=live.folder,
        env={"BROKER": broker, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("pool", ["solo", "prefork", "threads"])
def test_a_worker(start: Start, broker: str, pool: str) -> None:
    words = ("celery", "-A", "proj", "worker", "-P", pool, "-c", "2", "-l", "INFO", *QUICK)
    live = start(*words, files=CELERY, environ={"BROKER": broker})
    live.wait(lambda: "ready." in live.err, 20, "the worker to be ready")
    assert call(live, broker) == "body0 const0"
    live.edit("tasks.py", "body0", "body1")
    live.wait(lambda: live.err.count("ready.") == 2, 20, "the worker to be ready again")
    assert live.started()["gear"] == "graft"
    assert call(live, broker) == "body1 const0"
    live.edit("tasks.py", "const0", "const1")
    live.wait(lambda: live.err.count("ready.") == 3, 20, "the worker to be ready again")
    assert call(live, broker) == "body1 const1"
    assert len(live.all("start")) == 3
