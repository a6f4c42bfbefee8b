"""Sessions under ``--hoist``: after an edit it is waited until what comes later has been imported ahead.

``python -m oracle.hoisted`` hunts through many; each divergence is printed, and what was kept is counted.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from . import cold, crowd
from .case import dump, load
from .cold import Outcome
from .disk import write_tree
from .hunt import Finding, ending
from .live import Seen
from .runner import Divergence, Runner, Tally
from .session import Session, Step
from .shrink import Shrinker
from .tree import Tree

EDITS = 8
"""Edits put through one refork process."""
TWIN_LIMIT = 8.0
"""Seconds that a twin is waited for; what is compared after that is right without one as well."""
SOON = 0.05
"""Seconds that a program has to be quiet: less than for people, so that more is compared."""
NONE = re.compile(r"refork\s+no twin for .*")
FROZEN = re.compile(r'("gc": \[\w+, \[[^]]*\],) \d+')
DEFECT = re.compile(r"failed \(failed (?!RecursionError)|Traceback|it could not be parked \(failed")
"""What refork says where it, and not the program, went wrong; a limit that the program set may stop it."""


def hoisting_command(soon: float = SOON) -> list[str]:
    """The refork under test, verbose so that it says why there is no twin."""
    patched = f"from refork.twins import hoisting; hoisting.QUIET = {soon}"
    start = "import runpy; runpy.run_module('refork', run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", f"{patched}; {start}", "-v", "--hoist"]


class Hoisted(Runner):
    """A session over one refork process that is given time to make twins."""

    def step(self, number: int, tree: Tree, step: Step) -> Divergence | None:
        found = super().step(number, tree, step)
        if found is None and step.race is None:
            self.wait_for_twin()
            defects = [text for text in self.given_up() if DEFECT.search(text)]
            if defects:
                return self.divergence(number, "account\n" + "\n".join(defects))
        return found

    def wrong(self, expected: Outcome, seen: Seen) -> str | None:
        return super().wrong(
            replace(expected, digest=thawed(expected.digest)),
            replace(seen, digest=thawed(seen.digest)),
        )

    def wait_for_twin(self) -> None:
        """Until one is made or given up, where the last start was not from one."""
        deadline = time.monotonic() + TWIN_LIMIT
        known = len(self.given_up())
        while time.monotonic() < deadline and self.live.running():
            self.live.poll()
            events = self.live.events[self.live.mark_events :]
            if any(event.get("kept") or event.get("kind") == "twin" for event in events):
                return
            if len(self.given_up()) > known or not any(e["event"] == "start" for e in events):
                return
            time.sleep(0.01)

    def given_up(self) -> list[str]:
        return NONE.findall(self.live.tail("stderr", 0))

    def count(self) -> None:
        super().count()
        for event in self.live.events:
            self.tally.gears["twins"] += event.get("kind") == "twin"
            self.tally.gears["kept"] += bool(event["event"] == "ready" and event.get("kept"))
            self.tally.gears["conflicts"] += "no twin serves" in str(event.get("reason", ""))
        self.tally.gears["given up"] += len(self.given_up())


def thawed(digest: str | None) -> str | None:
    """An account without the number of objects that collectors leave alone.

    3.12 starts with some, and a twin has them looked at like all others: nothing gives them back.
    """
    return None if digest is None else FROZEN.sub(r"\1 0", digest)


def run_session(session: Session) -> tuple[Divergence | None, Tally]:
    scratch = Path(tempfile.mkdtemp(prefix="oracle-"))
    runner = Hoisted(hoisting_command(), session, scratch)
    try:
        return runner.run(), runner.tally
    except cold.Endless:
        return None, runner.tally
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def one(made: Session, shrinking: float) -> tuple[Finding | None, Tally]:
    """Run one session; if it diverges, make it small."""
    divergence, tally = run_session(made)
    if divergence is None:
        return None, tally
    last = [divergence]
    fails: Callable[[Session], bool] = lambda candidate: failing(candidate, last)  # noqa: E731
    small = Shrinker(fails, shrinking).shrink(made, divergence.step) if shrinking else made
    if small is made:
        small = ending(made, divergence.step)
    return Finding(made.seed, small, last[-1]), tally


def failing(candidate: Session, last: list[Divergence]) -> bool:
    found, _tally = run_session(candidate)
    if found is not None:
        last.append(found)
    return found is not None


def works(tree: Tree) -> bool:
    """Whether plain python comes to the end of a program."""
    scratch = Path(tempfile.mkdtemp(prefix="oracle-"))
    try:
        write_tree(scratch, tree)
        return cold.run(scratch, scratch).code == 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def hunt(seed: int, edits: int, seconds: float) -> tuple[Finding | None, Tally]:
    """Sessions from ``seed`` on, until enough edits, enough time, or a divergence."""
    total, deadline = Tally(), time.monotonic() + seconds
    while total.edits < edits and time.monotonic() < deadline:
        finding, tally = one(crowd.session(seed, EDITS, works), 0.0)
        total.add(tally)
        if finding is not None:
            return finding, total
        seed += 1
    return None, total


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="oracle.hoisted", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first session")
    parser.add_argument("--sessions", type=int, default=50, help="how many to compare")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds for each divergence")
    parser.add_argument("--found", type=Path, help="folder that the divergences are written to")
    parser.add_argument("--case", type=Path, help="run this one case instead")
    options = parser.parse_args(words)
    if options.case:
        print(*run_session(load(options.case.read_text())), sep="\n")
        return 0
    total, found = Tally(), 0
    for seed in range(options.seed, options.seed + options.sessions):
        finding, tally = one(crowd.session(seed, EDITS, works), options.shrink)
        total.add(tally)
        if finding is not None:
            found += 1
            print(f"{finding}\n", flush=True)
            if options.found is not None:
                options.found.mkdir(parents=True, exist_ok=True)
                (options.found / f"{seed}.case").write_text(dump(finding.session))
                (options.found / f"{seed}.txt").write_text(str(finding))
    print(f"seeds from {options.seed}: {total}; {found} diverged")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
