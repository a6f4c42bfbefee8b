"""Who depends on a file, and what may be imported before it."""

from __future__ import annotations

from collections.abc import Mapping

from refork.core.dependents import Graph, Window, alike, dependents, independent, worthwhile


def graph(
    *windows: tuple[str, str],
    busy: tuple[str, ...] = ("__main__", "hot"),
    present: tuple[str, ...] = (),
    dotted: Mapping[str, list[str]] | None = None,
    **imports: list[str],
) -> Graph:
    return Graph(
        busy,
        frozenset((*busy, *present)),
        tuple(Window(name, parent) for name, parent in windows),
        {name: frozenset(found) for name, found in {**imports, **(dotted or {})}.items()},
    )


def test_what_imports_the_file_depends_on_it_and_what_imports_that() -> None:
    seen = graph(
        ("user", "__main__"), ("far", "__main__"), ("alone", "__main__"),
        user=["hot"], far=["user"], alone=["os"],
    )  # fmt: skip
    assert independent(seen) == ["alone"]
    assert dependents(seen) == {"__main__", "hot", "user", "far"}


def test_a_cycle() -> None:
    seen = graph(("a", "__main__"), ("b", "a"), ("c", "__main__"), a=["b"], b=["a", "hot"], c=["a"])
    assert independent(seen) == []


def test_a_module_in_progress_depends_on_the_file() -> None:
    seen = graph(
        ("late", "urls"), ("other", "urls"), busy=("__main__", "urls", "hot"), late=["urls"]
    )
    assert independent(seen) == ["other"]


def test_what_it_was_the_first_to_load_is_imported_by_it() -> None:
    """Whatever way it did so: the import is charged to the module whose body was being executed."""
    seen = graph(("outer", "__main__"), ("inner", "outer"), inner=["hot"])
    assert independent(seen) == []


def test_what_is_loaded_for_a_module_need_not_depend_on_it() -> None:
    seen = graph(("user", "__main__"), ("tool", "user"), user=["hot", "tool"])
    assert independent(seen) == ["tool"]


def test_what_is_left_out_takes_along_what_imports_it() -> None:
    seen = graph(("a", "__main__"), ("b", "__main__"), ("c", "__main__"), b=["a"])
    assert independent(seen, ["a"]) == ["c"]


def test_a_package_that_depends_on_the_file_has_no_modules_ahead() -> None:
    windows = (("pkg", "__main__"), ("pkg.one", "pkg"))
    assert independent(graph(*windows, pkg=["hot"])) == []


def test_a_package_that_is_there_already_may_be_in_progress() -> None:
    """Importing a module of it asks for nothing but its path."""
    seen = graph(("pkg.one", "pkg"), busy=("__main__", "pkg", "pkg.hot"))
    assert independent(seen) == ["pkg.one"]


def test_the_old_order_is_kept() -> None:
    seen = graph(("b", "__main__"), ("a", "__main__"), ("c", "a"))
    assert independent(seen) == ["b", "a", "c"]


def test_everything_that_is_hoisted_stands_on_what_is_there_or_hoisted_too() -> None:
    seen = graph(
        ("a", "__main__"), ("b", "a"), ("c", "__main__"), ("d", "c"), ("e", "__main__"),
        a=["b"], b=[], c=["d", "hot"], d=["a"], e=["d", "a"],
    )  # fmt: skip
    found = independent(seen)
    assert found == ["a", "b", "d", "e"]
    for name in found:
        assert seen.imports[name] <= {*found, *seen.present} - {*seen.busy}


def test_alike_is_what_imports_all_that_two_have_in_common() -> None:
    seen = graph(
        ("a.admin", "__main__"), ("a.views", "__main__"), ("b.admin", "__main__"), ("c.admin", "__main__"),
        dotted={
            "a.admin": ["sites", "a.models"],
            "a.views": ["a.models"],
            "b.admin": ["sites", "b.models"],
            "c.admin": ["sites", "c.models"],
        },
    )  # fmt: skip
    assert alike(seen, ["a.admin", "b.admin"]) == {"a.admin", "b.admin", "c.admin"}
    assert alike(seen, ["a.views", "b.admin"]) == set()
    assert alike(seen, []) == set()


def test_a_twin_has_to_save_something_where_it_could_be_noticed() -> None:
    assert worthwhile(exact=1.0, hoisted=0.2)
    assert not worthwhile(exact=1.0, hoisted=0.95)
    assert not worthwhile(exact=0.2, hoisted=0.3)
    assert worthwhile(exact=0.010, hoisted=0.012)
