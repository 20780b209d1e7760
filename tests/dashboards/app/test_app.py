"""What the URL holds of the controls of a view."""

from __future__ import annotations

import pytest
from dash import dcc, html

from tal_dashboards.app.app import as_text, current, drawn_from, make_app
from tal_dashboards.app.components import chosen, name_of
from tal_dashboards.data.reader import StudyReader
from tal_dashboards.views import VIEWS
from tests.support.small_dashboards import Made


@pytest.mark.parametrize(
    ("value", "text"), [(0.1 + 0.2, "0.3"), (3, "3"), (None, ""), ([0.25, 4, "x"], "0.25,4,x"), ("a b", "a b")]
)
def test_values_of_controls_become_short_text(value: object, text: str) -> None:
    assert as_text(value) == text


def test_the_first_view_is_shown_unless_another_one_is_named() -> None:
    assert current({}) == current({"view": "none"}) == VIEWS[0]
    assert current({"view": "cost"}) == "cost"


def test_controls_are_found_anywhere_in_a_view_with_their_selected_values() -> None:
    page = html.Div([
        html.Section(chosen("axis", dcc.Dropdown(["a", "b"], "a", id=name_of("plots-axis")))),
        dcc.Slider(0, 1, value=0.5, id=name_of("cost-budget")), dcc.Store(id="other"),
    ])  # fmt: skip
    controls = drawn_from(page, {"plots-axis": "gone"})
    assert controls == {"plots-axis": ["a", "gone"], "cost-budget": ["0.5", None]}


def test_the_page_is_never_in_debug_mode(swept: Made) -> None:
    server = make_app(StudyReader(swept.runs, swept.name)).server
    assert not server.debug
    assert '"ui":false' in server.test_client().get("/").text.replace(" ", ""), "no developer tools"
