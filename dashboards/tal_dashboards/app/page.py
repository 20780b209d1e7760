"""Dash applications without external files, and their Content-Security-Policy."""

from __future__ import annotations

from pathlib import Path

import dash
import flask

from tal_dashboards.app.security import page_policy

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
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    # Loaded and compiled while the server works, not when the first figure arrives.
    plotly = f'<script async src="{prefix}{PLOTLY}"></script>'
    app.index_string = app.index_string.replace("{%css%}", "{%css%}" + plotly)
    return app


def sealed(app: dash.Dash) -> None:
    """Add the policy to every response; called after the callbacks, whose inline scripts it allows by hash."""
    policy = page_policy(app.csp_hashes())

    @app.server.after_request
    def _finish(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = policy
        if flask.request.path.startswith(
            f"/{SUITES}"
        ):  # cached with their compiled code, but revalidated on each visit
            response.headers.setdefault("Cache-Control", "no-cache")
        return response
