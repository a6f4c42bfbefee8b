"""Prints a canonical account of all a program holds. Imported by the programs under test.

It lives outside the program's folder and imports nothing at the top, so that it disturbs
neither the order of loading nor the evidence that refork gathers while the program loads.
"""

from __future__ import annotations

import os
import sys

MARK = "\x1eDIGEST "


def show() -> None:
    """Print the account as one line of JSON."""
    from . import account

    text = account.as_json()
    print(f"{MARK}{os.getpid()} {text}", flush=True)


def serve(forever: bool = False, listen: str = "") -> None:
    """The same behind an open socket, where no fork is safe: what came before is the brink.

    `listen` says whether it listens "before" the account or "after" it: then it is ready.
    """
    import _socket

    held = _socket.socket()
    if listen == "before":
        listens(held)
    show()
    if listen == "after":
        listens(held)
    if forever:
        stay()
    held.close()


def listens(held: object) -> None:
    """Listen by the class that refork follows, where nobody connects to."""
    import socket

    held.close()  # type: ignore[attr-defined]
    kept.append(socket.create_server(("127.0.0.1", 0)))


kept: list[object] = []


def at_exit() -> None:
    """Print the account when the program ends, however it ends."""
    import atexit

    atexit.register(serve)


def stay() -> None:
    """Go on living, as a server does. Plain python ends here: nothing would stop it."""
    if "REFORK" not in os.environ:
        sys.stderr.flush()
        os._exit(0)
    import signal

    while True:
        signal.pause()
