"""Other servers under refork: what each loads is seen, their own reloaders leave it alone."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Sequence

import pytest

from frameworks.conftest import Start
from frameworks.driver import Served
from frameworks.sites import AIOHTTP, ASGI, EVENTLET, FLASK, GEVENT, QUART, TORNADO

GUNICORN = ("gunicorn", "app:app", "-b", "127.0.0.1:PORT")
HYPERCORN = ("hypercorn", "app:app", "-b", "127.0.0.1:PORT")
SCRIPT = ("app.py", "PORT")

SERVERS: list[tuple[str, Sequence[str], dict[str, str]]] = [
    ("gunicorn", GUNICORN, FLASK),
    ("gunicorn", (*GUNICORN, "--reload"), FLASK),
    ("gunicorn", (*GUNICORN, "--preload"), FLASK),
    ("gunicorn", (*GUNICORN, "--threads", "2", "--workers", "2"), FLASK),
    ("hypercorn", HYPERCORN, ASGI),
    ("hypercorn", (*HYPERCORN, "--reload"), ASGI),
    ("hypercorn", (*HYPERCORN, "--workers", "2"), ASGI),
    ("gunicorn", (*GUNICORN, "-k", "asgi"), ASGI),
    ("gunicorn", (*GUNICORN, "-k", "uvicorn.workers.UvicornWorker"), ASGI),
    ("waitress", ("waitress-serve", "--port", "PORT", "app:app"), FLASK),
    ("aiohttp", SCRIPT, AIOHTTP),
    ("tornado", SCRIPT, TORNADO),
    ("quart", SCRIPT, QUART),
    ("gevent", SCRIPT, GEVENT),
    ("gevent", (*GUNICORN, "-k", "gevent"), FLASK),
    ("eventlet", SCRIPT, EVENTLET),
]


def needs(name: str) -> None:
    """Skip where a package is missing. It is not imported here: eventlet complains of each fork from then on."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


def identify(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else value if isinstance(value, str) else ""


@pytest.mark.parametrize(("name", "words", "files"), SERVERS, ids=identify)
def test_an_edit_is_served(
    start: Start, name: str, words: Sequence[str], files: dict[str, str]
) -> None:
    needs(name)
    if words[0] == "gunicorn":
        pytest.importorskip("gunicorn")
    live = start(*words, files=files)
    live.answers("body0 const0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1 const0")
    live.edit("app.py", "const0", "const1")
    live.answers("body1 const1")
    assert len(live.all("start")) == 3
    assert live.started()["action"] == "resume"
    live.interrupt()


def reloads_by_refork(live: Served) -> None:
    """One edit is one start, and nothing else has started the program again."""
    live.answers("body0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1")
    assert len(live.all("start")) == 2


def test_gunicorns_reloader_is_not_started(start: Start) -> None:
    pytest.importorskip("gunicorn")
    live = start(
        *GUNICORN, "--reload", "--reload-extra-file", "more.yaml", files={**FLASK, "more.yaml": "1"}
    )
    reloads_by_refork(live)
    assert "Worker reloading" not in live.err
    live.save("more.yaml", "2")
    assert live.start(3)["changed"] == [str(live.path("more.yaml"))]
    live.answers("body1")


def test_a_worker_that_does_not_boot_is_waited_over(start: Start) -> None:
    """gunicorn then ends with exit code 3, which is no wish to be started again."""
    pytest.importorskip("gunicorn")
    live = start(*GUNICORN, files={"app.py": FLASK["app.py"].replace('"const0"', "missing")})
    live.event("exit", code=3)
    live.save("app.py", FLASK["app.py"])
    live.answers("body0")
    assert len(live.all("start")) == 2


@pytest.mark.parametrize("kind", ["sync", "gthread", "gevent", "uvicorn.workers.UvicornWorker"])
def test_what_a_worker_reads_while_it_loads_is_a_dependency(start: Start, kind: str) -> None:
    """The arbiter listens before its workers load."""
    pytest.importorskip("gunicorn")
    if kind not in ("sync", "gthread"):
        pytest.importorskip(kind.partition(".")[0])
    site = ASGI if kind.startswith("uvicorn") else FLASK
    app = site["app.py"].replace('"const0"', 'open(".env").read()')
    live = start(*GUNICORN, "-k", kind, files={"app.py": app, ".env": "env0"})
    live.answers("body0 env0")
    live.save(".env", "env1")
    live.answers("body0 env1")
    assert live.started()["changed"] == [str(live.path(".env"))]


def test_granian_reloads_and_it_is_said_that_its_sockets_are_not_held(start: Start) -> None:
    pytest.importorskip("granian")
    live = start("granian", "--interface", "asgi", "app:app", "--port", "PORT", files=ASGI)
    live.answers("body0 const0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1 const0")
    live.edit("app.py", "const0", "const1")
    live.answers("body1 const1")
    assert live.err.count("granian listens by native code: while it reloads, connections are") == 1
    assert not live.all("listening")


def test_hypercorn_is_told_that_it_runs_one_worker(start: Start) -> None:
    pytest.importorskip("hypercorn")
    live = start(*HYPERCORN, "--workers", "3", files=ASGI)
    live.answers("body0")
    assert live.err.count("hypercorn runs one worker while refork reloads it") == 1


def test_tornados_reloader_is_not_started(start: Start) -> None:
    pytest.importorskip("tornado")
    more = TORNADO["app.py"].replace(
        "    app.listen", "    tornado.autoreload.watch('more.yaml')\n    app.listen"
    )
    more = more.replace("import tornado.web", "import tornado.autoreload\nimport tornado.web")
    live = start(*SCRIPT, files={"app.py": more, "more.yaml": "1"})
    reloads_by_refork(live)
    live.save("more.yaml", "2")
    assert live.start(3)["changed"] == [str(live.path("more.yaml"))]
    live.answers("body1")


def test_quarts_reloader_is_not_started(start: Start) -> None:
    """It would replace the process when a file is saved that refork ignores, as one with a comment more."""
    pytest.importorskip("quart")
    tasks = '"body0 " + CONSTANT + str(asyncio.all_tasks())'
    text = QUART["app.py"].replace('"body0 " + CONSTANT', tasks)
    live = start(*SCRIPT, files={"app.py": "import asyncio\n" + text})
    live.answers("body0 const0")
    assert "observe_changes" not in live.get()
    live.edit("app.py", "const0", "const1")
    live.answers("body0 const1")


QUICK = """
[tool.refork]
grace = 60
"""
"""Whoever has to be killed is not replaced in the time of a test."""


@pytest.mark.parametrize(
    ("name", "files"), [("gevent", GEVENT), ("eventlet", EVENTLET)], ids=["gevent", "eventlet"]
)
def test_a_patched_standard_library_is_none_of_reforks(
    start: Start, name: str, files: dict[str, str]
) -> None:
    """Parked processes answer, the address is held, and what serves ends when it is told to."""
    needs(name)
    before = files["app.py"].replace("import sys", "import sys\nsum(range(10**7))")
    live = start(*SCRIPT, files={"app.py": before, "pyproject.toml": QUICK})
    live.answers("body0 const0")
    live.event("listening")
    live.edit("app.py", "const0", "const1")
    live.answers("body0 const1")
    live.edit("app.py", "def app(", "deff app(")
    live.answers("SyntaxError")
    live.edit("app.py", "deff app(", "def app(")
    live.answers("body0 const1")
    assert live.start(2)["action"] == "resume"
    assert len(live.all("start")) == 4
    assert live.interrupt() in (0, 130)


GREEN_FLASK = "from gevent import monkey; monkey.patch_all()\n" + FLASK["app.py"]


@pytest.mark.parametrize(
    ("words", "files"),
    [((*GUNICORN, "-k", "gevent", "--keep-alive", "30"), FLASK), (SCRIPT, {"app.py": GREEN_FLASK})],
    ids=["gunicorn", "flask"],
)
def test_a_client_that_sends_nothing_does_not_hold_up_others(
    start: Start, words: Sequence[str], files: dict[str, str]
) -> None:
    """One of many tasks of a thread waits for it; what it sends after the save is for the next generation."""
    pytest.importorskip("gevent")
    pytest.importorskip("gunicorn" if words[0] == "gunicorn" else "flask")
    live = start(*words, files={**files, "pyproject.toml": QUICK})
    live.answers("body0")
    with socket.create_connection(("127.0.0.1", live.port), 10) as idle:
        assert "body0" in live.get()
        live.edit("app.py", "body0", "body1")
        live.answers("body1")
        idle.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with idle.makefile("rb") as answer:
            assert b"body1" in answer.read()


GREEN_ACCEPT = """
from gevent import monkey; monkey.patch_all()
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
again = listening.dup()
while True:
    connection, _address = WHICH.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nbody0")
"""


@pytest.mark.parametrize("name", ["listening", "again"])
def test_a_loop_around_accept_of_gevents(start: Start, name: str) -> None:
    """One socket is known to refork, and the copy of it is not."""
    pytest.importorskip("gevent")
    text = GREEN_ACCEPT.replace("WHICH", name)
    live = start(*SCRIPT, files={"app.py": text, "pyproject.toml": QUICK})
    live.answers("body0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1")
    assert not live.all("error")


def test_gevent_patches_in_a_process_that_stays_the_same(start: Start) -> None:
    """A fork while it does so would have it say that this is not the main thread."""
    pytest.importorskip("gevent")
    text = GEVENT["app.py"].replace(
        "monkey.patch_all()", "import time; time.sleep(2)\nmonkey.patch_all()"
    )
    live = start(*SCRIPT, files={"app.py": text})
    live.answers("body0")
    assert "MonkeyPatchWarning" not in live.err
    assert not [event for event in live.all("checkpoint") if "_patch_thread" in event["at"]]
