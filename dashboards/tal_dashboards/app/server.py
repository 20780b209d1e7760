"""Web server of the dashboards: each study below its name, the list of studies and their comparison above."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tal_dashboards.app.app import make_app
from tal_dashboards.app.security import Guard
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.home.cards import Cards
from tal_dashboards.home.links import BASE, COMPARE, HOME, study_address
from tal_dashboards.home.pages import make_home
from tal_dashboards.style import figure
from tal_dashboards.views import views
from tal_dashboards.web.binding import bound_socket, host_names
from tal_dashboards.web.connections import Server
from tal_dashboards.web.public import Public
from tal_search.errors import InputError
from tal_search.record.record_reader import recorded_studies

OWN = ("assets", "_dash-component-suites", "_dash-layout", "_dash-dependencies", "_dash-update-component",
       "_favicon.ico", "_reload-hash")  # paths of a Dash page  # fmt: skip


class Site:
    """WSGI application for all studies of a runs folder; a study's page is created on its first request.

    first: the study that "/" redirects to; None lists the studies at "/", as HOME always does. base: the prefix below
    which a proxy shows the pages ("" or "/a/b"); requests may come with it or without.
    """

    def __init__(self, runs: Path, first: str | None = None, base: str = "") -> None:
        self.runs, self.first, self.base = runs, first, base
        self._apps: dict[str, WSGIApplication] = {}
        self._readers: dict[str, StudyReader] = {}
        self._lock = threading.Lock()
        views()  # import them now, not during the first request; also Plotly's modules, loaded by the first figure
        figure("", "").add_scatter(x=[0], y=[0]).add_vline(0)
        self._home: WSGIApplication = make_home(Cards(runs, self._readers.get), base).server.wsgi_app
        if first is not None:
            self._open(first)()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = self._inside(environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace"))
        name, slash, _ = path.removeprefix("/").partition("/")
        if (not name and self.first is not None) or f"{path}/" == HOME:
            return self._redirected(start, path)
        if not name or path == COMPARE or path.startswith(HOME):
            return self._home(self._below(environ, HOME, f"/{path.removeprefix(HOME).lstrip('/')}"), start)
        if name not in recorded_studies(self.runs):
            words = f"<p>There is no study {html.escape(name)}.</p>"
            return _page(start, "404 Not Found", f'{words}<p><a href="{self.base}{HOME}">All studies</a></p>')
        if not slash:
            return self._redirected(start, path)
        try:
            app = self._app(name)
        except InputError as error:
            return _page(start, "409 Conflict", f"<p>{html.escape(str(error))}</p>")
        return app(self._below(environ, study_address(name), path[len(name) + 1 :]), start)

    def place(self, path: str) -> str:
        """Path of the page that a requested path belongs to, below the base; made from known names alone."""
        return self._page_of(self._inside(path))

    def _page_of(self, path: str) -> str:
        name = path.removeprefix("/").partition("/")[0]
        if name in recorded_studies(self.runs) and path != COMPARE:
            return self.base + study_address(name)
        if not name:
            return self.base + ("/" if self.first is None else study_address(self.first))
        return self.base + next((page for page in (COMPARE, HOME) if f"/{name}" == page.rstrip("/")), "/")

    def _inside(self, path: str) -> str:
        """The path without the base, which some proxies remove themselves."""
        return path.removeprefix(self.base) if path == self.base or path.startswith(f"{self.base}/") else path

    def _below(self, environ: WSGIEnvironment, mounted: str, path: str) -> WSGIEnvironment:
        """The request as seen by the application mounted there."""
        script = f"{self.base}{mounted.rstrip('/')}"
        return {**environ, BASE: self.base, "SCRIPT_NAME": script, "PATH_INFO": path.encode().decode("latin-1")}

    def _redirected(self, start: StartResponse, path: str) -> Iterable[bytes]:
        start("302 Found", [("Location", self._page_of(path)), ("Content-Length", "0")])
        return []

    def _open(self, study: str) -> StudyReader:
        """Create the page of a study; the caller reads the study."""
        reader = self._readers[study] = StudyReader(self.runs, study)
        self._apps[study] = make_app(reader, self.base + study_address(study)).server.wsgi_app
        return reader

    def _app(self, study: str) -> WSGIApplication:
        with self._lock:
            if study not in self._apps:
                self._open(study)
            return self._apps[study]


def _page(start: StartResponse, status: str, content: str) -> Iterable[bytes]:
    head = '<head><meta charset="utf-8"><title>tal-search</title></head>'
    page = f'<!doctype html><html lang="en">{head}<body>{content}</body></html>'
    start(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page.encode())))])
    return [page.encode()]


def bound_server(
    runs: Path,
    study: str | None,
    host: str = "127.0.0.1",
    port: int = 8050,
    token: str | None = None,
    public: Public | None = None,
) -> Server:
    """A listening server; port 0 means any free port.

    Raises InputError: an unsafe address (see `check_binding`), a port in use, no such study, or a public prefix that
    could not be told from a study.
    """
    listening = bound_socket(host, port, token)
    try:
        base = public.prefix if public else ""
        head = base.strip("/").partition("/")[0]
        if head in (HOME.strip("/"), COMPARE.strip("/"), *OWN):
            raise InputError(f"command line: the prefix {base} of public= is a page of the site; give another prefix")
        if head in recorded_studies(runs):
            raise InputError(f"command line: the prefix {base} of public= is the name of a study; give another prefix")
        site = Site(runs, study, base)
    except BaseException:
        listening.close()
        raise
    address, port = listening.getsockname()[:2]
    return Server(Guard(site, host_names(address, host), port, token, public, site.place), listening)
