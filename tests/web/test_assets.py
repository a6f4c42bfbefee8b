"""Templates, styles and scripts: browsers are refreshed, and the program goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.live import Event, Live

SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
server.serve_forever()
"""
READS = 'text = open("page.html").read()\n' + SERVER

Start = Callable[..., Live]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Live] = []
    folder = tmp_path / "site"
    folder.mkdir()

    def begin(files: dict[str, str], *options: str, words: tuple[str, ...] = ("serve.py",)) -> Live:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        started.append(Live(folder, *words, options=options))
        started[-1].event("ready")
        return started[-1]

    yield begin
    for live in started:
        live.close()


def refreshed(live: Live, name: str, count: int = 1) -> None:
    """Wait until the browser has been told of a file so often."""
    path = str(live.path(name))
    live.wait(
        lambda: sum(path in event["files"] for event in live.all("refresh", by="browser")) >= count,
        10,
        f"{name} refreshed {count} times",
    )


def stayed(live: Live) -> bool:
    return len(live.all("start")) == 1


def test_what_browsers_show_is_refreshed(start: Start) -> None:
    names = ["static/site.css", "static/site.js", "static/deep/logo.png", "templates/page.html"]
    live = start({"serve.py": SERVER, **dict.fromkeys(names, "1")})
    live.settle(names[0])
    for name in names[1:]:
        live.save(name, "2")
        refreshed(live, name)
    assert stayed(live)


def test_a_new_folder_is_looked_into(start: Start) -> None:
    live = start({"serve.py": SERVER, "static/site.css": "1"})
    live.settle("static/site.css")
    live.save("static/new/further.css", "1")
    refreshed(live, "static/new/further.css")
    live.save("static/new/further.css", "2")
    refreshed(live, "static/new/further.css", 2)
    assert stayed(live)


def test_what_the_program_read_while_loading_restarts_it(start: Start) -> None:
    live = start({"serve.py": READS, "page.html": "1", "site.css": "1"})
    live.settle("site.css")
    live.save("page.html", "2")
    live.start(2)
    page = str(live.path("page.html"))
    assert not [event for event in live.all("refresh") if page in event["files"]]


def test_what_is_hidden_foreign_or_left_out_is_not(start: Start) -> None:
    files = {
        "serve.py": SERVER,
        "site.css": "1",
        "node_modules/lib/lib.js": "1",
        ".hidden/page.html": "1",
        "venv/pyvenv.cfg": "",
        "venv/lib/style.css": "1",
        "left/out.css": "1",
    }
    live = start(files, "--ignore", "left/**")
    live.settle("site.css")
    for name in list(files)[2:]:
        live.save(name, "2")
    live.save("site.css", "last")
    refreshed(live, "site.css", 2)
    told = {path for event in live.all("refresh") for path in event["files"]}
    assert told == {str(live.path("site.css"))}
    assert stayed(live)


def test_refresh_names_further_files(start: Start) -> None:
    live = start({"serve.py": SERVER, "texts/a.md": "1"}, "--refresh", "texts/*.md")
    live.settle("texts/a.md")
    assert stayed(live)


def test_without_live_reload_nothing_is_refreshed_but_what_was_asked_for(start: Start) -> None:
    live = start(
        {"serve.py": SERVER, "site.css": "1", "a.md": "1"},
        "--no-live-reload",
        "--refresh",
        "*.md",
    )
    live.save("site.css", "2")
    live.settle("a.md")
    told = {path for event in live.all("refresh") for path in event["files"]}
    assert told == {str(live.path("a.md"))}


def heard_of(live: Live, before: list[Event]) -> bool:
    return live.all("refresh") != before or "all the time" in live.err


def test_a_file_that_changes_all_the_time_is_given_up(start: Start) -> None:
    """Else a page that is written when it is asked for would be asked for without end."""
    live = start({"serve.py": SERVER, "report.html": "0", "site.css": "1"})
    live.settle("site.css")
    for turn in range(1, 12):
        before = list(live.all("refresh"))
        live.save("report.html", str(turn))
        if "changes all the time" in live.err:
            break
        live.wait(partial(heard_of, live, before), 5, "told")
    live.complains("changes all the time")


def test_static_folders_of_serve(start: Start, tmp_path: Path) -> None:
    outside = tmp_path / "assets"
    outside.mkdir()
    (outside / "app.wasm").write_text("1")
    app = "def app(environ, start):\n    start('200 OK', [])\n    return [b'']\n"
    words = ("serve", "--bind", "127.0.0.1:0", "--static", f"/s={outside}", "app:app")
    live = start({"app.py": app}, words=words)
    live.settle("../assets/app.wasm")
    assert live.all("refresh")[0]["files"] == [str(outside / "app.wasm")]
    assert stayed(live)
