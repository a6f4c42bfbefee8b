"""The real command line in a real browser: nobody presses a key in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.live import Live
from support.ports import free_port
from web.browser import chromium

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.timeout(120)

MANAGE = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
from pathlib import Path
HERE = Path(__file__).parent
DEBUG = True
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
STATICFILES_DIRS = [HERE / "assets"]
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [HERE / "templates"]}
]
"""
URLS = "from django.urls import path\nfrom views import index\nurlpatterns = [path('', index)]\n"
VIEWS = """
from django.shortcuts import render

def index(request):
    return render(request, "page.html", {"text": "one"})
"""
PAGE = """<!doctype html><html><head><title>t</title>
{% load static %}<link rel="stylesheet" href="{% static 'site.css' %}"></head>
<body><p id="text">{{ text }}</p><p id="template">first</p><input id="field">
<div style="height:5000px"></div></body></html>"""

DJANGO = {
    "manage.py": MANAGE,
    "settings.py": SETTINGS,
    "urls.py": URLS,
    "views.py": VIEWS,
    "templates/page.html": PAGE,
    "assets/site.css": "body { color: rgb(1, 2, 3) }",
}
ASGI = """
TEXT = "one"
PAGE = '<!doctype html><title>t</title><p id="text">%s</p><input id="field">'

async def app(scope, receive, send):
    body = (PAGE % TEXT).encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    made = chromium(tmp_path_factory.mktemp("profile"))
    yield made
    made.quit()


class Watched:
    """A program under refork, and a browser that looks at it."""

    def __init__(self, live: Live, port: int, browser: Chrome) -> None:
        self.live, self.browser = live, browser
        self.url = f"http://localhost:{port}/"

    def open(self) -> None:
        self.browser.get(self.url)
        self.until("return window.__refork && window.__refork.live", True)

    def until(self, script: str, wanted: object) -> None:
        from selenium.common.exceptions import WebDriverException

        def look() -> bool:
            try:
                return bool(self.browser.execute_script(script) == wanted)
            except WebDriverException:
                return False  # between two pages

        self.live.wait(look, 20, f"{wanted!r} by {script}")

    def shows(self, text: str, where: str = "text") -> None:
        find = f"const e = document.getElementById('{where}'); return e && e.textContent"
        self.until(find, text)

    def js(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.live.path(name).read_text()
        assert old in text
        self.live.save(name, text.replace(old, new))


Begin = Callable[..., Watched]


@pytest.fixture
def begin(tmp_path: Path, browser: Chrome) -> Iterator[Begin]:
    started: list[Live] = []
    folder = tmp_path / "site"
    folder.mkdir()

    def start(files: dict[str, str], *words: str, options: tuple[str, ...] = ()) -> Watched:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        port = free_port()
        words = tuple(word.replace("PORT", str(port)) for word in words)
        started.append(Live(folder, *words, options=options))
        started[-1].event("listening", timeout=20)
        return Watched(started[-1], port, browser)

    yield start
    browser.get("about:blank")
    for live in started:
        live.close()


@pytest.fixture
def django(begin: Begin) -> Watched:
    pytest.importorskip("django")
    watched = begin(DJANGO, "manage.py", "runserver", "127.0.0.1:PORT")
    watched.open()
    watched.shows("one")
    return watched


@pytest.fixture
def uvicorn(begin: Begin) -> Watched:
    pytest.importorskip("uvicorn")
    watched = begin({"app.py": ASGI}, "-m", "uvicorn", "app:app", "--port", "PORT")
    watched.open()
    watched.shows("one")
    return watched


def test_django_an_edit_appears(django: Watched) -> None:
    django.edit("views.py", '"one"', '"two"')
    django.shows("two")
    django.edit("views.py", '"two"', '"three"')
    django.shows("three")


def test_django_breaks_and_is_mended(django: Watched, tmp_path: Path) -> None:
    django.edit("views.py", "def index(request):", "def index(request:")
    django.until("return document.querySelector('h1') && document.title.length > 0", True)
    django.live.wait(lambda: "SyntaxError" in django.browser.page_source, 10, "the error page")
    assert "views.py" in django.browser.page_source
    shot = os.environ.get("SCREENSHOTS")
    if shot:
        django.browser.save_screenshot(os.path.join(shot, "broken.png"))
    django.edit("views.py", "def index(request:", "def index(request):")
    django.shows("one")


def test_django_a_template_is_seen_without_a_restart(django: Watched) -> None:
    django.edit("templates/page.html", "first", "second")
    django.shows("second", "template")
    assert len(django.live.all("start")) == 1


def test_django_a_style_keeps_scroll_and_form(django: Watched) -> None:
    django.js("document.getElementById('field').value = 'typed'; window.scrollTo(0, 700)")
    django.js("window.same = true")
    django.edit("assets/site.css", "rgb(1, 2, 3)", "rgb(7, 8, 9)")
    django.until("return getComputedStyle(document.body).color", "rgb(7, 8, 9)")
    assert django.js("return window.same") is True
    assert django.js("return document.getElementById('field').value") == "typed"
    assert django.js("return window.scrollY") == 700
    assert len(django.live.all("start")) == 1


def test_uvicorn_breaks_and_is_mended(uvicorn: Watched) -> None:
    uvicorn.edit("app.py", 'TEXT = "one"', "TEXT = one")
    uvicorn.live.wait(lambda: "NameError" in uvicorn.browser.page_source, 20, "the error page")
    uvicorn.edit("app.py", "TEXT = one", 'TEXT = "mended"')
    uvicorn.shows("mended")
    uvicorn.edit("app.py", '"mended"', '"last"')
    uvicorn.shows("last")


TORNADO = """
import asyncio
import tornado.web
import refork
TEXT = "one"

class Page(tornado.web.RequestHandler):
    def get(self):
        self.write(f'<!doctype html><p id="text">{TEXT}</p>{refork.live_script()}')

async def main():
    tornado.web.Application([("/", Page)]).listen(PORT, "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_page_with_the_tag_of_its_own(begin: Begin) -> None:
    pytest.importorskip("tornado")
    port = str(free_port())
    watched = begin({"app.py": TORNADO.replace("PORT", port)}, "app.py")
    watched.url = f"http://localhost:{port}/"
    watched.open()
    watched.shows("one")
    watched.edit("app.py", '"one"', '"two"')
    watched.shows("two")
    watched.edit("app.py", '"two"', '"three')
    watched.until(
        "const e = document.querySelector('h1'); return e && e.textContent", "SyntaxError"
    )
    watched.edit("app.py", '"three', '"three"')
    watched.shows("three")


def test_without_live_reload_the_page_stays(begin: Begin) -> None:
    pytest.importorskip("uvicorn")
    words = ("-m", "uvicorn", "app:app", "--port", "PORT")
    watched = begin({"app.py": ASGI}, *words, options=("--no-live-reload",))
    watched.browser.get(watched.url)
    watched.shows("one")
    watched.edit("app.py", '"one"', '"two"')
    watched.live.event("listening", generation=2)
    watched.shows("one")
    assert "<script" not in watched.browser.page_source
