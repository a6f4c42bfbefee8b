"""`refork doctor`: what this machine and this Python allow, and what slows reloads here.

Each check answers with findings; nothing of the user's is imported or run.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from refork.process.kernel import available_memory
from refork.settings import Settings
from refork.watch.base import Watcher
from refork.watch.choose import open_watcher
from refork.watch.mounts import device, remote_devices

PATIENCE = 3.0
"""Seconds to wait for the event of a test file, besides the interval where files are polled."""

MANY = 50_000
"""Directories after which counting ends: by then the answer is known."""

POOLS = ("jax", "polars", "tensorflow", "grpc")
"""Their threads, once started, are gone in a forked child, and what waits for them hangs."""

REPORTERS = ("ddtrace", "newrelic", "scout_apm", "elasticapm")
"""They start a thread when the program starts."""


@dataclass(frozen=True)
class Finding:
    """One line of the answer."""

    about: str
    text: str
    fine: bool = True


def examine(settings: Settings, say: Callable[[str], object]) -> int:
    """Say all findings, line by line. Returns 0, or 1 if no save would be seen."""
    findings = [
        *watching(settings, os.getcwd()),
        *limits(os.getcwd()),
        *python(settings, os.environ),
        *memory(settings),
        *bytecode(os.getcwd(), os.environ),
        *libraries(),
    ]
    for finding in findings:
        mark = " " if finding.fine else "!"
        say(f"{mark} {finding.about:<10} {finding.text}")
    return 0 if all(finding.fine for finding in findings if finding.about == "watching") else 1


# ── watching ─────────────────────────────────────────────────────────────────────────────────────


def watching(settings: Settings, cwd: str) -> Iterator[Finding]:
    """The back-end that would serve, and how soon it tells of a save in `cwd`."""
    remarks: list[str] = []
    watcher = open_watcher(settings.poll, [cwd], remarks.append)
    try:
        took = _save_to_seen(watcher, cwd, PATIENCE + (settings.poll or 1.0))
        if isinstance(took, float):
            yield Finding("watching", f"{watcher.name}: a save here was seen after {_ms(took)}")
        else:
            yield Finding("watching", f"{watcher.name}: {took}", fine=not os.access(cwd, os.W_OK))
    finally:
        watcher.close()
    for remark in remarks:
        yield Finding("", remark, fine=False)
    kind = remote_devices().get(device(cwd) or 0)
    if kind is not None:
        yield Finding("", f"this folder is on {kind}: polled, since others may write", fine=False)


def _save_to_seen(watcher: Watcher, cwd: str, patience: float) -> float | str:
    """Seconds from a save to its hint, or why there are none."""
    try:
        file = tempfile.NamedTemporaryFile(dir=cwd, prefix=".refork-doctor-")  # noqa: SIM115
    except OSError as error:
        return f"not tested, since nothing can be written in {cwd} ({error.strerror})"
    with file:
        watcher.watch([cwd], [file.name])
        watcher.read()
        before = time.perf_counter()
        file.write(b"saved")
        file.flush()
        if _hinted(watcher, file.name, patience):
            return time.perf_counter() - before
    return f"a save in {cwd} was not seen in {patience:.0f} s; try --poll"


def _hinted(watcher: Watcher, path: str, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while (left := deadline - time.monotonic()) > 0:
        select.select([watcher], [], [], left)
        hints = watcher.read()
        if hints.lost or {path, os.path.dirname(path)} & (hints.paths | hints.unfinished):
            return True
    return False


def limits(cwd: str, proc: str = "/proc") -> Iterator[Finding]:
    """What inotify may still be asked for, beside what a program here could need at most."""
    allowed = _number_in(f"{proc}/sys/fs/inotify/max_user_watches")
    instances = _number_in(f"{proc}/sys/fs/inotify/max_user_instances")
    if allowed is None or instances is None:
        return
    used_instances, used = inotify_in_use(proc)
    need = directories_below([cwd, *library_folders()])
    text = (
        f"inotify: {used:,} of {allowed:,} watches in use, {need:,} folders here and in libraries"
    )
    yield Finding("limits", text, fine=need <= allowed - used)
    if need > allowed - used:
        yield Finding("", "raise it: sysctl fs.inotify.max_user_watches=524288", fine=False)
    text = f"inotify: {used_instances:,} of {instances:,} instances in use"
    yield Finding("", text, fine=used_instances < instances)
    if used_instances >= instances:
        yield Finding("", "raise it: sysctl fs.inotify.max_user_instances=1024", fine=False)


def _number_in(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def inotify_in_use(proc: str) -> tuple[int, int]:
    """Instances and watches of all processes that we may look into (proc(5), fdinfo)."""
    instances = watches = 0
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            descriptors = os.listdir(f"{proc}/{pid}/fd")
        except OSError:
            continue  # somebody else's, or gone
        for number in descriptors:
            count = _watches_of(f"{proc}/{pid}", number)
            if count is not None:
                instances += 1
                watches += count
    return instances, watches


def _watches_of(process: str, descriptor: str) -> int | None:
    try:
        if os.readlink(f"{process}/fd/{descriptor}") != "anon_inode:inotify":
            return None
        with open(f"{process}/fdinfo/{descriptor}", encoding="ascii") as file:
            return sum(line.startswith("inotify ") for line in file)
    except OSError:
        return None  # closed meanwhile


def library_folders() -> list[str]:
    """The folders of `sys.path` that hold installed packages and the standard library."""
    return [path for path in sys.path if path and os.path.isdir(path)]


def directories_below(folders: Iterable[str]) -> int:
    """How many directories there are, each counted once; `MANY` if there are more."""
    seen: set[str] = set()
    for folder in folders:
        for path, below, _ in os.walk(os.path.realpath(folder)):
            below[:] = [name for name in below if name != "__pycache__" and name[0] != "."]
            if path in seen:
                below.clear()
            seen.add(path)
            if len(seen) >= MANY:
                return MANY
    return len(seen)


# ── Python ───────────────────────────────────────────────────────────────────────────────────────


def python(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """This Python, the gears it has, and how long it takes to start with nothing to do."""
    name = platform.python_implementation()
    yield Finding("python", f"{name} {platform.python_version()}, {sys.executable}")
    yield Finding("gears", *gears(settings, environ))
    took = min(_bare_start() for _ in range(3))
    text = f"bare Python starts in {_ms(took)}"
    if took > 0.1:
        yield Finding("start", f"{text}: look at .pth files and at the disk it is on", fine=False)
    else:
        yield Finding("start", text)


def gears(settings: Settings, environ: Mapping[str, str]) -> tuple[str, bool]:
    """The gears there are, and whether none is missing."""
    missing = no_resume(settings, environ)
    if missing:
        return f"cold starts only: {missing}", False
    if sys.version_info >= (3, 12):
        evidence = "sys.monitoring"
    else:
        evidence = "counters in code objects"
    return f"graft (evidence: {evidence}), replay, cold start", True


def no_resume(settings: Settings, environ: Mapping[str, str]) -> str:
    """Why nothing can be resumed here, or ""."""
    if settings.strategy == "restart":
        return "the strategy is restart"
    if not hasattr(os, "fork"):
        return "this system cannot fork"
    if not sys.platform.startswith("linux"):
        return "forks are safe on Linux only"
    if platform.python_implementation() != "CPython":
        return "checkpoints need CPython"
    if not os.access("/proc/self/task", os.R_OK):
        return "/proc cannot be read, so what stands in the way of a fork would not be seen"
    if environ.get("COVERAGE_PROCESS_START"):
        return "COVERAGE_PROCESS_START has coverage trace every process"
    return ""


def _bare_start() -> float:
    before = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=False, stdin=subprocess.DEVNULL)
    return time.perf_counter() - before


# ── memory, bytecode, libraries ──────────────────────────────────────────────────────────────────


def memory(settings: Settings) -> Iterator[Finding]:
    """What there is for checkpoints."""
    available = available_memory() // 2**20
    if not available:
        yield Finding("memory", "not known here")
        return
    budget = settings.memory_budget or available // 4
    text = f"{available:,} MB available, {budget:,} MB of it for checkpoints"
    yield Finding("memory", text, fine=64 <= budget <= available)


def bytecode(cwd: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether what was compiled is kept for the next start."""
    if environ.get("PYTHONDONTWRITEBYTECODE"):
        text = "PYTHONDONTWRITEBYTECODE is set: each start compiles all that is not compiled yet"
        yield Finding("bytecode", text, fine=False)
    elif prefix := environ.get("PYTHONPYCACHEPREFIX"):
        yield Finding("bytecode", f"kept below {prefix}")
    elif not os.access(cwd, os.W_OK):
        text = f"{cwd} is read-only: set PYTHONPYCACHEPREFIX to a folder you may write to"
        yield Finding("bytecode", text, fine=False)
    else:
        yield Finding("bytecode", "kept in __pycache__")


def libraries() -> Iterator[Finding]:
    """Installed libraries that keep checkpoints early; found, not imported."""
    if pools := _installed(POOLS):
        text = f"{pools}: no checkpoint once its threads run; import it after all else"
        yield Finding("libraries", text, fine=False)
    if reporters := _installed(REPORTERS):
        text = f"{reporters}: starts a thread; no checkpoint after that; leave it off here"
        yield Finding("libraries", text, fine=False)
    if _installed(("torch",)):
        yield Finding("libraries", "torch: no checkpoint once a GPU was asked for", fine=False)


def _installed(names: Iterable[str]) -> str:
    return ", ".join(name for name in names if importlib.util.find_spec(name) is not None)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
