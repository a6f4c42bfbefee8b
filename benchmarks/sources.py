"""The texts of a generated project's modules that belong to no app, and what all of them end in."""

from __future__ import annotations

MANAGE = '''"""Run administrative tasks."""

import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
'''

ROOM = '    """Pieces of a title, cleaned."""'
MARKS = '    """What was edited here."""'

TAIL = f'''

EDITION = 0


class Marks:
{MARKS}


def pieces(title):
{ROOM}
    return [piece.strip() for piece in title.split(",") if piece.strip()]


def describe():
    """What the benchmark asks for."""
    return f"{{__name__}}: body 0, edition {{EDITION}}."
'''

COMMON = {
    "__init__": '"""What everything stands on."""\n',
    "env": '''"""Settings from the .env file beside manage.py."""

from pathlib import Path


def read(path):
    """Names and values of a .env file."""
    pairs = (line.partition("=") for line in Path(path).read_text().splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
'''
    + TAIL,
    "text": '''"""Words, slugs and titles."""

import re
import unicodedata
from functools import lru_cache

NOT_WORD = re.compile(r"[^\\w\\s-]")
SPACES = re.compile(r"[-\\s]+")
PATTERNS = {name: re.compile(rf"^{name}-(?P<key>[a-z]{{2,12}})(\\d+)?$") for name in ("in", "out")}


@lru_cache(maxsize=None)
def slug(value):
    """A word for a URL."""
    value = unicodedata.normalize("NFKD", value)
    return SPACES.sub("-", NOT_WORD.sub("", value).strip().lower())


def key(name, value):
    """The key inside a name, if it has one."""
    found = PATTERNS[name].match(value)
    return found and found["key"]
'''
    + TAIL,
    "models": '''"""What every model has."""

from django.db import models

from common import text


class Stamped(models.Model):
    """When it was made and changed, and its word for a URL."""

    created = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)
    title = models.CharField(max_length=200)

    class Meta:
        abstract = True

    @property
    def slug(self):
        return text.slug(self.title)
'''
    + TAIL,
}

CORE = {
    "__init__": '"""Pages that belong to no app."""\n',
    "views": '''"""The page that the benchmark asks."""

import sys

from django.http import HttpResponse


def probe(request, module):
    """What a module says of itself."""
    return HttpResponse(sys.modules[module].describe(), content_type="text/plain")
'''
    + TAIL,
    "models": '''"""Models that belong to no app."""

from django.db import models

from common.models import Stamped


class Preference(Stamped):
    name = models.CharField(max_length=80, unique=True)
    value = models.JSONField(default=dict)
'''
    + TAIL,
}


def settings(apps: list[str]) -> str:
    """config/settings.py with these apps installed."""
    own = "".join(f'    "{name}.apps.Config",\n' for name in apps)
    return f'''"""Settings, as startproject writes them."""

from pathlib import Path

from common import env

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = env.read(BASE_DIR / ".env")
SECRET_KEY = "only for a benchmark"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
{own}    "core",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "config.urls"
TEMPLATES = [
    {{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {{
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        }},
    }},
]
DATABASES = {{
    "default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}},
}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL = "static/"
'''


def root_urls(apps: list[str]) -> str:
    """config/urls.py including every app's URLs, the benchmark's own last."""
    lines = "".join(f'    path("{name}/", include("{name}.urls")),\n' for name in apps)
    return f'''"""Every app's URLs."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
{lines}]

from core import views  # noqa: E402

urlpatterns.append(path("probe/<str:module>", views.probe))
'''


def gateway(kind: str) -> str:
    """config/wsgi.py or config/asgi.py, for the servers that want an application object."""
    return f'''"""The application, for a {kind.upper()} server."""

import os

from django.core.{kind} import get_{kind}_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_{kind}_application()
'''
