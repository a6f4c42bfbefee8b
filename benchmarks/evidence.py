"""What the evidence for grafts costs while a program loads: CPU of imports, with it and without.

    python -m benchmarks.evidence --python .venv-3.12/bin/python

The interpreter named imports a good part of its standard library, and whatever of some large
packages it has, in turn with and without; the best of the runs counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

SCRIPT = """
import sys, time
from refork.program import observe
from refork.program.evidence import evidence
if sys.argv[1] == "with":
    evidence.start()
began = time.process_time()
import asyncio, unittest.mock, http.server, xml.dom.minidom, sqlite3, multiprocessing.pool, pydoc
import email.mime.multipart, concurrent.futures, logging.config, ctypes, urllib.request, ssl
import argparse, tarfile, zipfile, csv, difflib, doctest, imaplib, smtplib, statistics, plistlib
for name in ("pytest", "django.db.models", "django.contrib.admin", "flask", "numpy", "pandas"):
    try:
        __import__(name)
    except ImportError:
        continue
print(time.process_time() - began)
"""


def seconds(python: str, how: str) -> float:
    """CPU seconds of the imports."""
    env = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(
        [python, "-c", SCRIPT, how], env=env, stdout=subprocess.PIPE, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def main() -> int:
    """Measure in turn, and print a Markdown table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="interpreters")
    parser.add_argument("--repeat", type=int, default=9, help="runs of each (9)")
    options = parser.parse_args()
    print("| interpreter | CPU without | with evidence | more |")
    print("|---|--:|--:|--:|")
    for python in options.python:
        runs = {"without": list[float](), "with": list[float]()}
        for _ in range(options.repeat):
            for how, found in runs.items():
                found.append(seconds(python, how))
        plain, ours = min(runs["without"]), min(runs["with"])
        print(
            f"| {python} | {plain * 1000:.0f} ms | {ours * 1000:.0f} ms | {ours / plain - 1:+.1%} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
