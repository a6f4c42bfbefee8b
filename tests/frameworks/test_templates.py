"""A saved template is served at once by engines that would keep the old one, and restarts nothing."""

from __future__ import annotations

import pytest

from frameworks.conftest import Start

BASE = "<body>base0 {% block main %}{% endblock %} {% include 'part.html' %}</body>"
PAGE = "{% extends 'base.html' %}{% block main %}page0{% endblock %}"
TEMPLATES = {
    "templates/base.html": BASE,
    "templates/page.html": PAGE,
    "templates/part.html": "part0",
}
FLASK = """
from flask import Flask, render_template
app = Flask(__name__)

@app.get("/")
def index():
    return render_template("page.html")
"""
DJANGO = """
import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.shortcuts import render
from django.urls import path

settings.configure(
    DEBUG=DEBUGGING,
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": ["templates"]}],
)

def index(request):
    return render(request, "page.html")

urlpatterns = [path("", index)]
asgi, wsgi = get_asgi_application(), get_wsgi_application()
"""
TORNADO = """
import asyncio, sys
import tornado.web

class Index(tornado.web.RequestHandler):
    def get(self):
        self.render("page.html")

async def main():
    app = tornado.web.Application([("/", Index)], template_path="templates")
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""
TORNADO_TEMPLATES = {
    "templates/base.html": "<body>base0 {% block main %}{% end %} {% include 'part.html' %}</body>",
    "templates/page.html": "{% extends 'base.html' %}{% block main %}page0{% end %}",
    "templates/part.html": "part0",
}
UVICORN = ("uvicorn", "app:asgi", "--port", "PORT")
GUNICORN = ("gunicorn", "app:wsgi", "-b", "127.0.0.1:PORT", "--workers", "2")
PROGRAMS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "flask": (("flask", "run", "--port", "PORT"), {"app.py": FLASK, **TEMPLATES}),
    "gunicorn flask": (
        ("gunicorn", "app:app", "-b", "127.0.0.1:PORT"),
        {"app.py": FLASK, **TEMPLATES},
    ),
    "uvicorn django": (UVICORN, {"app.py": DJANGO.replace("DEBUGGING", "True"), **TEMPLATES}),
    "gunicorn django": (GUNICORN, {"app.py": DJANGO.replace("DEBUGGING", "False"), **TEMPLATES}),
    "tornado": (("app.py", "PORT"), {"app.py": TORNADO, **TORNADO_TEMPLATES}),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_saved_template_is_served(start: Start, name: str) -> None:
    for needed in name.split():
        pytest.importorskip(needed)
    words, files = PROGRAMS[name]
    live = start(*words, files=files)
    live.answers("base0 page0 part0")
    live.settle("templates/other.html")
    seen = ["base0", "page0", "part0"]
    for turn, part in enumerate(("base", "page", "part")):
        live.edit(f"templates/{part}.html", f"{part}0", f"{part}1")
        seen[turn] = f"{part}1"
        assert " ".join(seen) in live.get()
        path = str(live.path(f"templates/{part}.html"))
        live.event("refresh", files=[path], by="browser")
    assert len(live.all("start")) == 1


def test_a_template_that_was_missing(start: Start) -> None:
    pytest.importorskip("django")
    pytest.importorskip("uvicorn")
    files = {"app.py": DJANGO.replace("DEBUGGING", "True"), "templates/other.html": ""}
    live = start(*UVICORN, files=files)
    live.answers("TemplateDoesNotExist")
    live.save("templates/page.html", "here")
    live.answers("here")
    assert len(live.all("start")) == 1
