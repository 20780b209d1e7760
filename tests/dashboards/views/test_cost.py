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
from tests.support.dashboard_parts import words as words_of
from tests.support.drawn_budgets import budgets_of
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
    assert found.best.mean == dearest["mAP@0.5"].max()
    assert set(found.published["system"]) >= {"BackTAL", "SF-Net"}
    assert not any(name.startswith("Table") for name in found.published["system"])
    cheapest = cost.info(data, {"cost-budget": "0"})
    assert cheapest.budget == 45
    assert cheapest.best.verdict == "no method", "every case of this study reads clicks"


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
        return replace(full, dataset=replace(full.dataset, shares={"background_clicks": mine}))

    monkeypatch.setattr(StudyData, "spec", budgets)
    ours = cost.info(data, {}).ours.set_index("cell")
    assert ours["line"]["+ score separation"] == ours["line"]["full"]
    assert ours["line"]["baseline + background clicks"] == ""
    assert ours["line"]["full"].startswith("backtal")


def test_nothing_is_best_without_an_interval(compared: Made) -> None:
    data = compared.read()
    best = cost.info(data, {})
    for words in (f"{best.best.cell} has the highest mean", "95 % interval, n = 3", "s/min; "):
        assert words in best.words
    for repeats, words in ((1, "one repeat: no best can be named."), (2, "2 repeats at most: no best can be named.")):
        few = replace(data, trials=data.trials[data.trials["seed"] < repeats].reset_index(drop=True))
        found = cost.info(few, {})
        assert found.best.verdict == "not repeated"
        assert found.words == f"Within 300 s per minute of video: {words}"


LADDER = {(1, 1.0): 30.0, (1, 0.5): 20.0, (1, 0.1): 10.0, (3, 1.0): 50.0, (3, 0.5): 15.0, (3, 0.1): 40.0}


@pytest.fixture
def ladder_data(compared: Made) -> StudyData:
    """The page's study with the cells of methods at label budgets in place of its own."""
    made = budgets_of(LADDER)
    others = {name: float("nan") for name in [*(f"mAP@{tiou:g}" for tiou in compared.read().tiou), "parameters"]}
    trials = made.trials.assign(**{name: value for name, value in others.items() if name not in made.trials})
    return replace(compared.read(), plan="grid", axes=made.axes, centre=made.centre, cases={}, trials=trials)


def test_a_study_of_budgets_is_drawn_over_the_annotation_of_its_training_set(ladder_data: StudyData) -> None:
    found = cost.info(ladder_data, {})
    assert (found.ladder.unit, found.totals, found.budget) == ("total", True, 7200)
    assert found.words.startswith("Within 2 h: kernel_size=3 has the highest mean")
    earlier = cost.info(ladder_data, {"cost-budget": "0"})
    assert earlier.words.startswith("Within 10 min: supervision.videos=0.1 has the highest mean")
    assert earlier.words.endswith("no other method is within it.")
    shown = cost.tables(found)
    assert shown["best by budget"]["from"].tolist()[:2] == ["6 min", "12 min"]
    assert shown["our cells"]["total"].tolist()[0] == "2 h"
    assert shown["our cells"].set_index("total")["front"].loc["6 min"] == "alone"
    minute = cost.info(ladder_data, {"cost-unit": "minute"})
    assert (minute.ladder.unit, minute.totals) == ("minute", True)
    assert {"BackTAL", "SF-Net"} <= {*minute.published["system"]}


def test_an_unknown_unit_or_budget_of_an_address_is_the_default(ladder_data: StudyData) -> None:
    for selection in ({"cost-unit": "weeks"}, {"cost-budget": "99"}, {"cost-budget": "-1"}, {"cost-budget": "x"}):
        assert cost.info(ladder_data, selection).budget == 7200, selection


def test_the_page_says_what_its_verdicts_mean_and_nothing_of_published_systems_without_any(
    ladder_data: StudyData,
) -> None:
    shown = cost.layout(replace(ladder_data, published={}), {"cost-unit": "minute"})
    page = words_of(shown)
    assert "ublished systems" not in str(shown)
    assert "front: alone, nothing else costs as little; on, better than all that cost as little or less" in page
    assert "in the second: of the cell over the centre" in page
    assert "beside published systems" in str(cost.layout(ladder_data, {}))
    drawn = cost.figures(cost.info(replace(ladder_data, published={}), {"cost-unit": "minute"}))["cost"]
    assert not any("ublished" in str(note.text) for note in drawn.layout.annotations)


def test_the_first_of_a_study_of_cases_is_called_the_reference(compared: Made) -> None:
    assert "reference" in cost.info(compared.read(), {}).ours["verdict"].tolist()
    assert "centre" not in cost.info(compared.read(), {}).ours["verdict"].tolist()
