"""Template engines that keep what they have read: a saved template is read anew, and restarts nothing.

Jinja without `auto_reload` (Flask without its debug mode), Django's cached loader where nothing watches for it
(uvicorn, gunicorn), Tornado without `debug`. Browsers are told of the save, and must not be shown the old text.
"""

from __future__ import annotations

import os
import weakref

from refork.adapters.replace import replace
from refork.program import api
from refork.program.journal import fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Read:
    """The files that one loader has read or looked for in vain, each as it was before."""

    def __init__(self) -> None:
        self._files: dict[str, Any] = {}

    def note(self, path: str) -> None:
        """A file is about to be read."""
        self._files.setdefault(path, fingerprint(path))

    def has_changed(self) -> bool:
        """Whether any of them differs now; all are forgotten then."""
        if all(fingerprint(path) == before for path, before in list(self._files.items())):
            return False
        self._files.clear()
        return True


_loaders: weakref.WeakKeyDictionary[Any, Read] = weakref.WeakKeyDictionary()


def _read_by(loader: Any) -> Read:
    found = _loaders.get(loader)
    if found is None:
        found = _loaders[loader] = Read()
    return found


def adapt(module: Any) -> None:
    """Adapt `jinja2.environment`, `django.template.loaders.cached` or `tornado.template`."""
    if api.inside():
        ADAPT[module.__name__](module)


def _adapt_jinja(module: Any) -> None:
    def _load_template(self: Any, name: str, *args: Any) -> Any:
        if not self.auto_reload and self.cache is not None and self.loader is not None:
            key = (weakref.ref(self.loader), name)
            kept = self.cache.get(key)
            if kept is not None and not kept.is_up_to_date:
                del self.cache[key]
        return original(self, name, *args)

    original = replace(module.Environment, "_load_template", _load_template)


def _adapt_django(module: Any) -> None:
    from django.template import TemplateDoesNotExist

    def get_contents(self: Any, origin: Any) -> Any:
        _read_by(self).note(str(origin.name))
        return contents(self, origin)

    def get_template(self: Any, *args: Any, **kwargs: Any) -> Any:
        read = _read_by(self)
        if read.has_changed():
            self.reset()
        try:
            return template(self, *args, **kwargs)
        except TemplateDoesNotExist as missing:
            for origin, _reason in missing.tried:
                read.note(str(origin.name))
            raise

    contents = replace(module.Loader, "get_contents", get_contents)
    template = replace(module.Loader, "get_template", get_template)


def _adapt_tornado(module: Any) -> None:
    def load(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _read_by(self).has_changed():
            self.reset()
        return found(self, *args, **kwargs)

    def _create_template(self: Any, name: str) -> Any:
        _read_by(self).note(os.path.join(self.root, name))
        return made(self, name)

    found = replace(module.BaseLoader, "load", load)
    made = replace(module.Loader, "_create_template", _create_template)


ADAPT = {
    "django.template.loaders.cached": _adapt_django,
    "jinja2.environment": _adapt_jinja,
    "tornado.template": _adapt_tornado,
}
