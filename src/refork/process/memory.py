"""Whether the kernel killed something for lack of memory: its own counters, as far as they can be seen.

A process that the OOM killer ended died of SIGKILL like any other that somebody killed. The kernel counts its
kills for each control group (`memory.events` of cgroup v2, `memory.oom_control` of v1) and for the machine
(`oom_kill` of /proc/vmstat): a count that rose while a program died tells which it was.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

KILLS = b"oom_kill"


@dataclass(frozen=True)
class Kills:
    """Counts so far; None where there is none to be seen."""

    group: int | None
    machine: int | None

    def since(self, earlier: Kills) -> str:
        """Who ran out of memory since: "group", "machine", nobody (""); or "unknown"."""
        if _rose(self.group, earlier.group):
            return "group"
        if _rose(self.machine, earlier.machine):
            return "machine"
        return "unknown" if self.group is None and self.machine is None else ""


def _rose(now: int | None, before: int | None) -> bool:
    return now is not None and before is not None and now > before


def kills(root: str = "/") -> Kills:
    """The counts now, of the control group of this process and of the machine."""
    return Kills(
        next((count for path in _counters(root) if (count := _count(path)) is not None), None),
        _count(os.path.join(root, "proc/vmstat")),
    )


def _counters(root: str) -> list[str]:
    """Where the kills of our control group may be counted (cgroups(7)); a namespace may hide the path."""
    groups = os.path.join(root, "sys/fs/cgroup")
    found = []
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _number, _, rest = line.decode(errors="replace").partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            found += [f"{groups}{path}/memory.events", f"{groups}/unified{path}/memory.events"]
        elif "memory" in controllers.split(","):
            found += [f"{groups}/memory{path}/memory.oom_control"]
    return [*found, f"{groups}/memory.events", f"{groups}/memory/memory.oom_control"]


def _count(path: str) -> int | None:
    for line in _read(path).splitlines():
        name, _, number = line.partition(b" ")
        if name == KILLS and number.strip().isdigit():
            return int(number)
    return None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
