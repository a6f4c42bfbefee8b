"""Write the README's table of figures from the samples of a run.

python -m benchmarks.reload --sizes 10,100,1000 --json run.json
python -m benchmarks.figures run.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- figures -->\n", "<!-- /figures -->\n"

ROWS = (
    ("first answer after the command", "cold", ("",)),
    ("the body of a function, in any module", "body", ("first", "middle", "last")),
    ("a class attribute and a constant, in the last module", "statement", ("last",)),
    ("… in a middle one", "statement", ("middle",)),
    ("… in the first one", "statement", ("first",)),
)


def shown(times: list[float]) -> str:
    """The median of milliseconds, in the unit that a person would use."""
    if not times:
        return "-"
    ms = median(times)
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def figures(samples: list[dict[str, Any]]) -> str:
    """The Markdown table: plain runserver beside refork, for every size."""
    sizes = list(dict.fromkeys(sample["size"] for sample in samples))
    head = "".join(f" {size:,} modules: `runserver` | refork |" for size in sizes)
    lines = [f"| save to served |{head}", "|---|" + "--:|--:|" * len(sizes)]
    for name, edit, places in ROWS:
        cells = ""
        for size in sizes:
            for tool in ("runserver", "refork"):
                found = [
                    sample["ms"]
                    for sample in samples
                    if (sample["size"], sample["tool"], sample["edit"]) == (size, tool, edit)
                    and sample["place"] in places
                    and sample["ms"] is not None
                ]
                cells += f" {shown(found)} |"
        lines.append(f"| {name} |{cells}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Put the table between its marks in README.md."""
    samples = json.loads(Path(sys.argv[1]).read_text())
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    made = before + START + figures(samples) + END + rest.partition(END)[2]
    README.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
