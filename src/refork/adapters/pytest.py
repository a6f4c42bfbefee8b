"""pytest: a new test file is a reason to run again, as is an edited one; and exit code 3 is an
internal error (`ExitCode.INTERNAL_ERROR`), no wish to be started again.
"""

from __future__ import annotations

import os

from refork.adapters.replace import replace
from refork.program import api

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


CONFTEST = "conftest.py"


def adapt(config: Any) -> None:
    """Adapt `_pytest.config`."""
    api.three_fails()

    def parse(self: Any, *args: Any, **keys: Any) -> Any:
        original(self, *args, **keys)
        _watch_folders(self)

    original = replace(config.Config, "parse", parse)


def _watch_folders(config: Any) -> None:
    """Have files noticed that appear where tests are collected."""
    root = str(config.invocation_params.dir)
    for argument in config.args:
        folder = os.path.join(root, str(argument).partition("::")[0])
        if os.path.isdir(folder):
            for pattern in (*config.getini("python_files"), CONFTEST):
                api.appear(os.path.join(folder, "**", pattern))
