"""refork: restart any Python program on save, from a forked checkpoint.

What a program may ask for, and what it is told, when refork runs it. Without refork around it all
of this does nothing, so a program that uses it runs everywhere as it is; `run` alone brings refork
in.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")
    Handler = Callable[[list[str]], object]
    H = TypeVar("H", bound=Handler)

    active: bool
    """Whether this process belongs to a program that refork runs."""
    generation: int
    """Which generation of the program this is, from 1; 0 without refork."""

__all__ = ["active", "checkpoint", "generation", "live_script", "on_change", "run", "watch"]


def run(main: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `main(*args, **kwargs)` under refork.

    Under refork already: a plain call. Otherwise this very command line is started again with
    refork around it, in the place of this process, and does not come back. With the environment
    variable REFORK_DISABLE set to anything but nothing or 0 it is a plain call in any case.

    Warns (RuntimeWarning) and calls `main` plainly where there is no command line to start again:
    in an interactive session, with `-c`, or when the program comes from standard input.
    """
    if not _active():
        from refork.around import surround

        surround()
    return main(*args, **kwargs)


def checkpoint() -> bool:
    """Ask for a checkpoint here; return whether one was taken.

    A later edit of what comes after it resumes the program from here: this call then returns again,
    in a new process.
    """
    if not _active():
        return False
    from refork.program import api

    return api.checkpoint()


def watch(path_or_glob: str | os.PathLike[str]) -> None:
    """Restart when a file changes that this path, folder or glob names; `**` crosses folders."""
    if _active():
        from refork.program import api

        api.watch_all([path_or_glob])


def on_change(glob: str | os.PathLike[str]) -> Callable[[H], H]:
    """Decorate a function that deals with changes of files in place.

    `handler(paths)` is called in a thread of its own with the absolute paths of the files that
    match `glob` and have changed; what it returns tells whether they are dealt with. If not, or if
    it raises, or takes longer than a second, the program is restarted.
    """

    def register(handler: H) -> H:
        if _active():
            from refork.program import api

            by = getattr(handler, "__qualname__", type(handler).__qualname__)
            api.handle(str(glob), handler, by)
        return handler

    return register


def live_script() -> str:
    """Return the `<script>` tag of live reload, for pages that get it by no adapter; "" where it is off.

    Put it at the end of a page's body. Pages of Django, WSGI and ASGI programs have it already.
    """
    if not _active():
        return ""
    from refork.program import api

    return api.live_script()


def __getattr__(name: str) -> Any:
    if name == "active":
        return _active()
    if name == "generation":
        import os

        number = os.environ.get("REFORK_GENERATION", "")
        return int(number) if _active() and number.isdigit() else 0
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "active", "generation"])


def _active() -> bool:
    import os

    return os.environ.get("REFORK") == "1"
