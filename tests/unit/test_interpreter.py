"""Words after `python`, and first lines of scripts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from refork.errors import UsageError
from refork.interpreter import (
    Shebang,
    carried_flags,
    default,
    find,
    find_leading,
    is_python_name,
    parse_invocation,
    read_shebang,
    same_environment,
)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links and shells")


@pytest.mark.parametrize(
    "word",
    ["python", "python3", "python3.12", "/usr/bin/python3.13t", "pypy3", "pypy3.10", "Python.exe",
     "pythonw.exe", "python3-dbg", "./bin/python"],
)  # fmt: skip
def test_names_of_python(word: str) -> None:
    assert is_python_name(word)


@pytest.mark.parametrize(
    "word",
    ["python.py", "ipython", "pythonista", "python3-config", "bpython", "", "py", "x/python/", "2"],
)
def test_names_of_other_things(word: str) -> None:
    assert not is_python_name(word)


@pytest.mark.parametrize(
    ("line", "flags", "module", "rest"),
    [
        ("", "", None, ""),
        ("a.py -u", "", None, "a.py -u"),
        ("-W error a.py", "-W error", None, "a.py"),
        ("-Werror a.py", "-Werror", None, "a.py"),
        ("-X dev -X utf8=1 a.py", "-X dev -X utf8=1", None, "a.py"),
        ("-uOO a.py", "-uOO", None, "a.py"),
        ("-uW error a.py", "-uW error", None, "a.py"),
        ("-uWerror a.py", "-uWerror", None, "a.py"),
        ("-m pkg -u", "", "pkg", "-u"),
        ("-mpkg x", "", "pkg", "x"),
        ("-um pkg", "-u", "pkg", ""),
        ("-umpkg", "-u", "pkg", ""),
        ("-BEsSIPbdqv a.py", "-BEsSIPbdqv", None, "a.py"),
        ("-u -- a.py", "-u", None, "a.py"),
        ("-- -m", "", None, "-m"),
        ("- x", "", None, "- x"),
        ("--check-hash-based-pycs never a.py", "--check-hash-based-pycs never", None, "a.py"),
    ],
)
def test_invocations(line: str, flags: str, module: str | None, rest: str) -> None:
    found = parse_invocation(line.split())
    assert (found.flags, found.module) == (tuple(flags.split()), module)
    assert found.rest == tuple(rest.split())


@pytest.mark.parametrize("line", ["-W", "-X", "-m", "-c", "--check-hash-based-pycs", "-uW"])
def test_a_flag_without_its_value(line: str) -> None:
    with pytest.raises(UsageError, match="a value must follow"):
        parse_invocation([line])


@pytest.mark.parametrize("line", ["-Z", "-uZ", "--wat", "-1"])
def test_a_flag_that_python_does_not_have(line: str) -> None:
    with pytest.raises(UsageError, match=f"python {line}: Python has no"):
        parse_invocation([line, "a.py"])


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("python -m refork a.py", ""),
        ("python -W error -Xdev -u -m refork -v a.py", "-W error -Xdev -u"),
        ("python -OOm refork a.py", "-OO"),
        ("python -i -m refork a.py", ""),
        ("python -ui -x -m refork a.py", "-u"),
        ("python -O /no/such/refork a.py", "-O"),
        ("python -E -c code", "-E"),
        ("python", ""),
        ("", ""),
        ("embedder -Z", ""),
    ],
)
def test_flags_carried_over(line: str, flags: str) -> None:
    assert carried_flags(line.split()) == tuple(flags.split())


def test_flags_of_reforks_own_first_line_are_not_the_users(tmp_path: Path) -> None:
    script = tmp_path / "refork"
    script.write_text("#!/usr/bin/python3 -sP\n")
    assert carried_flags(["python3", "-sP", str(script), "a.py"]) == ()
    assert carried_flags(["python3", "-u", str(script), "a.py"]) == ("-u",)


# ── first lines ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "command", "searched"),
    [
        (b"#!/usr/bin/python3\n", ("/usr/bin/python3",), False),
        (b"#! /usr/bin/python3 -sP \n", ("/usr/bin/python3", "-sP"), False),
        (b"#!/usr/bin/python3 -W error\n", ("/usr/bin/python3", "-W error"), False),
        (b"#!/usr/bin/env python3\n", ("python3",), True),
        (b"#!/usr/bin/env -S python3 -u -W 'a b'\n", ("python3", "-u", "-W", "a b"), True),
        (b"#!/usr/bin/env -Spython3\n", ("python3",), True),
        (b"#!/usr/bin/python3\r\n", ("/usr/bin/python3",), False),
        (b"#!/bin/sh\necho hello\n", ("/bin/sh",), False),
        (b"#!\n", (), False),
        (b"#!/usr/bin/env\n", (), True),
        (
            b"#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n' '''\nimport sys\n",
            ("/a b/python",),
            False,
        ),
        (
            b"#!/bin/sh\n'''exec' /long/python3 -E \"$0\" \"$@\"\n' '''\n",
            ("/long/python3", "-E"),
            False,
        ),
        (
            b"#!/bin/sh\n'''exec' '/uv/python3' \"$0\" \"$@\"\n' '''\n",
            ("/uv/python3",),
            False,
        ),
    ],
)
def test_first_lines(tmp_path: Path, text: bytes, command: tuple[str, ...], searched: bool) -> None:
    script = tmp_path / "tool"
    script.write_bytes(text)
    assert read_shebang(str(script)) == Shebang(command, searched)


def test_a_relocatable_trampoline_names_its_neighbour(tmp_path: Path) -> None:
    folder = tmp_path / "an odd $folder"
    folder.mkdir()
    script = folder / "tool"
    script.write_text(
        "#!/bin/sh\n"
        '\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")"/\'python3\' "$0" "$@"\n'
        "' '''\n"
    )
    shebang = read_shebang(str(script))
    assert shebang is not None
    assert shebang.command == (os.path.join(os.path.realpath(folder), "python3"),)
    assert shebang.is_python


@pytest.mark.parametrize("text", [b"", b"import sys\n", b"\n#!/usr/bin/python3\n"])
def test_no_first_line(tmp_path: Path, text: bytes) -> None:
    script = tmp_path / "tool"
    script.write_bytes(text)
    assert read_shebang(str(script)) is None


# ── which Python ─────────────────────────────────────────────────────────────────────────────────


def fake_python(folder: Path, name: str = "python") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@POSIX
def test_a_bare_word_is_found_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fake_python(tmp_path / "bin", "python3.77")
    environ = {"PATH": f"/nowhere{os.pathsep}{tmp_path / 'bin'}"}
    assert find("python3.77", "/", environ) == found
    assert find("python3.78", "/", environ) is None
    monkeypatch.chdir(tmp_path)
    assert find("python3.77", str(tmp_path), {"PATH": "bin"}) == found


@POSIX
def test_a_word_with_a_slash_is_a_path(tmp_path: Path) -> None:
    found = fake_python(tmp_path / "bin")
    assert find("bin/python", str(tmp_path), {}) == found
    assert find(found, "/", {}) == found
    os.chmod(found, 0o644)
    assert find(found, "/", {}) is None
    assert find("bin", str(tmp_path), {}) is None


@POSIX
def test_a_leading_python_is_the_own_one_unless_another_environment_is_active(
    tmp_path: Path,
) -> None:
    own = fake_python(tmp_path / "own")
    other = fake_python(tmp_path / "other")
    environ = {"PATH": os.path.dirname(other)}
    assert find_leading("python", own, "/", environ) == own
    assert find_leading("python", own, "/", {**environ, "VIRTUAL_ENV": sys.prefix}) == own
    assert find_leading("python", own, "/", {**environ, "VIRTUAL_ENV": "/other"}) == other
    assert find_leading(other, own, "/", environ) == other
    assert find_leading("python3.77", own, "/", environ) is None


@POSIX
def test_a_tool_install_leaves_the_choice_to_path(tmp_path: Path) -> None:
    """pipx and uv put a link to refork's script into a folder of links."""
    beside = os.path.dirname(sys.executable)
    link = tmp_path / "bin" / "refork"
    project = fake_python(tmp_path / "project")
    link.parent.mkdir()
    link.symlink_to(os.path.join(beside, "refork"))
    environ = {"PATH": os.path.dirname(project)}
    assert default([sys.executable, str(link)], "/", environ) == project
    assert default([sys.executable, str(link)], "/", {"PATH": "/nowhere"}) == sys.executable
    assert default([sys.executable, f"{beside}/refork"], "/", environ) == sys.executable
    assert default([sys.executable, "-m", "refork"], "/", environ) == sys.executable


@POSIX
def test_one_environment_has_several_names_for_its_python(tmp_path: Path) -> None:
    base = fake_python(tmp_path / "base")
    for folder in ("venv", "twin"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "python").symlink_to(base)
    (tmp_path / "venv" / "python3").symlink_to("python")
    (tmp_path / "alias").symlink_to("venv")

    def same(one: str, other: str) -> bool:
        return same_environment(str(tmp_path / one), str(tmp_path / other))

    assert same("venv/python", "venv/python3")
    assert same("venv/python", "alias/python3")
    assert not same("venv/python", "base/python")
    assert not same("venv/python", "twin/python")
