"""The fragments programs are made of, by what they are about."""

from __future__ import annotations

from ..forge import GRAMMAR
from . import classes, effects, evidence, files, flow, functions, imports, values

__all__ = ["GRAMMAR", "classes", "effects", "evidence", "files", "flow", "functions"]
__all__ += ["imports", "values"]
