"""The server: one page a study, below its name; other names are answered by the list of studies."""

from __future__ import annotations

import html
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tal_dashboards.app.app import make_app, prefix_of
from tal_dashboards.app.security import Guard
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.style import figure
from tal_dashboards.views import views
from tal_search.errors import InputError
from tal_search.record.record_reader import recorded_studies


class Site:
    """Every study of a runs folder; a study's page is made when it is first asked for.

    first: the study that "/" leads to; where None, "/" lists the studies.
    """

    def __init__(self, runs: Path, first: str | None = None) -> None:
        self.runs, self.first = runs, first
        self._apps: dict[str, WSGIApplication] = {}
        self._lock = threading.Lock()
        views()  # imported now, not by the first reader; as are the parts of Plotly, which wait for the first figure
        figure("", "").add_scatter(x=[0], y=[0]).add_vline(0)
        if first is not None:
            self._open(first)()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        name, slash, _ = path.removeprefix("/").partition("/")
        if not name and self.first is not None:
            start("302 Found", [("Location", prefix_of(self.first)), ("Content-Length", "0")])
            return []
        if name not in recorded_studies(self.runs):
            return self._listed(name, start)
        if not slash:
            start("302 Found", [("Location", prefix_of(name)), ("Content-Length", "0")])
            return []
        try:
            app = self._app(name)
        except InputError as error:
            return _page(start, "409 Conflict", f"<p>{html.escape(str(error))}</p>")
        mounted = {
            "SCRIPT_NAME": prefix_of(name).rstrip("/"),
            "PATH_INFO": path[len(name) + 1 :].encode().decode("latin-1"),
        }
        return app({**environ, **mounted}, start)

    def _open(self, study: str) -> StudyReader:
        """Make the page of a study; reading the study is left to who asks for it."""
        reader = StudyReader(self.runs, study)
        self._apps[study] = make_app(reader, prefix_of(study)).server.wsgi_app
        return reader

    def _app(self, study: str) -> WSGIApplication:
        with self._lock:
            if study not in self._apps:
                self._open(study)
            return self._apps[study]

    def _listed(self, name: str, start: StartResponse) -> Iterable[bytes]:
        items = "".join(
            f'<li><a href="{html.escape(prefix_of(study))}">{html.escape(study)}</a></li>'
            for study in recorded_studies(self.runs)
        )
        words = f"<p>There is no study {html.escape(name)}.</p>" if name else ""
        listed = (
            f"<ul>{items}</ul>"
            if items
            else "<p>No study was run yet. Run one:</p><pre>tal-search run study=quickstart</pre>"
        )
        return _page(start, "404 Not Found" if name else "200 OK", f"<h1>Studies</h1>{words}{listed}")


def _page(start: StartResponse, status: str, content: str) -> Iterable[bytes]:
    head = '<head><meta charset="utf-8"><title>tal-search</title></head>'
    page = f'<!doctype html><html lang="en">{head}<body>{content}</body></html>'
    start(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page.encode())))])
    return [page.encode()]


class _Quiet(WSGIRequestHandler):
    """No line a request on the terminal, and no version of the server in its answers."""

    server_version, sys_version = "tal-search", ""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def bound_server(
    runs: Path, study: str | None, host: str = "127.0.0.1", port: int = 8050, token: str | None = None
) -> BaseWSGIServer:
    """A server that listens already; port 0 takes a free one. Raises InputError: no such study, port in use."""
    site = Site(runs, study)
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = f"{host}:{port} cannot be bound ({error.strerror})"
        raise InputError(f"command line: {reason}; stop what listens there, or give another port=") from None
    with listening:  # the server keeps a copy of it
        port = listening.getsockname()[1]
        guard = Guard(site, host, port, token)
        return make_server(host, port, guard, threaded=True, request_handler=_Quiet, fd=listening.fileno())
