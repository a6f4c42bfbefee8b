"""A problem as a value and as a page: what is looked at first, and nothing that runs or leaks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refork.web import highlight, page
from refork.web.edits import classify
from refork.web.problem import CONTEXT, Frame, Problem, frame_at, lines_around


def test_lines_around(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("\n".join(f"line {n}" for n in range(1, 31)))
    numbers = [one.number for one in lines_around(str(file), 10)]
    assert numbers == list(range(10 - CONTEXT, 10 + CONTEXT + 1))
    assert next(one.text for one in lines_around(str(file), 1)) == "line 1"
    assert [one.number for one in lines_around(str(file), 30)][-1] == 30


def test_the_file_is_read_in_its_own_encoding(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"))
    assert frame_at(str(file), 2, "f").source == "x = 'é'"


def test_files_that_cannot_be_read_have_no_lines(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_bytes(b"# coding: nonsense\nx\n")
    os.mkfifo(tmp_path / "pipe.py")
    for name in ("absent.py", "bad.py", "pipe.py", ".", "nul\0.py", "<string>"):
        assert lines_around(str(tmp_path / name), 1) == ()


def test_the_changed_files_frame_comes_first() -> None:
    frames = [
        Frame("/p/main.py", 1, "a"),
        Frame("/p/changed.py", 2, "b"),
        Frame("/p/late.py", 3, "c"),
    ]
    assert Problem("E", "", tuple(frames), changed=("/p/changed.py",)).focus == frames[1]
    assert Problem("E", "", tuple(frames)).focus == frames[2]


def test_the_projects_frame_comes_before_a_librarys() -> None:
    own, library = Frame("/p/main.py", 1, "a"), Frame(json.__file__, 3, "loads")
    installed = Frame("/v/lib/site-packages/x.py", 1, "f")
    assert Problem("E", "", (own, library, installed)).focus == own
    assert Problem("E", "", (library, installed)).focus == installed
    assert Problem("E", "").focus is None


def test_the_import_systems_frames_are_not_shown() -> None:
    frames = (Frame("/p/main.py", 1, "a"), Frame("<frozen importlib._bootstrap>", 2, "_load"))
    mine = Frame(page.__file__, 3, "x")
    assert Problem("E", "", (*frames, mine)).shown == frames[:1]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"),
        ("*/*", "text"),
        ("", "text"),
        ("application/json", "json"),
        ("application/json, text/plain, */*", "json"),
        ("application/problem+json", "json"),
        ("text/html;q=0.1, application/json;q=0.9", "json"),
        ("text/plain, text/html;q=0.5", "text"),
        ("text/html;q=1.2.3, , ;;", "text"),
        ("image/avif,image/webp", "text"),
    ],
)
def test_the_format_that_a_client_asks_for(accept: str, expected: str) -> None:
    assert page.preferred(accept) == expected


def test_as_text_is_pythons_own_form(broken: Callable[[], Problem]) -> None:
    text = page.as_text(broken())
    assert text.startswith("refork: generation 4 does not start.\n\nTraceback (most recent")
    assert text.endswith("    return reponse\nNameError: name 'reponse' is not defined\n")


def test_as_json(broken: Callable[[], Problem]) -> None:
    error = json.loads(page.as_json(broken()))["error"]
    assert (error["type"], error["line"], error["generation"]) == ("NameError", 5, 4)
    assert error["traceback"][-1]["source"] == "return reponse"


def test_causes_are_shown() -> None:
    first = Problem("KeyError", "'a'")
    problem = Problem(
        "ImportError", "no", cause=Problem("B", "b", cause=first), cause_is_direct=False
    )
    text = page.as_text(problem)
    assert text.index("KeyError") < text.index("direct cause") < text.index("B: b")
    assert text.index("B: b") < text.index("During handling") < text.index("ImportError: no")
    html = page.as_html(problem, "n", None)
    assert re.findall(r"<span>(Caused by|While handling)</span> (\w+)", html) == [
        ("While handling", "B"),
        ("Caused by", "KeyError"),
    ]


def test_a_syntax_errors_column_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = (1,\n")
    problem = Problem.read("SyntaxError", "never closed", syntax=(str(file), 1, 5))
    assert "<mark>(</mark>" in page.as_html(problem, "n", None)


EVIL = "<script>alert(1)</script>\"'&"


def test_everything_is_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "<img src=x>"
    folder.mkdir()
    file = folder / "a.py"
    file.write_text(f"x = 1 {EVIL}\n")
    inner = Problem.read(EVIL, EVIL, [(str(file), 1, EVIL)])
    problem = Problem.read(
        EVIL, EVIL, [(str(file), 1, EVIL)], changed=[str(file)], text=EVIL, cause=inner
    )
    html = page.as_html(problem, "n", "http://127.0.0.1:1")
    assert "<script>" not in html
    assert "<img" not in html
    scripts = re.findall(r"<script [^>]*>", html)
    assert all('nonce="n"' in script for script in scripts)


@given(st.text(alphabet="'\"#@<>&\\fr =ab1.(", max_size=60))
def test_highlighting_changes_no_character(line: str) -> None:
    import html

    shown = highlight.python(line)
    assert html.unescape(re.sub(r"</?i[^>]*>", "", shown)) == line


def test_highlighting() -> None:
    assert highlight.python("if x.len > len('a'):  # b") == (
        '<i class="k">if</i> x.len &gt; <i class="b">len</i>(<i class="s">&#x27;a&#x27;</i>):'
        '  <i class="c"># b</i>'
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/p/static/Site.CSS", "css"),
        ("/p/logo.svg", "image"),
        ("/p/logo.PNG", "image"),
        ("/p/app.js", "reload"),
        ("/p/base.html", "reload"),
        ("/p/site.scss", "reload"),
        ("/p/css", "reload"),
        ("/p/.css", "reload"),
    ],
)
def test_what_a_browser_does_about_a_file(path: str, expected: str) -> None:
    assert classify(path) == expected
