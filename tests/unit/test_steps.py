"""What the code of steps has in common, as that of a module compiled whole has."""

from __future__ import annotations

from typing import Any

import pytest

from refork.program.running import Running, run
from refork.program.steps import Steps

CONSTANTS: tuple[str, ...] = (
    "0.5",
    "-0.0",
    "0.0",
    "1",
    "True",
    "1000",
    "2.5j",
    "'two words'",
    "b'bytes'",
    "(0.5, 1)",
)
CONSTANTS += ("(True, 0.5)", "((0.5, 1), 'two words')", "(0.0, -0.0)", "x in {1000, 0.5}", "'name'")

TEXT = "x = None\n" + "".join(
    f"a{number} = {text}\nif x is None:\n    b{number} = {text}\n"
    f"def f{number}():\n    return lambda: {text}\nc{number} = f{number}()()\n"
    for number, text in enumerate(CONSTANTS)
)


def alike(namespace: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of names that stand for the same object, and what is in tuples with them."""
    found = {}
    for name, value in namespace.items():
        if name[0] in "abc":
            found[name] = value
            if type(value) is tuple:
                found.update({f"{name}[{at}]": item for at, item in enumerate(value)})
    return [(one, other) for one in found for other in found if found[one] is found[other]]


@pytest.mark.parametrize("edited", [False, True])
def test_constants_that_are_alike_are_one(edited: bool) -> None:
    whole: dict[str, Any] = {}
    exec(compile(TEXT, "text.py", "exec"), whole)
    stepped: dict[str, Any] = {}

    def before(running: Running) -> None:
        if edited and running.index == 20:
            running.edited = TEXT.encode() + b"d = 1\n"

    run(Running(Steps(TEXT.encode(), "text.py"), stepped), before)
    assert ("d" in stepped) is edited
    assert alike(stepped) == alike(whole)
