"""What is to be run: the words after refork's own options, made into a command of plain Python.

Nothing is imported here and nothing of the user's is run.
"""

from __future__ import annotations

import difflib
import errno
import importlib.machinery
import os
import shutil
import stat
import sys
import zipimport
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from refork import interpreter
from refork.errors import UsageError
from refork.interpreter import Invocation, Shebang


@dataclass(frozen=True)
class Target:
    """A program as plain Python would be told to run it."""

    interpreter: str  # absolute path of the Python to run
    flags: tuple[str, ...]  # interpreter flags, verbatim: ("-W", "error", "-u")
    kind: str  # "script" | "path" (folder or zip with __main__.py) | "module"
    name: str  # as plain Python would be given it: the path, or the module's name
    args: tuple[str, ...]  # everything after TARGET, untouched
    spelled: str = ""  # how a leading Python was written, if it was


def plain_argv(target: Target) -> list[str]:
    """The command line plain Python would have run: `sys.orig_argv` of the program."""
    chosen = ["-m", target.name] if target.kind == "module" else [target.name]
    return [target.spelled or target.interpreter, *target.flags, *chosen, *target.args]


def described(target: Target) -> dict[str, object]:
    """The target as the program's process is told of it."""
    return {
        "kind": target.kind,
        "name": target.name,
        "args": list(target.args),
        "orig_argv": plain_argv(target),
    }


def working_directory() -> str:
    """`os.getcwd()`, or one line about its loss.

    Raises:
        UsageError: the working directory is gone or closed to us.
    """
    try:
        return os.getcwd()
    except OSError as error:
        raise UsageError(
            f"the working directory cannot be used ({error.strerror}): cd to one that exists"
        ) from error


def resolve(
    words: Sequence[str],
    module: str | None,
    cwd: str,
    environ: Mapping[str, str],
    orig_argv: Sequence[str] | None = None,
) -> Target:
    """The target named by `words` (or by `module`, then `words` are its arguments).

    `orig_argv` is how refork itself was started (`sys.orig_argv`): flags in it are carried over
    unless the words name a Python of their own.

    Raises:
        UsageError: there is nothing that could be run, in one line.
    """
    started = sys.orig_argv if orig_argv is None else orig_argv
    python = interpreter.default(started, cwd, environ)
    own = Target(python, interpreter.carried_flags(started), "script", "", ())
    if module is not None:
        return _module(own, module, words)
    if not words:
        raise UsageError("nothing to run: name a script, a folder, -m MODULE or a console script")
    _check_spelling(words[0])
    if interpreter.is_python_name(words[0]) and not os.path.isdir(os.path.join(cwd, words[0])):
        return _after_python(own, words, cwd, environ)
    kind = _kind(words[0], cwd)
    if kind is None:
        return _console_script(own, words, cwd, environ)
    if kind == "script" and not _is_python_file(words[0]):
        return _script_without_suffix(own, words, cwd)
    return replace(own, kind=kind, name=words[0], args=tuple(words[1:]))


def _module(python: Target, name: str, args: Sequence[str]) -> Target:
    if not name or "\0" in name:
        raise UsageError(f"-m {name!r}: not the name of a module")
    return replace(python, kind="module", name=name, args=tuple(args))


def _check_spelling(name: str) -> None:
    if not name:
        raise UsageError("the target is an empty word: name a script, a folder or -m MODULE")
    if "\0" in name:
        raise UsageError(f"{name!r}: a path cannot hold a NUL character")
    if name == "-":
        raise UsageError(
            "-: a program read from standard input cannot be run again: save it to a file"
        )


# ── a leading python ─────────────────────────────────────────────────────────────────────────────


def _after_python(
    own: Target, words: Sequence[str], cwd: str, environ: Mapping[str, str]
) -> Target:
    spelled = words[0]
    found = interpreter.find_leading(spelled, own.interpreter, cwd, environ)
    if found is None:
        raise UsageError(
            f"{spelled}: no such interpreter; leave the word out to use {own.interpreter}"
        )
    invocation = interpreter.parse_invocation(words[1:])
    _refuse(invocation, spelled)
    python = Target(found, invocation.flags, "script", "", (), spelled=spelled)
    if invocation.module is not None:
        return _module(python, invocation.module, invocation.rest)
    if not invocation.rest:
        raise UsageError(f"{spelled}: nothing to run: name a script, a folder or -m MODULE")
    name, *args = invocation.rest
    _check_spelling(name)
    kind = _kind(name, cwd)
    if kind is None:
        raise UsageError(_missing(name, cwd))
    return replace(python, kind=kind, name=name, args=tuple(args))


def _refuse(invocation: Invocation, spelled: str) -> None:
    """Raises UsageError for what plain Python does and refork cannot do again and again."""
    reasons = {
        "c": "has no file that could be saved: put the code into one",
        "i": "asks for a prompt after each run: leave it out",
        "x": "skips a line that is not there for refork: leave it out",
        "h": "runs no program: call it without refork",
        "?": "runs no program: call it without refork",
        "V": "runs no program: call it without refork",
    }
    for letter, reason in reasons.items():
        if letter in invocation.letters:
            raise UsageError(f"{spelled} -{letter} {reason}")


# ── paths ────────────────────────────────────────────────────────────────────────────────────────


def _kind(name: str, cwd: str) -> str | None:
    """`"script"` or `"path"` for what is at `name`; None if there is nothing.

    Raises:
        UsageError: there is something, and it cannot be run.
    """
    full = os.path.join(cwd, name)
    try:
        mode = os.stat(full).st_mode
        if stat.S_ISDIR(mode):
            return _folder(name, full)
        if not stat.S_ISREG(mode):
            raise UsageError(f"{name}: not a file that can be read again: save the program to one")
        with open(full, "rb") as file:
            head = file.read(1024)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(full):
            to = os.readlink(full)
            raise UsageError(f"{name}: a symbolic link to {to}, which does not exist") from None
        return "path" if _holds_main(full) else None  # a folder inside a zip
    except OSError as error:
        raise UsageError(f"{name}: {_trouble(error)}") from error
    except ValueError as error:  # text that no file name can hold
        raise UsageError(f"{name!r}: not a path: {error}") from error
    return _file(name, full, head)


def _trouble(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "its symbolic links lead in a circle: name the file itself"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "it may not be read: change its permissions, or run refork as its owner"
    return f"it cannot be read: {error.strerror}"


def _folder(name: str, full: str) -> str | None:
    suffixes = importlib.machinery.all_suffixes()
    if any(os.path.isfile(os.path.join(full, "__main__" + suffix)) for suffix in suffixes):
        return "path"
    if not os.path.dirname(name):
        return None  # a project folder called like its console script: `celery`, `flask`
    raise UsageError(_no_main(name))


def _no_main(name: str) -> str:
    return f"{name}: a folder without __main__.py: name the file in it to run, or add that one"


def _file(name: str, full: str, head: bytes) -> str:
    if _is_zip(full):
        if _holds_main(full):
            return "path"
        raise UsageError(f"{name}: a zip without __main__.py at its top: add one")
    if b"\0" in head and not _is_python_file(name):
        raise UsageError(f"{name}: a binary file, not a Python script")
    return "script"


def _is_python_file(name: str) -> bool:
    return name.lower().endswith((".py", ".pyw", ".pyc"))


def _is_zip(full: str) -> bool:
    """Plain Python asks this very importer, whatever the file is called."""
    try:
        zipimport.zipimporter(full)
    except zipimport.ZipImportError:
        return False
    return True


def _holds_main(full: str) -> bool:
    try:
        return zipimport.zipimporter(full).find_spec("__main__") is not None
    except zipimport.ZipImportError:
        return False


# ── scripts that name their interpreter ──────────────────────────────────────────────────────────


def _console_script(
    own: Target, words: Sequence[str], cwd: str, environ: Mapping[str, str]
) -> Target:
    name = words[0]
    path = None if os.path.dirname(name) else _which(name, environ)
    if path is None:
        raise UsageError(_missing(name, cwd))
    full = os.path.join(cwd, path)
    kind = _kind(full, cwd) or "script"
    if kind == "path":  # Windows: an .exe with a zip at its end
        return replace(own, kind=kind, name=path, args=tuple(words[1:]))
    shebang = _shebang(name, full)
    if shebang is None:
        return replace(own, name=path, args=tuple(words[1:]))
    python = _python_of(shebang, name, cwd, environ)
    return _with_shebang(own, python, shebang, path, words[1:])


def _script_without_suffix(own: Target, words: Sequence[str], cwd: str) -> Target:
    """A file like `bin/tool`. An `env` line in it means any Python, and refork has one."""
    name = words[0]
    shebang = _shebang(name, os.path.join(cwd, name))
    if shebang is None or shebang.searched:
        return replace(own, name=name, args=tuple(words[1:]))
    return _with_shebang(own, _python_of(shebang, name, cwd, {}), shebang, name, words[1:])


def _shebang(name: str, full: str) -> Shebang | None:
    try:
        shebang = interpreter.read_shebang(full)
    except ValueError as error:  # quotes that do not close
        raise UsageError(f"{name}: its first lines cannot be read: {error}") from error
    except OSError as error:
        raise UsageError(f"{name}: {_trouble(error)}") from error
    if shebang is not None and not shebang.is_python:
        program = " ".join(shebang.command) or "nothing"
        raise UsageError(f"{name}: a script for {program}, not for Python")
    return shebang


def _python_of(shebang: Shebang, name: str, cwd: str, environ: Mapping[str, str]) -> str:
    found = interpreter.find(shebang.command[0], cwd, environ)
    if found is None:
        raise UsageError(
            f"{name}: its first line names {shebang.command[0]}, which does not exist: install"
            f" {name} again, or put a Python of your choice before it"
        )
    return found


def _with_shebang(
    own: Target, python: str, shebang: Shebang, path: str, args: Sequence[str]
) -> Target:
    flags = shebang.command[1:]
    if interpreter.same_environment(python, own.interpreter):
        flags = (*own.flags, *flags)
    spelled = shebang.command[0] if shebang.searched else ""
    return Target(python, flags, "script", path, tuple(args), spelled=spelled)


def _which(name: str, environ: Mapping[str, str]) -> str | None:
    """A console script of refork's own environment, whether that is activated or not; else of
    any on PATH."""
    beside = os.path.dirname(sys.executable)
    places = [beside, os.path.join(beside, "Scripts")] if os.name == "nt" else [beside]
    return shutil.which(name, path=os.pathsep.join([*places, environ.get("PATH", os.defpath)]))


# ── nothing found ────────────────────────────────────────────────────────────────────────────────


def _missing(name: str, cwd: str) -> str:
    """One line that names the missing target and what was probably meant."""
    if os.path.isdir(os.path.join(cwd, name)):
        return _no_main(name)
    if os.path.isfile(os.path.join(cwd, name + ".py")):
        return f"{name}: no such program; did you mean {name}.py?"
    as_path = os.path.join(cwd, *name.split("."))
    if "." in name and (os.path.isfile(as_path + ".py") or os.path.isdir(as_path)):
        return f"{name}: no such program; did you mean -m {name}?"
    if near := _neighbour(name, cwd):
        return f"{name}: no such file; did you mean {near}?"
    if os.path.dirname(name) or _is_python_file(name):
        return f"{name}: no such file in {cwd}: check its name, or go to its folder"
    return (
        f"{name}: no such file in {cwd}, and no console script in {sys.prefix} or on PATH: check its"
        " name, or install it there"
    )


def _neighbour(name: str, cwd: str) -> str | None:
    folder, base = os.path.split(name)
    try:
        names = [n for n in os.listdir(os.path.join(cwd, folder)) if _is_python_file(n)]
    except OSError:
        return None
    near = difflib.get_close_matches(base, names, 1, cutoff=0.75)
    return os.path.join(folder, near[0]) if near else None
