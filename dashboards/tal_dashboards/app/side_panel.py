"""Side panel with one trial, over any view: opened and closed by the URL, without redrawing the view."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import dash
from dash import ALL, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component, ComponentType
from dash.exceptions import PreventUpdate

from tal_dashboards.app.callbacks import attempt
from tal_dashboards.app.components import labelled
from tal_dashboards.data.study_data import Selection, StudyData, query_of, selection_of
from tal_dashboards.views import views
from tal_dashboards.views.parts.trial_panel import (
    ABOUT_ONE,
    beside,
    closed_query,
    opened,
    trial_info,
    trial_layout,
    trial_query,
)
from tal_search.errors import InputError


def frame() -> list[Component]:
    """The empty panel; assets/detail.js moves the focus in and out, and closes the panel on Escape."""
    return [dcc.Store(id="panel-shown"), html.Aside(id="trial-panel", **labelled("Trial"))]


def drawn_by(search: str) -> dict[str, str]:
    """The part of a query that a view depends on, without what opens and closes the panel."""
    selection = selection_of(search)
    apart = {"panel"} if selection.get("view") in ABOUT_ONE else {"panel", "trial"}
    return {name: value for name, value in selection.items() if name not in apart}


def panel(data: StudyData, selection: Selection) -> list[Component]:
    """The open trial: its name and the close button, links to other views and repeats, and its content; else empty."""
    info = trial_info(data, opened(selection))
    if info is None:
        return []
    close = html.Button("Close", id="trial-close", title="Close (Escape)", type="button")
    head = html.Header([html.H2(f"Trial {info.name}", tabIndex="-1"), close])
    places = [
        dcc.Link(views()[name].TITLE, href=query_of(beside({**selection, "view": name}, shown=False)))
        for name in ABOUT_ONE
        if name != selection.get("view")
    ]
    repeats = [
        html.Strong(words) if key == info.key else dcc.Link(words, href=trial_query(selection, key))
        for key, words in info.repeats.items()
    ]
    links = [_row("Shown in", places)]
    if len(repeats) > 1:
        links.append(_row("Repeats of its cell", repeats))
    return [head, *links, *trial_layout(info)]


def _row(words: str, links: Sequence[Component]) -> html.P:
    spaced = [part for link in links for part in (" ", link)]
    return html.P([html.Span(f"{words}:"), *spaced], className="ways")


def register(app: dash.Dash, open_study: Callable[[], StudyData]) -> None:
    """Register the callbacks that show, close and open the panel."""

    @app.callback(
        Output("trial-panel", "children"), Output("panel-shown", "data"), Input("url", "search"),
        Input("tick", "n_intervals"), State("panel-shown", "data"),
    )  # fmt: skip
    def show(search: str, _: int, shown: list[object] | None) -> tuple[ComponentType, list[object] | None]:
        selection = selection_of(search or "")
        if not opened(selection):
            if not shown:
                raise PreventUpdate
            return [], None
        try:
            data = open_study()
        except InputError:  # the page shows it
            return [], None
        if shown == [search, data.version]:
            raise PreventUpdate
        return attempt(lambda: panel(data, selection)), [search, data.version]

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input("trial-close", "n_clicks"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def close(clicks: int | None, search: str) -> str:
        if not clicks:  # the button was just added to the page
            raise PreventUpdate
        return closed_query(selection_of(search))

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input({"type": "opens", "key": ALL}, "n_clicks"),
        State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def from_view(clicks: list[int | None], search: str) -> str:
        if not any(clicks) or not isinstance(ctx.triggered_id, dict):
            raise PreventUpdate
        return trial_query(selection_of(search), ctx.triggered_id["key"])
