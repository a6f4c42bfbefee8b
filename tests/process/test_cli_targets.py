"""A target is run as plain Python runs it: each is run both ways, for real, and compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from refork.interpreter import parse_invocation
from refork.target import Target, plain_argv, resolve

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells and links")

PROBE = """\
import json, sys
print(json.dumps([sys.orig_argv, sys.argv, sys.executable, sys.prefix, sys.path[0], sys.flags,
                  sys.warnoptions, sorted(sys._xoptions), __name__, __spec__ is not None]))
"""
BESIDE = os.path.dirname(sys.executable)


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the tests' own settings; `folder/bin` first on PATH, then this Python's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PATH": os.pathsep.join([str(folder / "bin"), BESIDE, "/usr/bin", "/bin"])}


def output(command: list[str], cwd: Path, environ: Mapping[str, str]) -> list[object]:
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert isinstance(result, list)
    return result


def command_of(target: Target) -> list[str]:
    return [target.interpreter, *plain_argv(target)[1:]]


def compare(words: list[str], plain: list[str], folder: Path, module: str | None = None) -> Target:
    """`plain` is what somebody would type without refork; returns the target of `words`."""
    environ = environment(folder)
    started = [sys.executable, f"{BESIDE}/refork"]
    target = resolve(words, module, str(folder), environ, started)
    expected = output(plain, folder, environ)
    assert plain_argv(target) == expected[0]
    assert output(command_of(target), folder, environ)[1:] == expected[1:]
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "app.py").write_text(PROBE)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__main__.py").write_text(PROBE)
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
        archive.writestr("inner/__main__.py", PROBE)
    return tmp_path


def script(folder: Path, name: str, first: str) -> Path:
    path = folder / "bin" / name
    path.write_text(first + "\n" + PROBE)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "name", ["app.py", "./app.py", "shop", "shop/", "app.zip", "app.zip/inner"]
)
def test_a_path(folder: Path, name: str) -> None:
    compare([name, "-x", "--", "y"], [sys.executable, name, "-x", "--", "y"], folder)


def test_an_absolute_path(folder: Path) -> None:
    name = str(folder / "app.py")
    compare([name], [sys.executable, name], folder)


def test_a_module(folder: Path) -> None:
    compare(["-x"], [sys.executable, "-m", "app", "-x"], folder, module="app")
    compare([], [sys.executable, "-m", "shop"], folder, module="shop")


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "-u",
        "-W error -W ignore::DeprecationWarning",
        "-Werror",
        "-X dev -X utf8=1",
        "-OOB",
        "-sSE",
        "-I",
        "-bb -q",
        "-uWdefault",
        "--check-hash-based-pycs never",
        "-u --",
    ],
)
def test_a_leading_python(folder: Path, flags: str) -> None:
    target = compare_leading(["python", *flags.split(), "app.py", "-W", "x"], folder)
    assert target.args == ("-W", "x")


@pytest.mark.parametrize("line", ["-m app -u", "-um app", "-OO -W error -mshop x"])
def test_a_leading_python_with_a_module(folder: Path, line: str) -> None:
    environ = environment(folder)
    words = ["python3", *line.split()]
    target = resolve(words, None, str(folder), environ, [sys.executable, f"{BESIDE}/refork"])
    assert target.kind == "module"
    assert output(command_of(target), folder, environ)[1:] == output(words, folder, environ)[1:]


def compare_leading(words: list[str], folder: Path) -> Target:
    environ = environment(folder)
    target = resolve(words, None, str(folder), environ, [sys.executable, f"{BESIDE}/refork"])
    expected = output(words, folder, environ)
    assert plain_argv(target) == [word for word in as_list(expected[0]) if word != "--"]
    assert output(command_of(target), folder, environ)[1:] == expected[1:]
    return target


def as_list(value: object) -> list[str]:
    assert isinstance(value, list)
    return value


@pytest.mark.parametrize(
    "first",
    [
        f"#!{sys.executable}",
        f"#!{sys.executable} -sB",
        f"#! {sys.executable} -u",
        "#!/usr/bin/env python3",
        "#!/usr/bin/env python",
        "#!/usr/bin/env -S python3 -u -W error",
    ],
)
def test_a_script_that_names_its_python(folder: Path, first: str) -> None:
    path = script(folder, "tool", first)
    target = compare(["tool", "-x"], [str(path), "-x"], folder)
    assert target.name == str(path)


@pytest.mark.parametrize("flags", ["", "-E ", "-u -s "])
def test_a_trampoline(folder: Path, flags: str) -> None:
    first = f"#!/bin/sh\n'''exec' \"{sys.executable}\" {flags}\"$0\" \"$@\"\n' '''"
    path = script(folder, "tool", first)
    compare(["tool", "a b"], [str(path), "a b"], folder)


def test_a_relocatable_trampoline(folder: Path) -> None:
    (folder / "bin" / "python3").symlink_to(sys.executable)
    here = '"$(dirname -- "$(realpath -- "$0")")"'
    first = f"#!/bin/sh\n'''exec' {here}/'python3' \"$0\" \"$@\"\n' '''"
    path = script(folder, "tool", first)
    compare(["tool", "a b"], [str(path), "a b"], folder)


INSTALLED = sorted(
    {script.name for script in entry_points(group="console_scripts")}
    & {"celery", "django-admin", "flask", "gunicorn", "mypy", "pytest", "uvicorn"}
)


@pytest.mark.parametrize("name", INSTALLED)
def test_console_scripts_that_are_really_installed(tmp_path: Path, name: str) -> None:
    environ = environment(tmp_path)
    target = resolve([name, "--help"], None, str(tmp_path), environ, [sys.executable, "refork"])
    assert target.kind == "script"
    assert target.interpreter == sys.executable

    def shown(command: list[str]) -> str:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    assert shown(command_of(target)) == shown([os.path.join(BESIDE, name), "--help"])


@pytest.mark.parametrize(
    "line",
    ["-u", "-OO -B", "-W error -X dev", "-uWerror", "-sEB", "-bbq", "-Xutf8", "-IuX dev", "-u --"],
)
def test_flags_are_taken_apart_as_python_does(folder: Path, line: str) -> None:
    """What is left after the flags is what Python itself gives the script."""
    words = [*line.split(), "app.py", "-W", "error", "-m"]
    invocation = parse_invocation(words)
    shown = output([sys.executable, *words], folder, environment(folder))
    assert list(invocation.rest) == shown[1]
    again = output(
        [sys.executable, *invocation.flags, *invocation.rest], folder, environment(folder)
    )
    assert again[1:] == shown[1:]
