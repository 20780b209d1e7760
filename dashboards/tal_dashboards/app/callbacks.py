"""Callbacks that redraw one part of a page when the selection changes, without redrawing the whole view."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import dash
from dash import ALL, Input, Output, State, ctx, html
from dash.development.base_component import ComponentType
from dash.exceptions import PreventUpdate

from tal_dashboards.app.components import name_of
from tal_dashboards.data.study_data import Selection, selection_of
from tal_search.errors import InputError

T = TypeVar("T")
ANY = name_of("any") | {"name": ALL}  # every control of the page


def redrawn(
    app: dash.Dash, name: str, draw: Callable[[Selection], ComponentType], *, at_first: bool = False, but: str = ""
) -> None:
    """Register a callback that fills the part with this id by `draw`, called with the selection when it changes.

    at_first: also call it once the part is on the page, for parts too slow to draw with the rest of the view. but:
    ignore changes of controls whose names begin with this.
    """

    @app.callback(
        Output(name, "children"),
        Input(ANY, "value"), State(ANY, "id"), State("url", "search"),
        prevent_initial_call=not at_first,
    )  # fmt: skip
    def _(values: list[object], ids: list[dict[str, str]], search: str) -> ComponentType:
        changed = ctx.triggered_id or {}
        if (not at_first and not ctx.triggered) or (but and changed.get("name", "").startswith(but)):
            raise PreventUpdate
        return attempt(lambda: draw({**selection_of(search or ""), **chosen_values(ids, values)}))


def chosen_values(ids: list[dict[str, str]], values: list[object]) -> dict[str, str]:
    """Values of the page's controls by name, without empty ones."""
    return {control["name"]: str(value) for control, value in zip(ids, values, strict=True) if value is not None}


def attempt(draw: Callable[[], T]) -> T | html.P:
    """The result of `draw`, or the message of its InputError as an alert."""
    try:
        return draw()
    except InputError as error:
        return html.P(str(error), role="alert")
