"""Cost view: Pareto front, budgets, and the lines that join click budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.views import cost
from tal_search.results.cell_table import cells
from tal_search.results.ranking import cost_front, pareto_front
from tests.support.small_dashboards import Made

points = st.lists(st.tuples(st.sampled_from([45.0, 48.0, 50.0, 300.0]), st.integers(0, 6)), min_size=1, max_size=12)


@given(points)
def test_the_front_is_that_of_every_point_against_every_other(found: list[tuple[float, int]]) -> None:
    frame = pd.DataFrame(found, columns=["cost", "score"]).astype(float)
    wanted = pareto_front((frame * [-1, 1])[["cost", "score"]].to_numpy())
    assert cost_front(frame["cost"], frame["score"]).tolist() == wanted


def test_the_budget_limits_what_is_best(compared: Made) -> None:
    data = compared.read()
    found = cost.info(data, {})
    assert found.budget == 300
    dearest = cells(data).assign(cell=names_of(data, cells(data)))
    assert found.best is not None
    assert found.best["mAP@0.5"] == dearest["mAP@0.5"].max()
    assert set(found.published["system"]) >= {"BackTAL", "SF-Net"}
    assert not any(name.startswith("Table") for name in found.published["system"])
    cheapest = cost.info(data, {"cost-budget": "0"})
    assert cheapest.budget == 45
    assert cheapest.best is None, "every case of this study reads clicks"


def test_a_line_joins_the_click_budgets_of_one_method(compared: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    data, spec = compared.read(), StudyData.spec
    assert (cost.info(data, {}).ours["line"] == "").all(), "cases that differ in more than clicks"
    cells_of = dict(zip(data.done["key"], data.done["case"], strict=True))
    kept = {"full": 1.0, "+ score separation": 0.5}

    def budgets(self: StudyData, key: str) -> Any:
        full = spec(self, next(one for one, case in cells_of.items() if case == "full"))
        mine = kept.get(cells_of[key])
        if mine is None:
            return spec(self, key)
        return replace(full, dataset=replace(full.dataset, clicks_fraction=mine))

    monkeypatch.setattr(StudyData, "spec", budgets)
    ours = cost.info(data, {}).ours.set_index("cell")
    assert ours["line"]["+ score separation"] == ours["line"]["full"]
    assert ours["line"]["baseline + background clicks"] == ""
    assert ours["line"]["full"].startswith("backtal")


def test_nothing_is_best_without_an_interval(compared: Made) -> None:
    data = compared.read()
    best = cost.info(data, {})
    assert best.best is not None
    for words in (f"the cell {best.best['cell']} has the highest mean", "95 % interval, n = 3", "s/min; "):
        assert words in best.words
    for repeats, words in ((1, "one repeat: no best can be named."), (2, "2 repeats at most: no best can be named.")):
        few = replace(data, trials=data.trials[data.trials["seed"] < repeats].reset_index(drop=True))
        found = cost.info(few, {})
        assert found.best is None
        assert found.words == f"Within 300 s per minute: {words}"
