"""Runs a text as Python runs the file it is started with: for texts that `compile` refuses.

Python reads its first file by another tokenizer than `compile` and the import system use, which has words of its
own for what it cannot read: an unknown encoding, bytes that are none of it, a NUL (on 3.10 it takes that for the
end of the line). So what `compile` refuses is given to that very tokenizer, and Python says what it would say.
"""

from __future__ import annotations

import os

from refork.program.frames import hidden
from refork.program.journal import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE_INPUT = 257
"""Py_file_input of Include/compile.h: the text is a whole module."""


@hidden
def run(source: bytes, path: str, namespace: dict[str, Any]) -> None:
    """Run `source`, or raise what plain `python` would raise for it; without ctypes, what `compile` does."""
    try:
        run_file, stream, name = _prepare(source, path)
    except ImportError:
        run_file = None
    if run_file is None:
        exec(compile(source, path, "exec", dont_inherit=True), namespace)
    else:
        run_file(stream, name, FILE_INPUT, namespace, namespace, True)


def _prepare(source: bytes, path: str) -> tuple[Any, Any, bytes]:
    """`PyRun_FileEx` of this interpreter, and `source` as a stream of the C library.

    Raises ImportError where there is no such thing.
    """
    journal.quiet += 1
    try:
        import ctypes

        library = ctypes.CDLL(None)
        library.fdopen.restype = ctypes.c_void_p
        fd = os.memfd_create("refork-source")
        os.write(fd, source)
        os.lseek(fd, 0, os.SEEK_SET)
        stream = ctypes.c_void_p(library.fdopen(fd, b"rb"))
        run_file = ctypes.pythonapi.PyRun_FileEx
    except (AttributeError, OSError) as error:  # another platform, or another Python
        raise ImportError(str(error)) from None
    finally:
        journal.quiet -= 1
    run_file.restype = ctypes.py_object
    run_file.argtypes = [
        *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int),
        *(ctypes.py_object, ctypes.py_object, ctypes.c_int),
    ]
    return run_file, stream, os.fsencode(path)
