"""The trial beside the page, over any view: opened and closed by the URL, drawn without the view being drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dash import ALL, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from tal_dashboards.app.callbacks import attempt
from tal_dashboards.app.components import labelled
from tal_dashboards.data.study_data import Selection, StudyData, query_of, selection_of
from tal_dashboards.views import views
from tal_dashboards.views.trial_panel import (
    ABOUT_ONE,
    beside,
    closed_query,
    opened,
    trial_info,
    trial_layout,
    trial_query,
)
from tal_search.errors import InputError


def frame() -> list[Any]:
    """What is always there; assets/detail.js moves the focus in and out, and closes with Escape."""
    return [dcc.Store(id="panel-shown"), html.Aside(id="trial-panel", **labelled("Trial"))]


def drawn_by(search: str) -> dict[str, str]:
    """What of a query a view is drawn from: the rest opens and closes the panel beside it."""
    selection = selection_of(search)
    apart = {"panel"} if selection.get("view") in ABOUT_ONE else {"panel", "trial"}
    return {name: value for name, value in selection.items() if name not in apart}


def panel(data: StudyData, selection: Selection) -> list[Any]:
    """The name of the trial with what closes it, ways on from it, and all of it; empty where none is open."""
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
    ways = [_row("Shown in", places), _row("Repeats of its cell", repeats)] if len(repeats) > 1 else [
        _row("Shown in", places)
    ]  # fmt: skip
    return [head, *ways, *trial_layout(info)]


def _row(words: str, links: list[Any]) -> html.P:
    spaced = [part for link in links for part in (" ", link)]
    return html.P([html.Span(f"{words}:"), *spaced], className="ways")


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    @app.callback(
        Output("trial-panel", "children"), Output("panel-shown", "data"), Input("url", "search"),
        Input("tick", "n_intervals"), State("panel-shown", "data"),
    )  # fmt: skip
    def show(search: str, _: int, shown: list[Any] | None) -> tuple[Any, Any]:
        selection = selection_of(search or "")
        if not opened(selection):
            if not shown:
                raise PreventUpdate
            return [], None
        try:
            data = open_study()
        except InputError:  # the page says it
            return [], None
        if shown == [search, data.version]:
            raise PreventUpdate
        return attempt(lambda: panel(data, selection)), [search, data.version]

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input("trial-close", "n_clicks"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def close(clicks: int | None, search: str) -> str:
        if not clicks:  # it has just come to the page
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
