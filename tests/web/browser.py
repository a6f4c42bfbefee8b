"""Headless Chromium, and a small site that is served, broken and mended under it."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

from refork.adapters.inject import WSGIInject
from refork.serve.static import WSGIStatic

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1200,900",
]


def chromium(profile: Path) -> Chrome:
    """A new browser. Skips the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    made: Chrome = webdriver.Chrome(options=options, service=service)
    made.set_page_load_timeout(20)
    made.set_script_timeout(20)
    return made


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...


class _Server(WSGIServer):
    def server_bind(self) -> None: ...

    def server_activate(self) -> None: ...


class Site:
    """A WSGI program on a held socket, in a thread for each request; files come from `folder`."""

    def __init__(self, held: socket.socket, folder: Path, body: Callable[[], str]) -> None:
        self.requests: list[str] = []
        self.headers: list[tuple[str, str]] = []
        self._body = body
        app = WSGIInject(WSGIStatic(self._page, [("/static/", os.path.realpath(folder))]))
        self._sock = held.dup()
        self._app = app
        self._threads: list[threading.Thread] = []
        self._is_stopping = False
        self._thread = threading.Thread(target=self._accept, name="site")
        self._wake, self._stop = socket.socketpair()
        self._thread.start()

    def _page(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        start("200 OK", [("Content-Type", "text/html; charset=utf-8"), *self.headers])
        return [self._body().encode()]

    def _accept(self) -> None:
        import select

        while True:
            ready, _, _ = select.select([self._sock, self._stop], [], [])
            if self._stop in ready:
                return
            connection, address = self._sock.accept()
            answer = functools.partial(self._answer, connection, address)
            self._threads.append(threading.Thread(target=answer))
            self._threads[-1].start()

    def _answer(self, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.settimeout(1.0)  # a browser connects ahead of its requests
        server = _Server(self._sock.getsockname(), _Quiet, bind_and_activate=False)
        server.socket.close()
        server.server_name, server.server_port = "localhost", 0
        server.setup_environ()
        server.set_app(self._app)
        try:
            server.process_request(connection, address)
        except OSError:
            connection.close()  # idle, or the browser has left

    def close(self) -> None:
        self._wake.close()
        self._thread.join()
        for thread in self._threads:
            thread.join()
        self._stop.close()
        self._sock.close()


@contextmanager
def site(held: socket.socket, folder: Path, body: Callable[[], str]) -> Iterator[Site]:
    made = Site(held, folder, body)
    try:
        yield made
    finally:
        made.close()
