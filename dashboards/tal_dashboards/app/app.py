"""The page of one study: its views as tabs, the URL holding every choice, refreshed while the study runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dash
import flask
from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.app.components import labelled
from tal_dashboards.app.prefetch import Ahead
from tal_dashboards.app.security import page_policy
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import Selection, StudyData, query_of, selection_of
from tal_dashboards.views import VIEWS, views
from tal_search.errors import InputError

REFRESH_SECONDS = 5
ASSETS = Path(__file__).parent / "assets"
SUITES = "_dash-component-suites/"
PLOTLY = f"{SUITES}plotly/package_data/plotly.min.js"  # where Dash's graphs look for it


def make_app(open_study: StudyReader, prefix: str = "/") -> dash.Dash:
    """The page of one study, served below `prefix`."""
    drawn = Ahead(lambda query: _drawn(open_study(), selection_of(query)))
    app = dash.Dash(
        "tal_dashboards", title=f"{open_study.name} – tal-search", update_title="", assets_folder=str(ASSETS),
        requests_pathname_prefix=prefix, routes_pathname_prefix="/", serve_locally=True,
        suppress_callback_exceptions=True,  # the controls of a view exist only while it is open
    )  # fmt: skip
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    # Read and compiled while the server works, not once a figure is there.
    plotly = f'<script async src="{prefix}{PLOTLY}"></script>'
    app.index_string = app.index_string.replace("{%css%}", "{%css%}" + plotly)
    app.layout = _frame()
    _register(app, open_study, drawn)
    for view in views().values():
        view.register(app, open_study)
    policy = page_policy(app.csp_hashes())

    @app.server.after_request
    def _finish(response: flask.Response) -> flask.Response:
        if flask.request.path == "/":
            query = f"?{flask.request.query_string.decode(errors='replace')}"
            response.call_on_close(lambda: drawn.begin(query))
        response.headers["Content-Security-Policy"] = policy
        if flask.request.path.startswith(f"/{SUITES}"):  # the browser keeps them compiled, and asks on each visit
            response.headers.setdefault("Cache-Control", "no-cache")
        return response

    return app


def prefix_of(study: str) -> str:
    """Where the page of a study is served."""
    return f"/{quote(study, safe='')}/"


def _frame() -> html.Div:
    """What is always there. written: the query the page shows already; shown: what controls were drawn from."""
    return html.Div([
        dcc.Location(id="url", refresh=False),
        dcc.Store(id="written"), dcc.Store(id="shown"), dcc.Store(id="version"),
        dcc.Interval(id="tick", interval=1000 * REFRESH_SECONDS),
        html.A("Skip to the content", href="#content", className="skip"),
        html.Div(id="heading"),
        html.Nav(id="views", **labelled("Views")),
        html.Main(id="content", tabIndex="-1"),
    ])  # fmt: skip


def current(selection: Selection) -> str:
    """The view that a selection names, the first where it names none."""
    return selection.get("view", "") if selection.get("view") in VIEWS else VIEWS[0]


def _drawn(data: StudyData, selection: Selection) -> tuple[StudyData, Any]:
    """A study, and the view of it that is selected."""
    return data, views()[current(selection)].layout(data, selection)


def _register(
    app: dash.Dash, open_study: Callable[[], StudyData], drawn: Callable[[str], tuple[StudyData, Any]]
) -> None:
    @app.callback(
        Output("heading", "children"), Output("content", "children"), Output("shown", "data"),
        Output("version", "data"), Output("written", "data", allow_duplicate=True),
        Input("url", "search"), Input("tick", "n_intervals"), State("written", "data"), State("version", "data"),
        prevent_initial_call="initial_duplicate",
    )  # fmt: skip
    def page(search: str, _: int, written: str | None, version: int | None) -> tuple[Any, ...]:
        """Draw the view again where another one is asked for, or where the study has grown."""
        own_choice = written is not None and search == written
        try:
            if own_choice and open_study().version == version:
                raise PreventUpdate
            data, content = drawn(search)
        except InputError as error:
            return no_update, html.P(str(error), role="alert"), {}, None, search
        selection = selection_of(search)
        return components.heading(data), content, drawn_from(content, selection), data.version, search

    @app.callback(Output("views", "children"), Input("url", "search"))
    def tabs(search: str) -> list[Any]:
        selection = selection_of(search)
        return [
            dcc.Link(
                view.TITLE, href=query_of({**selection, "view": name}),
                className="view current" if name == current(selection) else "view",
            )
            for name, view in views().items()
        ]  # fmt: skip

    @app.callback(
        Output("url", "search"), Output("written", "data"),
        Input({"type": "selection", "name": ALL}, "value"),
        State({"type": "selection", "name": ALL}, "id"), State("url", "search"), State("shown", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def write(
        values: list[Any], ids: list[dict[str, str]], search: str, shown: dict[str, list[str | None]] | None
    ) -> tuple[str, str]:
        """Put what was chosen into the URL; values as they were drawn stay out of it."""
        if not ctx.triggered:
            raise PreventUpdate
        selection = selection_of(search)
        named = {one["name"]: as_text(value) for one, value in zip(ids, values, strict=True)}
        drawn = shown or {}
        changed = {name: value for name, value in named.items() if drawn.get(name) != [value, selection.get(name)]}
        query = query_of({**selection, **changed})
        if {**selection, **changed} == dict(selection):
            raise PreventUpdate
        return query, query


def as_text(value: Any) -> str:
    """The value of a control as the selection has it: numbers shortly, several values with commas between."""
    if isinstance(value, list):
        return ",".join(as_text(one) for one in value)
    return f"{value:.10g}" if isinstance(value, float) else "" if value is None else str(value)


def drawn_from(content: Any, selection: Selection) -> dict[str, list[str | None]]:
    """What the controls of a drawn view say, by name, and what was selected of it: a view that cannot show what is
    selected shows something else, and the selection stays for the other views.
    """
    found = {}
    for part in [content, *content._traverse()]:
        name = getattr(part, "id", None)
        if isinstance(name, dict) and name.get("type") == "selection":
            found[name["name"]] = [as_text(getattr(part, "value", None)), selection.get(name["name"])]
    return found
