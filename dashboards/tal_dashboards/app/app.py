"""Dash application of one study: its views as tabs, every choice in the URL, redrawn while the study runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import dash
import flask
from dash import ALL, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components, notes, side_panel
from tal_dashboards.app.components import labelled
from tal_dashboards.app.page import new_page, sealed
from tal_dashboards.app.prefetch import Ahead
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.data.study_data import Selection, StudyData, query_of, selection_of
from tal_dashboards.home.links import site_links
from tal_dashboards.views import VIEWS, views
from tal_dashboards.views.parts.trial_panel import view_query
from tal_search.errors import InputError

REFRESH_SECONDS = 5

Drawn: TypeAlias = tuple[StudyData, Component]  # a study and the selected view of it
Controls: TypeAlias = dict[str, list[str | None]]  # by name: the value a control was drawn with, and the selected one


def make_app(open_study: StudyReader, prefix: str = "/") -> dash.Dash:
    """The application of one study, served below `prefix`."""
    drawn = Ahead(lambda query: _drawn(open_study(), selection_of(query)))
    app = new_page(f"{open_study.name} – tal-search", prefix)
    app.layout = lambda: _frame(open_study)  # on each visit, as notes change
    _register(app, open_study, drawn)
    _register_choices(app)
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
    """The layout around the views. Stores: written, the query on screen; shown, the `Controls` it was drawn with."""
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
    """The view named in a selection, by default the first."""
    return selection.get("view", "") if selection.get("view") in VIEWS else VIEWS[0]


def _drawn(data: StudyData, selection: Selection) -> Drawn:
    return data, views()[current(selection)].layout(data, selection)


def _register(app: dash.Dash, open_study: Callable[[], StudyData], drawn: Callable[[str], Drawn]) -> None:
    @app.callback(
        Output("heading", "children"), Output("content", "children"), Output("shown", "data"),
        Output("version", "data"), Output("written", "data", allow_duplicate=True),
        Input("url", "search"), Input("tick", "n_intervals"), State("written", "data"), State("version", "data"),
        prevent_initial_call="initial_duplicate",
    )  # fmt: skip
    def page(search: str, _: int, written: str | None, version: int | None) -> tuple[object, ...]:
        """Redraw the view when the query asks for another one or the study has new trials."""
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
    def tabs(search: str) -> list[Component]:
        selection = selection_of(search)
        return [
            dcc.Link(
                view.TITLE, href=view_query(selection, name),
                className="view current" if name == current(selection) else "view",
            )
            for name, view in views().items()
        ]  # fmt: skip


def _register_choices(app: dash.Dash) -> None:
    @app.callback(
        Output("url", "search"), Output("written", "data"),
        Input({"type": "selection", "name": ALL}, "value"),
        State({"type": "selection", "name": ALL}, "id"), State("url", "search"), State("shown", "data"),
        prevent_initial_call=True,
    )  # fmt: skip
    def write(values: list[object], ids: list[dict[str, str]], search: str, shown: Controls | None) -> tuple[str, str]:
        """Write the user's choices into the URL, without the values that the controls were drawn with."""
        if not ctx.triggered:
            raise PreventUpdate
        selection = selection_of(search)
        named = {control["name"]: as_text(value) for control, value in zip(ids, values, strict=True)}
        drawn = shown or {}
        changed = {name: value for name, value in named.items() if drawn.get(name) != [value, selection.get(name)]}
        query = query_of({**selection, **changed})
        if {**selection, **changed} == dict(selection):
            raise PreventUpdate
        return query, query


def as_text(value: object) -> str:
    """The value of a control as it stands in the URL: ten digits at most, several values separated by commas."""
    if isinstance(value, list):
        return ",".join(map(as_text, value))
    return f"{value:.10g}" if isinstance(value, float) else "" if value is None else str(value)


def drawn_from(content: Component, selection: Selection) -> Controls:
    """The controls of a drawn view: a view that cannot show the selected value shows another one, and the selection is
    kept for the other views.
    """
    controls: Controls = {}
    for part in _tree(content):
        name = getattr(part, "id", None)
        if isinstance(name, dict) and name.get("type") == "selection":
            controls[name["name"]] = [as_text(getattr(part, "value", None)), selection.get(name["name"])]
    return controls


def _tree(content: object) -> Iterator[Component]:
    """A component and all below it; the content may be a list of them."""
    if isinstance(content, Component):
        yield content
        yield from _tree(getattr(content, "children", None))
    elif isinstance(content, list | tuple):
        for part in content:
            yield from _tree(part)
