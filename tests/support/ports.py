"""Ports for servers under test."""

from __future__ import annotations

import random
import socket
from pathlib import Path

TRIES = 200


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, nor is given for a connection of their own.

    One that the kernel chooses (`bind` to port 0) is of those that it gives to clients, too: before the
    server under test binds it, some connection on this busy machine may have it.
    """
    chance = random.Random()  # not seeded: many of these run at a time
    lowest = _lowest_of_clients()
    for _ in range(TRIES):
        port = chance.randrange(10_000, lowest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port below {lowest}")


def _lowest_of_clients() -> int:
    """The first port that the kernel gives to clients (ip(7))."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return 32_768
