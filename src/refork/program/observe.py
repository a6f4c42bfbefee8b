"""Hooks that see what the program observes, and tell the journal.

`exec_module` of the stdlib's file loaders and `PathFinder.find_spec` are replaced on their classes: the types
of loaders and the entries of `sys.meta_path` stay what they are. The rest comes from audit events (PEP 578).
"""

from __future__ import annotations

import os
import sys
from stat import S_ISREG

from refork.program import audit, bytecode, park
from refork.program.barriers import POOLS_THAT_SURVIVE, barriers, brinks, task_count
from refork.program.bytecode import compile_again, is_racy
from refork.program.evidence import evidence
from refork.program.frames import hidden, put_in_place
from refork.program.journal import is_library, journal
from refork.program.ladder import ladder
from refork.program.running import Running, run
from refork.program.steps import ORIGINALS, Steps, Unsteppable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from refork.program.ladder import Start

_bootstrap: Any = sys.modules["_frozen_importlib"]
_external: Any = sys.modules["_frozen_importlib_external"]

adapters: dict[str, Callable[[Any], None]] = {}
"""What is to be done to a module of a framework once it has loaded, by the module's name."""

loaded: list[Callable[[str, str], None]] = []
"""Called before a module's file is read, with its path and name."""


def install() -> None:
    """Put the hooks in place. They stay for the life of the process."""
    _hook_find_spec()
    _hook_file_finder()
    _hook_source_loaders()
    bytecode.install()
    _hook_extension_loader()
    audit.install()


def _hook_find_spec() -> None:
    finder = _external.PathFinder
    original = finder.__dict__["find_spec"].__func__

    @hidden
    def find_spec(cls: Any, fullname: str, path: Any = None, target: Any = None) -> Any:
        spec = original(cls, fullname, path, target)
        if not journal.quiet:
            _note_lookup(fullname, sys.path if path is None else path, spec)
        elif path is not None and fullname.startswith("refork."):
            _forget_finders(path)
        return spec

    finder.find_spec = classmethod(find_spec)


def _hook_file_finder() -> None:
    """Keep the status that the finder asks for: the loader would ask for the same, some microseconds later."""
    if not hasattr(_external, "_path_isfile"):
        return
    stat = os.stat

    @hidden
    def _path_isfile(path: str) -> bool:
        try:
            status = stat(path)
        except OSError:
            return False
        journal.met = path, status
        return S_ISREG(status.st_mode)

    put_in_place(_external, "_path_isfile", _path_isfile)


def _forget_finders(folders: Any) -> None:
    """What refork imports for itself leaves nothing where the program could see it."""
    for folder in folders:
        sys.path_importer_cache.pop(folder, None)


def _note_lookup(fullname: str, path: Any, spec: Any) -> None:
    found, portions = "", []
    if spec is not None:
        if spec._set_fileattr:  # `has_location`, without a call
            found = spec.origin or ""
        elif spec.submodule_search_locations is not None:
            portions = list(spec.submodule_search_locations)
    journal.lookup(fullname, path, found, portions)


def _hook_source_loaders() -> None:
    basics = _external._LoaderBasics
    original = basics.exec_module

    @hidden
    def exec_module(self: Any, module: Any) -> None:
        path = file_of(self)
        if journal.quiet or not path:
            original(self, module)
            return
        before_load(path, module.__name__)
        evidence.loads()
        journal.reading = self
        original(self, module)
        adapt(module)

    put_in_place(basics, "exec_module", exec_module)
    # The original calls `exec` by this global name, inside the frames that plain Python shows and trims.
    _external.exec = _execute


def adapt(module: Any) -> None:
    adapter = adapters.get(module.__name__)
    if adapter is not None:
        adapter(sys.modules.get(module.__name__, module))


def file_of(loader: Any) -> str:
    """The file that a loader reads: of what is in a zip, the zip."""
    path = getattr(loader, "archive", None) or getattr(loader, "path", None)
    return path if isinstance(path, str) else ""


@hidden
def before_load(path: str, name: str) -> None:
    """Record the load of `path`, and take a checkpoint before it where one is wanted."""
    start = ladder.start
    if start is not None and start.forks:
        hot = path in start.hot and not is_library(path)
        if (hot and (ladder.affords() or _is_hottest(path))) or ladder.due():
            park.take("hot" if hot else "ladder", f"{path}:0")
        elif brinks.is_time_to_look():
            park.look_back()
    for action in loaded:
        action(path, name)
    journal.load(path, name)


def _is_hot(path: str) -> bool:
    start = ladder.start
    return start is not None and path in start.hot


def _is_hottest(path: str) -> bool:
    """Whether this is the file edited last, and no guess: here the next edit is most likely."""
    start = ladder.start
    return start is not None and start.generation > 1 and next(reversed(start.hot)) == path


@hidden
def _execute(code: Any, namespace: dict[str, Any]) -> None:
    """Execute the code of a module: by steps if it is hot, and never from a `.pyc` that may be stale."""
    path = code.co_filename
    evidence.executes(code)
    loader: Any = namespace.get("__loader__")
    if journal.quiet:
        ORIGINALS["exec"](code, namespace)
    elif type(loader) is not _external.SourceFileLoader or loader.path != path:
        exec(code, namespace)
    elif is_library(path):
        exec(compile_again(loader, path) if _changed(path) else code, namespace)
    else:
        # where the program has an `exec` of its own, that is called with the module, as ever
        by_steps = _is_hot(path) and ladder.enabled() and exec is ORIGINALS["exec"]
        steps = _steps(loader, path) if by_steps else None
        if steps is not None:
            run_steps(steps, namespace)
        else:
            stale = _changed(path) or is_racy(path, namespace.get("__cached__"))
            exec(compile_again(loader, path) if stale else code, namespace)


def _steps(loader: Any, path: str) -> Steps | None:
    journal.quiet += 1
    try:
        return Steps(loader.get_data(path), path)
    except (SyntaxError, ValueError, Unsteppable, OSError):
        return None  # the ordinary way shows the error as plain `python` would
    finally:
        journal.quiet -= 1


@hidden
def run_steps(steps: Steps, namespace: dict[str, Any]) -> None:
    """Run a module by steps, as one of the modules in progress."""
    running = Running(steps, namespace)
    ladder.running.append(running)
    try:
        run(running, _between_steps)
    finally:
        ladder.running.remove(running)


@hidden
def _between_steps(running: Running) -> None:
    """Take a checkpoint between two statements, where it would save enough."""
    if not ladder.enabled():
        return
    index, steps = running.index, running.steps
    if index == 0 or index >= len(steps):
        return
    hot = _hot_step(steps.path) == index
    likely = hot or steps.calls(index) or (steps.follows_imports(index) and ladder.is_rested())
    if ladder.stop is not None or ladder.pays(likely):
        park.take("hot" if hot else "ladder", f"{steps.path}:{steps.line(index)}")


def _hot_step(path: str) -> int:
    start = ladder.start
    return start.hot.get(path, -1) if start is not None else -1


def _changed(path: str) -> bool:
    start = ladder.start
    return start is not None and path in start.changed


def _look_for_modules_again(_start: Start | None = None) -> None:
    """What the import system remembers of folders may be older than the files that are there now.

    A folder that was missing stays missing for it (`sys.path_importer_cache`); one that changed within
    the same tick of the file system's clock counts as unchanged (`FileFinder`).
    """
    cache: dict[str, Any] = sys.path_importer_cache
    for path, finder in list(cache.items()):
        if finder is None and os.path.isdir(path):
            del cache[path]
        elif type(finder) is _external.FileFinder:
            finder.invalidate_caches()


park.standing_by.append(_look_for_modules_again)
park.let_go.append(_look_for_modules_again)


def _hook_extension_loader() -> None:
    loader = _external.ExtensionFileLoader
    original = loader.exec_module

    @hidden
    def exec_module(self: Any, module: Any) -> None:
        if not journal.quiet:
            before_load(self.path, module.__name__)
        if module.__name__.partition(".")[0] not in POOLS_THAT_SURVIVE:
            original(self, module)
            return
        threads = _count()
        original(self, module)
        barriers.pool_threads += max(0, _count() - threads)

    put_in_place(loader, "exec_module", exec_module)
    original_create = loader.create_module

    @hidden
    def create_module(self: Any, spec: Any) -> Any:
        if spec.name.partition(".")[0] not in POOLS_THAT_SURVIVE:
            return original_create(self, spec)
        threads = _count()
        module = original_create(self, spec)  # dlopen: a pool may start in a constructor
        barriers.pool_threads += max(0, _count() - threads)
        return module

    put_in_place(loader, "create_module", create_module)


def _count() -> int:
    journal.quiet += 1
    try:
        return task_count()
    except OSError:
        return 0  # no /proc: and no checkpoints either
    finally:
        journal.quiet -= 1


adapters["threading"] = audit.look_before_threads
adapters["subprocess"] = audit.look_before_processes
