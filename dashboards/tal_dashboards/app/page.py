"""A page of Dash as all pages here are: its files are served by us, and its policy lets nothing else run."""

from __future__ import annotations

from pathlib import Path

import dash
import flask

from tal_dashboards.app.security import page_policy

ASSETS = Path(__file__).parent / "assets"
SUITES = "_dash-component-suites/"
PLOTLY = f"{SUITES}plotly/package_data/plotly.min.js"  # where Dash's graphs look for it


def new_page(title: str, prefix: str) -> dash.Dash:
    """A page without content, served below `prefix`; `sealed` ends its making."""
    app = dash.Dash(
        "tal_dashboards", title=title, update_title="", assets_folder=str(ASSETS),
        requests_pathname_prefix=prefix, routes_pathname_prefix="/", serve_locally=True,
        suppress_callback_exceptions=True,  # the controls of a view exist only while it is open
    )  # fmt: skip
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    # Read and compiled while the server works, not once a figure is there.
    plotly = f'<script async src="{prefix}{PLOTLY}"></script>'
    app.index_string = app.index_string.replace("{%css%}", "{%css%}" + plotly)
    return app


def sealed(app: dash.Dash) -> None:
    """Every answer of the page carries its policy; called when the callbacks are there, whose scripts it knows."""
    policy = page_policy(app.csp_hashes())

    @app.server.after_request
    def _finish(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = policy
        if flask.request.path.startswith(f"/{SUITES}"):  # the browser keeps them compiled, and asks on each visit
            response.headers.setdefault("Cache-Control", "no-cache")
        return response
