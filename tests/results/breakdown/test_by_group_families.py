"""Differences by group against SciPy, and their family-wise error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tal_search.results.breakdown.by_group import by_group, most_affected
from tal_search.results.cell_table import cells
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.uncertainty.families import holm
from tests.support.drawn_runs import SCORE, one_at_a_time
from tests.support.made_up_groups import AXIS, group_scores, study


def test_two_cells_are_scipys_paired_t_test_and_p_values_are_holms_over_the_table() -> None:
    data = study([{AXIS: 0.0}, {AXIS: 1.0}])
    scores = group_scores(data, 6, shift=8.0)
    table = by_group(data, AXIS, scores)
    assert table["group"].tolist() == [f"g{place}" for place in range(6) for _ in range(2)]
    assert table["value"].tolist() == [0.0, 1.0] * 6
    beside, at_centre = table[~table["centre"]], (data.trials[AXIS] == 0).to_numpy()
    p = []
    for row, (_, column) in zip(beside.to_dict("records"), scores.items(), strict=True):
        centre, cell = column[at_centre].to_numpy(), column[~at_centre].to_numpy()
        test = stats.ttest_rel(cell, centre)
        bounds = test.confidence_interval(1 - 0.05 / 6)
        assert (row["delta"], row["p"]) == pytest.approx((np.mean(cell - centre), test.pvalue))
        low = max(bounds.low, 0) if row["verdict"] == "better" else bounds.low
        assert (row["delta" + LOW], row["delta" + HIGH]) == pytest.approx((low, bounds.high))
        assert (row["n"], row["pairs"], row["score"]) == (5, 5, pytest.approx(cell.mean()))
        assert row["noise"] == pytest.approx(1.96 * np.sqrt(2) * np.std(centre, ddof=1)), "two cells: the centre's own"
        p.append(test.pvalue)
    assert beside["p adjusted"].tolist() == pytest.approx(holm(p))
    assert beside["verdict"].iloc[-1] == "better"
    assert "better" not in beside["verdict"].tolist()[:-1]
    assert most_affected(table)[0] == "g5"
    assert table.loc[table["centre"], "verdict"].unique().tolist() == ["centre"]


def test_one_group_is_what_the_study_s_own_table_says_but_for_the_correction() -> None:
    data = study(one_at_a_time(3, 4))
    table = by_group(data, AXIS, data.trials[[SCORE]]).set_index("value")
    own = cells(data)
    own = own[own["centre"] | (own["varied"] == AXIS)].set_index(AXIS)
    for name in ("delta", "p", "pairs"):
        beside = table.index[~table["centre"]]
        assert table.loc[beside, name].tolist() == pytest.approx(own.loc[beside, name].tolist()), name
    assert table.loc[~table["centre"], "p adjusted"].tolist() == pytest.approx(
        holm(table.loc[~table["centre"], "p"].tolist())
    )
    spread = data.trials[SCORE].groupby([data.trials[f"axis {axis}"] for axis in range(3)]).var().mean()
    assert table["noise"].tolist() == pytest.approx([1.96 * np.sqrt(2 * spread)] * 4), "from the cells of all axes"


def test_equal_groups_are_called_different_in_at_most_five_studies_of_a_hundred() -> None:
    data, named = study(one_at_a_time(2, 4), seeds=3), 0
    for seed in range(20):
        scores = pd.DataFrame(np.random.default_rng(seed).normal(50, 1, (len(data.trials), 5)), data.trials.index)
        named += by_group(data, AXIS, scores)["verdict"].isin(["better", "worse"]).any()
    assert named <= 3  # 1 expected, 11 without the correction; more than 3 have a chance of 2 in 100


def test_trials_without_a_score_and_studies_without_a_centre_are_left_out() -> None:
    data = study([{AXIS: 0.0}, {AXIS: 1.0}])
    scores = group_scores(data, 2)
    scores.loc[scores.index[data.trials[AXIS] == 1][:3], "g0"] = np.nan
    table = by_group(data, AXIS, scores.drop(index=scores.index[0])).set_index(["group", "value"])
    assert table["pairs"].tolist() == [4, 2, 4, 4]
    assert table["n"].tolist() == [4, 2, 4, 5]
    assert np.isnan(table.loc[("g0", 1.0), "p"])
    off = by_group(replace(data, centre={AXIS: 7.0}), AXIS, scores)
    assert off["delta"].isna().all()
    assert set(off["verdict"]) == {"needs repeats"}
