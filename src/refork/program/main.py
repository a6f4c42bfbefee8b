"""The life of a program's process: from the bare interpreter to the user's first line, and to its end."""

from __future__ import annotations

import gc
import os
import sys

from refork.adapters import table
from refork.program import audit, bytecode, observe, park, sockets
from refork.program.barriers import barriers, open_descriptors
from refork.program.channel import Channel, Gone, StreamChannel
from refork.program.evidence import evidence
from refork.program.frames import hidden
from refork.program.handover import block_signals, unblock_signals
from refork.program.journal import fingerprint, journal, own_names
from refork.program.ladder import Start, ladder
from refork.program.steps import Silence, Steps, Unsteppable, compile_silently

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TRAILING = "/refork/program/"


@hidden
def begin(fd: int, mode: str, path_before: list[str]) -> None:
    """Be a root (`mode` "root"): park, and become a program when told; or be the program at once ("run").

    "run-alone" is "run" where the platform has no packets for a channel.
    """
    channel = StreamChannel(fd) if mode == "run-alone" else Channel(fd)
    _leave_no_trace_of_boot()
    barriers.inherited = open_descriptors() - {fd}
    if not _isolated_path():
        path_before = path_before[1:]  # the folder of boot.py, where the program's own belongs
    sys.path[:] = path_before
    try:
        channel.send("hello", os.getpid(), list(sys.version_info[:3]), _startup_files())
    except Gone:
        os._exit(0)
    if mode == "root":
        journal.quiet += 1
        mask = block_signals()
        barriers.find_terminal()
        park._park(channel, 0)
        gc.enable()
        unblock_signals(mask)
        journal.quiet -= 1
    else:
        message, fds = _receive(channel)
        park.adopt(Start(message[1]), channel, fds)
    run_target()


def _leave_at_once() -> None:
    """End a generation that is being replaced: all the interpreter does but taking modules apart.

    As `Py_FinalizeEx` has it: threads are waited for, exit handlers run, output is flushed.
    """
    channel = journal.channel
    if os.getpid() != journal.pid or channel is None or not channel.is_ended():
        return
    threading, atexit = sys.modules.get("threading"), sys.modules.get("atexit")
    if threading is not None:
        threading._shutdown()
    if atexit is not None:
        atexit._run_exitfuncs()
    park.flush_output()
    os._exit(0)


def _receive(channel: Channel) -> tuple[tuple[Any, ...], list[int]]:
    try:
        return channel.receive()
    except Gone:
        os._exit(0)


def _leave_no_trace_of_boot() -> None:
    """Forget that boot was looked at as a folder, and close the descriptor that it was run from."""
    script = sys.argv[0]
    sys.path_importer_cache.pop(script, None)
    if script.startswith("/proc/self/fd/"):
        os.close(int(script.rpartition("/")[2]))


def _isolated_path() -> bool:
    """Whether Python was told not to put the program's folder on the path (-P, -I, PYTHONSAFEPATH)."""
    return bool(getattr(sys.flags, "safe_path", False) or sys.flags.isolated)


def _startup_files() -> list[tuple[str, tuple[int, ...] | None]]:
    """Files of the modules that were there before the program: a root is made anew when one changes."""
    files = []
    for name, module in list(sys.modules.items()):
        path = own_names(module).get("__file__")
        if type(path) is str and name != "__main__" and not name.startswith("refork"):
            files.append((path, fingerprint(path)))
    return files


@hidden
def run_target() -> None:
    """Run the user's program as plain `python` would."""
    start = ladder.start
    assert start is not None
    observe.install()
    observe.adapters["socket"] = sockets.hold
    sockets.listened.append(park.serves)
    table.install()
    if start.forks:
        evidence.start()
    else:
        audit.look_less()
    namespace = _fresh_main(start.target)
    barriers.begins()
    ladder.begin()
    if not _frames_below():
        _run(start.target, namespace)
    else:
        _run_showing(start.target, namespace)


def _frames_below() -> bool:
    """Whether frames of refork show at the bottom of the stack: on 3.10, and where boot.py ran as it is."""
    return sys._getframe().f_back is not None


@hidden
def _run(target: dict[str, Any], namespace: dict[str, Any]) -> None:
    try:
        if target["kind"] == "script":
            _run_script(target["name"], namespace)
        else:
            _run_by_runpy(target)
    except SystemExit:
        raise  # the program's wish, and no error
    except KeyboardInterrupt as error:
        # it may have come between two statements, while refork was at work
        error.__traceback__ = _trimmed(error.__traceback__, lambda file: TRAILING in file)
        raise
    except BaseException as error:
        tell_error(error)
        raise
    finally:
        barriers.changed = barriers.changed or "the program has come to its end"
        journal.sweep()
        journal.flush()
        if sys.exc_info()[0] in (None, SystemExit):
            _leave_at_once()


def _fresh_main(target: dict[str, Any]) -> dict[str, Any]:
    """Make `__main__`, `sys.argv` and `sys.path` what plain `python` gives the program."""
    namespace = sys.modules["__main__"].__dict__
    builtins = namespace["__builtins__"]
    loader = namespace["__loader__"]
    namespace.clear()
    namespace.update(
        __name__="__main__", __doc__=None, __package__=None, __loader__=loader, __spec__=None
    )
    if sys.version_info < (3, 14):
        namespace["__annotations__"] = {}
    namespace["__builtins__"] = builtins
    name = target["name"]
    kind = target["kind"]
    sys.argv[:] = ["-m" if kind == "module" else name, *target["args"]]
    sys.orig_argv[:] = target["orig_argv"]
    first = {
        "script": lambda: os.path.dirname(os.path.realpath(name)),
        "path": lambda: _absolute(name),
        "module": os.getcwd,
    }[kind]
    if kind == "path" or not _isolated_path():
        sys.path.insert(0, first())
    return namespace


def _absolute(name: str) -> str:
    """As Python does it: the working folder in front, and nothing tidied (`_Py_abspath`)."""
    return name if os.path.isabs(name) else os.path.join(os.getcwd(), name)


@hidden
def _run_script(name: str, namespace: dict[str, Any]) -> None:
    path = _absolute(name)
    sys.path_importer_cache.setdefault(
        path, None
    )  # Python asks first whether it is a folder or zip
    namespace["__file__"] = path
    namespace["__cached__"] = None
    external: Any = sys.modules["_frozen_importlib_external"]
    if path.endswith(".pyc"):
        namespace["__loader__"] = external.SourcelessFileLoader("__main__", path)
        observe.before_load(path, "__main__")
        code = namespace["__loader__"].get_code("__main__")
        sys.audit("cpython.run_file", path)
        exec(code, namespace)
        return
    namespace["__loader__"] = external.SourceFileLoader("__main__", path)
    journal.load(path, "__main__")
    source = _read(path)
    sys.audit("cpython.run_file", path)
    execute_entry(source, path, namespace)


def _read(path: str) -> bytes:
    """Read the program's text; say as plain `python` does when that fails."""
    journal.quiet += 1
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        shown = (
            f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}"
        )
        sys.stderr.write(shown + "\n")
        raise SystemExit(2) from None
    finally:
        journal.quiet -= 1


@hidden
def execute_entry(
    source: bytes, path: str, namespace: dict[str, Any], compiled: bool = False
) -> None:
    """Run the program's first file: by steps, or whole where it has to be.

    `compiled`: somebody else has compiled it before, and shown the warnings.
    """
    refused: type[Exception] | None = None
    try:
        make = compile_silently if compiled else compile
        code = make(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        refused = type(error)
    if refused is not None:  # outside of what handles the error, which would be told as its context
        run = _file_runner()
        if refused is ValueError:
            run(source, path, namespace)
        else:
            with Silence():  # its warnings have been shown
                run(source, path, namespace)
        return
    try:
        steps = Steps(source, path)
    except Unsteppable:
        steps = None  # and nothing is run in here: what it raises would have this for a context
    evidence.executes(code)
    if steps is None:
        exec(code, namespace)
    else:
        del code
        observe.run_steps(steps, namespace)


def _file_runner() -> Callable[[bytes, str, dict[str, Any]], None]:
    """`as_file.run`, which few programs need."""
    journal.quiet += 1
    try:
        from refork.program import as_file
    finally:
        journal.quiet -= 1
    return as_file.run


@hidden
def _run_by_runpy(target: dict[str, Any]) -> None:
    """Run a module, folder or zip by `runpy`, which plain `python` uses too, with its own frames to be seen.

    Only the `exec` that `runpy` calls at the end is ours: a global of that name comes before the builtin.
    """
    import runpy

    @hidden
    def execute(code: Any, namespace: dict[str, Any]) -> None:
        del runpy.exec  # type: ignore[attr-defined]
        bytecode.entry.clear()
        # a zip's is the zip
        path = observe.file_of(namespace.get("__loader__")) or code.co_filename
        observe.before_load(path, "__main__")
        source = _source_of(namespace, code.co_filename)
        if source is None:
            exec(code, namespace)
        else:
            execute_entry(source, code.co_filename, namespace, compiled=True)

    runpy.exec = execute  # type: ignore[attr-defined]
    is_module = target["kind"] == "module"
    name = target["name"] if is_module else "__main__"
    bytecode.entry.update((name, f"{name}.__main__"))
    runpy._run_module_as_main(name, is_module)  # type: ignore[attr-defined]


def _source_of(namespace: dict[str, Any], path: str) -> bytes | None:
    """The text that `code` was compiled from, for an ordinary source file; else None."""
    external: Any = sys.modules["_frozen_importlib_external"]
    loader: Any = namespace.get("__loader__")
    if type(loader) is not external.SourceFileLoader or loader.path != path:
        return None
    journal.quiet += 1
    try:
        data: bytes = loader.get_data(path)
    except OSError:
        return None
    finally:
        journal.quiet -= 1
    return data


def _run_showing(target: dict[str, Any], namespace: dict[str, Any]) -> None:
    """Show an uncaught exception without refork's own frames, where those cannot be hidden."""
    try:
        _run(target, namespace)
    except SystemExit:
        raise
    except KeyboardInterrupt as error:
        _show(error)
        sys.excepthook = lambda *_: None
        raise
    except BaseException as error:
        _show(error)
        for name in (
            "__file__",
            "__cached__",
        ):  # as Python does when its program is over (`run_file`)
            namespace.pop(name, None)
        raise SystemExit(1) from None


def _show(error: BaseException) -> None:
    trace = _trimmed(error.__traceback__, _is_ours)
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _trimmed(trace: Any, is_ours: Callable[[str], bool]) -> Any:
    """A traceback without the frames of some files."""
    links = []
    while trace is not None:
        if not is_ours(trace.tb_frame.f_code.co_filename):
            links.append(trace)
        trace = trace.tb_next
    for link in reversed(links):
        link.tb_next = trace
        trace = link
    return trace


def _is_ours(file: str) -> bool:
    """Whether a frame is refork's own, or of the import system around it (see `frames.hidden`)."""
    return TRAILING in file or file.startswith("<frozen importlib")


_told: list[BaseException] = []


def tell_error(error: BaseException) -> None:
    """Tell the supervisor of an exception nobody caught, and of all the files its mending may take.

    Once: an adapter may have told of it already, because somebody will catch it.
    """
    if any(told is error for told in _told):
        return
    _told[:] = [error]
    journal.quiet += 1
    try:
        from refork.program.failure import Facts, files_of, text_of
    finally:
        journal.quiet -= 1

    facts = Facts(_is_ours).of(error)
    file, line = _place(error, facts["frames"])
    journal.tell(
        "error",
        type(error).__name__,
        text_of(error),
        file,
        line,
        facts,
        [
            (path, fingerprint(path))
            for path in sorted(files_of(error))
            if os.path.isabs(path) and not _is_ours(path)
        ],
    )


def _place(error: BaseException, frames: list[Any]) -> tuple[str, int]:
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    return frames[-1][:2] if frames else ("", 0)
