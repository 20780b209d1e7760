"""Components that the views share."""

from __future__ import annotations

import pandas as pd

from tal_dashboards.app.components import SHOWN_ROWS, empty, graph, select, table, tiles
from tal_dashboards.style import figure
from tests.support.dashboard_parts import words


def test_a_choice_that_is_no_option_falls_back_to_the_first() -> None:
    options = {"a": "First", "b": "Second"}
    assert select("x", "label", options, "b").children[1].value == "b"
    assert select("x", "label", options, "none").children[1].value == "a"
    assert select("x", "label", {}, "none").children[1].value is None


def test_a_table_shows_its_first_rows_and_says_how_many_there_are() -> None:
    frame = pd.DataFrame({"name": [f"row {number}" for number in range(SHOWN_ROWS + 1)], "n": 1})
    shown = words(table(frame, "Rows", "id"))
    assert f"The first {SHOWN_ROWS} of {SHOWN_ROWS + 1} rows; the exported CSV has all." in shown
    assert f"row {SHOWN_ROWS - 1}" in shown
    assert f"row {SHOWN_ROWS}" not in shown


def test_rows_link_to_queries_and_runs_to_mlflow() -> None:
    runs = pd.Series(["http://server/run", None], dtype=object)
    frame = pd.DataFrame({"name": ["a", "b"], "mlflow": runs})
    shown = table(frame, "Rows", "id", opens=["?trial=1", "?trial=2"], bold=pd.Series([True, False]))
    first, second = shown.children.children[2].children
    assert (first.className, second.className) == ("marked", "")
    assert [row.children[0].children.href for row in (first, second)] == ["?trial=1", "?trial=2"]
    assert first.children[1].children.href == "http://server/run"
    assert second.children[1].children == ""


def test_tiles_show_the_remaining_time_if_it_is_known() -> None:
    progress = pd.DataFrame({"state": ["done"], "trials": [3]})
    assert words(tiles("id", progress, None)) == "3done"
    assert words(tiles("id", progress, 125.0)) == "3done2 minleft, at the pace of the latest trials"


def test_a_figure_has_its_height_and_a_tall_one_its_class() -> None:
    assert graph("id", figure("x", "y", height=200), "words").children[0].style == {"height": "200px"}
    assert graph("id", figure("x", "y", height=200), "words").className == ""
    assert graph("id", figure("x", "y", height=900), "words").className == "tall"


def test_nothing_to_show_names_the_command() -> None:
    assert words(empty("No trial yet.", "tal-search run study=x")) == "No trial yet.tal-search run study=x"
