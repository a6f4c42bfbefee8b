"""The tools that are compared: how each one is started on a generated Django project."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.answers import free_port
from benchmarks.served import Served

SETTINGS = "config.settings"
BIN = Path(sys.executable).parent
MANAGE = ("manage.py", "runserver", "--noreload", "127.0.0.1:{port}")
RUNSERVER = ("manage.py", "runserver", "127.0.0.1:{port}")
REFORK = (str(BIN / "refork"), "-v", "--events", "{events}")


@dataclass(frozen=True)
class Tool:
    """A tool's name, its command (with {port} and {events}) and the module it needs.

    exact: it claims to serve every edit; when it does not, the benchmark fails.
    """

    name: str
    command: tuple[str, ...]
    needs: str = "django"
    exact: bool = False
    env: dict[str, str] = field(default_factory=dict)

    def installed(self) -> bool:
        """Whether the module it needs can be imported."""
        return importlib.util.find_spec(self.needs) is not None


def _python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("runserver", _python(*RUNSERVER), exact=True),
        Tool("refork", (*REFORK, *RUNSERVER), "refork", exact=True),
        Tool("refork-noreload", (*REFORK, *MANAGE), "refork", exact=True),
        Tool("refork-no-hoist", (*REFORK, "--no-hoist", *RUNSERVER), "refork", exact=True),
        Tool(
            "refork-restart", (*REFORK, "--strategy", "restart", *RUNSERVER), "refork", exact=True
        ),
        Tool("jurigged", _python("-m", "jurigged", "--watch", ".", *MANAGE), "jurigged"),
        Tool(
            "uvicorn",
            _python("-m", "uvicorn", "--reload", "--port", "{port}", "config.asgi:application"),
            "uvicorn",
        ),
        Tool(
            "gunicorn",
            _python(
                "-m",
                "gunicorn",
                "--reload",
                "--bind",
                "127.0.0.1:{port}",
                "config.wsgi:application",
            ),
            "gunicorn",
        ),
        Tool("hupper", (str(BIN / "hupper"), "-m", "django", *MANAGE[1:]), "hupper"),
        Tool(
            "watchfiles",
            _python("-m", "watchfiles", "--filter", "python", " ".join(_python(*MANAGE)), "."),
            "watchfiles",
        ),
    )
}


def launch(tool: Tool, project: Path, work: Path, name: str = "0") -> Served:
    """The tool on a generated project, not started yet; its log and events are put into work."""
    port = free_port()
    events = work / f"events-{name}"
    command = [part.format(port=port, events=events) for part in tool.command]
    env = {"DJANGO_SETTINGS_MODULE": SETTINGS, "PYTHONPATH": str(project)}
    return Served(command, project, port, work / "log", events=events, env=env)


USUAL = ("runserver", "refork")


def chosen(names: str) -> list[Tool]:
    """The tools of a comma-separated list; "all" are those that are installed.

    Raises SystemExit for a name that does not exist or is not installed.
    """
    if names == "all":
        return [tool for tool in TOOLS.values() if tool.installed()]
    unknown = [name for name in names.split(",") if name not in TOOLS]
    if unknown:
        raise SystemExit(f"no such tool: {', '.join(unknown)} (there are {', '.join(TOOLS)})")
    missing = [name for name in names.split(",") if not TOOLS[name].installed()]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}")
    return [TOOLS[name] for name in names.split(",")]
