"""The command line from outside: what is printed, where, and with which exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BESIDE = os.path.dirname(sys.executable)
Run = Callable[..., "subprocess.CompletedProcess[str]"]

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="shells and links")


@pytest.fixture
def refork(tmp_path: Path) -> Run:
    """Runs `python -m refork WORDS` in an empty folder, in a clean environment."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "REFORK"))}
        return subprocess.run(
            [sys.executable, "-m", "refork", *words],
            cwd=tmp_path,
            env={**kept, **variables},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_what_the_manual_shows(refork: Run, word: str) -> None:
    done = refork(word)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "docs" / "cli-help.txt").read_text(encoding="utf-8")
    assert max(map(len, done.stdout.splitlines())) < 80


def test_help_is_given_even_where_settings_are_wrong(refork: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.refork]\nwrong = 1\n")
    assert refork("--help", REFORK_WRONG="1").returncode == 0


def test_version(refork: Run) -> None:
    assert refork("--version").stdout == f"refork {version('refork')}\n"


@POSIX
def test_the_console_script_is_the_same(refork: Run) -> None:
    done = subprocess.run(
        [os.path.join(BESIDE, "refork"), "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout == refork("--help").stdout


@POSIX
def test_a_reader_that_left_is_no_trouble() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "refork", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=True, timeout=30)
    os.close(writer)
    assert done.stderr == b""


@POSIX
def test_without_a_standard_error_the_code_still_tells(tmp_path: Path) -> None:
    command = f"'{sys.executable}' -m refork --nonsense 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False).returncode == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to run: name a script"),
        (["nope.py"], "nope.py: no such file in"),
        (["."], ".: a folder without __main__.py"),
        (["--watc", "x", "a.py"], "--watc: no such option; the nearest is --watch"),
        (["--grace", "soon", "a.py"], "--grace: expected a number of seconds"),
        (["--strategy=fork", "a.py"], "--strategy: expected auto or resume or restart"),
        (["--memory-budget", "0", "a.py"], "--memory-budget: expected a whole number"),
        (["-x", "a.py"], "-x: no such option"),
        (["python", "-c", "pass"], "python -c has no file"),
        (["serve"], "serve: name the app as MODULE:APP"),
        (["serve", "shop"], "serve shop: not of the form MODULE:APP"),
        (["serve", "-m", "shop"], "serve: name the app as MODULE:APP"),
        (["explain", "a", "b"], "explain: name one file"),
        (["doctor", "x"], "doctor: takes no target"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(refork: Run, words: list[str], message: str) -> None:
    done = refork(*words)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"refork: {message}")


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[tool.refork]\nwach = 1\n", "[tool.refork] wach: no such key; the nearest is watch"),
        ("[tool.refork]\ngrace = 'x'\n", "[tool.refork] grace: expected a number of seconds"),
        ("[tool.refork\n", "not valid TOML: "),
    ],
)
def test_a_wrong_project_file_is_one_line_and_code_2(
    refork: Run, tmp_path: Path, toml: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(toml)
    done = refork("a.py")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith(f"refork: {tmp_path / 'pyproject.toml'}: {message}")


def test_a_wrong_variable_is_one_line_and_code_2(refork: Run) -> None:
    done = refork("a.py", REFORK_GRASE="1")
    assert done.returncode == 2
    assert done.stderr == "refork: REFORK_GRASE: no such setting; the nearest is REFORK_GRACE\n"


@POSIX
def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd '{gone}' && rmdir '{gone}' && exec '{BESIDE}/refork' app.py"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("shell-init")]
    assert line.startswith("refork: the working directory cannot be used")
