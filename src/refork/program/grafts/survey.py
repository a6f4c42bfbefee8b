"""What a parked process says of a file nobody has edited yet: which functions could be grafted.

The rulings are those of `graft`, asked about each function in turn. Nothing is forked or changed.
"""

from __future__ import annotations

from refork.program.evidence import Counters, key_of
from refork.program.grafts import graft

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FunctionType

    from refork.program.evidence import Key

    Findings = dict[str, object]


def survey(path: str, text: bytes) -> Findings:
    """Rule on every function of the file whose present text is `text`.

    The answer has "refused": why nothing in it may be grafted, or ""; "lines": why its lines may
    not move, or ""; "functions": each as (qualified name, first line), in the order of the text;
    and "kept": those whose bodies may not change, as such a pair with why.
    """
    counters = Counters()
    try:
        graft._check_process(counters)
        return _survey(graft._File(path, text, text, counters))
    except graft.Refused as refusal:
        return {"refused": str(refusal), "lines": "", "functions": [], "kept": {}}
    finally:
        counters.close()


def _survey(file: graft._File) -> Findings:
    refused = ""
    checks = (
        *(file._check_in_progress, file._check_suspended, file._check_loading),
        file._check_strangers,
    )
    for check in checks:
        # the last counts references to code objects, so nothing here may hold one before it
        refused = refused or _refusal(file, check)
    functions = {key_of(old) for old, _new in file.pairs}
    kept = {
        key_of(function.__code__): why
        for function in file.functions
        if (why := _unfit(file, function))
    }
    for key in functions - set(kept):
        file.changed = {key[1:]}
        if why := _refusal(file, lambda: file._check_found(_live(file))):
            kept[key] = why
    return {
        "refused": refused,
        "lines": _refusal(file, file._check_lines),
        "functions": [key[1:] for key in sorted(functions, key=_line)],
        "kept": {key[1:]: why for key, why in kept.items()},
    }


def _line(key: Key) -> int:
    return key[2]


def _unfit(file: graft._File, function: FunctionType) -> str:
    """Why a live function cannot be given another body, or ""."""

    def check() -> None:
        file._new_code(function)
        file._check_unused(function.__code__)

    return _refusal(file, check)


def _live(file: graft._File) -> list[tuple[CodeType, CodeType]]:
    codes = [function.__code__ for function in file.functions]
    return [(code, new) for code in codes for new in file._counterparts(code)]


def _refusal(file: graft._File, check: Callable[[], object]) -> str:
    """Why a check says no, without the name of the file; "" where it does not."""
    try:
        check()
    except graft.Refused as refusal:
        return str(refusal).removeprefix(f"{file.name}: ")
    return ""
