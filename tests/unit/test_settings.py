"""Settings from the command line, the environment and `pyproject.toml`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from refork.errors import UsageError
from refork.settings import OPTIONS, Settings, from_environ, from_project, load


def project(folder: Path, text: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return str(folder)


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    assert load({}, {}, project(tmp_path, "")) == Settings()


def test_the_command_line_wins_then_the_environment_then_the_file(tmp_path: Path) -> None:
    cwd = project(tmp_path, "[tool.refork]\ngrace = 1\nstrategy = 'resume'\non-exit = 'wait'\n")
    settings = load({"grace": "3"}, {"REFORK_GRACE": "2", "REFORK_STRATEGY": "restart"}, cwd)
    assert (settings.grace, settings.strategy, settings.on_exit) == (3.0, "restart", "wait")


@pytest.mark.parametrize(
    ("toml", "environ", "chosen", "expected"),
    [
        ("", {}, {}, 0),
        ("verbose = true", {}, {}, 1),
        ("quiet = true", {}, {}, -1),
        ("verbose = true", {"REFORK_QUIET": "1"}, {}, -1),
        ("quiet = true", {"REFORK_VERBOSE": "1"}, {}, 1),
        ("quiet = true", {"REFORK_QUIET": "0"}, {}, 0),
    ],
)
def test_the_strongest_source_that_speaks_of_it_sets_the_verbosity(
    tmp_path: Path, toml: str, environ: dict[str, str], chosen: dict[str, object], expected: int
) -> None:
    cwd = project(tmp_path, f"[tool.refork]\n{toml}\n")
    assert load(chosen, environ, cwd).verbosity == expected


def test_verbosity_on_the_command_line_beats_all_others(tmp_path: Path) -> None:
    cwd = project(tmp_path, "[tool.refork]\nquiet = true\n")
    assert load({}, {"REFORK_QUIET": "1"}, cwd, verbosity=2).verbosity == 2


def test_verbose_and_quiet_in_one_place_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="REFORK_VERBOSE"):
        from_environ({"REFORK_VERBOSE": "1", "REFORK_QUIET": "1"})


def test_every_setting_has_an_option_and_every_option_a_setting() -> None:
    fields = set(Settings.__dataclass_fields__) - {"verbosity"}
    assert fields == set(OPTIONS) - {"verbose", "quiet"}


# ── values ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("toml", "key", "expected"),
    [
        ("strategy = 'restart'", "strategy", "restart"),
        ("grace = 0", "grace", 0.0),
        ("grace = 0.25", "grace", 0.25),
        ("poll = true", "poll", 1.0),
        ("poll = false", "poll", None),
        ("poll = 0.5", "poll", 0.5),
        ("hoist = false", "hoist", False),
        ("memory-budget = 512", "memory_budget", 512),
        ("memory_budget = 512", "memory_budget", 512),
        ("live-reload = false", "live_reload", False),
        ("on_error = 'last-good'", "on_error", "last-good"),
        ("watch = 'data.json'", "watch", ("data.json",)),
        ("watch = ['a', 'b/*.yml']", "watch", ("a", "b/*.yml")),
        ("ignore = []", "ignore", ()),
    ],
)
def test_a_key_of_the_file(tmp_path: Path, toml: str, key: str, expected: object) -> None:
    settings = load({}, {}, project(tmp_path, f"[tool.refork]\n{toml}\n"))
    assert getattr(settings, key) == expected
    assert type(getattr(settings, key)) is type(expected)


@pytest.mark.parametrize(
    ("environ", "key", "expected"),
    [
        ({"REFORK_POLL": "1"}, "poll", 1.0),
        ({"REFORK_POLL": "yes"}, "poll", 1.0),
        ({"REFORK_POLL": "off"}, "poll", None),
        ({"REFORK_POLL": "2.5"}, "poll", 2.5),
        ({"REFORK_VERIFY": "True"}, "verify", True),
        ({"REFORK_HOIST": "no"}, "hoist", False),
        ({"REFORK_WATCH": os.pathsep.join(["a", "b c"])}, "watch", ("a", "b c")),
        ({"REFORK_GRACE": ""}, "grace", 5.0),
        ({"REFORK_MEMORY_BUDGET": "64"}, "memory_budget", 64),
    ],
)
def test_a_variable(tmp_path: Path, environ: dict[str, str], key: str, expected: object) -> None:
    assert getattr(load({}, environ, project(tmp_path, "")), key) == expected


def test_what_refork_itself_sets_for_the_program_is_no_setting() -> None:
    assert (
        from_environ(
            {
                "REFORK": "1",
                "REFORK_GENERATION": "7",
                "REFORK_WATCHER": "poll",
                "REFORK_LIVE": "http://x",
            }
        )
        == {}
    )


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "-inf", "abc", " ", "1e999"])
def test_a_grace_that_is_no_time_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=r"^--grace: expected a number of seconds"):
        load({"grace": value}, {}, project(tmp_path, ""))


@pytest.mark.parametrize("value", ["0", "-1", "nan", "maybe", "0.0"])
def test_a_poll_that_is_no_interval_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"^REFORK_POLL: expected a number of seconds above 0"):
        from_environ({"REFORK_POLL": value})


@pytest.mark.parametrize("value", ["0", "1.5", "-4", "all", "inf"])
def test_a_memory_budget_that_is_no_size_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"^REFORK_MEMORY_BUDGET: expected a whole number"):
        from_environ({"REFORK_MEMORY_BUDGET": value})


@pytest.mark.parametrize(
    "toml",
    [
        "strategy = 1",
        "strategy = 'Restart'",
        "grace = true",
        "grace = [1]",
        "grace = nan",
        "poll = 0",
        "poll = 'sometimes'",
        "hoist = 1",
        "hoist = 'perhaps'",
        "watch = 3",
        "watch = ['a', 3]",
        "watch = ['']",
        'watch = ["a\\u0000b"]',
        "events = false",
        "memory-budget = true",
    ],
)
def test_a_value_of_the_wrong_kind_names_file_and_key(tmp_path: Path, toml: str) -> None:
    cwd = project(tmp_path, f"[tool.refork]\n{toml}\n")
    with pytest.raises(UsageError) as caught:
        from_project(cwd)
    message = str(caught.value)
    key = toml.partition(" ")[0]
    assert message.startswith(f"{tmp_path / 'pyproject.toml'}: [tool.refork] {key}: expected ")
    assert "\n" not in message
    assert "\0" not in message


def test_a_misspelt_choice_is_answered_with_the_one_meant(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--strategy: .*'resatrt'; did you mean restart\?"):
        load({"strategy": "resatrt"}, {}, project(tmp_path, ""))


# ── unknown keys and unreadable files ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("wach", "watch"), ("on-exti", "on-exit"), ("memory", "memory-budget"), ("zzz", "")],
)
def test_an_unknown_key_is_answered_with_the_nearest(tmp_path: Path, wrong: str, near: str) -> None:
    cwd = project(tmp_path, f"[tool.refork]\n{wrong} = 1\n")
    with pytest.raises(UsageError, match=rf"{wrong}: no such key; the nearest is {near or '.'}"):
        from_project(cwd)


def test_an_unknown_variable_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^REFORK_GRASE: .* nearest is REFORK_GRACE$"):
        from_environ({"REFORK_GRASE": "1"})


@pytest.mark.parametrize(
    "content",
    [b"[tool.refork\n", b"= 1", b"\xff\xfe", b"[tool]\nrefork = 1\n", b"tool = 3\n"],
)
def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        from_project(str(tmp_path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(UsageError, match=r"pyproject\.toml: Is a directory"):
        from_project(str(tmp_path))


def test_a_file_without_our_table_says_nothing(tmp_path: Path) -> None:
    assert from_project(project(tmp_path, "[project]\nname = 'x'\n")) == {}


# ── where the file is ────────────────────────────────────────────────────────────────────────────


def test_the_nearest_file_upward_is_the_one(tmp_path: Path) -> None:
    project(tmp_path, "[tool.refork]\ngrace = 1\n")
    project(tmp_path / "inner", "[tool.refork]\ngrace = 2\n")
    deep = tmp_path / "inner" / "a" / "b"
    deep.mkdir(parents=True)
    assert from_project(str(deep))["grace"] == 2.0


def test_a_nearer_file_of_another_project_ends_the_search(tmp_path: Path) -> None:
    project(tmp_path, "[tool.refork]\ngrace = 1\n")
    assert from_project(project(tmp_path / "inner", "[project]\n")) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="paths are spelled for POSIX")
def test_paths_in_it_count_from_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "odd [name]"
    project(
        folder,
        "[tool.refork]\nwatch = ['data.json', '/etc/hosts']\n"
        "ignore = ['*.log', 'build/**']\nrefresh = ['*.css']\nevents = 'log.jsonl'\n",
    )
    (folder / "sub").mkdir()
    values = from_project(str(folder / "sub"))
    escaped = str(tmp_path / "odd [[]name]")
    assert values["watch"] == (f"{escaped}/data.json", "/etc/hosts")
    assert values["ignore"] == ("*.log", f"{escaped}/build/**")
    assert values["refresh"] == ("*.css",)
    assert values["events"] == f"{folder}/log.jsonl"
