"""The smallest site of each server that is put under load. Each answers with its version."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Site:
    """`words` start it, with a port for PORT; `edited` is the file with `LOADED` and `body`."""

    words: tuple[str, ...]
    files: dict[str, str]
    edited: str
    needs: str = ""
    """A module without which it does not start, and the test is skipped."""


DJANGO_MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
DJANGO_SETTINGS = """
DEBUG = True
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
USE_TZ = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"django.server": {"level": "ERROR"}},
}
"""
DJANGO_URLS = """
from django.urls import path
from views import index
urlpatterns = [path("", index)]
"""
DJANGO_VIEWS = """
from django.http import HttpResponse

LOADED = 1

def index(request):
    body = 1
    return HttpResponse(str(max(LOADED, body)), content_type="text/plain")
"""
ASGI = """
LOADED = 1

async def app(scope, receive, send):
    body = 1
    assert scope["type"] == "http"
    text = str(max(LOADED, body)).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})
"""
WSGI = """
LOADED = 1

def app(environ, start_response):
    body = 1
    text = str(max(LOADED, body)).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
"""
DJANGO_FILES = {
    "manage.py": DJANGO_MANAGE,
    "settings.py": DJANGO_SETTINGS,
    "urls.py": DJANGO_URLS,
    "views.py": DJANGO_VIEWS,
}
FLASK = """
from flask import Flask

LOADED = 1
app = Flask(__name__)

@app.get("/")
def index():
    body = 1
    return str(max(LOADED, body)), {"content-type": "text/plain"}
"""
WSGIREF = """
from wsgiref.simple_server import make_server
import app
server = make_server("127.0.0.1", PORT, app.app)
server.RequestHandlerClass.log_message = lambda *_: None
server.serve_forever()
"""

WAITRESS = """
import app, waitress
waitress.serve(app.app, host="127.0.0.1", port=PORT)
"""
AIOHTTP = """
from aiohttp import web

LOADED = 1

async def index(request):
    body = 1
    return web.Response(text=str(max(LOADED, body)))

app = web.Application()
app.add_routes([web.get("/", index)])
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=PORT, print=None)
"""
TORNADO = """
import asyncio
import tornado.web

LOADED = 1

class Index(tornado.web.RequestHandler):
    def get(self):
        body = 1
        self.write(str(max(LOADED, body)))

async def main():
    tornado.web.Application([("/", Index)]).listen(PORT, "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""

SITES = {
    "django": Site(("manage.py", "runserver", "127.0.0.1:PORT"), DJANGO_FILES, "views.py"),
    "uvicorn": Site(
        ("-m", "uvicorn", "app:app", "--port", "PORT", "--log-level", "warning"),
        {"app.py": ASGI},
        "app.py",
    ),
    "gunicorn": Site(
        ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "app:app"),
        {"app.py": WSGI},
        "app.py",
    ),
    "gunicorn threads": Site(
        (
            "-m",
            "gunicorn",
            "-b",
            "127.0.0.1:PORT",
            "--threads",
            "4",
            "--log-level",
            "warning",
            "app:app",
        ),
        {"app.py": WSGI},
        "app.py",
    ),
    "gunicorn with uvicorn's worker": Site(
        (
            *("-m", "gunicorn", "-b", "127.0.0.1:PORT", "--workers", "2"),
            *("-k", "uvicorn.workers.UvicornWorker", "--log-level", "warning", "app:app"),
        ),
        {"app.py": ASGI},
        "app.py",
    ),
    "flask": Site(("-m", "flask", "run", "--port", "PORT"), {"app.py": FLASK}, "app.py"),
    "wsgiref": Site(("serve.py",), {"app.py": WSGI, "serve.py": WSGIREF}, "app.py"),
    "uvicorn on uvloop": Site(
        (
            "-m",
            "uvicorn",
            "app:app",
            "--port",
            "PORT",
            "--loop",
            "uvloop",
            "--log-level",
            "warning",
        ),
        {"app.py": ASGI},
        "app.py",
    ),
    "aiohttp": Site(("app.py",), {"app.py": AIOHTTP}, "app.py", "aiohttp"),
    "waitress": Site(("serve.py",), {"app.py": WSGI, "serve.py": WAITRESS}, "app.py", "waitress"),
    "hypercorn": Site(
        ("-m", "hypercorn", "-b", "127.0.0.1:PORT", "--log-level", "ERROR", "app:app"),
        {"app.py": ASGI},
        "app.py",
        "hypercorn",
    ),
    "tornado": Site(("app.py",), {"app.py": TORNADO}, "app.py", "tornado"),
}
