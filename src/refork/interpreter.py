"""How Python itself is called: its flags, its names, and the first line of scripts that want it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refork.errors import UsageError

_NAME = re.compile(r"(python|pypy)w?(\d+(\.\d+)*)?[td]?(-dbg|-intel64)?(\.exe)?", re.IGNORECASE)

# `python --help`; the letters are the same from 3.10 to 3.14 (-P came with 3.11: an older one says
# so itself). -R is accepted by Python and does nothing.
_SWITCHES = frozenset("bBdEiIOPqRsSuvx")
_ASKING = frozenset("hV?")

# What a long path makes of a console script, since the kernel cuts `#!` lines: a shell script that
# is a Python string too. pip and uv quote differently, and uv can make the path relative.
_TRAMPOLINE = re.compile(rb"'{3,4}exec'\s+(?P<command>.+?)\s+\"\$0\"\s+\"\$@\"\s*$")
_RELATIVE = '"$(dirname -- "$(realpath -- "$0")")"'


@dataclass(frozen=True)
class Invocation:
    """Words after `python`, taken apart as Python does."""

    flags: tuple[str, ...]
    """Interpreter flags, verbatim."""
    letters: frozenset[str]
    """Every short flag met, `c`, `m` and those that ask for help included."""
    module: str | None
    """What follows `-m`."""
    rest: tuple[str, ...]
    """The script and its arguments; after `-m` and `-c` the arguments alone."""


@dataclass(frozen=True)
class Shebang:
    """The interpreter that a script's first line asks for."""

    command: tuple[str, ...]
    searched: bool
    """Whether `env` looks for it on PATH."""

    @property
    def is_python(self) -> bool:
        return bool(self.command) and is_python_name(self.command[0])


def is_python_name(word: str) -> bool:
    """Whether the last part of a path is what Python interpreters are called."""
    return _NAME.fullmatch(os.path.basename(word)) is not None


def parse_invocation(words: Sequence[str], drop: str = "") -> Invocation:
    """Take apart what follows `python`, as CPython's own `getopt` does; letters in `drop` are
    left out of the flags.

    Raises:
        UsageError: a flag Python does not have, or one without its value.
    """
    flags: list[str] = []
    letters: set[str] = set()
    queue = list(words)
    while queue and queue[0].startswith("-") and queue[0] != "-":
        word = queue.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            flags += _long_flag(word, queue, letters)
            continue
        kept, stop, value = _cluster(word, queue, letters, drop)
        flags += kept
        if stop:
            return Invocation(
                tuple(flags), frozenset(letters), value if stop == "m" else None, tuple(queue)
            )
    return Invocation(tuple(flags), frozenset(letters), None, tuple(queue))


def _long_flag(word: str, queue: list[str], letters: set[str]) -> list[str]:
    if word == "--check-hash-based-pycs":
        return [word, _value(word, "", queue)]
    if word == "--version" or word.startswith("--help"):
        letters.add("h")
        return []
    raise UsageError(f"python {word}: Python has no such flag")


def _cluster(
    word: str, queue: list[str], letters: set[str], drop: str
) -> tuple[list[str], str, str]:
    """One word of short flags: those to keep, the letter that ends them (`c`, `m`), its value."""
    kept = "-"
    for place, letter in enumerate(word[1:], start=2):
        letters.add(letter)
        if letter in "WX":
            attached = word[place:]
            value = _value("-" + letter, attached, queue)
            return ([kept + letter + value] if attached else [kept + letter, value]), "", ""
        if letter in "cm":
            value = _value("-" + letter, word[place:], queue)
            return ([kept] if kept != "-" else []), letter, value
        if letter not in _SWITCHES and letter not in _ASKING:
            raise UsageError(f"python {word}: Python has no flag -{letter}")
        if letter not in drop:
            kept += letter
    return ([kept] if kept != "-" else []), "", ""


def _value(flag: str, attached: str, queue: list[str]) -> str:
    if attached:
        return attached
    if not queue:
        raise UsageError(f"python {flag}: a value must follow")
    return queue.pop(0)


def read_shebang(path: str) -> Shebang | None:
    """What the first line of the script at `path` asks for; None if it asks for nothing.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        first = file.readline(4096)
        second = file.readline(8192) if first.startswith(b"#!") else b""
    if not first.startswith(b"#!"):
        return None
    if match := _TRAMPOLINE.match(second):
        folder = shlex.quote(os.path.dirname(os.path.realpath(path)))
        command = os.fsdecode(match["command"]).replace(_RELATIVE, folder)
        return Shebang(tuple(shlex.split(command)), searched=False)
    # The kernel takes the rest of the line as one argument, blanks and all.
    command_words = os.fsdecode(first[2:]).strip().split(None, 1)
    if command_words and os.path.basename(command_words[0]) == "env":
        return Shebang(_words_of_env(command_words[1:]), searched=True)
    return Shebang(tuple(command_words), searched=False)


def _words_of_env(argument: list[str]) -> tuple[str, ...]:
    text = argument[0] if argument else ""
    if text.startswith("-S"):
        return tuple(shlex.split(text[2:]))
    return (text,) if text else ()


def find(word: str, cwd: str, environ: Mapping[str, str]) -> str | None:
    """Absolute path of the interpreter a shell would run for `word`; None if there is none."""
    if os.path.dirname(word):
        path = os.path.join(cwd, word)
        usable = os.path.isfile(path) and os.access(path, os.X_OK)
        return path if usable else None
    found = shutil.which(word, path=environ.get("PATH", os.defpath))
    return os.path.join(cwd, found) if found else None


def default(orig_argv: Sequence[str], cwd: str, environ: Mapping[str, str]) -> str:
    """The interpreter for a target that names none: refork's own.

    Installed as a tool (pipx, uv), refork stands alone in an environment that nobody works in,
    and is reached by a link; the project's Python is then the one on PATH.
    """
    if _is_tool(orig_argv):
        for word in ("python", "python3"):
            if found := find(word, cwd, environ):
                return found
    return sys.executable


def _is_tool(orig_argv: Sequence[str]) -> bool:
    script = orig_argv[1] if len(orig_argv) > 1 else ""
    own = os.path.realpath(os.path.dirname(sys.executable))
    linked = os.path.islink(script) and os.path.dirname(os.path.realpath(script)) == own
    return linked and os.path.realpath(os.path.dirname(script)) != own


def find_leading(word: str, own: str, cwd: str, environ: Mapping[str, str]) -> str | None:
    """Like `find`, but a bare `python` is that of `own`'s environment, as a console script would
    be, whether it is activated or not; unless another environment is.
    """
    active = environ.get("VIRTUAL_ENV")
    elsewhere = active and os.path.realpath(active) != os.path.realpath(sys.prefix)
    beside = os.path.join(os.path.dirname(own), word)
    if not os.path.dirname(word) and not elsewhere and find(beside, cwd, environ):
        return beside
    return find(word, cwd, environ)


def same_environment(one: str, other: str) -> bool:
    """Whether two interpreter paths are one Python with one `site-packages`: `python` and
    `python3` of a virtual environment are; a virtual environment's and the one it was made from
    are not, though both are links to one file.
    """

    def real(path: str) -> tuple[str, str]:
        return os.path.realpath(os.path.dirname(path)), os.path.realpath(path)

    return real(one) == real(other)


def carried_flags(orig_argv: Sequence[str]) -> tuple[str, ...]:
    """Flags refork itself was started with, for the program: `python -W error -m refork x.py` is
    to x.py what `python -W error x.py` is.

    `-i` and `-x` concern refork's own process. Flags that stand in the first line of refork's
    console script (`#!/usr/bin/python3 -sP`, as distributions write it) were not the user's.
    """
    try:
        invocation = parse_invocation(orig_argv[1:], drop="ix")
    except UsageError:
        return ()  # embedded: sys.orig_argv is not a command line of Python's
    own_script = invocation.rest and not invocation.letters & {"c", "m"}
    if own_script and invocation.flags == _flags_in_script(invocation.rest[0]):
        return ()
    return invocation.flags


def _flags_in_script(path: str) -> tuple[str, ...]:
    try:
        shebang = read_shebang(path)
    except (OSError, ValueError):
        return ()
    return shebang.command[1:] if shebang else ()
