"""Marginal effects and the ablation path of sampler studies: beside slow ways to the same, and beside the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tal_search.results.search import forest
from tal_search.results.search.ablation_path import ablation_path
from tal_search.results.search.marginal_effects import MOST_VALUES, grid, marginal_effects
from tal_search.results.trials import StudyFrame
from tests.support.sampled_study import sampled


@pytest.fixture(scope="module")
def study() -> StudyFrame:
    return sampled()


def test_marginal_effects_are_mean_predictions_over_the_cells_one_after_the_other(study: StudyFrame) -> None:
    found, table = forest.fitted(study), marginal_effects(study)
    assert found is not None
    heard = [cell for cell in found.cells.to_dict("records") if cell["on"]]
    for row in table[(table["name"] == "size") & table["value"].isin([1, 3])].to_dict("records"):
        rows = found.design(pd.DataFrame([{**cell, "size": row["value"]} for cell in heard]))
        values = [np.mean([tree.predict(one[None])[0] for tree in trees for one in rows]) for trees in found.trees[:1]]
        values += [np.mean([tree.predict(rows) for tree in trees]) for trees in found.trees[1:]]
        assert row["mean"] == pytest.approx(values[0])
        assert row["high"] - row["mean"] == pytest.approx(1.96 * np.std(values[1:], ddof=1))
    assert table.loc[table["name"] == "size", "value"].tolist() == sorted({*study.trials["size"]})


def test_effects_come_near_the_truth_and_an_idle_axis_is_flat(study: StudyFrame) -> None:
    table = marginal_effects(study).set_index("name")
    strong, idle, on = table.loc["strong"], table.loc["idle"], table.loc["on"]
    centre = strong[strong["centre"]].iloc[0]
    assert (centre["value"], centre["delta"]) == (0.5, 0.0)
    assert np.isnan(centre["delta low"])
    wanted = 20 * (strong["value"].astype(float) - 0.5)
    assert np.abs(strong["delta"] - wanted).max() < 3, "a forest flattens the ends"
    assert strong["delta low"].iloc[-1] > 0 > strong["delta high"].iloc[0]
    assert np.ptp(idle["mean"]) < 1
    assert on["value"].tolist() == [False, True]
    assert on["delta"].iloc[0] == pytest.approx(-(5 + 0.5 * 5), abs=2), "sizes where it is on, 5 on the average"
    assert table["symbol"].tolist() == [name[0] for name in table.index]


def test_values_span_the_range_on_the_scale_of_the_search_with_the_centre_among_them() -> None:
    many = pd.Series(np.geomspace(1, 50, 60))
    values, centre = grid(many, 10.0)
    assert len(values) == MOST_VALUES + 1
    assert values[centre or 0] == 10.0
    assert values[1] / values[0] == pytest.approx(50 ** (1 / 11))
    whole, _ = grid(pd.Series(range(8, 129)), 32)
    assert all(isinstance(one, int) for one in whole)
    assert grid(pd.Series([1.0, 2.0]), 7.0) == ([1.0, 2.0], None), "the centre was not tried"
    words, _ = grid(pd.Series(["b", None, "a"], dtype=object), "a")
    assert words[1:] == ["a", "b"]


def test_no_order_of_trials_changes_a_digit_and_no_centre_no_difference(study: StudyFrame) -> None:
    turned = replace(study, trials=study.trials.sample(frac=1, random_state=1).reset_index(drop=True))
    pd.testing.assert_frame_equal(marginal_effects(turned), marginal_effects(study), check_exact=True)
    pd.testing.assert_frame_equal(ablation_path(turned), ablation_path(study), check_exact=True)
    outside = marginal_effects(replace(study, centre={**study.centre, "strong": 7.0}))
    assert outside.loc[outside["name"] == "strong", "delta"].isna().all()
    assert outside.loc[outside["name"] == "weak", "delta"].notna().all()


def test_the_held_out_score_is_what_is_explained_where_there_is_one(study: StudyFrame) -> None:
    held = replace(study, trials=study.trials.assign(holdout=70 - study.trials["mAP@0.5"] / 2))
    table = marginal_effects(held).set_index("name").loc["strong"]
    assert table["delta"].iloc[-1] < -3
