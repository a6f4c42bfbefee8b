"""Django's runserver under refork."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from frameworks.conftest import Start
from frameworks.driver import Served
from frameworks.sites import DJANGO, catalogue

pytest.importorskip("django")

RUNSERVER = ("manage.py", "runserver", "PORT")


def begin(start: Start, *words: str, **changed: str) -> Served:
    """Django's server on the small site, some of whose files say something else."""
    files = {**DJANGO, **{name.replace("__", "/") + ".py": text for name, text in changed.items()}}
    return start(*RUNSERVER, *words, files=files)


@pytest.mark.parametrize("words", [(), ("--noreload",), ("--skip-checks",)], ids=" ".join)
def test_an_edit_is_served(start: Start, words: tuple[str, ...]) -> None:
    live = begin(start, *words)
    live.answers("body0 const0")
    live.edit("shop/views.py", "body0", "body1")
    live.answers("body1 const0")
    assert live.started()["gear"] == "graft"
    live.edit("shop/views.py", "const0", "const1")
    live.answers("body1 const1")
    assert live.started()["gear"] == "replay"
    assert len(live.all("start")) == 3
    assert live.interrupt() == 0


def test_the_server_runs_in_the_main_thread_and_nothing_watches(start: Start) -> None:
    live = begin(start)
    live.answers("true MainThread", "/inside")
    assert "django-main-thread" not in live.get("/inside")
    assert "Watching for file changes" not in live.err


def test_a_template_is_renewed_in_place(start: Start) -> None:
    live = begin(start)
    live.answers("template0", "/page")
    pid = live.event("ready")["pid"]
    live.save("templates/page.html", "template1")
    live.answers("template1", "/page")
    # the file that was written first, to be renamed, may have been seen as well
    refreshed = live.event("refresh", files=[str(live.path("templates/page.html"))])
    assert refreshed["by"] == "Django"
    # The program that goes on must not be resumed later with the old template in it.
    live.edit("shop/views.py", "body0", "body1")
    live.answers("body1")
    assert live.get("/page").startswith("template1")
    assert len(live.all("start")) == 2
    assert live.event("ready", generation=2)["pid"] != pid


def test_a_catalogue_is_renewed_in_place(start: Start) -> None:
    live = begin(start)
    path = live.path("locale/de/LC_MESSAGES/django.mo")
    path.parent.mkdir(parents=True)
    path.write_bytes(catalogue({"word": "Wort0"}))
    live.answers("Wort0", "/word")
    path.write_bytes(catalogue({"word": "Wort1"}))
    live.answers("Wort1", "/word")
    assert len(live.all("start")) == 1


def test_what_receivers_want_watched(start: Start) -> None:
    """`watch_dir` and `extra_files`, which apps use in a receiver of `autoreload_started`."""
    apps = """
from django.apps import AppConfig
from django.utils.autoreload import autoreload_started

def watch(sender, **kwargs):
    sender.watch_dir("rules", "*.txt")
    sender.extra_files.add("extra.cfg")

class ShopConfig(AppConfig):
    name = "shop"
    def ready(self):
        autoreload_started.connect(watch)
"""
    live = begin(start, shop__apps=apps)
    live.answers("body0")
    live.save("rules/one.txt", "1")
    live.start(2)
    live.answers("body0")
    live.save("extra.cfg", "1")
    assert live.start(3)["changed"] == [str(live.path("extra.cfg"))]
    live.answers("body0")


def test_a_failing_check_is_waited_over(start: Start) -> None:
    live = begin(start)
    live.answers("body0")
    live.edit("shop/models.py", "IntegerField()", "CharField(max_length='long')")
    live.complains("fields.E121")
    live.event("exit", code=1)
    live.edit("shop/models.py", "CharField(max_length='long')", "IntegerField(default=1)")
    live.answers("body0")
    assert live.process.poll() is None


@pytest.mark.parametrize("name", ["site_settings", "site_urls", "shop__models"])
def test_an_error_at_the_first_start_is_waited_over(start: Start, name: str) -> None:
    path = name.replace("__", "/") + ".py"
    live = begin(start, **{name: DJANGO[path] + "\nthis is not Python\n"})
    assert live.event("error")["file"] == str(live.path(path))
    live.event("exit", code=1)
    live.save(path, DJANGO[path])
    live.answers("body0")


def test_an_address_in_use_ends_it_as_ever(start: Start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        live = start("manage.py", "runserver", str(other.getsockname()[1]), files=DJANGO)
        assert live.code() == 1
    assert "That port is already in use." in live.err


def test_the_database_is_no_barrier(start: Start) -> None:
    """The check of the migrations opens it, and Django closes it: what is loaded after that is
    kept.
    """
    settings = DJANGO["site_settings.py"] + "WSGI_APPLICATION = 'site_wsgi.application'\n"
    wsgi = (
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    )
    live = begin(start, site_settings=settings, site_wsgi=wsgi)
    live.answers("body0")
    brinks = [os.path.basename(event["at"]) for event in live.all("checkpoint", kind="brink")]
    assert [brink.split(":")[0] for brink in brinks] == ["base.py", "socket.py"]


def test_the_catalogue_is_one(tmp_path: Path) -> None:
    """The tests' own writer of catalogues, read by gettext."""
    import gettext

    path = tmp_path / "some.mo"
    path.write_bytes(catalogue({"word": "Wort", "other": "anderes"}))
    with path.open("rb") as file:
        read = gettext.GNUTranslations(file)
    assert (read.gettext("word"), read.gettext("other")) == ("Wort", "anderes")
