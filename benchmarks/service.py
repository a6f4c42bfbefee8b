"""A generated HTTP service of the standard library: its modules have work of their own to do on import.

What a Django project of `benchmarks.projects` spends on a start is mostly what comes after all modules are
loaded (checks, URLs), and no edit can save that. Here next to nothing comes after: dataclasses, enums and
patterns are made while modules load, as in a service with many schemas. Domains of five modules come in
areas of ten: the others of an area stand on its first domain, and nobody else does.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.projects import Project, write
from benchmarks.sources import TAIL

FIXED = 5
"""Modules that are no domain's: three of `common`, `shop` and `main`."""

AREA = 10

MAIN = '''"""Serves every domain over HTTP; /probe/<module> is what the benchmark asks for."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.routing import Router
{imports}

ROUTER = Router("")
{includes}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.removeprefix("/probe/")
        found = sys.modules.get(name) if name != self.path else None
        body = (found.describe() if found else str(len(ROUTER.routes))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''

ROUTING = '''"""Routes."""

import re


class Router:
    def __init__(self, prefix):
        self.prefix = prefix
        self.routes = []

    def route(self, pattern):
        def add(function):
            self.routes.append((re.compile(self.prefix + pattern), function))
            return function

        return add

    def include(self, other):
        self.routes.extend(other.routes)
'''

TYPES = '''"""Values that all domains share."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, order=True)
class Money:
    amount: Decimal
    currency: str = "EUR"


@dataclass(frozen=True)
class Page:
    number: int = 1
    size: int = 20
'''

SCHEMA = """
class {name}Kind(enum.Enum):
    DRAFT = "draft"
    OPEN = "open"
    CLOSED = "closed"


@dataclass
class {name}:
    key: str
    title: str
    kind: {name}Kind = {name}Kind.DRAFT
    price: Money | None = None
    tags: list[str] = field(default_factory=list)


{upper}_KEY = re.compile(r"^{lower}-(?P<year>\\d{{4}})-(?P<number>[0-9a-f]{{4,12}})(?:/(?P<part>\\d+))?$")
"""

SCHEMAS = '''"""What {domain} is about."""

import enum
import re
from dataclasses import dataclass, field

from common.types import Money
'''

REPOSITORY = '''"""Where {domain} is kept."""

from dataclasses import dataclass, field

from shop.{domain}.schemas import First, Second


@dataclass
class Repository:
    firsts: dict[str, First] = field(default_factory=dict)
    seconds: dict[str, Second] = field(default_factory=dict)

    def add(self, one: First) -> None:
        self.firsts[one.key] = one
'''

SERVICE = '''"""What {domain} does."""

import re
from dataclasses import dataclass

from common.types import Page
from shop.{domain}.repository import Repository
{more}

WORDS = re.compile(r"\\b(?:{domain}|open|closed)\\b[^.]*(?P<rest>\\.\\w+){{1,3}}")


@dataclass(order=True)
class Request:
    title: str
    page: Page = Page()


class Service:
    def __init__(self) -> None:
        self.repository = Repository()
'''

ROUTES = '''"""Where {domain} is reached."""

from common.routing import Router
from shop.{domain}.schemas import First
from shop.{domain}.service import Service

router = Router("/{domain}")
service = Service()


@router.route(r"/(?P<key>[a-z0-9-]+)$")
def detail(key: str) -> First | None:
    return service.repository.firsts.get(key)


@router.route(r"/search/(?P<words>[^/]+)/(?P<page>\\d+)$")
def search(words: str, page: str) -> list[str]:
    return sorted(service.repository.firsts)
'''


def generate(folder: Path, size: int) -> Project:
    """Write a service of `size` modules (at least 10, a multiple of 5) into a new folder, compiled."""
    domains = [f"domain{number:03}" for number in range((size - FIXED) // 5)]
    write(folder, "common/__init__.py", "")
    write(folder, "common/types.py", TYPES)
    write(folder, "common/routing.py", ROUTING)
    write(folder, "shop/__init__.py", "")
    for number, domain in enumerate(domains):
        first = domains[number - number % AREA]
        _domain(folder, domain, "" if first == domain else first)
    imports = "\n".join(
        f"from shop.{domain}.routes import router as {domain}" for domain in domains
    )
    includes = "\n".join(f"ROUTER.include({domain})" for domain in domains)
    write(folder, "main.py", MAIN.format(imports=imports, includes=includes))
    return Project(folder, tuple(_loaded(folder)))


def _domain(folder: Path, domain: str, first: str) -> None:
    kinds = ("First", "Second", "Third")
    schemas = "\n".join(
        SCHEMA.format(name=name, upper=name.upper(), lower=f"{domain}-{name.lower()}")
        for name in kinds
    )
    more = f"from shop.{first}.service import Service as Base" if first else ""
    texts = {
        "__init__": "",
        "schemas": f"{SCHEMAS.format(domain=domain)}\n{schemas}{TAIL}",
        "repository": REPOSITORY.format(domain=domain) + TAIL,
        "service": SERVICE.format(domain=domain, more=more) + TAIL,
        "routes": ROUTES.replace("{domain}", domain) + TAIL,
    }
    for name, text in texts.items():
        write(folder, f"shop/{domain}/{name}.py", text)


LOADED = """
import sys, main
print("\\n".join(name for name, module in sys.modules.items() if "describe" in vars(module)))
"""


def _loaded(folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.split()
