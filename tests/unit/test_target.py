"""Words made into a target, and bad ones into one line each."""

from __future__ import annotations

import os
import re
import socket
import stat
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from refork import target as module_under_test
from refork.errors import UsageError
from refork.target import Target, plain_argv, resolve, working_directory

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="shells, links and sockets")
STARTED = [sys.executable, "-m", "refork"]
Resolve = Callable[..., Target]


@pytest.fixture
def found(tmp_path: Path) -> Resolve:
    """`resolve` in `tmp_path`, refork having been started plainly and PATH being `tmp_path/bin`."""

    def run(
        *words: str,
        module: str | None = None,
        environ: Mapping[str, str] | None = None,
        started: Sequence[str] = STARTED,
    ) -> Target:
        path = {"PATH": str(tmp_path / "bin"), **(environ or {})}
        return resolve(words, module, str(tmp_path), path, started)

    return run


@pytest.fixture
def refused(found: Resolve) -> Callable[..., str]:
    def run(*words: str, module: str | None = None) -> str:
        with pytest.raises(UsageError) as caught:
            found(*words, module=module)
        message = str(caught.value)
        assert message.isprintable(), "one line"
        return message

    return run


def write(path: Path, text: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def own(kind: str, name: str, *args: str, flags: tuple[str, ...] = ()) -> Target:
    return Target(sys.executable, flags, kind, name, args)


# ── scripts, folders, zips, modules ──────────────────────────────────────────────────────────────


def test_a_script(found: Resolve, tmp_path: Path) -> None:
    write(tmp_path / "app.py")
    assert found("app.py", "-v", "--", "x") == own("script", "app.py", "-v", "--", "x")
    assert found("./app.py") == own("script", "./app.py")
    assert found(str(tmp_path / "app.py")) == own("script", str(tmp_path / "app.py"))


@pytest.mark.parametrize("name", ["a b.py", "-a.py", "é.py", "a\nb.py", "app.pyw", "app.pyc"])
def test_odd_names(found: Resolve, tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert found(name) == own("script", name)


@POSIX
def test_a_name_that_is_no_text(found: Resolve, tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.py", "wb"):
        pass
    assert found("\udcff.py") == own("script", "\udcff.py")


def test_source_that_is_not_utf8_is_for_python_to_judge(found: Resolve, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b"\xff\xfe\0\0")
    assert found("app.py").kind == "script"


def test_a_folder(found: Resolve, tmp_path: Path) -> None:
    write(tmp_path / "shop" / "__main__.py")
    assert found("shop", "x") == own("path", "shop", "x")
    assert found("shop/") == own("path", "shop/")
    write(tmp_path / "__main__.py")
    assert found(".") == own("path", ".")


def test_a_zip_whatever_it_is_called(found: Resolve, tmp_path: Path) -> None:
    for name in ("app.zip", "app.pyz", "app"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("__main__.py", "")
            archive.writestr("inner/__main__.py", "")
        assert found(name, "x") == own("path", name, "x")
    assert found("app.zip/inner") == own("path", "app.zip/inner")


def test_a_zip_with_a_first_line(found: Resolve, tmp_path: Path) -> None:
    path = tmp_path / "app.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", "")
    path.write_bytes(b"#!/usr/bin/env python3\n" + path.read_bytes())
    assert found("app.pyz") == own("path", "app.pyz")


def test_a_module_is_not_looked_for(found: Resolve) -> None:
    assert found("-x", module="no.such") == own("module", "no.such", "-x")


def test_flags_of_reforks_own_python_are_carried_over(found: Resolve, tmp_path: Path) -> None:
    write(tmp_path / "app.py")
    started = [sys.executable, "-W", "error", "-um", "refork", "app.py"]
    flags = ("-W", "error", "-u")
    assert found("app.py", started=started) == own("script", "app.py", flags=flags)
    assert found(module="m", started=started) == own("module", "m", flags=flags)
    assert found("python", "app.py", started=started).flags == ()


def test_what_plain_python_would_show() -> None:
    script = Target("/py", ("-u",), "script", "a.py", ("x",))
    assert plain_argv(script) == ["/py", "-u", "a.py", "x"]
    module = Target("/py", (), "module", "m", ("x",), spelled="python3")
    assert plain_argv(module) == ["python3", "-m", "m", "x"]


# ── a leading python ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("app.py -W x", own("script", "app.py", "-W", "x")),
        ("-W error -X dev app.py", own("script", "app.py", flags=("-W", "error", "-X", "dev"))),
        ("-uOO shop x", own("path", "shop", "x", flags=("-uOO",))),
        ("-m shop -u", own("module", "shop", "-u")),
        ("-um shop", own("module", "shop", flags=("-u",))),
    ],
)
def test_a_leading_python(found: Resolve, tmp_path: Path, line: str, expected: Target) -> None:
    write(tmp_path / "app.py")
    write(tmp_path / "shop" / "__main__.py")
    result = found(sys.executable, *line.split())
    assert result.spelled == sys.executable
    assert plain_argv(result) == [sys.executable, *expected.flags, *plain_argv(expected)[
        1 + len(expected.flags) :]]  # fmt: skip
    assert (result.interpreter, result.flags, result.kind, result.name, result.args) == (
        expected.interpreter,
        expected.flags,
        expected.kind,
        expected.name,
        expected.args,
    )


@POSIX
def test_another_python_is_found_on_path(found: Resolve, tmp_path: Path) -> None:
    write(tmp_path / "app.py")
    other = write(tmp_path / "bin" / "python3.77", mode=0o755)
    result = found("python3.77", "-u", "app.py")
    assert result == Target(str(other), ("-u",), "script", "app.py", (), "python3.77")
    assert found("bin/python3.77", "app.py").interpreter == str(other)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("python", "python: nothing to run"),
        ("python -u", "python: nothing to run"),
        ("python -c pass", "python -c has no file that could be saved"),
        ("python -i app.py", "python -i asks for a prompt after each run"),
        ("python -ui app.py", "python -i asks for a prompt after each run"),
        ("python -x app.py", "python -x skips a line"),
        ("python -V", "python -V runs no program"),
        ("python --version", "python -h runs no program"),
        ("python -Z app.py", "python -Z: Python has no flag -Z"),
        ("python -W", "python -W: a value must follow"),
        ("python - x", "-: a program read from standard input"),
        ("python nope.py", "nope.py: no such file in"),
        ("python tool", "tool: no such file in"),
        ("python3.99 app.py", "python3.99: no such interpreter; leave the word out to use "),
        ("./python app.py", "./python: no such interpreter"),
    ],
)
def test_a_leading_python_that_cannot_be(
    refused: Callable[..., str], tmp_path: Path, line: str, message: str
) -> None:
    write(tmp_path / "app.py")
    write(tmp_path / "bin" / "tool", "#!/usr/bin/env python3\n", mode=0o755)
    assert refused(*line.split()).startswith(message)


def test_a_folder_called_python_is_a_folder(found: Resolve, tmp_path: Path) -> None:
    write(tmp_path / "python" / "__main__.py")
    assert found("python") == own("path", "python")


# ── console scripts ──────────────────────────────────────────────────────────────────────────────


@POSIX
def test_a_console_script_of_this_environment(found: Resolve) -> None:
    beside = os.path.join(os.path.dirname(sys.executable), "pytest")
    assert found("pytest", "-q") == own("script", beside, "-q")
    assert found("pytest", started=[sys.executable, "-Wd", "-m", "refork"]) == own(
        "script", beside, flags=("-Wd",)
    )


@POSIX
def test_a_console_script_of_another_python(found: Resolve, tmp_path: Path) -> None:
    other = write(tmp_path / "other" / "python3", mode=0o755)
    tool = write(tmp_path / "bin" / "tool", f"#!{other} -sP\n", mode=0o755)
    expected = Target(str(other), ("-sP",), "script", str(tool), ("x",))
    assert found("tool", "x", started=[sys.executable, "-u", "-m", "refork"]) == expected
    assert found("bin/tool", "x") == Target(str(other), ("-sP",), "script", "bin/tool", ("x",))


@POSIX
def test_a_console_script_that_leaves_python_to_path(found: Resolve, tmp_path: Path) -> None:
    other = write(tmp_path / "bin" / "python3.77", mode=0o755)
    tool = write(tmp_path / "bin" / "tool", "#!/usr/bin/env python3.77\n", mode=0o755)
    assert found("tool") == Target(str(other), (), "script", str(tool), (), "python3.77")
    assert found("bin/tool") == own("script", "bin/tool"), "a path is like `python bin/tool`"


@POSIX
def test_a_trampoline(found: Resolve, tmp_path: Path) -> None:
    other = write(tmp_path / "an other" / "python3", mode=0o755)
    text = f"#!/bin/sh\n'''exec' \"{other}\" \"$0\" \"$@\"\n' '''\nimport sys\n"
    tool = write(tmp_path / "bin" / "tool", text, mode=0o755)
    assert found("tool", "x") == Target(str(other), (), "script", str(tool), ("x",))


@POSIX
def test_a_project_folder_called_like_the_console_script(found: Resolve, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    tool = write(tmp_path / "bin" / "tool", f"#!{sys.executable}\n", mode=0o755)
    assert found("tool") == own("script", str(tool))
    write(tmp_path / "tool" / "__main__.py")
    assert found("tool") == own("path", "tool")


def test_a_script_without_suffix_and_first_line(found: Resolve, tmp_path: Path) -> None:
    write(tmp_path / "manage", "print(1)\n")
    assert found("manage") == own("script", "manage")


@POSIX
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/bash\n", "tool: a script for /bin/bash, not for Python"),
        ("#!/usr/bin/env node\n", "tool: a script for node, not for Python"),
        ("#!\n", "tool: a script for nothing, not for Python"),
        ("\x7fELF\0\0", ": a binary file, not a Python script"),
        ("#!/gone/python3\n", "tool: its first line names /gone/python3, which does not exist"),
        ("#!/usr/bin/env -S python3 'x\n", "tool: its first lines cannot be read: No closing"),
    ],
)
def test_a_console_script_that_is_no_python(
    refused: Callable[..., str], tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path / "bin" / "tool", text, mode=0o755)
    assert message in refused("tool")
    assert message in refused("bin/tool")


# ── bad input ────────────────────────────────────────────────────────────────────────────────────


def test_nothing_at_all(refused: Callable[..., str]) -> None:
    assert refused() == "nothing to run: name a script, a folder, -m MODULE or a console script"
    assert refused("").startswith("the target is an empty word")
    assert refused("-").startswith("-: a program read from standard input")
    assert refused(module="").startswith("-m '': not the name of a module")
    assert refused(module="a\0b").startswith("-m 'a\\x00b': not the name of a module")


def test_a_missing_file_and_what_was_meant(refused: Callable[..., str], tmp_path: Path) -> None:
    write(tmp_path / "manage.py")
    write(tmp_path / "pkg" / "__init__.py")
    write(tmp_path / "pkg" / "views.py")
    assert refused("manage") == "manage: no such program; did you mean manage.py?"
    assert refused("mange.py") == "mange.py: no such file; did you mean manage.py?"
    assert refused("pkg/veiws.py") == "pkg/veiws.py: no such file; did you mean pkg/views.py?"
    assert refused("pkg.views") == "pkg.views: no such program; did you mean -m pkg.views?"
    assert refused("zzz.py").startswith(f"zzz.py: no such file in {tmp_path}: check its name")
    assert refused("manage.py/x").startswith(
        f"manage.py/x: no such file in {tmp_path}: check its name"
    )
    assert refused("zzz").startswith(f"zzz: no such file in {tmp_path}, and no console script in ")


def test_a_folder_without_main(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    text = ": a folder without __main__.py: name the file in it to run, or add that one"
    assert refused("shop") == "shop" + text
    assert refused("./shop") == "./shop" + text
    assert refused(".") == "." + text
    assert refused(sys.executable, "shop") == "shop" + text


def test_a_zip_without_main(refused: Callable[..., str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("other.py", "")
    assert refused("app.zip") == "app.zip: a zip without __main__.py at its top: add one"


def test_a_nul(refused: Callable[..., str]) -> None:
    assert refused("a\0.py") == "'a\\x00.py': a path cannot hold a NUL character"
    assert refused(sys.executable, "a\0.py").startswith("'a\\x00.py': a path cannot")


def test_text_that_no_path_can_hold(refused: Callable[..., str]) -> None:
    assert refused("\ud800.py").startswith("'\\ud800.py': not a path: ")


def test_a_name_that_is_too_long(refused: Callable[..., str]) -> None:
    assert re.search("cannot be read: File name too long", refused("a" * 5000 + ".py"))


@POSIX
def test_links_that_lead_nowhere(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("b.py")
    (tmp_path / "b.py").symlink_to("a.py")
    (tmp_path / "c.py").symlink_to("gone.py")
    circle = "its symbolic links lead in a circle: name the file itself"
    assert refused("a.py") == f"a.py: {circle}"
    assert refused("a.py/x") == f"a.py/x: {circle}"
    assert refused("c.py") == "c.py: a symbolic link to gone.py, which does not exist"


@POSIX
def test_what_cannot_be_read_twice(refused: Callable[..., str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    assert refused("pipe.py").startswith("pipe.py: not a file that can be read again")
    assert refused("/dev/null").startswith("/dev/null: not a file that can be read again")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        assert refused("s").startswith("s: not a file that can be read again")


@POSIX
def test_a_file_that_may_not_be_read(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "app.py")
    path.chmod(0)
    if os.geteuid() == 0:  # root may read all; the kernel's answer to anybody else is played

        def closed(name: object, *args: object, **kwargs: object) -> object:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(module_under_test, "open", closed, raising=False)
    assert refused("app.py").startswith("app.py: it may not be read: change its permissions")
    assert stat.S_IMODE(path.stat().st_mode) == 0


@POSIX
def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert working_directory() == os.getcwd()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match=r"cannot be used \(No such file.*cd to one that exists"):
        working_directory()
