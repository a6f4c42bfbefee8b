"""Code that names what holds line numbers is found before it runs, and no other is looked through."""

from __future__ import annotations

import gc
import marshal
import sys
from types import CodeType, SimpleNamespace

import pytest

from refork.program import evidence as module
from refork.program.evidence import Evidence

NAMING = "try:\n    {}[1]\nexcept KeyError as error:\n    kept = error.__traceback__.tb_lineno\n"
IN_A_CLASS = "class C:\n" + "".join(f"    {line}\n" for line in NAMING.splitlines())
IN_A_FUNCTION = "def f(error):\n    return error.__traceback__.tb_lineno\n"
COUNTED = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="references to names are counted up to 3.11"
)


def loaded(found: Evidence, source: str, path: str) -> CodeType:
    """Load the code of a module as the import system does, and say that it is executed."""
    data = marshal.dumps(compile(source, path, "exec"))
    found.loads()
    code: CodeType = marshal.loads(data)
    found.executes(code)
    return code


@pytest.fixture
def found() -> Evidence:
    evidence = Evidence()
    evidence.scanning = True
    return evidence


@pytest.fixture
def looked_through(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files of the code that was looked through."""
    files: list[str] = []
    original = module._naming_lines

    def naming_lines(code: CodeType) -> list[CodeType]:
        files.append(code.co_filename)
        return original(code)

    monkeypatch.setattr(module, "_naming_lines", naming_lines)
    return files


@pytest.mark.parametrize("source", [NAMING, IN_A_CLASS])
def test_each_module_that_names_them_is_found(found: Evidence, source: str) -> None:
    kept = [loaded(found, source, f"/{number}.py") for number in range(3)]
    assert set(found.line_users) == {code.co_filename for code in kept}


def test_functions_are_looked_at_elsewhere(found: Evidence) -> None:
    loaded(found, IN_A_FUNCTION, "/a.py")
    assert not found.line_users


@COUNTED
def test_code_without_such_names_is_not_looked_through(
    found: Evidence, looked_through: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest-xdist has a thread of its own
    monkeypatch.setattr(module, "_thread", SimpleNamespace(_count=lambda: 0))
    gc.disable()
    try:
        for number in range(3):
            loaded(found, "x = 1\nclass C:\n    y = 2\n", f"/{number}.py")
    finally:
        gc.enable()
    assert not looked_through


def test_after_a_collection_nothing_is_taken_for_granted(
    found: Evidence, looked_through: list[str]
) -> None:
    code = compile("x = 1\n", "/a.py", "exec")
    found.loads()
    gc.collect(0)
    found.executes(code)
    assert looked_through == ["/a.py"]


def test_what_was_not_announced_is_looked_through(
    found: Evidence, looked_through: list[str]
) -> None:
    found.executes(compile("x = 1\n", "/a.py", "exec"))
    assert looked_through == ["/a.py"]


def test_nothing_is_looked_through_once_nobody_asks(
    found: Evidence, looked_through: list[str]
) -> None:
    found.stop()
    loaded(found, NAMING, "/a.py")
    assert not looked_through
    assert not found.line_users
