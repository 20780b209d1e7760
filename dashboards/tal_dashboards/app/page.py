"""Dash applications without external files, and their Content-Security-Policy."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import dash
import flask
from dash.exceptions import DependencyException
from werkzeug.exceptions import HTTPException

from tal_dashboards.web.headers import page_policy
from tal_search.text.printable import shown_line

ASSETS = Path(__file__).parent / "assets"
SUITES = "_dash-component-suites/"
PLOTLY = f"{SUITES}plotly/package_data/plotly.min.js"  # from where Dash's graphs load it


def new_page(title: str, prefix: str) -> dash.Dash:
    """An application without layout, served below `prefix`; call `sealed` once its callbacks are registered."""
    app = dash.Dash(
        "tal_dashboards", title=title, update_title="", assets_folder=str(ASSETS),
        requests_pathname_prefix=prefix, routes_pathname_prefix="/", serve_locally=True,
        suppress_callback_exceptions=True,  # the controls of a view exist only while it is open
    )  # fmt: skip
    app.server.url_map.merge_slashes = False  # no redirect that repeats a path
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    # Loaded and compiled while the server works, not when the first figure arrives.
    plotly = f'<script async src="{prefix}{PLOTLY}"></script>'
    app.index_string = app.index_string.replace("{%css%}", "{%css%}" + plotly)
    return app


def sealed(app: dash.Dash) -> None:
    """Add the policy to every response; called after the callbacks, whose inline scripts it allows by hash.

    An exception, such as one from a request that no page sends, is answered with 500 and logged in one line.
    """
    policy = page_policy(app.csp_hashes())
    app.server.register_error_handler(Exception, _failed)

    @app.server.after_request
    def _finish(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = policy
        if flask.request.path.startswith(
            f"/{SUITES}"
        ):  # cached with their compiled code, but revalidated on each visit
            response.headers.setdefault("Cache-Control", "no-cache")
        return response


def _failed(error: Exception) -> HTTPException | tuple[str, int, dict[str, str]]:
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, DependencyException):  # a script that Dash does not serve; the error lists all that it does
        return "There is no such file.", 404, {"Content-Type": "text/plain; charset=utf-8"}
    place = traceback.extract_tb(error.__traceback__)[-1]
    # Without the query, which may hold the token.
    what = shown_line(f"{flask.request.method} {flask.request.path}: {type(error).__name__}: {error}")
    logging.getLogger(__name__).error("%s (%s:%s)", what[:500], place.filename, place.lineno)
    return "The server cannot answer this request.", 500, {"Content-Type": "text/plain; charset=utf-8"}
