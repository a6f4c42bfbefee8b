"""Finding the application that `MODULE:APP` names, and which interface it speaks."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, Literal

Interface = Literal["wsgi", "asgi"]


class NotFound(Exception):
    """The words name no application; the message says which, and the way out."""


def load(words: str) -> Callable[..., Any]:
    """Import MODULE and return APP (`MODULE:a.b`, `MODULE:make()`, `MODULE` for `MODULE:app`).

    Raises NotFound if the module has no such thing. An error while importing comes through as it
    is.
    """
    module_name, _, path = words.partition(":")
    path = path or "app"
    if not module_name:
        raise NotFound(f"{words!r}: write MODULE:APP, such as shop.wsgi:application")
    _require(module_name)
    found: Any = importlib.import_module(module_name)
    for name in path.removesuffix("()").split("."):
        found = _attribute(found, name, words)
    if path.endswith("()"):
        found = found()
    if not callable(found):
        raise NotFound(f"{words}: a {type(found).__name__} is no WSGI or ASGI application")
    return found  # type: ignore[no-any-return]


def _require(module_name: str) -> None:
    """Raise NotFound if there is no such module. One that fails to import is another matter."""
    try:
        importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        is_this_one = error.name and (module_name + ".").startswith(error.name + ".")
        if not is_this_one:
            raise
        hint = "run it from the project's folder"
        raise NotFound(f"there is no module {error.name!r} here: {hint}") from None


def _attribute(owner: Any, name: str, words: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        near = difflib.get_close_matches(name, dir(owner), 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        where = getattr(owner, "__name__", type(owner).__name__)
        raise NotFound(f"{words}: {where} has no {name!r}{hint}") from None


def interface_of(app: Callable[..., Any]) -> Interface:
    """ASGI if it takes scope, receive, send and answers with a coroutine; else WSGI."""
    inner = app
    while isinstance(inner, functools.partial):
        inner = inner.func
    function = inner if inspect.isroutine(inner) else type(inner).__call__
    is_coroutine = inspect.iscoroutinefunction(inspect.unwrap(function))
    try:
        inspect.signature(app).bind("scope", "receive", "send")
    except (TypeError, ValueError):  # other parameters, or a signature that is not known
        return "wsgi"
    return "asgi" if is_coroutine else "wsgi"
