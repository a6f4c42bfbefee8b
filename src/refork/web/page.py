"""A problem as a page, as JSON, and as plain text.

Everything that comes from the program or its files goes through `html.escape`; the page's own
policy allows nothing but its style, its script and the live-reload stream.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Literal

from refork.web import highlight
from refork.web.problem import Frame, Problem, SourceLine

Format = Literal["html", "json", "text"]
CONTENT_TYPES: dict[Format, str] = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "text": "text/plain; charset=utf-8",
}
_STATUS = """<footer role="status" id="status">
<span class="dot"></span>
<span id="words">Waiting for the next save. This page turns into the program by itself.</span>
<button id="again" type="button" hidden>Send the form again</button>
</footer>"""
_HERE = Path(__file__).parent
_RANGE = re.compile(r"\s*([\w*.+-]+/[\w*.+-]+)\s*(?:;.*?\bq=([\d.]+))?")


def preferred(accept: str) -> Format:
    """The format asked for: a browser's navigation names HTML, an API client JSON; else text."""
    best: tuple[float, Format] = (0.0, "text")
    for part in accept.split(","):
        match = _RANGE.match(part)
        if match is None:
            continue
        kind, weight = _format_of(match[1].lower()), _weight(match[2])
        if kind is not None and weight > best[0]:
            best = (weight, kind)
    return best[1]


def _format_of(media_type: str) -> Format | None:
    if media_type in ("text/html", "application/xhtml+xml"):
        return "html"
    if media_type == "application/json" or media_type.endswith("+json"):
        return "json"
    return "text" if media_type == "text/plain" else None


def _weight(text: str | None) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def as_text(problem: Problem) -> str:
    """The traceback as Python prints it, under one line that says whose answer this is."""
    head = f"refork: generation {problem.generation} does not start.\n\n"
    return visible(head + (problem.text or "\n".join(_text_lines(problem)))).rstrip("\n") + "\n"


def _text_lines(problem: Problem, indent: str = "") -> Iterator[str]:
    """As Python prints it; `indent` stands before the bar that members of groups have."""
    bar = f"{indent}| " if indent else ""
    if problem.cause is not None:
        yield from _text_lines(problem.cause, indent)
        yield from (bar.rstrip(), f"{bar}{_joint(problem)}:", bar.rstrip())
    if problem.members:
        yield from _text_of_group(problem, indent)
    else:
        yield from (bar + line for line in _text_of_one(problem, "Traceback"))


def _text_of_one(problem: Problem, head: str) -> Iterator[str]:
    if problem.shown:
        yield f"{head} (most recent call last):"
    for frame in problem.shown:
        function = f", in {frame.function}" if frame.function else ""
        yield f'  File "{frame.file}", line {frame.line}{function}'
        if frame.source:
            yield f"    {frame.source}"
            yield from _carets(problem, frame)
    yield from problem.title.split("\n")
    for note in problem.notes:
        yield from note.split("\n")


def _carets(problem: Problem, frame: Frame) -> Iterator[str]:
    start, end = frame.span
    if frame is problem.frames[-1] and problem.column:
        start, end = problem.column - 1, problem.column
    indent = len(frame.text) - len(frame.text.lstrip())
    if indent <= start < end:
        yield "    " + " " * (start - indent) + "^" * (end - start)


def _text_of_group(problem: Problem, indent: str) -> Iterator[str]:
    head = "|" if indent or not problem.shown else "+"
    indent = indent or "  "
    for number, line in enumerate(_text_of_one(problem, "Exception Group Traceback")):
        yield f"{indent}{'|' if number else head} {line}"
    for number, member in enumerate(problem.members, 1):
        joint = "+-+" if number == 1 else "  +"
        yield f"{indent}{joint}---------------- {number} ----------------"
        yield from _text_lines(member, indent + "  ")
    yield f"{indent}  +------------------------------------"


def _joint(problem: Problem) -> str:
    if problem.cause_is_direct:
        return "The above exception was the direct cause of the following exception"
    return "During handling of the above exception, another exception occurred"


def as_json(problem: Problem) -> str:
    """One object with the key `error`; `traceback` is outermost first."""
    return json.dumps({"error": _plain_object(problem)}, indent=2) + "\n"


def _plain_object(problem: Problem) -> dict[str, object]:
    focus = problem.focus
    return {
        "type": problem.kind,
        "message": problem.message,
        "file": focus.file if focus else None,
        "line": focus.line if focus else None,
        "generation": problem.generation,
        "changed": list(problem.changed),
        "traceback": [
            {"file": f.file, "line": f.line, "function": f.function, "source": f.source}
            for f in problem.shown
        ],
        "notes": list(problem.notes),
        "cause": _plain_object(problem.cause) if problem.cause else None,
        "exceptions": [_plain_object(member) for member in problem.members],
    }


def policy(nonce: str, live_origin: str | None) -> str:
    """The Content-Security-Policy of the page."""
    live = f" {live_origin}" if live_origin else ""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        f"connect-src 'self'{live}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def as_html(
    problem: Problem, nonce: str, live_origin: str | None, *, is_repeatable: bool = True
) -> str:
    """The page. `is_repeatable`: it may be asked for again without asking the reader (a GET)."""
    attributes = f'nonce="{nonce}"'
    live = ""
    if live_origin:
        query = f"generation={problem.generation}" + ("" if is_repeatable else "&amp;ask")
        live = f'<script {attributes} src="{escape(live_origin)}/client.js?{query}" async></script>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{shown(problem.title[:120])}</title>
<style {attributes}>{(_HERE / "page.css").read_text("utf-8")}</style>
</head>
<body>
<main>
{_heading(problem)}
{_focus(problem)}
{_changed(problem)}
{_traceback(problem)}
{_members(problem)}
{_causes(problem)}
{_raw(problem)}
</main>
{_STATUS}
<script {attributes} data-generation="{problem.generation}" data-ask="{int(not is_repeatable)}">
{(_HERE / "page.js").read_text("utf-8")}</script>
{live}
</body>
</html>
"""


LONG = 160
"""Characters from which on a message is set smaller."""

CONTROLS = {
    number: f"\\u{number:04x}"
    for number in (*range(32), 0x61C, *range(0x7F, 0xA0), *range(0x200B, 0x2010))
    if chr(number) not in "\t\n"
} | {number: f"\\u{number:04x}" for number in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Characters that are not seen themselves and change how others are (UAX #9): escaped, as in Python."""


def visible(text: str) -> str:
    """The text with its control characters spelled out: a traceback shows what is in the file."""
    return text.translate(CONTROLS)


def shown(text: str) -> str:
    """The text as HTML."""
    return escape(visible(text))


def _coloured(text: str) -> str:
    return highlight.python(text).translate(CONTROLS)


def _heading(problem: Problem) -> str:
    length = " long" if len(problem.message) > LONG else ""
    return f"""<header>
<p class="where">The program does not start <span>generation {problem.generation}</span></p>
<h1>{shown(problem.kind)}</h1>
<p class="message{length}">{shown(problem.message)}</p>
{_notes(problem)}
</header>"""


def _notes(problem: Problem) -> str:
    return "".join(f'<p class="note">{shown(note)}</p>' for note in problem.notes)


def _focus(problem: Problem) -> str:
    frame = problem.focus
    if frame is None:
        return ""
    is_changed = _is_changed(problem, frame)
    mark = '<span class="badge">changed</span>' if is_changed else ""
    return f"""<section class="focus">
<h2>{_place(frame)}{mark}</h2>
{_code(frame, _span(problem, frame))}
</section>"""


def _span(problem: Problem, frame: Frame) -> tuple[int, int]:
    """The columns to mark: of what was running, or where a SyntaxError points to."""
    if problem.column and frame is problem.frames[-1]:
        return problem.column - 1, problem.column
    return frame.span


def _is_changed(problem: Problem, frame: Frame) -> bool:
    return os.path.realpath(frame.file) in {os.path.realpath(path) for path in problem.changed}


def _place(frame: Frame) -> str:
    folder, name = os.path.split(shortened(frame.file))
    function = (
        f' <span class="in">in</span> <b>{shown(frame.function)}</b>' if frame.function else ""
    )
    lead = f'<span class="folder">{escape(folder)}/</span>' if folder else ""
    return f'<code title="{escape(frame.file)}">{lead}{escape(name)}:{frame.line}{function}</code>'


def shortened(path: str) -> str:
    """The path as a reader would name it: below the working directory, or after `site-packages`."""
    here = os.getcwd() + os.sep
    if path.startswith(here):
        return path[len(here) :]
    for folder in ("site-packages", "dist-packages"):
        _, found, rest = path.rpartition(f"{os.sep}{folder}{os.sep}")
        if found:
            return rest
    return path


def _code(frame: Frame, span: tuple[int, int]) -> str:
    if not frame.context:
        return '<p class="absent">The source of this line is not available.</p>'
    rows = "".join(_row(one, frame.line, span) for one in frame.context)
    return f'<div class="code" tabindex="0"><table>{rows}</table></div>'


def _row(line: SourceLine, failing: int, span: tuple[int, int]) -> str:
    is_failing = line.number == failing
    head = '<tr class="failing">' if is_failing else "<tr>"
    text = _coloured(line.text)
    first, last = span
    if is_failing and first < last and first <= len(line.text):
        before, inside, after = line.text[:first], line.text[first:last], line.text[last:]
        text = f"{_coloured(before)}<mark>{_coloured(inside) or ' '}</mark>{_coloured(after)}"
    return f"{head}<th>{line.number}</th><td><pre>{text or ' '}</pre></td></tr>"


def _changed(problem: Problem) -> str:
    focus = problem.focus
    if not problem.changed or (
        len(problem.changed) == 1 and focus is not None and _is_changed(problem, focus)
    ):
        return ""  # it is said already
    items = "".join(
        f'<li><code title="{escape(path)}">{escape(shortened(path))}</code></li>'
        for path in problem.changed[:12]
    )
    more = len(problem.changed) - 12
    rest = f"<li>and {more} more</li>" if more > 0 else ""
    return f'<section class="changed"><h2>Just saved</h2><ul>{items}{rest}</ul></section>'


def _traceback(problem: Problem) -> str:
    if not problem.shown:
        return ""
    frames = "".join(_level(problem, frame) for frame in problem.shown[::-1])
    return f"""<section class="traceback">
<h2>Traceback <span>most recent call first</span></h2>
<ol>{frames}</ol>
</section>"""


def _level(problem: Problem, frame: Frame) -> str:
    kind = "library" if frame.is_library else "own"
    mark = '<span class="badge">changed</span>' if _is_changed(problem, frame) else ""
    line = f'<pre class="line">{_coloured(frame.source)}</pre>' if frame.source else ""
    return (
        f'<li class="{kind}"><details><summary>{_place(frame)}{mark}{line}</summary>'
        f"{_code(frame, _span(problem, frame))}</details></li>"
    )


def _causes(problem: Problem) -> str:
    parts = []
    cause = problem.cause
    joint = problem.cause_is_direct
    while cause is not None:
        how = "Caused by" if joint else "While handling"
        parts.append(
            f'<section class="cause"><h2><span>{how}</span> {shown(cause.kind)}</h2>'
            f'<p class="message">{shown(cause.message)}</p>{_notes(cause)}</section>'
            f"{_traceback(cause)}{_members(cause)}"
        )
        joint, cause = cause.cause_is_direct, cause.cause
    return "".join(parts)


def _members(problem: Problem) -> str:
    """The exceptions of a group, each with what is behind it."""
    parts = []
    for number, member in enumerate(problem.members, 1):
        count = f"{number} of {len(problem.members)}"
        parts.append(
            f'<section class="cause"><h2><span>{count}</span> {shown(member.kind)}</h2>'
            f'<p class="message">{shown(member.message)}</p>{_notes(member)}</section>'
            f"{_traceback(member)}{_members(member)}{_causes(member)}"
        )
    return f'<div class="members">{"".join(parts)}</div>' if parts else ""


def _raw(problem: Problem) -> str:
    text = escape(as_text(problem))
    summary = "<summary>As plain text</summary>"
    return f'<details class="raw">{summary}<pre tabindex="0">{text}</pre></details>'
