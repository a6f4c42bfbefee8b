"""Settings: what they are, and how the command line, the environment and the project set them."""

from __future__ import annotations

import difflib
import glob
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from refork.errors import UsageError

# REFORK_… variables that are no settings. Two are set for the program, and met here when one that
# runs under refork starts refork itself; the third is read by `refork.watch`.
OWN_VARIABLES = frozenset(
    {
        *("REFORK_DISABLE", "REFORK_GENERATION", "REFORK_LIVE", "REFORK_LAST_GOOD"),
        *("REFORK_WATCHER", "REFORK_PORTABLE"),
    }
)


@dataclass(frozen=True)
class Settings:
    """All that can be chosen; the defaults are those of a user who has chosen nothing."""

    strategy: str = "auto"  # auto | resume | restart
    watch: tuple[str, ...] = ()  # paths or globs, relative to the working directory
    refresh: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    poll: float | None = None  # seconds; None: events
    grace: float = 5.0  # seconds
    hoist: bool | None = None  # None: default
    verify: bool = False
    on_exit: str | None = None  # wait | follow | None: decided by what the program is
    on_error: str = "page"  # page | last-good
    memory_budget: int | None = None  # MB
    events: str | None = None
    live_reload: bool = True
    verbosity: int = 0  # -1 quiet, 0, 1 verbose, 2 every checkpoint


Convert = Callable[[object], Any]


def _choice(*names: str) -> Convert:
    def convert(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        hint = ""
        if isinstance(value, str) and (near := difflib.get_close_matches(value, names, 1)):
            hint = f"; did you mean {near[0]}?"
        raise ValueError(f"expected {' or '.join(names)}, not {value!r}{hint}")

    return convert


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"expected a path or pattern, not {value!r}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)):
        return tuple(_text(item) for item in value)
    return (_text(value),)


def _number(value: object, expected: str) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"expected {expected}, not {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"expected {expected}, not {value!r}")
    return number


def _grace(value: object) -> float:
    expected = "a number of seconds, 0 or more"
    number = _number(value, expected)
    if number < 0:
        raise ValueError(f"expected {expected}, not {value!r}")
    return number


def _poll(value: object) -> float | None:
    expected = "a number of seconds above 0, or true or false"
    word = _WORDS.get(value.lower()) if isinstance(value, str) else value
    # The words "1" and "0" are numbers here: one second, and an error.
    if word is True and value != "1":
        return 1.0
    if word is False and value != "0":
        return None
    number = _number(value, expected)
    if number <= 0:
        raise ValueError(f"expected {expected}, not {value!r}")
    return number


def _megabytes(value: object) -> int:
    expected = "a whole number of megabytes, 1 or more"
    number = _number(value, expected)
    if number < 1 or number != int(number):
        raise ValueError(f"expected {expected}, not {value!r}")
    return int(number)


_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _switch(value: object) -> bool:
    word = _WORDS.get(value.lower()) if isinstance(value, str) else value
    if isinstance(word, bool):
        return word
    raise ValueError(f"expected true or false, not {value!r}")


@dataclass(frozen=True)
class Option:
    """One setting as users write it: `--KEY`, `REFORK_KEY`, `KEY = …`."""

    convert: Convert
    takes: str = "value"  # value | maybe (a value or none) | switch
    repeats: bool = False


# Keys are spelled with underscores here and with dashes on the command line.
OPTIONS: Mapping[str, Option] = {
    "strategy": Option(_choice("auto", "resume", "restart")),
    "watch": Option(_texts, repeats=True),
    "refresh": Option(_texts, repeats=True),
    "ignore": Option(_texts, repeats=True),
    "poll": Option(_poll, takes="maybe"),
    "grace": Option(_grace),
    "hoist": Option(_switch, takes="switch"),
    "verify": Option(_switch, takes="switch"),
    "on_exit": Option(_choice("wait", "follow")),
    "on_error": Option(_choice("page", "last-good")),
    "memory_budget": Option(_megabytes),
    "events": Option(_text),
    "live_reload": Option(_switch, takes="switch"),
    "verbose": Option(_switch, takes="switch"),
    "quiet": Option(_switch, takes="switch"),
}


def nearest(key: str, known: Mapping[str, object]) -> str:
    """The known key that `key` was most likely meant to be."""
    return difflib.get_close_matches(key, list(known), 1, cutoff=0.0)[0]


def load(
    chosen: Mapping[str, object], environ: Mapping[str, str], cwd: str, verbosity: int | None = None
) -> Settings:
    """Settings from all sources: what was `chosen` on the command line, then the environment,
    then `[tool.refork]` of the nearest `pyproject.toml` upward from `cwd`.

    A list given by a stronger source replaces the weaker one's.

    Raises:
        UsageError: an unknown key, a bad value, or a `pyproject.toml` that cannot be read.
    """
    values = {**from_project(cwd), **from_environ(environ)}
    values.update(convert_all(chosen, lambda key: "--" + key.replace("_", "-")))
    if verbosity is not None:
        values["verbosity"] = verbosity
    return replace(Settings(), **values)


def convert_all(raw: Mapping[str, object], label: Callable[[str], str]) -> dict[str, Any]:
    """Typed values for the `raw` ones of one source, `verbose` and `quiet` made into one
    `verbosity`; `label(key)` is how an error names the culprit.

    Raises:
        UsageError: a value that does not fit.
    """
    values = {}
    for key, value in raw.items():
        try:
            values[key] = OPTIONS[key].convert(value)
        except ValueError as error:
            raise UsageError(f"{label(key)}: {error}") from None
    if "verbose" in values or "quiet" in values:
        verbose, quiet = values.pop("verbose", False), values.pop("quiet", False)
        if verbose and quiet:
            raise UsageError(f"{label('verbose')} and {label('quiet')} contradict each other")
        values["verbosity"] = -1 if quiet else int(verbose)
    return values


def from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings from `REFORK_…` variables; an empty one counts as not set. Lists are separated
    like those in `PATH`.

    Raises:
        UsageError: an unknown name or a bad value.
    """
    raw: dict[str, object] = {}
    for name, value in environ.items():
        if not name.startswith("REFORK_") or name in OWN_VARIABLES or not value:
            continue
        key = name[len("REFORK_") :].lower()
        if key not in OPTIONS:
            near = "REFORK_" + nearest(key, OPTIONS).upper()
            raise UsageError(f"{name}: no such setting; the nearest is {near}")
        raw[key] = value.split(os.pathsep) if OPTIONS[key].repeats else value
    return convert_all(raw, lambda key: "REFORK_" + key.upper())


def from_project(cwd: str) -> dict[str, Any]:
    """Settings from `[tool.refork]` of the nearest `pyproject.toml`; relative paths in it count
    from its folder, as in every other table of that file.

    Raises:
        UsageError: an unknown key, a bad value, or a file that cannot be read.
    """
    path = _nearest_project(cwd)
    if path is None:
        return {}
    raw: dict[str, object] = {}
    for written, value in _table(path).items():
        key = written.replace("-", "_")
        if key not in OPTIONS:
            near = nearest(key, OPTIONS).replace("_", "-")
            raise UsageError(f"{path}: [tool.refork] {written}: no such key; the nearest is {near}")
        raw[key] = value
    values = convert_all(raw, lambda key: f"{path}: [tool.refork] {key.replace('_', '-')}")
    folder = os.path.dirname(path)
    return values if folder == cwd else _rebased(values, folder)


def _nearest_project(cwd: str) -> str | None:
    folder = cwd
    while True:
        path = os.path.join(folder, "pyproject.toml")
        if os.path.lexists(path):
            return path
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _table(path: str) -> Mapping[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; refork reads its settings there") from error
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    table: object = data
    for name in ("tool", "refork"):
        table = table.get(name, {}) if isinstance(table, dict) else None
    if not isinstance(table, dict):
        raise UsageError(f"{path}: tool.refork must be a table: write its keys under [tool.refork]")
    return table


def _rebased(values: dict[str, Any], folder: str) -> dict[str, Any]:
    """`values` of a project file in `folder`, for a working directory below it.

    A pattern without a slash (`*.log`) names files anywhere and stays as it is; `watch` always
    names a place.
    """
    escaped = glob.escape(folder)

    def anchored(pattern: str) -> str:
        return os.path.join(escaped, pattern)

    rebased = dict(values)
    for key in ("refresh", "ignore"):
        patterns = values.get(key, ())
        rebased.update({key: tuple(anchored(p) if "/" in p else p for p in patterns)})
    rebased["watch"] = tuple(anchored(p) for p in values.get("watch", ()))
    if "events" in values:
        rebased["events"] = os.path.join(folder, values["events"])
    return rebased
