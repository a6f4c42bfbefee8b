"""One application for each server, with answers that take their time.

`/` answers with its version. `/slow` answers it too, but not before there is a file `finish`; it
makes a file `begun` first. `/events` is an event stream, `/socket` a WebSocket where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

WSGI = """
import os, time
LOADED = 1

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return events()
    if path == "/slow":
        open("begun", "w").close()
        while not os.path.exists("finish"):
            time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1")])
    return [b"%d" % LOADED]

def events():
    while True:
        yield b"data: x\\n\\n"
        time.sleep(0.05)
"""
QUIET_EVENTS = """
def events():
    yield b"data: x\\n\\n"
    while True:
        time.sleep(60)
"""
ASGI = """
import asyncio, os
LOADED = 1

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
    if scope["type"] == "http":
        await answer(scope["path"], send)

async def answer(path, send):
    kind = b"text/event-stream" if path == "/events" else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    while path == "/events":
        await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
        await asyncio.sleep(60)
    if path == "/slow":
        open("begun", "w").close()
        while not os.path.exists("finish"):
            await asyncio.sleep(0.01)
    await send({"type": "http.response.body", "body": b"%d" % LOADED})
"""
DJANGO_VIEWS = """
import os, time
from django.http import HttpResponse, StreamingHttpResponse
LOADED = 1

def index(request):
    return HttpResponse(str(LOADED), content_type="text/plain")

def slow(request):
    open("begun", "w").close()
    while not os.path.exists("finish"):
        time.sleep(0.01)
    return index(request)

def stream():
    while True:
        yield "data: x\\n\\n"
        time.sleep(0.05)

def events(request):
    return StreamingHttpResponse(stream(), content_type="text/event-stream")
"""
DJANGO_MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
DJANGO = {
    "manage.py": DJANGO_MANAGE,
    "settings.py": "DEBUG = True\nSECRET_KEY = 'x'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'urls'\n",
    "urls.py": "from django.urls import path\nimport views\nurlpatterns = ["
    "path('', views.index), path('slow', views.slow), path('events', views.events)]\n",
    "app.py": DJANGO_VIEWS,
    "views.py": "from app import *\n",
}
FLASK = """
import os, time
from flask import Flask, Response
LOADED = 1
app = Flask(__name__)

@app.get("/")
def index():
    return Response(str(LOADED), mimetype="text/plain")

@app.get("/slow")
def slow():
    open("begun", "w").close()
    while not os.path.exists("finish"):
        time.sleep(0.01)
    return index()

@app.get("/events")
def events():
    def stream():
        while True:
            yield "data: x\\n\\n"
            time.sleep(0.05)
    return Response(stream(), mimetype="text/event-stream")
"""
AIOHTTP = """
import asyncio, os
from aiohttp import web
LOADED = 1

async def index(request):
    return web.Response(text=str(LOADED))

async def slow(request):
    open("begun", "w").close()
    while not os.path.exists("finish"):
        await asyncio.sleep(0.01)
    return await index(request)

async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    while True:
        await response.write(b"data: x\\n\\n")
        await asyncio.sleep(60)

async def socket(request):
    made = web.WebSocketResponse()
    await made.prepare(request)
    async for message in made:
        pass
    return made

app = web.Application()
app.add_routes([web.get("/", index), web.get("/slow", slow), web.get("/events", events)])
app.add_routes([web.get("/socket", socket)])
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=PORT, print=None)
"""
TORNADO = """
import asyncio, os
import tornado.web, tornado.websocket
LOADED = 1

class Index(tornado.web.RequestHandler):
    async def get(self):
        if self.request.path == "/slow":
            open("begun", "w").close()
            while not os.path.exists("finish"):
                await asyncio.sleep(0.01)
        self.write(str(LOADED))

class Events(tornado.web.RequestHandler):
    async def get(self):
        self.set_header("Content-Type", "text/event-stream")
        while True:
            self.write("data: x\\n\\n")
            await self.flush()
            await asyncio.sleep(60)

class Socket(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        pass

async def main():
    routes = [("/events", Events), ("/socket", Socket), (".*", Index)]
    tornado.web.Application(routes).listen(PORT, "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""
WSGIREF = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import make_server, WSGIServer
import app
class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
make_server("127.0.0.1", PORT, app.app, Server).serve_forever()
"""
WAITRESS = """
import app, waitress
waitress.serve(app.app, host="127.0.0.1", port=PORT)
"""


@dataclass(frozen=True)
class Place:
    """`words` start it, with a port for PORT."""

    words: tuple[str, ...]
    files: dict[str, str]
    needs: str = ""
    sockets: bool = False
    """Whether it has a WebSocket."""


GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:PORT", "app:app")
UVICORN = ("-m", "uvicorn", "app:app", "--port", "PORT")
SCRIPT = ("app.py",)
ONLY_ASGI = {"app.py": ASGI}

PLACES = {
    "django": Place(("manage.py", "runserver", "127.0.0.1:PORT"), DJANGO, "django"),
    "flask": Place(("-m", "flask", "run", "--port", "PORT"), {"app.py": FLASK}, "flask"),
    "flask debug": Place(
        ("-m", "flask", "run", "--debug", "--port", "PORT"), {"app.py": FLASK}, "flask"
    ),
    "wsgiref": Place(("serve.py",), {"app.py": WSGI, "serve.py": WSGIREF}),
    "waitress": Place(("serve.py",), {"app.py": WSGI, "serve.py": WAITRESS}, "waitress"),
    "gunicorn": Place((*GUNICORN, "--workers", "2"), {"app.py": WSGI}, "gunicorn"),
    "gunicorn, quiet": Place(GUNICORN, {"app.py": WSGI + QUIET_EVENTS}, "gunicorn"),
    "gunicorn threads": Place((*GUNICORN, "--threads", "4"), {"app.py": WSGI}, "gunicorn"),
    "gunicorn threads, quiet": Place(
        (*GUNICORN, "--threads", "4"), {"app.py": WSGI + QUIET_EVENTS}, "gunicorn"
    ),
    "uvicorn": Place(UVICORN, ONLY_ASGI, "uvicorn", sockets=True),
    "uvicorn wsproto": Place((*UVICORN, "--ws", "wsproto"), ONLY_ASGI, "wsproto", sockets=True),
    "uvicorn on uvloop": Place((*UVICORN, "--loop", "uvloop"), ONLY_ASGI, "uvloop", sockets=True),
    "hypercorn": Place(
        ("-m", "hypercorn", "-b", "127.0.0.1:PORT", "app:app"), ONLY_ASGI, "hypercorn", sockets=True
    ),
    "aiohttp": Place(SCRIPT, {"app.py": AIOHTTP}, "aiohttp", sockets=True),
    "tornado": Place(SCRIPT, {"app.py": TORNADO}, "tornado", sockets=True),
}
