"""Stand-ins for refork, one right and several wrong, that prove the harness can tell.

``python toy.py FAULT --events FILE … entry.py`` watches the folder by looking at it again and
again. ``none`` starts plain python anew at each change. The others do what reloaders that were
not thought through do:

``stale``   keeps the modules it loaded first, whatever becomes of their source
``half``    takes notice of one changed file when several were saved at once
``deaf``    does not see changes of anything but Python files
``late``    compares modification times by ``>``
``mute``    loses the first line that is printed after a change
``quiet``   loses what goes to stderr
``code``    ends with 0 whatever happened
``trace``   is seen in tracebacks and in the stack
"""

from __future__ import annotations

import json
import os
import py_compile
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Stamps = dict[str, tuple[int, int, int]]
PAUSE = 0.01
RUNPY = "sys.argv[:] = ['entry.py']; runpy.run_path('entry.py', run_name='__main__')"


class Toy:
    """A supervisor of the simplest kind."""

    def __init__(self, fault: str, events: str) -> None:
        self.fault, self.events = fault, Path(events)
        self.generation = 0
        self.program: subprocess.Popen[bytes] | None = None

    def emit(self, event: str, **keys: Any) -> None:
        line = {"t": time.monotonic(), "event": event, "generation": self.generation, **keys}
        with self.events.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def run(self) -> None:
        """Start, look, start again; for ever."""
        known = self.look()
        if self.fault in ("stale", "half"):
            keep_old(Path.cwd().rglob("*.py"))
        self.start()
        while True:
            time.sleep(PAUSE)
            self.reap()
            now = self.look()
            changed = [p for p in sorted({*known, *now}) if self.differs(known.get(p), now.get(p))]
            known = now
            if changed:
                self.stop()
                self.load(Path(changed[0]))
                self.start()

    def load(self, path: Path) -> None:
        """Take notice of one changed file; ``half`` forgets that there may be several."""
        if self.fault == "half" and path.exists():
            keep_old([path])

    def look(self) -> Stamps:
        suffix = "*.py" if self.fault == "deaf" else "*"
        found = {}
        for path in Path.cwd().rglob(suffix):
            if path.suffix in (".py", ".json", ".txt"):
                stat = path.stat()
                found[str(path)] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found

    def differs(self, old: tuple[int, ...] | None, new: tuple[int, ...] | None) -> bool:
        if self.fault == "late":
            return old is not None and new is not None and new[0] > old[0]
        return old != new

    def start(self) -> None:
        self.generation += 1
        errors = subprocess.DEVNULL if self.fault == "quiet" else None
        shown = subprocess.PIPE if self.fault == "mute" else None
        environ = {**os.environ, "REFORK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.program = subprocess.Popen(self.command(), env=environ, stdout=shown, stderr=errors)
        self.emit("start", gear="cold", pid=self.program.pid)
        if self.program.stdout is not None:
            lines = self.program.stdout.read().splitlines(keepends=True)
            os.write(1, b"".join(lines[self.generation > 1 :]))

    def command(self) -> list[str]:
        if self.fault == "trace":
            return [sys.executable, "-c", f"import runpy, sys\n{RUNPY}"]
        return [sys.executable, "entry.py"]

    def reap(self) -> None:
        if self.program is not None and (code := self.program.poll()) is not None:
            self.emit("exit", code=0 if self.fault == "code" else code)
            self.program = None

    def stop(self) -> None:
        if self.program is not None:
            self.program.kill()
            self.program.wait()
            self.program = None


def keep_old(paths: Iterable[Path]) -> None:
    """Compile modules so that python never looks at their source again."""
    for path in paths:
        if path.suffix == ".py" and path.name != "entry.py":
            never = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(path), invalidation_mode=never)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    toy = Toy(sys.argv[1], sys.argv[sys.argv.index("--events") + 1])
    try:
        toy.run()
    finally:
        toy.stop()


if __name__ == "__main__":
    main()
