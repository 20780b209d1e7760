"""The page of one study: its views as tabs, the URL holding every choice, refreshed while the study runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dash
import flask
from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components, notes, side_panel
from tal_dashboards.app.components import labelled
from tal_dashboards.app.page import new_page, sealed
from tal_dashboards.app.prefetch import Ahead
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import Selection, StudyData, query_of, selection_of
from tal_dashboards.home.links import site_links
from tal_dashboards.views import VIEWS, views
from tal_dashboards.views.trial_panel import view_query
from tal_search.errors import InputError

REFRESH_SECONDS = 5


def make_app(open_study: StudyReader, prefix: str = "/") -> dash.Dash:
    """The page of one study, served below `prefix`."""
    drawn = Ahead(lambda query: _drawn(open_study(), selection_of(query)))
    app = new_page(f"{open_study.name} – tal-search", prefix)
    app.layout = lambda: _frame(open_study)  # at each visit: notes change
    _register(app, open_study, drawn)
    side_panel.register(app, open_study)
    for view in views().values():
        view.register(app, open_study)
    notes.register(app, open_study)
    sealed(app)

    @app.server.after_request
    def _begin(response: flask.Response) -> flask.Response:
        if flask.request.path == "/":
            query = f"?{flask.request.query_string.decode(errors='replace')}"
            response.call_on_close(lambda: drawn.begin(query))
        return response

    return app


def _frame(open_study: StudyReader) -> html.Div:
    """What is always there. written: the query the page shows already; shown: what controls were drawn from."""
    return html.Div([
        dcc.Location(id="url", refresh=False),
        dcc.Store(id="written"), dcc.Store(id="shown"), dcc.Store(id="version"),
        dcc.Interval(id="tick", interval=1000 * REFRESH_SECONDS),
        html.A("Skip to the content", href="#content", className="skip"),
        site_links(open_study.name),
        html.Div(html.H1(open_study.name), id="heading"),
        html.Div(notes.note_part(open_study.runs / open_study.name), id="study-note"),
        html.Nav(id="views", **labelled("Views")),
        html.Main(html.P("Reading the study …", className="quiet", role="status"), id="content", tabIndex="-1"),
        *side_panel.frame(),
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
        own_choice = written is not None and side_panel.drawn_by(search) == side_panel.drawn_by(written)
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
                view.TITLE, href=view_query(selection, name),
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
