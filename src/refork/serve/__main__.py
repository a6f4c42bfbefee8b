"""`refork serve MODULE:APP`: the program that serves a WSGI or ASGI application.

It runs inside the user's process, as `python -m refork.serve`, and is a program like any other to
the supervisor.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from refork.adapters.inject import ASGIInject, WSGIInject
from refork.program import api
from refork.serve import httpd, static
from refork.serve.application import NotFound, interface_of, load

DEFAULT_BIND = "127.0.0.1:8000"


def address_of(words: str) -> httpd.Address:
    """`HOST:PORT`, `[V6]:PORT`, `:PORT`, `PORT` or `unix:PATH`. Raises ValueError."""
    if words.startswith("unix:"):
        return words[len("unix:") :]
    host, _, port = words.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{words!r}: write it as HOST:PORT, such as {DEFAULT_BIND}")
    return host.strip("[]") or "127.0.0.1", int(port)


class Parser(argparse.ArgumentParser):
    """Answers a wrong command line with one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The options of `refork serve` that are the program's own."""
    made = Parser(prog="refork serve", description="Serve a WSGI or ASGI application.")
    made.add_argument("app", metavar="MODULE:APP", help="what to serve; APP() calls a factory")
    made.add_argument(
        "--bind", metavar="HOST:PORT", default=DEFAULT_BIND, help="also unix:PATH (%(default)s)"
    )
    made.add_argument(
        "--static",
        metavar="/URL=DIR",
        action="append",
        default=[],
        help="serve the files of DIR below /URL (may be repeated)",
    )
    made.add_argument("--interface", choices=("auto", "wsgi", "asgi"), default="auto")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; returns the exit code. Usage errors exit with 2."""
    options_parser = parser()
    options = options_parser.parse_args(arguments)
    try:
        address = address_of(options.bind)
        mounts = [static.mount(words) for words in options.static]
        for _address, folder in mounts:
            api.refresh(os.path.join(api.escape(folder), "**"))
    except ValueError as error:
        options_parser.error(str(error))
    if not any(os.path.realpath(path or ".") == os.path.realpath(".") for path in sys.path):
        sys.path.insert(0, os.getcwd())  # -P and PYTHONSAFEPATH leave it out
    try:
        app = load(options.app)
    except NotFound as error:
        options_parser.error(str(error))
    interface = interface_of(app) if options.interface == "auto" else options.interface
    return serve(app, interface, address, mounts)


def serve(app: Any, interface: str, address: httpd.Address, mounts: Sequence[static.Mount]) -> int:
    """Serve `app` with static files and, under live reload, its script; returns the exit code."""
    try:
        if interface == "asgi":
            _say(address, "ASGI")
            return httpd.serve_asgi(ASGIInject(static.ASGIStatic(app, mounts)), address)
        _say(address, "WSGI")
        return httpd.serve_wsgi(WSGIInject(static.WSGIStatic(app, mounts)), address)
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        return _fail("an ASGI application needs uvicorn: pip install uvicorn")
    except OSError as error:
        return _fail(f"cannot listen on {_name(address)}: {error.strerror}; choose another --bind")


def _say(address: httpd.Address, interface: str) -> None:
    sys.stderr.write(f"Serving {interface} on {_name(address)}\n")
    sys.stderr.flush()


def _fail(message: str) -> int:
    sys.stderr.write(f"refork serve: {message}\n")
    return 1


def _name(address: httpd.Address) -> str:
    if isinstance(address, str):
        return f"unix:{address}"
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}"


if __name__ == "__main__":
    sys.exit(main())
