"""What a person sees, in a real browser: edits appear, errors show, both without a key pressed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from refork.web.error_page import ErrorPage
from refork.web.live import LiveReload
from refork.web.problem import Problem
from support.waiting import wait_for
from web.browser import chromium, site
from web.stage import Stage

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.timeout(120)

Make = Callable[[], Problem]
PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    made = chromium(tmp_path_factory.mktemp("profile"))
    yield made
    made.quit()


class Scene:
    """A supervisor's web part, a program, and a browser looking at it."""

    def __init__(
        self, stage: Stage, live: LiveReload, held: socket.socket, folder: Path, browser: Chrome
    ) -> None:
        self.stage, self.live, self.held, self.folder = stage, live, held, folder
        self.browser = browser
        self.page = ErrorPage(live.origin)
        self.url = f"http://localhost:{held.getsockname()[1]}/"
        self.text = "one"
        self.head = ""

    def body(self) -> str:
        return (
            f"<!doctype html><html><head><title>t</title>{self.head}</head>"
            f'<body><p id="text">{self.text}</p><input id="field">'
            '<div style="height:5000px"></div></body></html>'
        )

    def serve(self) -> Any:
        return site(self.held, self.folder, self.body)

    def notify(self, kind: str, files: tuple[str, ...] = (), generation: int = 1) -> None:
        self.stage.call(self.live.notify, kind, files, generation)

    def open(self) -> None:
        self.browser.get(self.url)
        self.until("return window.__refork && window.__refork.live", "connected")

    def js(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def until(self, script: str, what: str = "") -> Any:
        from selenium.common.exceptions import WebDriverException

        def look() -> Any:
            try:
                return self.js(script)
            except WebDriverException:
                return None  # between two pages

        return wait_for(look, 15, what or script)

    def until_text(self, text: str) -> None:
        script = "const e = document.getElementById('text'); return e && e.textContent"
        wait_for(lambda: self.until(script) == text, 15, f"the text {text!r}")


@pytest.fixture
def scene(
    stage: Stage,
    live: LiveReload,
    listening: socket.socket,
    tmp_path: Path,
    browser: Chrome,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    monkeypatch.setenv("REFORK_LIVE", live.origin)
    monkeypatch.setenv("REFORK_GENERATION", "1")
    made = Scene(stage, live, listening, tmp_path, browser)
    yield made
    first, *others = browser.window_handles
    for other in others:
        browser.switch_to.window(other)
        browser.close()
    browser.switch_to.window(first)
    browser.get("about:blank")
    stage.run(made.page.close())


def test_a_new_generation_reloads_the_page(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with scene.serve():
        scene.open()
        scene.until_text("one")
    scene.text = "two"
    monkeypatch.setenv("REFORK_GENERATION", "2")
    with scene.serve():
        scene.notify("ready", generation=2)
        scene.until_text("two")


def test_a_page_made_by_the_announced_generation_stays(scene: Scene) -> None:
    scene.notify("ready", generation=1)
    with scene.serve() as program:
        scene.open()
        scene.notify("ready", generation=1)
        scene.notify("css", ("/x/none.css",))  # heard after it: no style at all, so a reload
        wait_for(lambda: program.requests.count("GET /") >= 2, what="the reload")
        scene.until_text("one")
    assert program.requests.count("GET /") == 2


def test_broken_shows_why_and_mended_becomes_the_program(
    scene: Scene, broken: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with scene.serve():
        scene.open()
    scene.stage.call(scene.page.show, broken(), [scene.held])
    scene.notify("error", generation=4)
    heading = "const e = document.querySelector('h1'); return e && e.textContent"
    wait_for(lambda: scene.until(heading) == "NameError", 15, "the error page")
    assert "reponse" in scene.js("return document.querySelector('.failing pre').textContent")
    assert scene.js("return getComputedStyle(document.querySelector('h1')).fontWeight") == "600"
    assert scene.browser.save_screenshot(str(tmp_path / "error.png"))
    scene.stage.call(scene.page.show, Problem("ValueError", "next", generation=5), [scene.held])
    scene.notify("error", generation=5)
    wait_for(lambda: scene.until(heading) == "ValueError", 15, "the next error")
    scene.stage.call(scene.page.hide)
    scene.text = "mended"
    monkeypatch.setenv("REFORK_GENERATION", "6")
    with scene.serve():
        scene.notify("ready", generation=6)
        scene.until_text("mended")


def test_without_live_reload_the_error_page_asks_by_itself(
    scene: Scene, broken: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ErrorPage(None)
    monkeypatch.delenv("REFORK_LIVE")
    scene.stage.call(page.show, broken(), [scene.held])
    scene.browser.get(scene.url)
    scene.until("return document.querySelector('h1')")
    scene.stage.call(page.hide)
    with scene.serve():
        scene.until_text("one")
    scene.stage.run(page.close())


def test_the_error_page_obeys_its_own_policy(scene: Scene, broken: Make) -> None:
    scene.browser.get_log("browser")  # type: ignore[no-untyped-call]
    scene.stage.call(scene.page.show, broken(), [scene.held])
    scene.open()
    complaints = [
        entry["message"]
        for entry in scene.browser.get_log("browser")  # type: ignore[no-untyped-call]
        if "favicon" not in entry["message"] and "status of 500" not in entry["message"]
    ]
    assert complaints == []


def test_a_style_is_swapped_and_scroll_and_form_stay(scene: Scene) -> None:
    style = scene.folder / "site.css"
    style.write_text("#text { color: rgb(1, 2, 3) }")
    other = scene.folder / "other.css"
    other.write_text("#field { color: rgb(9, 9, 9) }")
    names = ("site", "other")
    scene.head = "".join(f'<link rel="stylesheet" href="/static/{name}.css">' for name in names)
    with scene.serve() as program:
        scene.open()
        scene.js("document.getElementById('field').value = 'typed'; scrollTo(0, 1234)")
        scene.js("window.marked = true")
        for green in (50, 51):
            style.write_text(f"#text {{ color: rgb(1, {green}, 3) }}")
            scene.notify("css", (str(style),))
            color = "return getComputedStyle(document.getElementById('text')).color"
            wait_for(lambda: scene.until(color) == f"rgb(1, {green}, 3)", 15, "the new colour")  # noqa: B023
        scene.until("return document.querySelectorAll('link').length === 2", "old styles removed")
        assert scene.js("return document.getElementById('field').value") == "typed"
        assert scene.js("return [scrollY, window.marked]") == [1234, True]
        assert "refork=" not in scene.js("return document.querySelectorAll('link')[1].href")
    assert program.requests.count("GET /") == 1


def test_an_imported_style_is_swapped(scene: Scene) -> None:
    (scene.folder / "site.css").write_text('@import "base.css"; p { margin: 0 }')
    base = scene.folder / "base.css"
    base.write_text("#text { color: rgb(1, 2, 3) }")
    scene.head = '<link rel="stylesheet" href="/static/site.css">'
    with scene.serve():
        scene.open()
        scene.js("window.marked = true")
        base.write_text("#text { color: rgb(7, 7, 7) }")
        scene.notify("css", (str(base),))
        color = "return getComputedStyle(document.getElementById('text')).color"
        wait_for(lambda: scene.until(color) == "rgb(7, 7, 7)", 15, "the new colour")
        assert scene.js("return window.marked")


def test_images_are_swapped(scene: Scene) -> None:
    image = scene.folder / "dot.gif"
    image.write_bytes(PIXEL)
    scene.head = (
        '<link rel="icon" href="/static/dot.gif">'
        "<style>#text { background-image: url('/static/dot.gif') }</style>"
    )
    scene.text = '<img id="i" src="/static/dot.gif" srcset="/static/dot.gif 1x, /static/no.gif 2x">'
    with scene.serve():
        scene.open()
        scene.js("window.marked = true")
        image.write_bytes(PIXEL[:6] + b"\x07" + PIXEL[7:8] + PIXEL[8:])
        scene.notify("image", (str(image),))
        scene.until("return window.__refork.swaps")
        scene.until("return document.getElementById('i').src.includes('refork=')")
        shown = "return getComputedStyle(document.getElementById('text')).backgroundImage"
        assert "refork=" in scene.js(shown)
        assert "no.gif 2x" in scene.js("return document.getElementById('i').srcset")
        assert scene.js("return document.getElementById('i').srcset.match(/refork=/g).length") == 1
        assert "refork=" in scene.js("return document.querySelector('link[rel=icon]').href")
        assert scene.js("return window.marked")


def test_a_template_reloads_the_page(scene: Scene) -> None:
    with scene.serve():
        scene.open()
        scene.text = "from the template"
        scene.notify("reload", ("/p/base.html",))
        scene.until_text("from the template")


def test_a_strict_policy_lets_the_script_through(scene: Scene) -> None:
    with scene.serve() as program:
        for policy in (
            "default-src 'self'",
            "default-src 'none'; script-src 'none'",
            "script-src 'strict-dynamic' 'sha256-AAAA'; connect-src 'self'",
            "upgrade-insecure-requests; default-src 'self'",
        ):
            program.headers = [("Content-Security-Policy", policy)]
            scene.open()


def test_the_answer_to_a_form_is_not_sent_again(scene: Scene) -> None:
    with scene.serve() as program:
        scene.open()
        scene.js(
            "const f = document.createElement('form'); f.method = 'post'; f.action = '/form';"
            "document.body.append(f); f.submit()"
        )
        scene.until("return location.pathname === '/form' && window.__refork && __refork.live")
        scene.notify("ready", generation=2)
        scene.until("return document.getElementById('refork-notice')")
    assert program.requests.count("POST /form") == 1


def open_tabs(scene: Scene, number: int) -> list[str]:
    scene.open()
    for _ in range(number - 1):
        scene.browser.switch_to.new_window("tab")
        scene.open()
    return list(scene.browser.window_handles)


def test_many_tabs_share_one_connection_and_all_reload(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More tabs than a browser has connections to one server."""
    with scene.serve():
        tabs = open_tabs(scene, 10)
        assert scene.stage.call(lambda: scene.live.streams) == 1
        scene.text = "two"
        monkeypatch.setenv("REFORK_GENERATION", "2")
        scene.notify("ready", generation=2)
        for tab in tabs:
            scene.browser.switch_to.window(tab)
            scene.until_text("two")
            scene.until("return window.__refork && window.__refork.live", "connected again")
        assert scene.stage.call(lambda: scene.live.streams) == 1


def test_when_the_leading_tab_closes_another_one_leads(scene: Scene) -> None:
    with scene.serve():
        tabs = open_tabs(scene, 3)
        leads = "return window.__refork.leads"
        for remaining in (2, 1):
            for tab in tabs:
                scene.browser.switch_to.window(tab)
                if scene.js(leads):
                    break
            scene.browser.close()
            tabs.remove(tab)
            wait_for(lambda: _leaders(scene, tabs) == 1, 15, "one leads")
            assert len(tabs) == remaining
        scene.browser.switch_to.window(tabs[0])
        scene.until("return window.__refork.live")
        scene.text = "heard"
        scene.notify("reload", ("/p/a.html",))
        scene.until_text("heard")


def _leaders(scene: Scene, tabs: list[str]) -> int:
    count = 0
    for tab in tabs:
        scene.browser.switch_to.window(tab)
        count += bool(scene.js("return window.__refork.leads && window.__refork.live"))
    return count


def test_a_tab_that_lost_the_connection_catches_up(scene: Scene) -> None:
    with scene.serve():
        scene.open()
        port = int(scene.live.origin.rpartition(":")[2])
        scene.stage.run(scene.live.close())
        scene.until("return !window.__refork.live", "disconnected")
        scene.text = "missed"
        scene.notify("reload", ("/p/a.html",))
        scene.stage.run(scene.live.start(port))
        scene.until_text("missed")


def test_a_page_from_the_back_button_is_brought_up_to_date(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scene.serve():
        scene.open()
        scene.browser.get(scene.url + "other")
        scene.until("return window.__refork && window.__refork.live")
        scene.text = "two"
        monkeypatch.setenv("REFORK_GENERATION", "2")
        scene.notify("ready", generation=2)
        scene.until_text("two")
        scene.browser.back()
        scene.until("return location.pathname === '/'")
        scene.until_text("two")


def test_a_page_from_a_cache_does_not_reload_for_ever(scene: Scene) -> None:
    """Its script names generation 1 whatever is asked; the guard stops after one try."""
    with scene.serve() as program:
        scene.notify("ready", generation=9)
        scene.open()
        wait_for(lambda: program.requests.count("GET /") == 2, what="one reload")
        scene.until("return window.__refork && window.__refork.live")
        scene.notify("css", ("/x/none.css",))  # a reload that is due
        wait_for(lambda: program.requests.count("GET /") == 3, what="the other reload")
        scene.until("return window.__refork && window.__refork.live")
        assert program.requests.count("GET /") == 3
