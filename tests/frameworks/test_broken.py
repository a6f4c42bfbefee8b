"""However an application does not load, at first or later: refork waits, shows why, and serves it mended."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from frameworks.conftest import Start
from frameworks.driver import Served
from frameworks.sites import AIOHTTP, ASGI, FLASK, TORNADO

BREAKS = {
    "syntax": "def (:\n",
    "name": "missing_name\n",
    "module": "import no_such_module\n",
    "import": "from os import no_such_name\n",
    "exit": "raise SystemExit(1)\n",
}
FRAMEWORKS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "flask": (("flask", "run", "--debug", "--port", "PORT"), FLASK),
    "uvicorn": (("uvicorn", "app:app", "--reload", "--port", "PORT"), ASGI),
    "gunicorn": (("gunicorn", "app:app", "--reload", "-b", "127.0.0.1:PORT"), FLASK),
    "hypercorn": (("hypercorn", "app:app", "--reload", "-b", "127.0.0.1:PORT"), ASGI),
    "waitress": (("waitress-serve", "--port", "PORT", "app:app"), FLASK),
    "aiohttp": (("app.py", "PORT"), AIOHTTP),
    "tornado": (("app.py", "PORT"), TORNADO),
}
BY_NAME = ("uvicorn", "gunicorn", "hypercorn", "waitress")
"""Those that look for the application by its name; Flask takes any."""


def page(live: Served) -> str:
    """The page of a 500, as a browser gets it; "" where there is none."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=5)
        connection.request("GET", "/", headers={"Accept": "text/html"})
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    return text if answer.status == 500 and answer.getheader("X-Refork-Error") else ""


@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_broken_while_it_runs(start: Start, name: str, kind: str) -> None:
    pytest.importorskip(name)
    words, files = FRAMEWORKS[name]
    live = start(*words, files=files)
    live.answers("body0")
    text = live.path("app.py").read_text()
    live.save("app.py", BREAKS[kind] + text)
    live.exit(2, timeout=20)
    live.wait(lambda: page(live), 20, "the error page")
    if kind != "exit":
        assert "app.py" in page(live)
        assert {"syntax": "SyntaxError", "name": "missing_name"}.get(kind, "no_such") in page(live)
    live.save("app.py", text.replace("body0", "body1"))
    live.answers("body1")


@pytest.mark.parametrize("kind", ["syntax", "import"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_broken_from_the_start(start: Start, name: str, kind: str, tmp_path: Path) -> None:
    pytest.importorskip(name)
    words, files = FRAMEWORKS[name]
    text = files["app.py"]
    live = start(*words, files={**files, "app.py": BREAKS[kind] + text})
    live.exit(1, timeout=20)
    live.complains("waiting for a change")
    live.save("app.py", text.replace("body0", "body1"))
    live.answers("body1")


@pytest.mark.parametrize("name", BY_NAME)
def test_the_application_under_another_name(start: Start, name: str) -> None:
    pytest.importorskip(name)
    words, files = FRAMEWORKS[name]
    live = start(*words, files=files)
    live.answers("body0")
    text = live.path("app.py").read_text()
    live.save("app.py", text + "\nother = app\ndel app\n")
    live.exit(2, timeout=20)
    live.wait(lambda: page(live), 20, "the error page")
    live.save("app.py", text.replace("body0", "body1"))
    live.answers("body1")
