"""Many changes, and changes at awkward moments: the last generation has the right code."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from process.conftest import Start
from support.live import Live, replace
from support.waiting import wait_for

COUNT = 300


def line(word: str, value: str) -> str:
    """A statement that prints this word and value in one write.

    Where a generation is stopped while it prints, `print` with several pieces leaves the first ones.
    """
    return f"print('{word} ' + str({value}) + '\\n', end='', flush=True)\n"


def project(folder: Path, count: int = COUNT) -> None:
    """A program that imports many modules and prints the sum of what is in them."""
    for number in range(count):
        (folder / f"m{number}.py").write_text("V = 1\n")
    imports = "".join(f"import m{number}\n" for number in range(count))
    total = " + ".join(f"m{number}.V" for number in range(count))
    (folder / "x.py").write_text(imports + line("sum", total))


def settled(live: Live, last: str) -> None:
    """Wait until the last generation has ended with this line; and nothing comes after it."""

    def done() -> bool:
        starts = live.all("start")
        ends = [event for event in live.all("exit") if event["generation"] == len(starts)]
        return bool(ends) and live.lines[-1:] == [last]

    live.wait(done, 15, f"settled at {last!r}")
    before = len(live.all("start"))
    live.save("x.py", (live.path("x.py")).read_text() + "print('the end')\n")
    live.says("the end")
    assert len(live.all("start")) == before + 1


def test_a_burst_of_files(folder: Path, start: Start) -> None:
    project(folder)
    live = start("x.py")
    live.says(f"sum {COUNT}")
    live.exit(1)
    for number in range(COUNT):
        replace(folder / f"m{number}.py", "V = 2\n")
    settled(live, f"sum {2 * COUNT}")
    assert len(live.all("start")) < COUNT / 4


@pytest.mark.parametrize("strategy", ["auto", "restart"])
def test_a_checkout(folder: Path, start: Start, strategy: str) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    project(folder)
    (folder / ".gitignore").write_text("__pycache__\n")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "one")
    git("checkout", "-qb", "other")
    for number in range(0, COUNT, 2):
        (folder / f"m{number}.py").write_text("V = 3\n")
    for number in range(1, 100, 2):
        (folder / f"m{number}.py").unlink()
    rest = [number for number in range(COUNT) if number % 2 == 0 or number >= 100]
    (folder / "x.py").write_text(
        "".join(f"import m{number}\n" for number in rest)
        + line("sum", "sum(m.V for n, m in list(globals().items()) if n[0] == 'm')")
    )
    git("add", ".")
    git("commit", "-qm", "two")
    git("checkout", "-q", "main")
    live = start("x.py", options=["--strategy", strategy])
    live.says(f"sum {COUNT}")
    live.exit(1)
    git("checkout", "-q", "other")
    after = f"sum {3 * COUNT // 2 + len(rest) - COUNT // 2}"
    live.wait(lambda: live.lines[-1:] == [after], 15, after)
    git("checkout", "-q", "main")
    live.wait(lambda: live.lines[-1:] == [f"sum {COUNT}"], 15, "main again")
    git("checkout", "-q", "other")
    git("checkout", "-q", "main")
    git("checkout", "-q", "other")
    settled(live, after)


SLOW = "import time, threading\nprint('loading', flush=True)\ntime.sleep(0.4)\n"


@pytest.mark.parametrize("strategy", ["auto", "restart"])
@pytest.mark.parametrize("which", ["before", "itself", "after", "main"])
def test_an_edit_during_a_slow_start(folder: Path, start: Start, which: str, strategy: str) -> None:
    """A module loaded before the slow one, that one, one loaded after it, and the script."""
    (folder / "before.py").write_text("V = 1\n")
    (folder / "itself.py").write_text(SLOW + "V = 1\n")
    (folder / "after.py").write_text("V = 1\n")
    main = "import before, itself, after\nprint(before.V, itself.V, after.V, {}, flush=True)\n"
    (folder / "x.py").write_text(main.format(1))
    live = start("x.py", options=["--strategy", strategy])
    live.says("loading")
    values = {"before": 1, "itself": 1, "after": 1, "main": 1, which: 2}
    if which == "main":
        live.save("x.py", main.format(2))
    else:
        live.save(f"{which}.py", (SLOW if which == "itself" else "") + "V = 2\n")
    live.says(" ".join(str(value) for value in values.values()))
    last = len(live.all("start"))
    live.exit(last)
    assert last <= 2
    if which == "after":
        assert last == 1, "it was read after the edit"


def test_edits_faster_than_the_program_starts(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(f"import slow\n{line('v', 'slow.V')}")
    (folder / "slow.py").write_text("import time\ntime.sleep(0.1)\nV = 0\n")
    live = start("x.py")
    live.says("v 0")
    for value in range(1, 40):
        live.save("slow.py", f"import time\ntime.sleep(0.1)\nV = {value}\n")
        wait_for(lambda: len(live.all("start")) > 1)
    live.says("v 39")
    assert live.lines[-1] == "v 39"


def test_a_file_that_never_rests(folder: Path, start: Start) -> None:
    """The program goes on being replaced, and the last text wins."""
    (folder / "x.py").write_text(f"import dep\n{line('v', 'dep.V')}")
    (folder / "dep.py").write_text("V = 0\n")
    live = start("x.py")
    live.says("v 0")

    def edit() -> None:
        for value in range(1, 300):
            replace(folder / "dep.py", f"V = {value}\n")

    thread = threading.Thread(target=edit)
    thread.start()
    thread.join()
    live.says("v 299")
    assert live.lines[-1] == "v 299"


def test_changed_and_changed_back(folder: Path, start: Start) -> None:
    (folder / "x.py").write_text(f"import dep\n{line('v', 'dep.V')}")
    (folder / "dep.py").write_text("V = 0\n")
    live = start("x.py")
    live.says("v 0")
    for value in (1, 0, 1, 0, 2, 0):
        before = len(live.lines)
        live.save("dep.py", f"V = {value}\n")
        live.wait(lambda: len(live.lines) > before, 5, "another line")  # noqa: B023
        assert live.lines[-1] == f"v {value}"


def test_the_program_edits_its_own_code(folder: Path, start: Start) -> None:
    """As generators of code do: what it writes itself and then imports starts nothing again."""
    (folder / "x.py").write_text(
        "open('made.py', 'w').write('V = 5\\n')\nimport made\n" + line("v", "made.V")
    )
    live = start("x.py")
    live.says("v 5")
    live.exit(1)
    live.save("x.py", (folder / "x.py").read_text().replace("'v ", "'w "))
    live.says("w 5")
    live.exit(2)
    assert len(live.all("start")) == 2
