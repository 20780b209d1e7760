"""Cost figure: names, the broken axis, the staircase of the front."""

from __future__ import annotations

import pandas as pd

from tal_dashboards.figures.cost_figure import SECONDS, front_steps, parts
from tal_dashboards.views import cost
from tal_search.results.published import BEST_ON_TEST
from tests.support.small_dashboards import Made


def test_cells_and_systems_are_named_in_the_figure_and_of_many_cells_the_front(compared: Made) -> None:
    found = cost.info(compared.read(), {})
    drawn = cost.figures(found)["cost"]
    named = {note.text.replace("<br>", " ") for note in drawn.layout.annotations}
    assert {*found.ours["cell"], *found.published["system"], "ours: simulated data; published: video"} <= named
    about = [row for trace in drawn.data if trace.name == "published" for row in trace.customdata]
    assert {name for name, source in about if source.endswith(BEST_ON_TEST)} == {"BackTAL", "BaS-Net", "DGAM", "SF-Net"}
    many = found._replace(ours=found.ours.assign(named=found.ours["front"]))
    named = {note.text.replace("<br>", " ") for note in cost.figures(many)["cost"].layout.annotations}
    assert {*found.ours["cell"]} & named == {*found.ours["cell"][found.ours["front"]]}
    lines = len(drawn.layout.shapes)
    assert len(cost.figures(cost.info(compared.read(), {"cost-budget": "0"}))["cost"].layout.shapes) == lines + 1


def test_the_axis_is_broken_where_costs_lie_far_apart(compared: Made) -> None:
    left, right = parts([45, 45.4, 53, 300, 258])
    assert (left.low < 45, left.high > 53, right.low < 258, right.high > 300) == (True, True, True, True)
    assert left.high < right.low
    (whole,) = parts([45, 53, 60])
    assert whole.share == (0, 1)
    front = pd.DataFrame({SECONDS: [45.0, 50.0, 300.0], "mAP@0.5": [10.0, 20.0, 30.0]})
    steps = [front_steps(front, "mAP@0.5", part).to_numpy().tolist() for part in parts(front[SECONDS].tolist())]
    assert steps[0][:3] == [[45, 10], [50, 10], [50, 20]]
    assert [level for _, level in steps[1]] == [20, 20, 30, 30]
    titles = [axis.title.text or "" for axis in cost.figures(cost.info(compared.read(), {}))["cost"].select_xaxes()]
    assert "broken axis: each part has its own scale" in titles[0]
