"""Django: `runserver`, and whatever else uses `django.utils.autoreload.run_with_reloader`.

Under Django's own reloader the program runs in a second thread, and the main one watches. Under
refork it runs in the main thread, and nothing watches in the program. What Django deals with in
place (translations, templates, and whatever other receivers of `file_changed` there are) is still
offered to it.
"""

from __future__ import annotations

import os

from refork.adapters import stopping
from refork.adapters.replace import replace
from refork.program import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def adapt(autoreload: Any) -> None:
    """Replace `run_with_reloader` of `django.utils.autoreload` (all versions from 2.2 on)."""

    def run_with_reloader(main_func: Any, *args: Any, **kwargs: Any) -> None:
        autoreload.signal.signal(autoreload.signal.SIGTERM, stopping.on_terminate)
        api.follow()
        _begin(autoreload, kwargs)
        try:
            main_func(*args, **kwargs)
        except KeyboardInterrupt:
            return
        except SystemExit:
            if not stopping.asked:
                api.wait()  # it ended a thread only, and Django went on to watch
            raise
        except Exception as error:
            api.tell_error(error)
            raise

    replace(autoreload, "run_with_reloader", run_with_reloader)


def _begin(autoreload: Any, options: dict[str, Any]) -> None:
    """Do what Django does when its reloader starts, unless the project failed to load."""
    if getattr(autoreload, "_exception", None) is not None:
        return
    if options.get("skip_checks"):
        _load_urls()
    autoreload.autoreload_started.send(sender=_reloader(autoreload))


def _load_urls() -> None:
    """The system checks load the URLs; without them the first request would."""
    from django.urls import get_resolver

    try:
        get_resolver().urlconf_module  # noqa: B018 - the attribute imports it
    except Exception:  # as in Django: the first request shows what is wrong with them
        return


def _reloader(autoreload: Any) -> Any:
    """What is sent as the sender of `autoreload_started`: a reloader that has refork watch."""

    class ReforkReloader(autoreload.BaseReloader):  # type: ignore[misc]
        """Registers with refork what receivers want watched."""

        def __init__(self) -> None:
            super().__init__()
            self.extra_files = ExtraFiles(self)

        def watch_dir(self, path: Any, glob: str) -> None:
            """Offer changes of files below `path` that match `glob` to the receivers of
            `file_changed`.
            """
            super().watch_dir(path, glob)
            self.watch(os.path.join(api.escape(os.path.abspath(path)), glob))

        def watch(self, pattern: str) -> None:
            api.handle(pattern, self.changed, "Django")

        def changed(self, paths: list[str]) -> set[str]:
            """Ask the receivers; return the paths that one of them has dealt with."""
            from pathlib import Path

            done = set()
            for path in paths:
                answers = autoreload.file_changed.send(sender=self, file_path=Path(path))
                if any(answer for _receiver, answer in answers):
                    done.add(path)
            return done

    return ReforkReloader()


class ExtraFiles(set[object]):
    """The `extra_files` of a reloader: what is added is watched."""

    def __init__(self, reloader: Any) -> None:
        super().__init__()
        self._reloader = reloader

    def add(self, path: Any) -> None:
        """Watch one more file."""
        super().add(path)
        self._reloader.watch(api.escape(os.path.abspath(path)))

    def update(self, *others: Any) -> None:
        """Watch more files."""
        for paths in others:
            for path in paths:
                self.add(path)
