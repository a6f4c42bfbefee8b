"""Where refork's options end and the program's begin."""

from __future__ import annotations

import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from refork.cli import Request, main, parse, remarks
from refork.errors import ReforkError, UsageError
from refork.report import Bus
from refork.settings import Settings
from refork.supervisor.first import First
from refork.supervisor.signals import ENDING
from refork.target import Target


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("app.py", Request(words=["app.py"])),
        ("-v app.py -v --help", Request(verbosity=1, words=["app.py", "-v", "--help"])),
        ("app.py -m x --poll", Request(words=["app.py", "-m", "x", "--poll"])),
        ("app.py -- -q", Request(words=["app.py", "--", "-q"])),
        ("-- -odd.py -q", Request(words=["-odd.py", "-q"])),
        ("-- serve", Request(words=["serve"])),
        ("- x", Request(words=["-", "x"])),
        ("-m pkg -x", Request(module="pkg", words=["-x"])),
        ("-mpkg -x", Request(module="pkg", words=["-x"])),
        ("-vm pkg -- -v", Request(verbosity=1, module="pkg", words=["--", "-v"])),
        ("-vmpkg", Request(verbosity=1, module="pkg")),
        ("-vv app.py", Request(verbosity=2, words=["app.py"])),
        ("-v -v app.py", Request(verbosity=2, words=["app.py"])),
        ("-q app.py", Request(verbosity=-1, words=["app.py"])),
        ("-q -v app.py", Request(verbosity=1, words=["app.py"])),
        ("-vq app.py", Request(verbosity=-1, words=["app.py"])),
        ("--verbose --quiet a", Request(verbosity=-1, words=["a"])),
        ("--no-quiet a", Request(verbosity=0, words=["a"])),
        ("--grace 2 a", Request(chosen={"grace": "2"}, words=["a"])),
        ("--grace=2 a", Request(chosen={"grace": "2"}, words=["a"])),
        ("--grace -2 a", Request(chosen={"grace": "-2"}, words=["a"])),
        ("--events= a", Request(chosen={"events": ""}, words=["a"])),
        ("--on-exit follow a", Request(chosen={"on_exit": "follow"}, words=["a"])),
        ("--on_exit follow a", Request(chosen={"on_exit": "follow"}, words=["a"])),
        ("--watch a --watch=b c", Request(chosen={"watch": ["a", "b"]}, words=["c"])),
        ("--watch -- a", Request(chosen={"watch": ["--"]}, words=["a"])),
        ("--poll a", Request(chosen={"poll": True}, words=["a"])),
        ("--poll 2 a", Request(chosen={"poll": "2"}, words=["a"])),
        ("--poll=2 a", Request(chosen={"poll": "2"}, words=["a"])),
        ("--poll -- 2", Request(chosen={"poll": True}, words=["2"])),
        ("--poll -m 2", Request(chosen={"poll": True}, module="2")),
        ("--no-poll 2", Request(chosen={"poll": False}, words=["2"])),
        ("--hoist a", Request(chosen={"hoist": True}, words=["a"])),
        ("--no-hoist a", Request(chosen={"hoist": False}, words=["a"])),
        ("--hoist --no-hoist a", Request(chosen={"hoist": False}, words=["a"])),
        ("--verify=false a", Request(chosen={"verify": "false"}, words=["a"])),
        ("--no-live-reload a", Request(chosen={"live_reload": False}, words=["a"])),
        (
            "serve --poll shop:app --port 1",
            Request(command="serve", chosen={"poll": True}, words=["shop:app", "--port", "1"]),
        ),
        ("-v serve shop:app", Request(command="serve", verbosity=1, words=["shop:app"])),
        (
            "serve --bind :1 -v --static=/s=d shop:app --bind x",
            Request(
                command="serve",
                verbosity=1,
                words=["shop:app", "--bind", "x"],
                server=["--bind", ":1", "--static", "/s=d"],
            ),
        ),
        ("serve serve", Request(command="serve", words=["serve"])),
        ("explain a.py", Request(command="explain", words=["a.py"])),
        ("doctor", Request(command="doctor")),
        ("./serve a:b", Request(words=["./serve", "a:b"])),
        ("--help", Request(command="help")),
        ("-h app.py", Request(command="help", words=[])),
        ("-vh", Request(command="help", verbosity=1)),
        ("serve --help", Request(command="help")),
        ("-V", Request(command="version")),
        ("--version", Request(command="version")),
        ("", Request()),
    ],
)
def test_words(line: str, expected: Request) -> None:
    assert parse(line.split()) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--watc x", "--watc: no such option; the nearest is --watch (see --help)"),
        ("--hepl", "--hepl: no such option; the nearest is --help (see --help)"),
        ("--no-watch x", "--no-watch: no such option; the nearest is --watch (see --help)"),
        ("--no-hoist=1 x", "--no-hoist: no such option; the nearest is --hoist (see --help)"),
        ("--on-exti follow", "--on-exti: no such option; the nearest is --on-exit (see --help)"),
        ("--grace", "--grace: a value must follow"),
        ("serve --bind", "--bind: a value must follow"),
        ("-m", "-m: the name of a module must follow"),
        ("-vx app.py", "-vx: no such option; see refork --help"),
    ],
)
def test_words_that_make_no_sense(line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line.split())
    assert str(caught.value) == message


# ── what main does with them ─────────────────────────────────────────────────────────────────────

Call = tuple[Settings, Target]


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Call]:
    """Calls that reach the supervisor, which answers 7; in a folder with an `app.py`."""
    calls: list[Call] = []

    def supervise(settings: Settings, target: Target) -> int:
        calls.append((settings, target))
        return 7

    put_supervisor(monkeypatch, supervise)
    (tmp_path / "app.py").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("REFORK_POLL", "REFORK_GENERATION", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    return calls


def put_supervisor(
    monkeypatch: pytest.MonkeyPatch, supervise: Callable[[Settings, Target], int]
) -> None:
    def call(settings: Settings, target: Target, bus: Bus, first: First) -> int:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        for part in (first.take(), first.live, first.freshness, bus):
            if part is not None:
                part.close()
        first.give_up()
        return supervise(settings, target)

    module = types.ModuleType("refork.supervisor.loop")
    vars(module)["supervise"] = call
    monkeypatch.setitem(sys.modules, "refork.supervisor.loop", module)


def test_main_hands_settings_and_target_over(
    supervised: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFORK_POLL", "3")
    assert main(["--grace", "2", "app.py", "-v"]) == 7
    ((settings, target),) = supervised
    assert settings == Settings(grace=2.0, poll=3.0)
    assert (target.kind, target.name, target.args) == ("script", "app.py", ("-v",))


def test_serve_is_a_module_of_reforks(supervised: list[Call]) -> None:
    assert main(["serve", "-v", "shop:app", "--port", "0"]) == 7
    ((settings, target),) = supervised
    assert settings.verbosity == 1
    assert (target.kind, target.name) == ("module", "refork.serve")
    assert target.args == ("shop:app", "--port", "0")


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UsageError("no: do this"), 2, "refork: no: do this\n"),
        (ReforkError("broken"), 1, "refork: broken\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_the_supervisor_raises(
    supervised: list[Call],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    line: str,
) -> None:
    def supervise(settings: Settings, target: Target) -> int:
        raise raised

    put_supervisor(monkeypatch, supervise)
    assert main(["app.py"]) == code
    assert capsys.readouterr().err == line


def test_a_watch_that_matches_nothing_is_remarked_on_and_kept(
    supervised: list[Call], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.yml").write_text("")
    words = ["--watch", "none/*.html", "--watch", "**/*.yml", "--watch", "app.py", "app.py"]
    assert main(words) == 7
    assert supervised[0][0].watch == ("none/*.html", "**/*.yml", "app.py")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"refork  --watch none/*.html: matches nothing in {tmp_path}")


def test_a_read_only_folder_is_remarked_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cwd = str(tmp_path)
    assert remarks(Settings(), {}, cwd) == []
    monkeypatch.setattr("os.access", lambda path, mode: path != cwd)  # root may write anywhere
    (line,) = remarks(Settings(), {}, cwd)
    assert line.startswith(f"{cwd} is read-only, so each start compiles the program again")
    assert remarks(Settings(), {"PYTHONPYCACHEPREFIX": "/tmp/x"}, cwd) == []
    assert remarks(Settings(), {"PYTHONDONTWRITEBYTECODE": "1"}, cwd) == []
