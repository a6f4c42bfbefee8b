"""The edits of the demo, each to a file that Wagtail's starter wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Change = Callable[[str, int], tuple[str, str]]
"""(text of the file, number of the save) -> (new text, what the answer must contain then)"""


@dataclass(frozen=True)
class Edit:
    """One kind of edit: what it is called, the file, where its effect shows, how it is done."""

    name: str
    file: str
    path: str
    change: Change

    def apply(self, site: Path, number: int) -> tuple[Callable[[], None], str]:
        """The save as a function yet to be called, and the marker that proves it is served."""
        target = site / self.file
        text = target.read_text()
        changed, marker = self.change(text, number)
        if changed == text:
            raise ValueError(
                f"{self.name}: nothing to change in {target}; has the starter changed?"
            )

        def save() -> None:
            target.write_text(changed)

        return save, marker


def _view_body(text: str, number: int) -> tuple[str, str]:
    marker = f"save {number}"
    found = r'request\.GET\.get\("query", .*\)'
    return re.sub(found, f'request.GET.get("query", "{marker}")', text, count=1), marker


def _constant(text: str, number: int) -> tuple[str, str]:
    marker = f"save {number}"
    if "GREETING" not in text:
        text = text.replace("\n\ndef search", '\nGREETING = ""\n\n\ndef search', 1)
        text = re.sub(r'get\("query", .*\)', 'get("query", GREETING)', text, count=1)
    return re.sub(r'GREETING = ".*"', f'GREETING = "{marker}"', text, count=1), marker


def _model(text: str, number: int) -> tuple[str, str]:
    marker = f"save {number}"
    body = text.partition("class HomePage(Page):\n")[0]
    return f'{body}class HomePage(Page):\n    greeting = "{marker}"\n', marker


def _settings(text: str, number: int) -> tuple[str, str]:
    language = ("de", "fr", "es")[number % 3]
    line = f'LANGUAGE_CODE = "{language}"'
    return re.sub(r'LANGUAGE_CODE = ".*"', line, text, count=1), f'lang="{language}"'


def _template(text: str, number: int) -> tuple[str, str]:
    marker = f"template {number}"
    line = f"<p>{marker}: {{{{ page.greeting }}}}</p>"
    text = re.sub(r"<p>template .*</p>\n", "", text)
    return text.replace("{% endblock content %}", f"{line}\n{{% endblock content %}}"), marker


EDITS = (
    Edit("body of a view", "search/views.py", "/search/", _view_body),
    Edit("constant in a views module", "search/views.py", "/search/", _constant),
    Edit("template", "home/templates/home/home_page.html", "/", _template),
    Edit("attribute of a model", "home/models.py", "/", _model),
    Edit("settings", "mysite/settings/base.py", "/admin/login/", _settings),
)
