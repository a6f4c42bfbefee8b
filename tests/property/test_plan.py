"""A plan is sound: what a parked process observed is what it would observe now, or is grafted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from refork.core.journal import Journal
from refork.core.plan import Change, Differs, Judge, Texts, candidates

NAMES = ["a", "b", "c", "d"]
FOLDERS = ("/one", "/two")
PATHS = [f"{folder}/{name}.py" for folder in FOLDERS for name in NAMES] + ["/one/data", "/two/data"]

disks = st.dictionaries(st.sampled_from(PATHS), st.integers(0, 2))
"""Which files there are, and which of three texts each has."""

actions = st.lists(
    st.one_of(
        st.tuples(st.just("import"), st.sampled_from(NAMES)),
        st.tuples(st.just("read"), st.sampled_from(["/one/data", "/two/data"])),
        st.tuples(st.just("checkpoint"), st.just("")),
    ),
    max_size=12,
)


def text(number: int) -> bytes:
    return b"text %d" % number


def find(disk: dict[str, int], name: str) -> str:
    return next((f"{d}/{name}.py" for d in FOLDERS if f"{d}/{name}.py" in disk), "")


def observe(disk: dict[str, int], action: tuple[str, str]) -> object:
    """What the program sees of the disk when it does this."""
    kind, name = action
    path = find(disk, name) if kind == "import" else name
    return (path, disk.get(path))


def record(journal: Journal, texts: Texts, disk: dict[str, int], action: tuple[str, str]) -> None:
    kind, name = action
    if kind == "import":
        path = find(disk, name)
        journal.take(("lookup", name, 1, path, ()))
        if path:
            number = disk[path]
            journal.take(("load", path, (number, 1, 1), name))
            texts.put(path, (number, 1, 1), text(number))
    elif kind == "read":
        number_or_none = disk.get(name)
        journal.take(("read", name, None if number_or_none is None else (number_or_none, 1, 1)))
        if number_or_none is not None:
            texts.put(name, (number_or_none, 1, 1), text(number_or_none))


@settings(max_examples=400, deadline=None)
@given(before=disks, after=disks, done=actions, similar=st.booleans())
def test_plans_are_sound_and_the_deepest(
    before: dict[str, int], after: dict[str, int], done: list[tuple[str, str]], similar: bool
) -> None:
    journal, texts = Journal(), Texts()
    journal.take(("path", 1, FOLDERS))
    sound: list[bool] = []
    same = True
    for action in done:
        if action[0] == "checkpoint":
            journal.checkpoint(len(sound) + 1, 1, "x:1", "ladder", ())
            sound.append(same)
        else:
            record(journal, texts, before, action)
            same = same and observe(before, action) == observe(after, action)
    changes = [
        Change(
            path,
            None if (now := after.get(path)) is None else (now, 2, 2),
            None if now is None else text(now),
        )
        for path in PATHS
        if before.get(path) != after.get(path)
    ]

    def compare(_path: str, _old: bytes, _new: bytes) -> Differs:
        return Differs("bodies" if similar else "different")

    judge = Judge(journal, texts, compare, str)
    plans = candidates(judge, changes, "", {})

    exact = next(plan for plan in plans if not plan.grafts)
    deepest = max((at for at, good in enumerate(sound, 1) if good), default=None)
    assert exact.checkpoint == deepest
    assert (exact.gear == "cold") == (deepest is None)
    assert all(plan.reason for plan in plans)
    assert plans[-1].gear == "cold"
    for plan in plans:
        if plan.gear == "replay":
            assert sound[(plan.checkpoint or 0) - 1]
        if plan.gear != "graft":
            continue
        assert similar
        assert plan.grafts
        assert plan.checkpoint is not None
        assert deepest is None or plan.checkpoint > deepest
