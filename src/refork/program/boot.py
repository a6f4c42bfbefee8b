"""What the interpreter runs first in a root: hands over to `refork.program.main`.

The supervisor compiles this file into one without a visible frame (see `frames`); run as it stands it works
the same, with one more frame at the bottom of every stack. Its arguments: the folder that holds the package,
the file descriptor of the channel, and how to start (`root` to park, `run` to be the program at once).
"""

import sys

_source, _fd, _mode = sys.argv[1:4]
_before = list(sys.path)
_folders = dict(sys.path_importer_cache)
sys.path.insert(0, _source)
import refork.program.main as _main  # noqa: E402

sys.path[:] = _before
sys.path_importer_cache.clear()
sys.path_importer_cache.update(_folders)
_main.begin(int(_fd), _mode, _before)
