"""Web server of the dashboards: each study below its name, the list of studies and their comparison above."""

from __future__ import annotations

import html
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tal_dashboards.app.app import make_app
from tal_dashboards.app.security import Guard
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.home.cards import Cards
from tal_dashboards.home.links import COMPARE, HOME, study_address
from tal_dashboards.home.pages import make_home
from tal_dashboards.style import figure
from tal_dashboards.views import views
from tal_search.errors import InputError
from tal_search.record.record_reader import recorded_studies


class Site:
    """WSGI application for all studies of a runs folder; a study's page is created on its first request.

    first: the study that "/" redirects to; None lists the studies at "/", as HOME always does.
    """

    def __init__(self, runs: Path, first: str | None = None) -> None:
        self.runs, self.first = runs, first
        self._apps: dict[str, WSGIApplication] = {}
        self._readers: dict[str, StudyReader] = {}
        self._lock = threading.Lock()
        views()  # import them now, not during the first request; also Plotly's modules, loaded by the first figure
        figure("", "").add_scatter(x=[0], y=[0]).add_vline(0)
        self._home: WSGIApplication = make_home(Cards(runs, self._readers.get)).server.wsgi_app
        if first is not None:
            self._open(first)()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        name, slash, _ = path.removeprefix("/").partition("/")
        if not name and self.first is not None:
            return _redirected(start, study_address(self.first))
        if f"{path}/" == HOME:
            return _redirected(start, HOME)
        if not name or path == COMPARE or path.startswith(HOME):
            return self._home(_below(environ, HOME.rstrip("/"), f"/{path.removeprefix(HOME).lstrip('/')}"), start)
        if name not in recorded_studies(self.runs):
            words = f'<p>There is no study {html.escape(name)}.</p><p><a href="{HOME}">All studies</a></p>'
            return _page(start, "404 Not Found", words)
        if not slash:
            return _redirected(start, study_address(name))
        try:
            app = self._app(name)
        except InputError as error:
            return _page(start, "409 Conflict", f"<p>{html.escape(str(error))}</p>")
        return app(_below(environ, study_address(name).rstrip("/"), path[len(name) + 1 :]), start)

    def _open(self, study: str) -> StudyReader:
        """Create the page of a study; the caller reads the study."""
        reader = self._readers[study] = StudyReader(self.runs, study)
        self._apps[study] = make_app(reader, study_address(study)).server.wsgi_app
        return reader

    def _app(self, study: str) -> WSGIApplication:
        with self._lock:
            if study not in self._apps:
                self._open(study)
            return self._apps[study]


def _below(environ: WSGIEnvironment, prefix: str, path: str) -> WSGIEnvironment:
    """The request as seen by the application mounted at the prefix."""
    return {**environ, "SCRIPT_NAME": prefix, "PATH_INFO": path.encode().decode("latin-1")}


def _redirected(start: StartResponse, address: str) -> Iterable[bytes]:
    start("302 Found", [("Location", address), ("Content-Length", "0")])
    return []


def _page(start: StartResponse, status: str, content: str) -> Iterable[bytes]:
    head = '<head><meta charset="utf-8"><title>tal-search</title></head>'
    page = f'<!doctype html><html lang="en">{head}<body>{content}</body></html>'
    start(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page.encode())))])
    return [page.encode()]


class _QuietHandler(WSGIRequestHandler):
    """Logs no requests, and does not send the server's version."""

    server_version, sys_version = "tal-search", ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def bound_server(
    runs: Path, study: str | None, host: str = "127.0.0.1", port: int = 8050, token: str | None = None
) -> BaseWSGIServer:
    """A listening server; port 0 means any free port. Raises InputError: no such study, or the port is in use."""
    site = Site(runs, study)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = f"{host}:{port} cannot be bound ({error.strerror})"
        raise InputError(
            f"command line: {reason}; stop the program that listens there, or give another port="
        ) from None
    with listening:  # the server duplicates the socket
        port = listening.getsockname()[1]
        guard = Guard(site, host, port, token)
        return make_server(host, port, guard, threaded=True, request_handler=_QuietHandler, fd=listening.fileno())
