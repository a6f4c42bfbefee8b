"""Make a site with `wagtail start`, serve it, edit it, print how long each save took to be served.

Once with plain `runserver`, once under refork. Ends with 0 when every edit was served and no
process was left over.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.answers import NotServed, free_port
from benchmarks.served import end_on_sigterm
from demo import site as starter
from demo.run import Run

RUNSERVER = ("manage.py", "runserver", "127.0.0.1:{port}")


OPENING = """\
A site made by Wagtail's own `wagtail start`, served by Django's development server: first as it is,
then with refork in front of the same command. Files are saved as an editor would, and the site is
asked over HTTP until it answers with the new code."""

CLOSING = """\
graft    only function bodies changed: they were put into the deepest checkpoint
replay   the program went on from the last checkpoint before the change
refresh  nothing had to start again

`make demo KEEP=1` leaves the site running, for you to edit."""


def main() -> int:
    """Run the demo; the exit code."""
    options = arguments()
    end_on_sigterm()
    folder = options.folder.resolve()
    try:
        print(OPENING)
        plain = series("plain runserver", [sys.executable, *RUNSERVER], folder, options.saves)
        refork = [starter.command("refork"), "--events", "{events}", *RUNSERVER]
        ours = series("refork", refork, folder, options.saves)
    except (NotServed, subprocess.CalledProcessError, ValueError) as error:
        print(f"\nmake demo FAILED: {error}", file=sys.stderr)
        print(getattr(error, "stderr", None) or "", file=sys.stderr)
        return 1
    print(f"\n{table(plain, ours, options.saves)}\n\n{CLOSING}")
    if options.keep:
        keep(ours.site)
    return 0


def arguments() -> argparse.Namespace:
    """The demo's own options."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="then serve the site until Ctrl-C")
    parser.add_argument("--saves", type=int, default=3, help="saves of each kind (3)")
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where the site goes")
    return parser.parse_args()


def series(title: str, command: Sequence[str], folder: Path, saves: int) -> Run:
    """A fresh site, served and edited by one tool. Raises NotServed, also for leftovers."""
    print(f"\n{title}", flush=True)
    run = Run(command, starter.create(folder), saves)
    left = run.go(mending=title == "refork")
    if left and title == "refork":
        raise NotServed(f"refork left processes behind: {left}\n{run.server.tail()}")
    return run


def table(plain: Run, ours: Run, saves: int) -> str:
    """Median milliseconds of every kind of edit, side by side."""
    title = f"save to served, median of {saves}"
    lines = [f"{title:<28}{'plain runserver':>16}{'refork':>13}", "─" * 66]
    lines.append(f"{'first answer':<28}{plain.cold.ms:>13,.0f} ms{ours.cold.ms:>10,.0f} ms")
    for name in ours.seen:
        after = f"{ours.median(name):,.0f} ms"
        if name in plain.seen:
            before = f"{plain.median(name):,.0f} ms"
            times = f"{plain.median(name) / ours.median(name):.1f} x"
        else:
            before = times = "-"
        lines.append(f"{name:<28}{before:>16}{after:>13}{times:>9}  {ours.how[name]}".rstrip())
    lines.append(f"{'connections refused':<28}{plain.refused():>16,}{ours.refused():>13,}")
    lines.append(f"{'connections cut':<28}{plain.cut():>16,}{ours.cut():>13,}")
    return "\n".join(lines)


def keep(site: Path) -> None:
    """Become refork, serving the site until Ctrl-C."""
    refork = starter.command("refork")
    address = f"127.0.0.1:{free_port()}"
    print(f"\nhttp://{address}/ comes from {site}: edit there; Ctrl-C ends it", flush=True)
    os.chdir(site)
    os.execv(refork, [refork, "manage.py", "runserver", address])


if __name__ == "__main__":
    sys.exit(main())
