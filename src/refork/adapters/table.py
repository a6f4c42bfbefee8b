"""Which adapter serves which module of a framework; none is imported before that module."""

from __future__ import annotations

from refork.program import observe
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ADAPTERS = {
    "_pytest.config": "pytest",
    "aiohttp.web_protocol": "aiohttp",
    "aiohttp.web_response": "aiohttp",
    "aiohttp.web_server": "aiohttp",
    "django.utils.autoreload": "django",
    "django.template.loaders.cached": "templates",
    "flask.cli": "werkzeug",
    "gevent._socket3": "gevent",
    "gevent.monkey": "gevent",
    "granian.server.common": "granian",
    "gunicorn.arbiter": "gunicorn",
    "gunicorn.http.parser": "gunicorn",
    "gunicorn.http.unreader": "gunicorn",
    "gunicorn.http.wsgi": "gunicorn",
    "gunicorn.reloader": "gunicorn",
    "gunicorn.sock": "gunicorn",
    "gunicorn.workers.base": "gunicorn",
    "gunicorn.workers.ggevent": "gunicorn",
    "gunicorn.workers.gthread": "gunicorn",
    "gunicorn.workers.sync": "gunicorn",
    "http.server": "serving",
    "hypercorn.app_wrappers": "wrap",
    "hypercorn.asyncio.run": "hypercorn",
    "hypercorn.asyncio.tcp_server": "hypercorn",
    "hypercorn.run": "hypercorn",
    "jinja2.environment": "templates",
    "kombu.utils.eventio": "celery",
    "multiprocessing.process": "multiprocessing",
    "multiprocessing.synchronize": "multiprocessing",
    "multiprocessing.util": "multiprocessing",
    "quart.app": "quart",
    "socketserver": "serving",
    "tornado.autoreload": "tornado",
    "tornado.http1connection": "tornado",
    "tornado.httpserver": "tornado",
    "tornado.iostream": "tornado",
    "tornado.template": "templates",
    "uvicorn.config": "uvicorn",
    "uvicorn.protocols.http.h11_impl": "uvicorn",
    "uvicorn.protocols.http.httptools_impl": "uvicorn",
    "uvicorn.protocols.http.zttp_impl": "uvicorn",
    "uvicorn.server": "uvicorn",
    "uvloop": "uvloop",
    "waitress.channel": "waitress",
    "waitress.runner": "waitress",
    "waitress.server": "waitress",
    "waitress.task": "waitress",
    "waitress.wasyncore": "waitress",
    "werkzeug._reloader": "werkzeug",
    "werkzeug.serving": "werkzeug",
    "wsgiref.handlers": "serving",
    "wsgiref.simple_server": "wrap",
}
"""Modules, each with the module of `refork.adapters` whose `adapt(module)` is called once it has
loaded.
"""


def install() -> None:
    """Have each adapter loaded and called when its framework has loaded."""
    for name, adapter in ADAPTERS.items():
        observe.adapters[name] = _lazily(adapter)


def _lazily(adapter: str) -> Callable[[Any], None]:
    def adapt(module: Any) -> None:
        journal.quiet += 1
        try:
            found = __import__(f"refork.adapters.{adapter}", fromlist=["adapt"])
            found.adapt(module)
        finally:
            journal.quiet -= 1

    return adapt
