"""What a process holds outside its objects, and an import may change all the same."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DECIMAL = "decimal_context"
"""The context variable of decimal, which is made when it is needed first."""

UNTOUCHED = (28, "ROUND_HALF_EVEN", -999999, 999999, 0)
"""The context of decimal as it is made when it is needed first."""


def probes() -> dict[str, object]:
    """What a process holds outside its objects."""
    signals, ended = sys.modules["_signal"], sys.modules.get("atexit")
    warned = sys.modules.get("_warnings")
    random: Any = sys.modules.get("random")
    return {
        "exit handlers": getattr(ended, "_ncallbacks", int)(),
        "the working folder": _folder(),
        "the environment": _environment(),
        "signal handlers": [id(signals.getsignal(one)) for one in signals.valid_signals()],
        "the recursion limit": sys.getrecursionlimit(),
        "the switch interval": sys.getswitchinterval(),
        "the state of random": random._inst.getstate() if hasattr(random, "_inst") else None,
        "trace functions": (id(sys.gettrace()), id(sys.getprofile())),
        "the default of warnings": getattr(warned, "_defaultaction", None),
        "thresholds of the collector": gc.get_threshold(),
        "the context of decimal": _decimal(),
    }  # fmt: skip


def _decimal() -> object:
    """How decimal computes; asking it for its context would make one."""
    variables: Any = sys.modules.get("_contextvars")
    values = variables.copy_context() if variables is not None else {}
    for variable in values:
        if variable.name == DECIMAL:
            made = values[variable]
            return (made.prec, made.rounding, made.Emin, made.Emax, made.clamp)
    return UNTOUCHED


def _environment() -> dict[str, str]:
    """Without what tells the generations apart."""
    return {key: value for key, value in os.environ.items() if not key.startswith("REFORK_")}


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
