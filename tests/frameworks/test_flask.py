"""Flask and Werkzeug's own server under refork."""

from __future__ import annotations

import pytest

from frameworks.conftest import Start
from frameworks.sites import FLASK

pytest.importorskip("flask")

RUN = ("flask", "run", "--debug", "-p", "PORT")


@pytest.mark.parametrize("words", [RUN, RUN[:2] + RUN[3:], ("app.py", "PORT")], ids=" ".join)
def test_an_edit_is_served(start: Start, words: tuple[str, ...]) -> None:
    live = start(*words, files=FLASK)
    live.answers("body0 const0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1 const0")
    live.edit("app.py", "const0", "const1")
    live.answers("body1 const1")
    assert live.started()["action"] == "resume"
    assert len(live.all("start")) == 3


def test_a_body_is_grafted_before_the_debugger_is_made(start: Start) -> None:
    live = start(*RUN, files=FLASK)
    live.answers("body0")
    live.edit("app.py", "body0", "body1")
    live.answers("body1")
    assert live.started()["gear"] == "graft"


def test_it_is_the_child_of_a_reloader_that_says_where_it_listens_once(start: Start) -> None:
    live = start(*RUN, files=FLASK)
    live.answers("true", "/inside")
    live.edit("app.py", "body0", "body1")
    live.answers("body1")
    said = live.out + live.err
    assert said.count("* Debug mode: on") == 1
    assert said.count("* Running on http://") == 1
    assert said.count("* Debugger PIN: ") == 2
    assert "Restarting with" not in said


def test_without_the_debugger_nothing_is_said_of_it(start: Start) -> None:
    live = start(*RUN[:2], *RUN[3:], files=FLASK)
    live.answers("body0")
    assert "* Debug mode: off" in live.out + live.err
    assert "Debugger PIN" not in live.out + live.err


@pytest.mark.parametrize("words", [RUN, ("app.py", "PORT")], ids=" ".join)
def test_an_app_that_does_not_load_is_waited_over(start: Start, words: tuple[str, ...]) -> None:
    live = start(*words, files=FLASK)
    live.answers("body0")
    live.edit("app.py", '"const0"', "missing")
    live.event("exit")
    live.complains("NameError: name 'missing' is not defined")
    live.edit("app.py", "missing", '"const1"')
    live.answers("body0 const1")


def test_extra_files_and_patterns_to_leave_out(start: Start) -> None:
    files = {
        **FLASK,
        "more.yaml": "1",
        "app.py": FLASK["app.py"] + "\nimport helper\n",
        "helper.py": "",
    }
    live = start(
        *RUN, "--extra-files", "more.yaml", "--exclude-patterns", "*/helper.py", files=files
    )
    live.answers("body0")
    live.save("more.yaml", "2")
    assert live.start(2)["changed"] == [str(live.path("more.yaml"))]
    live.answers("body0")
    live.save("helper.py", "print('never loaded')\n")
    live.save("more.yaml", "3")
    assert live.start(3)["changed"] == [str(live.path("more.yaml"))]
    live.answers("body0")


def test_the_code_of_its_end(start: Start) -> None:
    live = start(*RUN, files=FLASK)
    live.answers("body0")
    assert live.interrupt() == 0
