"""What adapters put around an application: live reload's script, and an end for endless answers."""

from __future__ import annotations

import os

from refork.adapters.replace import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def is_wanted() -> bool:
    """Whether answers are to be changed: live reload is on, or a last good generation may serve."""
    return bool(os.environ.get("REFORK_LIVE") or os.environ.get("REFORK_LAST_GOOD"))


def wsgi(app: Any) -> Any:
    """A WSGI application with the script in its pages; the same one where that is off."""
    if app is None or not is_wanted() or _has_it(app):
        return app
    from refork.adapters.inject import WSGIInject

    return WSGIInject(app)


def asgi(app: Any) -> Any:
    """An ASGI application with the script in its pages, whose endless answers can be ended."""
    if _has_it(app):
        return app
    from refork.adapters.inject import ASGIInject
    from refork.adapters.streams import EndStreams

    around.append(EndStreams(ASGIInject(app).call if is_wanted() else app))
    return around[-1].call


around: list[Any] = []
"""What `asgi` has put around applications."""


def end_streams() -> None:
    """End the endless answers of all applications."""
    for streams in around:
        streams.end()


def _has_it(app: Any) -> bool:
    """Whether something of refork's is around it already (`refork serve` does it by itself)."""
    return type(getattr(app, "__self__", app)).__module__.startswith("refork.")


# Where servers take their application ---------------------------------------------------------------


def adapt(module: Any) -> None:
    """Adapt `wsgiref.simple_server` or `hypercorn.app_wrappers`."""
    ADAPT[module.__name__](module)


def _adapt_simple_server(module: Any) -> None:
    """Also the server of Django's runserver: what it is given includes the static files."""

    def set_app(self: Any, application: Any) -> None:
        original(self, application if _has_it(self) else wsgi(application))

    original = replace(module.WSGIServer, "set_app", set_app)


def _adapt_hypercorn(module: Any) -> None:
    after_init(module.ASGIWrapper, "app", asgi)
    after_init(module.WSGIWrapper, "app", wsgi)


def after_init(owner: Any, name: str, around: Any) -> None:
    """Put something around the application that an instance keeps as `name`."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        setattr(self, name, around(getattr(self, name)))

    original = replace(owner, "__init__", __init__)


ADAPT = {
    "hypercorn.app_wrappers": _adapt_hypercorn,
    "wsgiref.simple_server": _adapt_simple_server,
}
