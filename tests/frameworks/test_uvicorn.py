"""uvicorn under refork, on both of its event loops."""

from __future__ import annotations

import pytest

from frameworks.conftest import Start
from frameworks.driver import Served
from frameworks.sites import ASGI, FASTAPI

pytest.importorskip("uvicorn")

UVICORN = ("uvicorn", "app:app", "--port", "PORT")


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "uvloop":
        pytest.importorskip("uvloop")
    return name


def check_edits(live: Served) -> None:
    live.answers("body0 const0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1 const0")
    assert live.started()["gear"] == "graft", live.started()["reason"]
    live.edit("app.py", "const0", "const1")
    live.answers("body1 const1")
    assert live.started()["gear"] == "replay", live.started()["reason"]
    assert len(live.all("start")) == 3


@pytest.mark.parametrize("words", [(), ("--reload",)], ids=["plain", "reload"])
def test_an_edit_is_served(start: Start, loop: str, words: tuple[str, ...]) -> None:
    live = start(*UVICORN, "--loop", loop, *words, files=ASGI)
    check_edits(live)
    assert live.interrupt() == 0
    assert "StatReload" not in live.err
    assert "WatchFiles" not in live.err


def test_a_script_that_asks_for_reloading(start: Start) -> None:
    live = start("serve.py", "PORT", files=ASGI)
    check_edits(live)
    assert live.interrupt() == 0


@pytest.mark.parametrize(
    ("words", "environ"),
    [(("--workers", "3"), {}), ((), {"WEB_CONCURRENCY": "3"})],
    ids=["option", "variable"],
)
def test_one_worker_is_enough(
    start: Start, words: tuple[str, ...], environ: dict[str, str]
) -> None:
    """Others would be fresh interpreters: what they load, refork would not see."""
    live = start(*UVICORN, *words, files=ASGI, environ=environ)
    check_edits(live)
    assert live.err.count("uvicorn runs one worker while refork reloads it") == 1


def test_each_generation_has_its_lifespan(start: Start, loop: str) -> None:
    live = start(*UVICORN, "--loop", loop, "--reload", files=ASGI)
    live.answers("body0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1")
    assert live.interrupt() == 0
    notes = live.path("notes.log").read_text().split()
    assert notes == ["lifespan.startup", "lifespan.shutdown"] * 2


def test_a_stop_waits_for_nothing(start: Start, loop: str) -> None:
    """uvicorn looks every 0.1 s whether it is to end, and sleeps 0.1 s more; not here."""
    live = start(*UVICORN, "--loop", loop, "--reload", files=ASGI)
    live.answers("body0")
    times = []
    for number in range(5):
        live.edit("app.py", f"body{number}", f"body{number + 1}")
        live.answers(f"body{number + 1}")
        changed, started = live.all("change")[-1], live.started()
        times.append(started["t"] - changed["t"])
    assert min(times) < 0.1, times


def test_what_is_at_work_still_gets_its_time(start: Start) -> None:
    """A task of the application's own, at work when the server is to end, has the 0.1 s as ever."""
    slow = """
async def finish():
    await asyncio.sleep(0.05)
    note("finished")

async def lifespan(receive, send):
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return

import asyncio, uvicorn
original = uvicorn.Server.handle_exit
def handle_exit(self, number, frame):
    self.task = asyncio.get_running_loop().create_task(finish())
    original(self, number, frame)
uvicorn.Server.handle_exit = handle_exit
"""
    live = start(*UVICORN, "--loop", "asyncio", files={"app.py": ASGI["app.py"] + slow})
    live.answers("body0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1")
    assert live.path("notes.log").read_text().split() == ["finished"]


def test_a_failing_start_is_waited_over(start: Start) -> None:
    """uvicorn says that by exit code 3, which is no wish to be started again."""
    failing = ASGI["app.py"].replace("await lifespan(receive, send)", "raise OSError")
    live = start(*UVICORN, "--lifespan", "on", files={"app.py": failing})
    live.event("exit", code=3)
    live.save("app.py", ASGI["app.py"])
    live.answers("body0")
    assert len(live.all("start")) == 2


def test_more_to_watch(start: Start) -> None:
    live = start(
        *UVICORN, "--reload", "--reload-include", "*.html", files={**ASGI, "a/b.html": "1"}
    )
    live.answers("body0")
    live.save("a/b.html", "2")
    assert live.start(2)["changed"] == [str(live.path("a/b.html"))]
    live.answers("body0")


def test_fastapi(start: Start) -> None:
    pytest.importorskip("fastapi")
    live = start(*UVICORN, "--reload", files=FASTAPI)
    live.answers('{"says":"body0 const0","ready":true}')
    live.edit("app.py", "body0", "body1")
    live.answers('"body1 const0"')
    live.edit("app.py", "const0", "const1")
    live.answers('"body1 const1"')
    assert live.started()["action"] == "resume"
