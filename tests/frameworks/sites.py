"""Small programs in each framework: `/` tells what a body and a module constant say."""

from __future__ import annotations

import struct

DJANGO = {
    "manage.py": """
import os, sys
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    execute_from_command_line(sys.argv)
""",
    "site_settings.py": """
from pathlib import Path

SECRET_KEY = "not kept"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "site_urls"
HERE = Path(__file__).parent
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles", "shop",
]
MIDDLEWARE = ["django.middleware.locale.LocaleMiddleware"]
STATIC_URL = "/static/"
LOCALE_PATHS = [HERE / "locale"]
LANGUAGE_CODE = "de"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HERE / "db.sqlite3"}}
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [HERE / "templates"],
    "APP_DIRS": True,
}]
""",
    "site_urls.py": """
from django.urls import path
from shop import views

urlpatterns = [
    path("", views.home), path("page", views.page), path("word", views.word),
    path("inside", views.inside),
]
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models

class Order(models.Model):
    number = models.IntegerField()
""",
    "shop/views.py": """
import os, sys, threading
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

CONSTANT = "const0"

def home(request):
    return HttpResponse("body0 " + CONSTANT)

def page(request):
    return render(request, "page.html")

def word(request):
    return HttpResponse(gettext("word"))

def inside(request):
    names = sorted(thread.name for thread in threading.enumerate())
    here = threading.main_thread().name
    return HttpResponse(f"{os.environ.get('RUN_MAIN')} {here} {names}")
""",
    "templates/page.html": "template0",
}

FLASK = {
    "app.py": """
import os
import sys

from flask import Flask

app = Flask(__name__)
CONSTANT = "const0"

@app.get("/")
def home():
    return "body0 " + CONSTANT

@app.get("/inside")
def inside():
    return os.environ.get("WERKZEUG_RUN_MAIN", "")

if __name__ == "__main__":
    app.run(port=int(sys.argv[1]), debug=True)
""",
}

ASGI = {
    "app.py": """
import threading

CONSTANT = "const0"

def note(text):
    with open("notes.log", "a") as file:
        file.write(text + "\\n")

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text().encode()})

async def lifespan(receive, send):
    while True:
        message = await receive()
        note(message["type"])
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return

def text():
    return "body0 " + CONSTANT
""",
    "serve.py": """
import sys
import uvicorn

if __name__ == "__main__":
    uvicorn.run("app:app", port=int(sys.argv[1]), reload=True)
""",
}

FASTAPI = {
    "app.py": """
from contextlib import asynccontextmanager

from fastapi import FastAPI

CONSTANT = "const0"

@asynccontextmanager
async def lifespan(app):
    app.state.ready = True
    yield

app = FastAPI(lifespan=lifespan)

@app.get("/")
async def home():
    return {"says": "body0 " + CONSTANT, "ready": app.state.ready}
""",
}

AIOHTTP = {
    "app.py": """
import sys
from aiohttp import web

CONSTANT = "const0"

async def home(request):
    return web.Response(text="body0 " + CONSTANT)

app = web.Application()
app.router.add_get("/", home)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
""",
}

TORNADO = {
    "app.py": """
import asyncio
import sys
import tornado.web

CONSTANT = "const0"

class Home(tornado.web.RequestHandler):
    def get(self):
        self.write("body0 " + CONSTANT)

async def main():
    app = tornado.web.Application([("/", Home)], debug=True)
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
""",
}

CELERY = {
    "proj.py": """
import os
from celery import Celery

app = Celery("proj", broker=os.environ["BROKER"], backend=os.environ["BROKER"], include=["tasks"])
""",
    "tasks.py": """
import os
from proj import app

CONSTANT = "const0"

@app.task
def tell():
    return f"body0 {CONSTANT}"
""",
}


def catalogue(translations: dict[str, str]) -> bytes:
    """A compiled catalogue of gettext's (.mo), as its manual describes the format."""
    entries = sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **translations}.items())
    tables: list[bytes] = [b"", b""]
    texts = b""
    start = 28 + 16 * len(entries)
    for column in (0, 1):
        for entry in entries:
            text = entry[column].encode()
            tables[column] += struct.pack("<II", len(text), start + len(texts))
            texts += text + b"\0"
    count = len(entries)
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    return head + tables[0] + tables[1] + texts


QUART = {
    "app.py": """
import sys
from quart import Quart

app = Quart(__name__)
CONSTANT = "const0"

@app.get("/")
async def home():
    return "body0 " + CONSTANT

if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
"""
}
"""`app.run()` reloads by itself, with or without debug."""

GEVENT = {
    "app.py": """
from gevent import monkey
monkey.patch_all()
import sys
from gevent.pywsgi import WSGIServer

CONSTANT = "const0"

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("body0 " + CONSTANT).encode()]

if __name__ == "__main__":
    WSGIServer(("127.0.0.1", int(sys.argv[1])), app, log=None).serve_forever()
"""
}

EVENTLET = {
    "app.py": """
import warnings
warnings.simplefilter("ignore")  # that it is deprecated is told with a line of this file, which is then read
import eventlet
eventlet.monkey_patch()
import sys
from eventlet import wsgi

CONSTANT = "const0"

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("body0 " + CONSTANT).encode()]

if __name__ == "__main__":
    wsgi.server(eventlet.listen(("127.0.0.1", int(sys.argv[1]))), app, log_output=False)
"""
}
