"""pytest under refork: it waits after the end, and runs again what was edited."""

from __future__ import annotations

import pytest

from frameworks.conftest import Start
from frameworks.driver import Served

FILES = {
    "lib.py": "def one():\n    return 1\n",
    "conftest.py": "import pytest\n\n@pytest.fixture\ndef two():\n    return 2\n",
    "test_some.py": """
from lib import one

def test_some(two):
    assert one() == 1
    assert two == 2
""",
    "own.ini": "[pytest]\npython_files = check_*.py test_*.py\n",
    "deep/test_other.py": "def test_other():\n    assert [1, 2] == [1, 2]\n",
}

EDITS = [
    ("test_some.py", "two == 2", "two == 3", "assert 2 == 3"),
    ("conftest.py", "return 2", "return 4", "assert 4 == 2"),
    ("lib.py", "return 1", "return 9", "assert 9 == 1"),
    ("deep/test_other.py", "== [1, 2]", "== [1, 3]", "At index 1 diff: 2 != 3"),
]


def begin(start: Start, *words: str) -> Served:
    live = start("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *words, files=FILES)
    live.wait(lambda: live.all("exit", code=0), 30, "the first run to pass")
    return live


def runs(live: Served, count: int, code: int) -> None:
    """Wait for the end of so many runs, the last with this code."""
    live.wait(lambda: len(live.all("exit")) == count, 20, f"{count} runs")
    assert live.all("exit")[-1]["code"] == code


@pytest.mark.parametrize("words", [(), ("-s",)], ids=["capturing", "not capturing"])
def test_each_kind_of_file_is_seen(start: Start, words: tuple[str, ...]) -> None:
    live = begin(start, *words)
    for number, (name, old, new, said) in enumerate(EDITS):
        live.edit(name, old, new)
        runs(live, 2 + 2 * number, 1)
        assert said in live.out
        live.edit(name, new, old)
        runs(live, 3 + 2 * number, 0)
    assert live.out.count("2 passed") == 1 + len(EDITS)


@pytest.mark.parametrize("words", [(), (".",), ("-c", "own.ini", "deep")])
def test_a_new_file_is_collected(start: Start, words: tuple[str, ...]) -> None:
    live = begin(start, *words)
    name = "check_new.py" if words[:1] == ("-c",) else "test_new.py"
    live.save("deep/notes.py", "")
    live.save(f"deep/{name}", "def test_new():\n    assert 'new' == 'old'\n")
    runs(live, 2, 1)
    assert "1 failed" in live.out
    live.save(f"deep/{name}", "def test_new():\n    pass\n")
    runs(live, 3, 0)
    (live.folder / "deep" / name).unlink()
    runs(live, 4, 0)


def test_an_internal_error_does_not_start_it_again(start: Start) -> None:
    """Its exit code is 3."""
    live = begin(start)
    broken = FILES["conftest.py"] + "\ndef pytest_collection_modifyitems():\n    raise OSError\n"
    live.save("conftest.py", broken)
    runs(live, 2, 3)
    live.save("conftest.py", FILES["conftest.py"])
    runs(live, 3, 0)
