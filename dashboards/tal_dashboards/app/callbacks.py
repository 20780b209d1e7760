"""Parts of a page that are drawn anew with every choice, without the page around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dash import ALL, Input, Output, State, ctx, html
from dash.exceptions import PreventUpdate

from tal_dashboards.app.components import name_of
from tal_dashboards.data.study_data import Selection, selection_of
from tal_search.errors import InputError

ANY = name_of("any") | {"name": ALL}  # every control of the page


def redrawn(app: Any, name: str, draw: Callable[[Selection], Any], *, at_first: bool = False, but: str = "") -> None:
    """Let `draw` fill the part of this id from what is selected, whenever that changes.

    at_first: also as soon as the part is on the page, for what would hold up the rest of it. but: the
    beginning of names of the selection that the part does not depend on.
    """

    @app.callback(
        Output(name, "children"),
        Input(ANY, "value"), State(ANY, "id"), State("url", "search"),
        prevent_initial_call=not at_first,
    )  # fmt: skip
    def _(values: list[Any], ids: list[dict[str, str]], search: str) -> Any:
        chosen = ctx.triggered_id or {}
        if (not at_first and not ctx.triggered) or (but and chosen.get("name", "").startswith(but)):
            raise PreventUpdate
        return attempt(lambda: draw({**selection_of(search or ""), **chosen_values(ids, values)}))


def chosen_values(ids: list[dict[str, str]], values: list[Any]) -> dict[str, str]:
    """What the controls of a page say, by name; without those that say nothing."""
    return {one["name"]: str(value) for one, value in zip(ids, values, strict=True) if value is not None}


def attempt(draw: Callable[[], Any]) -> Any:
    """What `draw` gives, or the sentence of what cannot be read."""
    try:
        return draw()
    except InputError as error:
        return html.P(str(error), role="alert")
