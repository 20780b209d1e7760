"""Values of controls, and messages in place of what cannot be drawn."""

from __future__ import annotations

from dash import html

from tal_dashboards.app.callbacks import attempt, chosen_values
from tal_dashboards.app.components import name_of
from tal_search.errors import InputError


def test_controls_without_a_value_are_left_out() -> None:
    assert chosen_values([name_of("a"), name_of("b"), name_of("c")], [0.5, None, ""]) == {"a": "0.5", "c": ""}


def test_an_input_error_becomes_an_alert() -> None:
    def broken() -> html.Div:
        raise InputError("a file is <gone>")

    shown = attempt(broken)
    assert isinstance(shown, html.P)
    assert (shown.children, shown.role) == ("a file is <gone>", "alert")
    assert attempt(lambda: "drawn") == "drawn"
