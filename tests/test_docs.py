"""What the documentation says is so: commands, options, links, settings, words."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from refork.settings import OPTIONS
from refork.usage import HELP
from support.sources import ROOT, modules

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
IDS = [str(path.relative_to(ROOT)) for path in DOCUMENTS]

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def fences(path: Path, language: str) -> list[str]:
    """The blocks of one language in a document."""
    return [
        text for found, text in FENCE.findall(path.read_text(encoding="utf-8")) if found == language
    ]


def anchors(path: Path) -> set[str]:
    """The anchors that a hosted rendering gives the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    yield from (target for target in LINK.findall(text) if "://" not in target)


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_links_lead_somewhere(path: Path) -> None:
    for target in links(path):
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{path.name}: {target}: no such heading"


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_make_knows_every_target_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= make_targets()


def test_the_readme_begins_with_the_two_commands() -> None:
    first = fences(ROOT / "README.md", "console")[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == [
        "$ make demo",
        "$ make test",
    ]


def test_make_says_what_there_is() -> None:
    done = subprocess.run(
        ["make"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    described = set(re.findall(r"^  make ([a-z-]+)", done.stdout, re.MULTILINE))
    assert {"demo", "test", "lint", "bench", "oracle", "clean"} <= described


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_every_option_of_refork_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for line in re.findall(r"^\$ refork (.*)$", text, re.MULTILINE):
        for word in line.split("#")[0].split():
            if not word.startswith("--"):
                break  # what follows the target is the program's
            assert word in HELP, f"{path.name}: refork {line}"


def test_the_manual_has_every_option() -> None:
    manual = read("docs/manual.md")
    for key in OPTIONS:
        shown = "--no-live-reload" if key == "live_reload" else f"--{key.replace('_', '-')}"
        short = {"verbose": "`-v`", "quiet": "`-q`"}.get(key)
        assert shown in manual or (short and short in manual), key


def test_the_manual_names_no_option_that_is_not_there() -> None:
    known = set(re.findall(r"--[a-z-]+", HELP)) | {
        "--app",
        "--debug",
        "--port",
        "--noreload",
        "--reload",
    }
    assert set(re.findall(r"--[a-z][a-z-]*", read("docs/manual.md"))) <= known


@pytest.mark.parametrize("path", DOCUMENTS, ids=IDS)
def test_python_examples_compile(path: Path) -> None:
    for text in fences(path, "python"):
        ast.parse(text, str(path))


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\*\*(\w+)\*\*", read("docs/glossary.md"), re.MULTILINE)
    assert words == sorted(words)
    assert len(words) == len(set(words))


def test_the_changelog_knows_the_version() -> None:
    version = re.search(r'^version = "(.*)"$', read("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert f"## {version[1]}" in read("CHANGELOG.md")


VARIABLE = re.compile(
    r"\b\S+\.(?:py|html)\b"  # files
    r"|\b\d+\S*(?: function| other thread)?|\bms\b"  # numbers, and what is counted
    r"|\b[afx]\b|near line|module statements"  # names, and where in a module
)


def phrases(snippet: str) -> Iterator[str]:
    """The words of an example message that are always the same: two or more in a row."""
    fixed = VARIABLE.sub("|", snippet)
    for part in re.split(r"[|·:→…(),]", fixed):
        if len(part.split()) > 1:
            yield part.strip()


@pytest.mark.parametrize("table", ["docs/messages.md"])
def test_messages_are_said_somewhere(table: str) -> None:
    """Every message explained there is in the source, its variable parts apart."""
    source = " ".join(path.read_text(encoding="utf-8") for path in modules().values())
    source = re.sub(r'"\s+f?"', "", source)
    for snippet in re.findall(r"^\| `([^`]+)` \|", read(table), re.MULTILINE):
        for phrase in phrases(snippet):
            assert phrase in source, f"{snippet}: nobody says {phrase!r}"


def script(name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(
        name.replace("-", "_"), str(ROOT / "scripts" / name)
    )
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_map_of_the_code_is_up_to_date() -> None:
    text = read("CONTRIBUTING.md")
    assert script("map-code").mapped(text) == text, "make map writes it anew"


MACHINE = re.compile(r"/root/|/home/\w+/|\b(?:10|192\.168|172\.16)\.\d+\.\d+")


def test_nothing_speaks_of_one_machine() -> None:
    """No path or address of somebody's machine in what is tracked; tests may make some up."""
    listed = subprocess.run(
        ["git", "ls-files", ":!tests"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ""} and path.is_file():
            found = MACHINE.search(path.read_text(encoding="utf-8", errors="replace"))
            assert not found, f"{name}: {found and found[0]}"
