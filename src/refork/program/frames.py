"""Functions of refork that the user's program cannot see on its stack.

Under plain `python` the bottom frame of a script is the script's own. Ours are beneath it, and beside it in
every import, where `sys._getframe`, `inspect.stack`, tracebacks and `warnings` would meet them.

Since 3.11 CPython skips a frame that has not reached its first RESUME instruction: such a frame is
"incomplete" (`_PyFrame_IsIncomplete` and `_co_firsttraceable` in Include/internal/pycore_frame.h and
pycore_code.h), neither `f_back` nor a traceback shows it. A function without any RESUME never gets there.
On 3.10 nothing of the kind exists: the frames are visible there, and only uncaught tracebacks are trimmed.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypeVar

    F = TypeVar("F", bound="Callable[..., Any]")

INSTRUCTIONS = {(3, 11): (151, 9), (3, 12): (151, 9), (3, 13): (149, 30)}
"""The numbers of RESUME and NOP, as `opcode.opmap` has them; spelled out to import nothing.

A version that is not here keeps its frames visible: a wrong number would crash the interpreter.
"""


def without_resume(code: CodeType) -> CodeType:
    """Return `code` with its RESUME instructions turned into NOP; unchanged where that is not known to work."""
    numbers = INSTRUCTIONS.get(sys.version_info[:2])
    if numbers is None:
        return code
    resume, nop = numbers
    instructions = bytearray(code.co_code)
    for index in range(0, len(instructions), 2):
        if instructions[index] == resume:
            instructions[index] = nop
    return code.replace(co_code=bytes(instructions))


def hidden(function: F) -> F:
    """Decorate a function so that its frames do not show.

    On 3.10 it takes the name of the function whose frames the import system itself removes from the
    traceback of a failed import (`remove_importlib_frames`, Python/import.c).
    """
    if WORKS:
        function.__code__ = without_resume(function.__code__)
    else:
        function.__code__ = function.__code__.replace(
            co_filename="<frozen importlib._bootstrap>", co_name="_call_with_frames_removed"
        )
    return function


def put_in_place(owner: Any, name: str, function: Any) -> None:
    """Put `function` at `owner.name`, under the original's names.

    `adapters.replace` is for frameworks, where `functools` is loaded and the original may be shown.
    """
    original = getattr(owner, name)
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(function, attribute, getattr(original, attribute))
    setattr(owner, name, function)


def _works() -> bool:
    """Whether a frame made so is really invisible in this interpreter, seen by trying."""

    def caller() -> Any:
        return sys._getframe(1)

    def below() -> Any:
        return caller()

    below.__code__ = without_resume(below.__code__)
    return below() is sys._getframe()


WORKS = sys.implementation.name == "cpython" and _works()
