"""What holds for all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let signals reach the programs under test: a shell ignores SIGINT for what it runs in the background,
    and `nohup` SIGHUP; what is ignored stays so in each process that is started from there (execve(2))."""
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            handler = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
            signal.signal(number, handler)
