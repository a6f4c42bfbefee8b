"""What was measured: one save or one start, and the table made of many."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One save, or one start (edit "cold"): what was done, and how it came through.

    ms is None when the new code was not served in time. gear, ready and reason are what refork's
    own events say; they are empty for other tools.
    """

    size: int
    tool: str
    edit: str
    place: str
    module: str
    number: int
    ms: float | None
    refused: int = 0
    cut: int = 0
    stale: int = 0
    gear: str = ""
    ready: float | None = None
    reason: str = ""


def table(samples: list[Sample]) -> str:
    """A Markdown table: one line a size, edit and place; one or two columns a tool."""
    tools = list(dict.fromkeys(sample.tool for sample in samples))
    rows = list(dict.fromkeys((sample.size, sample.edit, sample.place) for sample in samples))
    lines = [
        "| modules | edit | in module | " + " | ".join(_title(tool) for tool in tools) + " |",
        "|--:|---|---|" + "--:|" * sum(2 if is_refork(tool) else 1 for tool in tools),
    ]
    for size, edit, place in rows:
        cells = []
        for tool in tools:
            found = [
                s for s in samples if (s.size, s.edit, s.place, s.tool) == (size, edit, place, tool)
            ]
            cells += _cells(tool, found)
        lines.append(f"| {size:,} | {edit} | {place or '-'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def is_refork(tool: str) -> bool:
    """Whether a tool is refork, with whatever options."""
    return tool.startswith("refork")


def _title(tool: str) -> str:
    return f"{tool}, first save | then" if is_refork(tool) else tool


def _cells(tool: str, found: list[Sample]) -> list[str]:
    if not is_refork(tool) or not found:
        return [spread(found)]
    if found[0].edit == "cold":
        return [spread(found), ""]
    return [spread(found[:1]), spread(found[1:])]


def losses(samples: list[Sample]) -> str:
    """A line a tool: what happened to the connections made between save and answer."""
    lines = []
    for tool in dict.fromkeys(sample.tool for sample in samples):
        saves = [s for s in samples if s.tool == tool and s.edit != "cold"]
        refused, cut = sum(s.refused for s in saves), sum(s.cut for s in saves)
        lines.append(f"{tool}: {len(saves)} saves, {refused} connections refused, {cut} cut")
    return "\n".join(lines)


def spread(found: list[Sample]) -> str:
    """Median and range in milliseconds, and by which gear."""
    times = [sample.ms for sample in found if sample.ms is not None]
    if not times:
        return "-" if not found else "not served"
    gears = "/".join(dict.fromkeys(sample.gear for sample in found if sample.gear))
    return f"{milliseconds(times)} {gears}".rstrip()


def milliseconds(times: list[float]) -> str:
    """The median, and the range where there is one."""
    if len(times) < 2:
        return f"{median(times):,.0f}"
    return f"{median(times):,.0f} ({min(times):,.0f}-{max(times):,.0f})"
