"""Werkzeug, and so Flask: `flask run --debug`, `app.run(debug=True)`, `run_simple(…,
use_reloader=True)`.

Werkzeug's parent binds the socket, prints where it listens and starts a child that is told by
WERKZEUG_RUN_MAIN. Under refork the program is both: to itself and the user's code it is the child,
and the parent's words are said by the first generation.
"""

from __future__ import annotations

import os
import sys

from refork.adapters import stopping, wrap
from refork.adapters.replace import replace
from refork.program import api
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUN_MAIN = "WERKZEUG_RUN_MAIN"
SERVER_FD = "WERKZEUG_SERVER_FD"


def adapt(module: Any) -> None:
    """Adapt `werkzeug.serving` or `werkzeug._reloader` (2.1 and later), or `flask.cli`."""
    if module.__name__ == "flask.cli":
        _adapt_flask(module)
    elif module.__name__ == "werkzeug._reloader":
        _adapt_reloader(module)
    elif hasattr(module, "is_running_from_reloader"):
        os.environ.setdefault(RUN_MAIN, "true")
        replace(module, "is_running_from_reloader", _is_running_from_reloader)
        _adapt_run_simple(module)


def _adapt_flask(module: Any) -> None:
    """An app that does not load ends the program with one line for the terminal: what it was is told."""

    def load_app(self: Any) -> Any:
        try:
            return original(self)
        except module.NoAppException as error:
            behind = error.__context__
            api.tell_error(behind if isinstance(behind, ImportError) else error)
            raise

    original = replace(module.ScriptInfo, "load_app", load_app)


def _is_running_from_reloader() -> bool:
    """Whether this is the reloader's child: it is, but for what only Werkzeug's and Flask's parent
    does.
    """
    journal.quiet += 1  # looking at the caller would count as keeping its line
    try:
        caller = sys._getframe(1).f_code.co_name
    finally:
        journal.quiet -= 1
    if caller == "run_simple":
        # asked twice: whether there is a socket from the parent, and whether the parent has said
        # where it listens
        return SERVER_FD in os.environ and api.generation() > 1
    if caller == "show_server_banner":
        return api.generation() > 1
    if caller == "run_command":
        return False  # an app that does not load ends the program: refork shows why, and waits
    return os.environ.get(RUN_MAIN) == "true"


def _adapt_run_simple(module: Any) -> None:
    """The deepest checkpoint stands before the debugger is made: that shares memory with its
    children.
    """

    def run_simple(*args: Any, **kwargs: Any) -> None:
        api.brink(f"{module.__file__}:{original.__code__.co_firstlineno}")
        original(*args, **kwargs)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original_init(self, *args, **kwargs)
        self.app = wrap.wsgi(self.app)

    original = replace(module, "run_simple", run_simple)
    original_init = replace(module.BaseWSGIServer, "__init__", __init__)


def _adapt_reloader(module: Any) -> None:
    def run_with_reloader(
        main_func: Any,
        extra_files: Any = None,
        exclude_patterns: Any = None,
        interval: float = 1,
        reloader_type: str = "auto",
    ) -> None:
        import signal

        signal.signal(signal.SIGTERM, stopping.on_terminate)
        api.follow()
        api.watch_all(extra_files or ())
        for pattern in exclude_patterns or ():
            api.exclude(pattern)
        try:
            main_func()
        except KeyboardInterrupt:
            return

    replace(module, "run_with_reloader", run_with_reloader)
