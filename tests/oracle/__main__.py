"""``python -m oracle``: hunt through many edits, go on after each divergence, print them all."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from .case import dump, load
from .hunt import EDITS, Finding, confirmed, one, refork_command
from .runner import Tally
from .session import session


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="oracle", description=__doc__)
    parser.add_argument("--edits", type=int, default=1000, help="how many edits to compare")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first session")
    parser.add_argument("--strategy", default="auto", help="as refork's option of that name")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds for each divergence")
    parser.add_argument("--most", type=int, default=10, help="end after so many divergences")
    parser.add_argument("--source", help="folder that holds the refork package to test")
    parser.add_argument("--found", type=Path, help="folder that the divergences are written to")
    parser.add_argument("--case", type=Path, help="run this one case instead")
    return parser.parse_args()


def report(finding: Finding, command: list[str], folder: Path | None) -> None:
    """Print a divergence, and keep it where asked to."""
    print(f"{finding}fails again {confirmed(command, finding)} times of 3\n", flush=True)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{finding.seed}.case").write_text(dump(finding.session))
        (folder / f"{finding.seed}.txt").write_text(str(finding))


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that refork is ended as well
    command = refork_command(options.strategy, options.source)
    if options.case:
        finding, tally = one(command, load(options.case.read_text()), 0.0)
        print(finding or "no divergence", tally, sep="\n")
        return 1 if finding else 0
    total, found, seed, began = Tally(), 0, options.seed, time.monotonic()
    while total.edits < options.edits and found < options.most:
        finding, tally = one(command, session(seed, EDITS), options.shrink)
        total.add(tally)
        if finding is not None:
            found += 1
            report(finding, command, options.found)
        seed += 1
    took = time.monotonic() - began
    print(f"seeds {options.seed} to {seed - 1}: {total}; {found} diverged; {took:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
