"""What refork says in the terminal: one calm line a generation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from refork.events import EventLog

# For terminals of another time, and files in another encoding.
_PLAIN = str.maketrans({"·": "-", "→": "->", "…": "..."})

_DIM, _RED, _CYAN = "2", "31", "36"

_MEMORY = {
    "group": ": the memory of its control group (container, service) ran out",
    "machine": ": the machine ran out of memory",
    "unknown": " (whether memory ran out cannot be seen here)",
}


class Stream(Protocol):
    """What a report is written to: `sys.stderr`, or something like it."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class Report:
    """Fed with every event; prints the few that a person wants to know.

    The line about a generation is printed when it is `ready`, or when it ends or fails before
    that. Nothing is ever raised: a terminal that went away is no reason to stop a program.
    """

    def __init__(
        self,
        stream: Stream | None,
        verbosity: int = 0,
        environ: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> None:
        """`verbosity`: -1 only what needs the user, 0, 1 also what was ignored and why there is
        no checkpoint, 2 every checkpoint. `cwd` is what paths are shown relative to.
        """
        self._stream = stream
        self._verbosity = verbosity
        self._colour = wants_colour(stream, os.environ if environ is None else environ)
        self._cwd = cwd
        self._pending: Mapping[str, object] | None = None  # the `start` not yet told
        self._replaced = False  # a change was seen: the end that follows is our own doing
        self._error = ""  # an error that was not said yet
        self._failed = False  # an error was told: that the program ended by it goes without saying
        self._endings: set[str] = set()

    def event(self, name: str, generation: int, **keys: object) -> None:
        """Take one event of the `--events` vocabulary."""
        handler = getattr(self, "_on_" + name, None)
        if handler is not None:
            handler({"generation": generation, **keys})

    def message(self, text: str, *, urgent: bool = False, detail: bool = False) -> None:
        """Say something that is no event; an `urgent` one also with `-q`, a `detail` only with `-v`."""
        self._say(text, level=-1 if urgent else int(detail))

    # One method an event.

    def _on_change(self, keys: Mapping[str, object]) -> None:
        self._replaced = True

    def _on_ignore(self, keys: Mapping[str, object]) -> None:
        self._replaced = False
        reason = str(keys.get("reason") or "nothing in it")
        self._say(f"{self._files(keys.get('files'))} changed, {reason}: ignored", level=1)

    def _on_refresh(self, keys: Mapping[str, object]) -> None:
        self._replaced = False
        by = f" ({keys['by']})" if keys.get("by") else ""
        self._say(f"{self._files(keys.get('files'))}: refreshed{by}")

    def _on_start(self, keys: Mapping[str, object]) -> None:
        self._replaced = self._failed = False
        self._pending = keys

    def _on_ready(self, keys: Mapping[str, object]) -> None:
        start, self._pending = self._pending, None
        if start is None:
            return
        if _is_first(start):
            self._say(_first_line(keys))
        else:
            self._say(self._generation_line({**start, **keys}), took=keys.get("ms"))

    def _on_listening(self, keys: Mapping[str, object]) -> None:
        self._say(f"listening on {keys.get('address')}", level=1)

    def _on_checkpoint(self, keys: Mapping[str, object]) -> None:
        place = self._place(keys.get("at"))
        self._say(f"checkpoint {keys.get('id')} ({keys.get('kind')}) at {place}", level=2)

    def _on_barrier(self, keys: Mapping[str, object]) -> None:
        place = self._place(keys.get("at"))
        self._say(f"no checkpoint past {place}: {keys.get('reason')}", level=1)

    def _on_error(self, keys: Mapping[str, object]) -> None:
        """One line tells both what was changed and how that failed."""
        file, self._failed = str(keys.get("file") or ""), True
        start, self._pending = self._pending or {}, None
        changed = start.get("changed") or ()
        cause = "" if not changed or file in _items(changed) else f"{self._files(changed)} → "
        line = f":{keys['line']}" if keys.get("line") else ""
        where = f"{self._path(file)}{line}: " if file else ""
        kind, message = keys.get("type") or "error", _first_of(str(keys.get("message") or ""))
        message = message.removesuffix(f" ({os.path.basename(file)}, line {keys.get('line')})")
        what = f"{kind}: {message}" if message else f"{kind}"
        if kind == "Divergence":  # not the program's: it runs on, and is started again at once
            self._failed = False
            self._say(f"{where}{what}", level=-1, colour=_RED)
            return
        self._error = f"{cause}{where}{what}"  # said below its traceback, which comes first

    def _on_exit(self, keys: Mapping[str, object]) -> None:
        """`then`, where the event has it: `wait` for a change, `again`, or `end` likewise."""
        error, self._error = self._error, ""
        waiting = " · waiting for a change" if keys.get("then") == "wait" else ""
        if error:
            self._say(f"{error}{waiting}", level=-1, colour=_RED)
        if self._replaced:
            return
        self._tell_pending()
        code, signal = keys.get("code"), keys.get("signal")
        if signal is not None:
            name = _signal_name(signal)
            # Somebody asked for these: Ctrl-C, a closed terminal, a process manager.
            level = 1 if name in ("SIGINT", "SIGHUP", "SIGTERM") else -1
            why = _MEMORY.get(str(keys.get("out_of_memory")), "") if name == "SIGKILL" else ""
            self._say(f"the program was ended by {name}{why}{waiting}", level=level, colour=_RED)
        elif keys.get("then") in ("again", "end"):
            return  # the next line tells, or the shell's prompt
        elif code == 0:
            self._say_once(f"the program has ended{waiting}")
        elif code != 3 and not self._failed:
            self._say(f"the program ended with code {code}{waiting}", colour=_RED)

    # Lines.

    def _tell_pending(self) -> None:
        """The line of a generation that did not get ready."""
        start, self._pending = self._pending, None
        if start is not None and not _is_first(start):
            self._say(self._generation_line(start))

    def _generation_line(self, start: Mapping[str, object]) -> str:
        changed, reason = start.get("changed"), str(start.get("reason") or "")
        files = self._files(changed) if changed else ""
        subject = f"{files}: " if files else ""
        reason = reason.removeprefix(subject)
        if start.get("gear") == "graft":
            return f"{subject}{counted(len(_items(start.get('grafted'))), 'function')} grafted"
        if "kept" in start:
            count, kept = int(str(start["replayed"])), int(str(start["kept"]))
            mine = min(len(_items(changed)), count)
            rest = f" + {count - mine:,}" if count > mine else ""
            return f"{subject}{mine}{rest} modules replayed, {kept:,} kept"
        if start.get("gear") == "replay":
            why = f"{subject}{reason}" if reason else files
            arrow = " → " if why else ""
            return f"{why}{arrow}replay from checkpoint {start.get('checkpoint')}"
        return f"{subject}cold start: {reason}" if reason else f"{subject}cold start"

    def _files(self, files: object) -> str:
        names = [self._path(str(file)) for file in _items(files)]
        if len(names) > 3:
            return f"{names[0]}, {names[1]} and {len(names) - 2:,} more"
        return ", ".join(names) or "something"

    def _path(self, path: str) -> str:
        """Relative to the working directory for what is below it."""
        base = "" if self._cwd is None else self._cwd.rstrip(os.sep) + os.sep
        return path[len(base) :] if base and path.startswith(base) else path

    def _place(self, at: object) -> str:
        return self._path(str(at)) if at else "here"

    def _say_once(self, text: str) -> None:
        """A script that is run again at every save need not be told about at every save."""
        self._say(text, level=1 if text in self._endings else 0)
        self._endings.add(text)

    def _say(self, text: str, *, level: int = 0, colour: str = "", took: object = None) -> None:
        if self._verbosity < level or self._stream is None:
            return
        time = f" · {duration(took)}" if isinstance(took, (int, float)) else ""
        parts = [("refork  ", _CYAN), (printable(text), colour), (time, _DIM)]
        line = "".join(self._painted(part, how) for part, how in parts) + "\n"
        try:
            self._write(line)
        except (OSError, ValueError):
            # A closed terminal, a broken pipe, a full non-blocking one: the line is lost, and
            # the program it tells about goes on.
            pass

    def _write(self, line: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(line)
        except UnicodeEncodeError:
            self._stream.write(line.translate(_PLAIN).encode("ascii", "backslashreplace").decode())
        self._stream.flush()

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour and colour and text else text


class Bus:
    """Sends each event once to the log and once to the report."""

    def __init__(self, log: EventLog, report: Report) -> None:
        self._log = log
        self._report = report
        self._held: list[tuple[str, int, dict[str, object]]] | None = None

    def hold(self) -> None:
        """Keep events back until `start`: they are of a program that began before there was a supervisor."""
        self._held = []

    def emit(self, event: str, generation: int, **keys: object) -> None:
        """One event of the vocabulary in docs: written first, told then."""
        if self._held is not None and event != "start":
            self._held.append((event, generation, keys))
            return
        held, self._held = self._held or (), None
        self._log.emit(event, generation, **keys)
        if self._log.failure is not None:
            self._report.message(self._log.failure, urgent=True)
            self._log.failure = None
        self._report.event(event, generation, **keys)
        for later in held:
            self.emit(later[0], later[1], **later[2])

    def message(self, text: str, *, urgent: bool = False, detail: bool = False) -> None:
        """Something to say that is no event."""
        self._report.message(text, urgent=urgent, detail=detail)

    def close(self) -> None:
        """Close the log. May be called again."""
        self._log.close()


def wants_colour(stream: Stream | None, environ: Mapping[str, str]) -> bool:
    """NO_COLOR (no-color.org) beats FORCE_COLOR (force-color.org) beats what the stream is.

    An empty variable counts as not set, as both pages ask.
    """
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    if stream is None or environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (OSError, ValueError, AttributeError):
        return False  # closed, or not quite a stream


def duration(milliseconds: float) -> str:
    """`21 ms`, `2.1 s`, `1 min 5 s`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


def _is_first(start: Mapping[str, object]) -> bool:
    return start.get("generation") == 1 and not start.get("changed")


def _first_line(ready: Mapping[str, object]) -> str:
    """`watching` is how many files are, where the event says so."""
    ms = ready.get("ms")
    time = f"ready in {duration(ms)}" if isinstance(ms, (int, float)) else "ready"
    count = ready.get("watching")
    return f"watching {counted(count, 'file')} · {time}" if count else time


def _first_of(message: str) -> str:
    """The first line of a message, with a sign that there were more."""
    first, *more = message.strip().splitlines() or [""]
    return f"{first} …" if more else first


def counted(count: object, noun: str) -> str:
    number = count if isinstance(count, int) else 0
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def printable(text: str) -> str:
    """File names and messages may hold line breaks and terminal controls; a line may not."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _signal_name(number: object) -> str:
    from signal import Signals

    try:
        return Signals(number).name if isinstance(number, int) else str(number)
    except ValueError:
        return f"signal {number}"
