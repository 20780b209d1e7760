"""Budget figure: a line a method, filled markers on the front, the strip of the best method, names."""

from __future__ import annotations

import math

import pytest

from tal_dashboards.figures.budget_figure import budget_figure
from tal_search.results.budgets.ladder import ladder
from tests.support.drawn_budgets import budgets_of

LADDER = {(1, 1.0): 30.0, (1, 0.5): 20.0, (1, 0.1): 10.0, (3, 1.0): 50.0, (3, 0.5): 15.0, (3, 0.1): 40.0}


def test_each_method_has_a_line_its_name_and_intervals() -> None:
    drawn = budget_figure(ladder(budgets_of(LADDER), {}), 1800, "simulated data")
    lines = {trace.name: list(trace.x) for trace in drawn.data if trace.mode == "lines" and trace.name != "front"}
    assert lines == {"backtal": [360, 1800, 3600], "kernel_size=3": [720, 3600, 7200]}
    words = [note.text for note in drawn.layout.annotations]
    assert {"backtal", "kernel_size=3", "simulated data"} <= {*words}
    marks = [trace for trace in drawn.data if trace.mode == "markers"]
    assert all(all(bar > 0 for bar in trace.error_y.array) for trace in marks)
    fills = {trace.name: list(trace.marker.color) for trace in marks}
    assert [fill == "white" for fill in fills["backtal"]] == [True, True, True], "the cheapest cell beats nothing"
    assert [fill == "white" for fill in fills["kernel_size=3"]] == [False, True, False]
    assert marks[0].customdata[0][2] == "1 0.1 0", "the key that a click opens"
    ticks = drawn.layout.xaxis.ticktext
    assert {"10 min", "1 h"} <= {*ticks}
    assert any(shape.type == "line" and shape.x0 == 1800 for shape in drawn.layout.shapes)


def test_the_strip_names_the_best_method_and_is_pale_where_another_may_be_better() -> None:
    sure = budget_figure(ladder(budgets_of(LADDER), {}), None, "")
    strip = [shape for shape in sure.layout.shapes if shape.type == "rect"]
    assert [shape.x0 for shape in strip] == [360, 720]
    assert [str(shape.fillcolor).startswith("rgba") for shape in strip] == [True, False], "alone is not better"
    assert [note.text for note in sure.layout.annotations].count("backtal") == 2, "beside its line and in the strip"
    assert "simulated data" not in [note.text for note in sure.layout.annotations]
    equal = budget_figure(ladder(budgets_of({(1, 1.0): 30.0, (3, 0.5): 30.0}, seeds=12), {}), None, "")
    assert [str(shape.fillcolor).startswith("rgba") for shape in equal.layout.shapes][-1]


@pytest.mark.parametrize("means", [{(1, 1.0): 30.0}, {(1, 1.0): 0.0, (3, 1.0): 0.0}])
def test_a_single_cell_and_scores_of_nothing_are_drawn(means: dict[tuple[int, float], float]) -> None:
    drawn = budget_figure(ladder(budgets_of(means, noise=0.0), {}), None, "")
    low, high = drawn.layout.xaxis.range
    assert math.isfinite(low)
    assert low < high
    assert drawn.layout.yaxis.range[1] > 0
