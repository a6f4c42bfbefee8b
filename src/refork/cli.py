"""The command line: words in, an exit code out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refork import settings as sources
from refork.errors import ReforkError, UsageError
from refork.events import EventLog
from refork.report import Bus, Report, printable
from refork.settings import OPTIONS, Settings
from refork.target import Target, resolve, working_directory

COMMANDS = ("serve", "explain", "doctor")

# Options of the server's own: they may stand before MODULE:APP as well as after it.
SERVER_OPTIONS = frozenset({"bind", "static", "interface"})


@dataclass
class Request:
    """The command line taken apart; nothing in it has been looked up yet."""

    command: str = "run"  # run | serve | explain | doctor | help | version
    chosen: dict[str, object] = field(default_factory=dict)  # options, as they were written
    verbosity: int | None = None
    module: str | None = None
    words: list[str] = field(default_factory=list)  # TARGET and all after it
    server: list[str] = field(default_factory=list)  # the server's options before MODULE:APP


def entry() -> None:
    """Run the command line, and end this process with its exit code."""
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            code = code or 120  # as Python itself has it: what was printed is lost
    os._exit(code)  # all is closed; to take the interpreter apart as well would take as long again


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (`sys.argv[1:]` if None) and return the exit code."""
    try:
        return _dispatch(parse(sys.argv[1:] if argv is None else argv))
    except ReforkError as error:
        _say(f"refork: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def parse(argv: Sequence[str]) -> Request:
    """Take `argv` apart: options end at TARGET, `-m MODULE` or `--`.

    Raises:
        UsageError: an unknown option, or one without its value.
    """
    request = Request()
    queue = list(argv)
    while queue:
        word = queue[0]
        if word == "--":
            request.words += queue[1:]
            break
        if word.startswith("--"):
            _long_option(request, queue)
        elif word.startswith("-") and word != "-":
            if _short_options(request, queue):
                break
        elif word in COMMANDS and request.command == "run":
            request.command = queue.pop(0)
        else:
            request.words += queue
            break
        if request.command in ("help", "version"):
            break
    return request


# ── options ──────────────────────────────────────────────────────────────────────────────────────


def _long_option(request: Request, queue: list[str]) -> None:
    """Consume `--option`, `--option=value` or `--option value` from the front of `queue`."""
    written, has_value, value = queue.pop(0)[2:].partition("=")
    if written in ("help", "version") and not has_value:
        request.command = written
        return
    if request.command == "serve" and written in SERVER_OPTIONS:
        request.server += [f"--{written}", value if has_value else _next(written, queue)]
        return
    key, negated = written.replace("-", "_"), False
    if key not in OPTIONS and key.startswith("no_"):
        key, negated = key[3:], True
    option = OPTIONS.get(key)
    if option is None or (negated and (option.takes == "value" or has_value)):
        known = [*OPTIONS, "help", "version"]
        near = sources.nearest(written.replace("-", "_"), dict.fromkeys(known)).replace("_", "-")
        raise UsageError(f"--{written}: no such option; the nearest is --{near} (see --help)")
    if has_value:
        _choose(request, key, value)
    elif option.takes == "value":
        _choose(request, key, _next(written, queue))
    elif option.takes == "maybe" and not negated and queue and _is_number(queue[0]):
        _choose(request, key, queue.pop(0))
    else:
        _choose(request, key, not negated)


def _next(written: str, queue: list[str]) -> str:
    if not queue:
        raise UsageError(f"--{written}: a value must follow")
    return queue.pop(0)


def _choose(request: Request, key: str, value: object) -> None:
    if key in ("verbose", "quiet"):
        on = OPTIONS[key].convert(value)
        request.verbosity = (1 if key == "verbose" else -1) if on else 0
    elif OPTIONS[key].repeats:
        listed = request.chosen.setdefault(key, [])
        assert isinstance(listed, list)
        listed.append(value)
    else:
        request.chosen[key] = value


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _short_options(request: Request, queue: list[str]) -> bool:
    """Consume a word like `-v`, `-vq` or `-m`; true if what follows belongs to the module."""
    word = queue.pop(0)
    for place, letter in enumerate(word[1:], start=2):
        if letter == "m":
            attached = word[place:]
            if not attached and not queue:
                raise UsageError("-m: the name of a module must follow")
            request.module = attached or queue.pop(0)
            request.words += queue
            return True
        if letter == "v":
            request.verbosity = max(request.verbosity or 0, 0) + 1
        elif letter == "q":
            request.verbosity = -1
        elif letter in "hV":
            request.command = "help" if letter == "h" else "version"
        else:
            raise UsageError(f"{word}: no such option; see refork --help")
    return False


# ── commands ─────────────────────────────────────────────────────────────────────────────────────


def _dispatch(request: Request) -> int:
    if request.command == "help":
        from refork.usage import HELP

        return _print(HELP)
    if request.command == "version":
        from importlib.metadata import version

        return _print(f"refork {version('refork')}\n")
    cwd = working_directory()
    if request.command not in ("explain", "doctor"):
        return _run(request, cwd)
    settings = _settings(request, cwd)
    return _explain(request) if request.command == "explain" else _doctor(request, settings)


def _settings(request: Request, cwd: str) -> Settings:
    settings = sources.load(request.chosen, os.environ, cwd, request.verbosity)
    if watcher := os.environ.get("REFORK_WATCHER"):
        from refork.watch.choose import back_ends

        back_ends(watcher)
    return settings


def _run(request: Request, cwd: str) -> int:
    """Run the program; it comes up while its supervisor is imported."""
    try:
        target = target_of(request, cwd)
    except UsageError:
        _settings(request, cwd)  # what is wrong there is said first
        raise
    from refork.supervisor import first

    begun = first.start_root(target)
    try:
        settings = _settings(request, cwd)
        report = Report(sys.stderr, settings.verbosity, os.environ, cwd)
        bus = Bus(EventLog(settings.events), report)
    except BaseException:
        begun.give_up()
        raise
    first.begin(begun, settings, target, cwd)
    for line in remarks(settings, os.environ, cwd):
        bus.message(line)
    from refork.supervisor.loop import supervise

    return supervise(settings, target, bus, begun)


def remarks(settings: Settings, environ: Mapping[str, str], cwd: str) -> list[str]:
    """What is not wrong, yet hardly meant: a line for each."""
    import glob  # not before the program has been started

    lines = []
    for pattern in settings.watch:
        if next(glob.iglob(os.path.join(cwd, pattern), recursive=True), None) is None:
            lines.append(
                f"--watch {pattern}: matches nothing in {cwd}; correct it, or create the file"
            )
    kept_elsewhere = environ.get("PYTHONDONTWRITEBYTECODE") or environ.get("PYTHONPYCACHEPREFIX")
    if not os.access(cwd, os.W_OK) and not kept_elsewhere:
        lines.append(
            f"{cwd} is read-only, so each start compiles the program again; to keep what is"
            " compiled set PYTHONPYCACHEPREFIX to a folder you may write to"
        )
    return lines


def target_of(request: Request, cwd: str) -> Target:
    """What a `run` or `serve` command line wants run.

    Raises:
        UsageError: nothing that could be run is named.
    """
    if request.command != "serve":
        return resolve(request.words, request.module, cwd, os.environ)
    if request.module is not None or not request.words:
        raise UsageError("serve: name the app as MODULE:APP, for instance refork serve shop:app")
    module, _, app = request.words[0].partition(":")
    if not module or not app:
        raise UsageError(f"serve {request.words[0]}: not of the form MODULE:APP")
    app, *rest = request.words
    return resolve([app, *request.server, *rest], "refork.serve", cwd, os.environ)


def _explain(request: Request) -> int:
    if request.module is not None or len(request.words) > 1:
        raise UsageError("explain: name one file, or none for an overview")
    from refork.commands.explain import explain

    return explain(request.words[0] if request.words else None, print)


def _doctor(request: Request, settings: Settings) -> int:
    if request.module is not None or request.words:
        raise UsageError("doctor: takes no target; call it as refork doctor")
    from refork.commands.doctor import examine

    return examine(settings, print)


# ── printing ─────────────────────────────────────────────────────────────────────────────────────


def _print(text: str) -> int:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # `refork --help | head`: nobody reads on. Python would complain once more while it
        # closes the stream at exit, so what stands behind it is replaced.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _say(line: str) -> None:
    try:
        sys.stderr.write(printable(line) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass  # no standard error to say it on; the exit code still tells
