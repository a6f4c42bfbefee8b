"""The `.pyc` of a module: read in fewer steps than the import system takes, and never that of an older text."""

from __future__ import annotations

import os
import sys
import time

from refork.program import park
from refork.program.frames import hidden, put_in_place
from refork.program.journal import fingerprint, journal, own_names
from refork.program.steps import Silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from refork.program.ladder import Start

_external: Any = sys.modules["_frozen_importlib_external"]
_file_io: Any = sys.modules["_io"].FileIO

SECOND = 1_000_000_000
COMPILING = SECOND // 2
"""Nanoseconds within which a text that was read has been compiled and written to its `.pyc`."""

STILL = 3_600 * SECOND
"""Nanoseconds for which a file has lain still, when it is no longer asked whether it was compiled in between."""

MAGIC = _external.MAGIC_NUMBER + bytes(4)
"""How a `.pyc` begins that is held against the time and size of its source (PEP 552)."""

HEADER = 16
"""Bytes of a `.pyc` before its code."""


def install() -> None:
    """Have source loaders take the status that was asked for a moment ago, and read a `.pyc` without a buffer.

    That is less by a fifth than what it costs otherwise to come to the code of a module. Whatever is not quite
    usual is left to the import system: other classes of loaders, methods that the program has replaced. It tells
    what it does when it is asked to (-v).

    Code that is not for a module that is being loaded is data to whoever asks for it: `runpy` does.
    """
    usual: Any = _external.SourceFileLoader
    original = _external.SourceLoader.get_code

    @hidden
    def get_code(self: Any, fullname: str) -> Any:
        if self is journal.reading:
            journal.reading = None
            path, known = journal.latest
            if (
                known is not None
                and not sys.flags.verbose
                and (usual.get_code, usual.get_data, usual.path_stats) == own
                and type(self) is usual
                and (self.name, self.path) == (fullname, path)
            ):
                code = _cached(fullname, path, known)
                if code is not None:
                    return code
        elif not journal.quiet:
            _note_read(self, fullname)
        return original(self, fullname)

    put_in_place(_external.SourceLoader, "get_code", get_code)
    own = (usual.get_code, usual.get_data, usual.path_stats)


entry: set[str] = set()
"""Names by which `runpy` may ask for the code of the program itself, until it has: that is then a load."""


def _note_read(loader: Any, name: str) -> None:
    path = own_names(loader).get("path")
    if name in entry:
        entry.clear()
    elif type(path) is str:
        journal.note("read", path, fingerprint(path))


@hidden
def _cached(name: str, path: str, status: tuple[int, ...]) -> Any:
    """The code in the `.pyc` of a source file with that fingerprint; None where there is none that is right."""
    size, written, *_rest = status
    seconds, nanoseconds = divmod(written, SECOND)
    moment = int(seconds + 1e-9 * nanoseconds)  # like `st_mtime`, which may be rounded up
    try:
        cached = _external.cache_from_source(path)
        with _file_io(cached, "r") as file:
            data = file.readall()
    except (OSError, NotImplementedError):
        return None
    if data[:8] != MAGIC or data[8:HEADER] != _packed(moment) + _packed(size):
        return None
    try:
        return _external._compile_bytecode(
            memoryview(data)[HEADER:], name=name, bytecode_path=cached, source_path=path
        )
    except Exception:
        return None  # the import system meets the same, and shows where


def _packed(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def is_racy(path: str, cached: str | None) -> bool:
    """The same as `_racy`, of a file that was just loaded; of one that has lain still there is nothing to ask."""
    latest, known = journal.latest
    if known is None or latest != path:
        return _racy(path, cached)
    _size, written, _inode, touched = known
    return touched > journal.still and _racy(path, cached, written)


def _racy(path: str, cached: str | None = None, written: int | None = None) -> bool:
    """Whether a cached `.pyc` may hold an older text of the same size.

    Its header holds the source's mtime in whole seconds: a text that was read and then replaced within the
    second it was written in cannot be told apart, unless the `.pyc` is younger than that second.
    """
    try:
        made = os.stat(cached or _external.cache_from_source(path)).st_mtime_ns
        if written is None:
            written = os.stat(path).st_mtime_ns
    except (OSError, NotImplementedError):
        return False
    return made < written // SECOND * SECOND + SECOND + COMPILING


@hidden
def compile_again(loader: Any, path: str) -> Any:
    """Compile from source, and renew the `.pyc` as the import system does.

    It has compiled the text itself, and shown the warnings, unless it took an older `.pyc`.
    """
    status = os.stat(path)
    data = _data(loader, path)
    with Silence():
        code = loader.source_to_code(data, path)
    if not sys.dont_write_bytecode:
        try:
            cached = _external.cache_from_source(path)
            pyc = _external._code_to_timestamp_pyc(code, int(status.st_mtime), len(data))
            loader._cache_bytecode(path, cached, pyc)
        except NotImplementedError:
            return code
    return code


@hidden
def _data(loader: Any, path: str) -> Any:
    """The text, which the program itself has no part in reading."""
    journal.quiet += 1
    try:
        return loader.get_data(path)
    finally:
        journal.quiet -= 1


def _note_what_lies_still(_start: Start) -> None:
    journal.still = time.time_ns() - STILL


park.let_go.append(_note_what_lies_still)


def _forget_stale_bytecode(start: Start) -> None:
    """Remove `.pyc` files that may hold an older text of a changed file: the processes of a pool,
    which are plain Python, would load it."""
    for path in start.changed:
        if path.endswith(".py") and _racy(path):
            try:
                os.unlink(_external.cache_from_source(path))
            except OSError:
                continue  # gone already, or not ours to remove


park.let_go.append(_forget_stale_bytecode)
