"""Which checkpoint is good for which change, and why not: `core.plan` and `core.journal`."""

from __future__ import annotations

from refork.core.journal import Checkpoint, Fingerprint, Journal
from refork.core.plan import Change, Differs, Judge, Plan, Texts, candidates, ignorable

HERE = "/p"
OLD, NEW = (1, 1, 1), (2, 2, 2)


class World:
    """A journal, the texts behind it, and a comparison that the test writes down."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.texts = Texts()
        self.differs: dict[str, Differs] = {}
        self.journal.take(("path", 1, (HERE, "/lib")))

    def load(self, name: str, fingerprint: Fingerprint = OLD, text: bytes = b"old") -> None:
        path = f"{HERE}/{name}.py"
        self.journal.take(("lookup", name, 1, path, ()))
        self.journal.take(("load", path, fingerprint, name))
        self.texts.put(path, fingerprint, text)

    def checkpoint(self, *stack: tuple[str, int]) -> Checkpoint:
        number = len(self.journal.checkpoints) + 1
        return self.journal.checkpoint(number, 100 + number, "x:1", "ladder", stack)

    def judge(self) -> Judge:
        def compare(path: str, old: bytes, new: bytes) -> Differs:
            return self.differs.get(path, Differs("different", "edited"))

        return Judge(self.journal, self.texts, compare, lambda path: path.removeprefix(HERE + "/"))

    def plans(self, *changes: Change, **listings: tuple[str, ...]) -> list[Plan]:
        """The plans down to the first that needs nobody's consent; the rest is in case it fails."""
        now = {f"{HERE}/{name}": names for name, names in listings.items()}
        found = candidates(self.judge(), changes, "", now)
        exact = next(at for at, plan in enumerate(found) if not plan.grafts)
        assert found[-1].gear == "cold"
        return found[: exact + 1]


def edited(name: str, text: bytes = b"new") -> Change:
    return Change(f"{HERE}/{name}", NEW, text)


def gone(name: str) -> Change:
    return Change(f"{HERE}/{name}", None, None)


def test_a_module_read_as_data_once_it_was_edited_is_not_excused_by_that() -> None:
    """As its traceback is shown, say: what runs is the text before."""
    world = World()
    world.load("a")
    world.journal.take(("read", f"{HERE}/a.py", NEW))
    end = len(world.journal.entries)

    assert world.judge().really_changed(edited("a.py"), end)
    assert not world.judge().really_changed(edited("a.py", b"old"), end)
    world.journal.take(("read", f"{HERE}/a.py", None))
    assert world.judge().really_changed(gone("a.py"), end + 1)


def test_a_search_path_may_lie_within_another() -> None:
    world = World()
    world.journal.take(("path", 2, (HERE, f"{HERE}/lib")))
    world.journal.take(("lookup", "a", 2, f"{HERE}/lib/a.py", ()))
    world.journal.take(("load", f"{HERE}/lib/a.py", OLD, "a"))
    world.journal.take(("lookup", "b", 2, f"{HERE}/lib/b/__init__.py", ()))

    end = len(world.journal.entries)
    assert world.judge().really_changed(edited("a.py"), end)
    assert world.judge().really_changed(edited("b.py"), end)
    assert world.judge().really_changed(edited("lib/a/__init__.py"), end)
    assert not world.judge().really_changed(edited("lib/b.py"), end)


def test_of_data_the_last_reading_counts() -> None:
    """A program may have somebody else write what it reads again."""
    world = World()
    world.journal.take(("read", f"{HERE}/data.txt", OLD))
    world.journal.take(("read", f"{HERE}/data.txt", NEW))

    assert not world.judge().really_changed(edited("data.txt"), 2)


def test_a_file_not_yet_loaded_leaves_the_deepest_checkpoint_before_it_good() -> None:
    world = World()
    world.load("a")
    world.checkpoint()
    world.load("b")
    world.checkpoint()

    assert world.plans(edited("b.py")) == [Plan("resume", "b.py: edited", "replay", 1)]


def test_all_changes_count() -> None:
    world = World()
    world.checkpoint()
    world.load("a")
    world.checkpoint()
    world.load("b")

    assert [plan.checkpoint for plan in world.plans(edited("b.py"), edited("a.py"))] == [1]


def test_no_checkpoint_is_a_cold_start_with_the_reason() -> None:
    world = World()
    world.load("a")
    world.checkpoint()

    assert world.plans(edited("a.py")) == [Plan("restart", "a.py: edited", "cold")]


def test_function_bodies_are_offered_as_a_graft_first() -> None:
    world = World()
    world.checkpoint()
    world.load("a")
    world.checkpoint()
    world.differs[f"{HERE}/a.py"] = Differs("bodies")

    first, second = world.plans(edited("a.py"))

    assert (first.gear, first.checkpoint, first.grafts) == ("graft", 2, (f"{HERE}/a.py",))
    assert (second.gear, second.checkpoint) == ("replay", 1)


def test_bodies_in_one_file_and_more_in_another_are_no_graft() -> None:
    world = World()
    world.checkpoint()
    world.load("a")
    world.load("b")
    world.checkpoint()
    world.differs[f"{HERE}/a.py"] = Differs("bodies")

    assert [plan.gear for plan in world.plans(edited("a.py"), edited("b.py"))] == ["replay"]


def test_a_module_in_progress_is_good_as_far_as_its_text_is_the_same() -> None:
    world = World()
    world.load("a")
    at_three = world.checkpoint((f"{HERE}/a.py", 3))
    world.checkpoint((f"{HERE}/a.py", 5))
    world.differs[f"{HERE}/a.py"] = Differs("different", "statement 4", common=4)

    assert world.plans(edited("a.py"))[0].checkpoint == at_three.id


def test_a_module_in_progress_that_ran_before_is_not_good() -> None:
    """As by `importlib.reload`, or under another name: what the old text left is still there."""
    world = World()
    world.load("a")
    world.load("a")
    world.checkpoint((f"{HERE}/a.py", 3))
    world.differs[f"{HERE}/a.py"] = Differs("different", "statement 4", common=4)

    assert world.plans(edited("a.py"))[0].gear == "cold"


def test_times_alone_are_no_change() -> None:
    world = World()
    world.load("a")
    world.checkpoint()

    touched = edited("a.py", b"old")

    assert not world.judge().really_changed(touched, 99)
    assert world.plans(touched)[0].checkpoint == 1


def test_an_older_fingerprint_is_a_change() -> None:
    world = World()
    world.load("a", NEW)

    assert world.judge().really_changed(Change(f"{HERE}/a.py", OLD, b"older"), 99)


def test_nothing_in_the_code_changed() -> None:
    world = World()
    world.load("a")
    world.differs[f"{HERE}/a.py"] = Differs("same")

    assert ignorable(world.judge(), [edited("a.py")]) == "nothing in the code changed"
    assert ignorable(world.judge(), [edited("a.py"), gone("a.py")]) == ""


def test_a_data_file_is_never_ignored_for_its_looks() -> None:
    world = World()
    world.journal.take(("read", f"{HERE}/a.py", OLD))
    world.texts.put(f"{HERE}/a.py", OLD, b"old")
    world.differs[f"{HERE}/a.py"] = Differs("same")

    assert ignorable(world.judge(), [edited("a.py")]) == ""


def test_a_data_file_read_before_a_checkpoint() -> None:
    world = World()
    world.checkpoint()
    world.journal.take(("read", f"{HERE}/x.json", OLD))
    world.checkpoint()

    assert world.plans(edited("x.json")) == [
        Plan("resume", "x.json was read before it", "replay", 1)
    ]


def test_a_data_file_that_was_absent_and_comes() -> None:
    world = World()
    world.checkpoint()
    world.journal.take(("read", f"{HERE}/.env", None))
    world.checkpoint()

    assert world.judge().really_changed(edited(".env"), 99)
    assert world.plans(edited(".env"))[0].checkpoint == 1


def test_a_module_that_was_looked_up_in_vain_and_comes() -> None:
    world = World()
    world.checkpoint()
    world.journal.take(("lookup", "local_settings", 1, "", ()))
    world.checkpoint()

    plan = world.plans(edited("local_settings.py"))[0]

    assert plan.checkpoint == 1
    assert plan.reason == "local_settings.py is new and local_settings was looked up in vain"


def test_what_shadows_is_a_change_and_what_is_shadowed_is_none() -> None:
    world = World()
    world.journal.take(("lookup", "a", 1, "/lib/a.py", ()))
    judge = world.judge()

    assert judge.really_changed(edited("a.py"), 99)
    assert judge.really_changed(edited("a/__init__.py"), 99)
    assert judge.really_changed(edited("a.cpython-311-x86_64-linux-gnu.so"), 99)
    assert not judge.really_changed(Change("/lib/a.pyc", NEW, b""), 99)
    assert not judge.really_changed(edited("b.py"), 99)


def test_within_a_folder_a_package_comes_first_and_a_pyc_last() -> None:
    world = World()
    world.load("a")
    judge = world.judge()

    assert judge.really_changed(edited("a/__init__.py"), 99)
    assert judge.really_changed(edited("a.so"), 99)
    assert not judge.really_changed(edited("a.pyc"), 99)
    assert not judge.really_changed(edited("a"), 99)


def test_a_namespace_package() -> None:
    world = World()
    world.journal.take(("lookup", "space", 1, "", (f"{HERE}/space",)))
    judge = world.judge()

    assert not judge.really_changed(edited("space"), 99)
    assert judge.really_changed(Change("/lib/space", NEW, None), 99)
    assert judge.really_changed(edited("space.py"), 99)
    assert judge.really_changed(gone("space"), 99)


def test_a_file_that_goes() -> None:
    world = World()
    world.checkpoint()
    world.load("a")
    world.checkpoint()

    assert world.plans(gone("a.py")) == [Plan("resume", "a.py is gone", "replay", 1)]


def test_a_file_found_and_not_yet_read_may_not_go() -> None:
    world = World()
    world.checkpoint()
    world.journal.take(("lookup", "a", 1, f"{HERE}/a.py", ()))
    world.checkpoint()
    world.journal.take(("load", f"{HERE}/a.py", OLD, "a"))

    assert world.plans(gone("a.py"))[0].checkpoint == 1
    assert world.plans(edited("a.py"))[0].checkpoint == 2


def test_a_listing_starts_nothing_and_voids_what_came_after_it() -> None:
    world = World()
    world.checkpoint()
    world.journal.take(("listing", f"{HERE}/data", ("x",)))
    world.checkpoint()
    world.load("a")

    assert not world.judge().really_changed(edited("data/y"), 99)
    assert world.plans(edited("a.py"), data=("x",))[0].checkpoint == 2
    plan = world.plans(edited("a.py"), data=("x", "y"))[0]
    assert (plan.checkpoint, plan.reason) == (1, "data was listed, and has other entries now")


def test_what_a_checkpoint_embodies_is_what_was_read_before_it() -> None:
    world = World()
    world.load("a")
    world.checkpoint()
    world.load("a", NEW, b"new")
    world.checkpoint()

    assert world.plans(edited("a.py"))[0].checkpoint == 2
    assert world.plans(edited("a.py", b"old"))[0].gear == "replay"
    assert world.judge().really_changed(edited("a.py"), world.journal.checkpoints[0].position)


def test_returning_forgets_what_came_after() -> None:
    world = World()
    world.load("a")
    first = world.checkpoint()
    world.load("b")
    second = world.checkpoint()

    void = world.journal.return_to(first)

    assert void == [second]
    assert list(world.journal.files()) == [f"{HERE}/a.py"]
    assert not world.journal.concerns(f"{HERE}/b.py")
    assert world.journal.checkpoints == [first]


def test_a_journal_that_returned_is_one_that_never_went_on() -> None:
    world, short = World(), World()
    for one in (world, short):
        one.load("a")
        one.load("b")
        one.journal.take(("listing", HERE, ("a.py",)))
    here = world.checkpoint()
    short.checkpoint()
    for name in ("a", "c", "c"):
        world.load(name)
    world.journal.take(("listing", HERE, ("a.py", "c.py")))
    world.journal.take(("listing", "/data", ()))
    world.journal.take(("read", f"{HERE}/b.py", OLD))
    world.journal.take(("lookup", "d", 1, "", ()))
    world.journal.return_to(here)
    assert vars(world.journal) == vars(short.journal)


def test_a_text_that_is_not_known_is_different() -> None:
    world = World()
    world.checkpoint()
    world.load("a")
    world.checkpoint()
    world.texts = Texts()

    assert world.plans(edited("a.py"))[0].checkpoint == 1


def test_without_forks_the_reason_says_so() -> None:
    world = World()
    world.load("a")

    assert candidates(world.judge(), [edited("a.py")], "restart was asked for", {}) == [
        Plan("restart", "restart was asked for", "cold")
    ]
