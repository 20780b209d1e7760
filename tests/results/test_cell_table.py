"""The table of cells: one row a cell, whatever its trials' order, and published numbers at the operating point."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from tal_search.methods import specification
from tal_search.results.cell_table import cells, objective_differences, published, records
from tal_search.results.published import NOTHING
from tests.support.drawn_runs import SCORE, drawn, one_at_a_time, study_of

OPERATING_POINT = dataclasses.asdict(specification("backtal").configured())


def test_cells_have_their_means_and_what_is_off_the_centre() -> None:
    runs = drawn(np.random.default_rng(0), 5)
    data = study_of(runs, one_at_a_time(2, 3))
    failed = data.trials.index[data.trials["axis 1"] == 2.0]
    table = cells(replace(data, trials=data.trials.assign(state=data.trials["state"].mask(
        data.trials.index.isin(failed[:2]), "failed"))))  # fmt: skip
    assert table["varied"].tolist() == ["", "axis 0", "axis 0", "axis 1", "axis 1"]
    assert table["centre"].tolist() == [True, False, False, False, False]
    assert table["trials"].tolist() == [9] * 5
    assert table["n"].tolist() == [9, 9, 9, 9, 7]
    assert table[SCORE].to_numpy()[:4] == pytest.approx(runs.value[:4].mean(1))
    assert table[SCORE].to_numpy()[4] == pytest.approx(runs.value[4, 2:].mean())
    assert table["verdict"].iloc[0] == "centre"


def test_the_objective_is_the_held_out_score_where_a_trial_has_one() -> None:
    runs, held = drawn(np.random.default_rng(1), 5), np.array([20.0, 21.0, 22.0, 23.0, np.nan])
    data = study_of(runs, one_at_a_time(2, 3), holdout=held)
    delta = objective_differences(data)["delta"].to_numpy()
    assert delta[:4] == pytest.approx(held[:4] - held[0])
    assert delta[4] == pytest.approx((runs.value[4] - held[0]).mean())


def test_a_cell_has_a_published_number_at_the_operating_point_alone() -> None:
    settings = [{"kernel_size": 3}, {"kernel_size": 5}]
    data = replace(study_of(drawn(np.random.default_rng(2), 2), settings), hyperparameters=OPERATING_POINT)
    found = [published(data, cell) for cell in records(cells(data), ["kernel_size"])]
    assert found[0].mAP == {"0.5": 36.3}
    assert found[1] == NOTHING
    assert published(data, {"kernel_size": np.int64(3)}).mAP == {"0.5": 36.3}, "a number of NumPy's is one too"
    assert published(data, {"kernel_size": None}) == NOTHING
    assert published(data, {"kernel_size": 3, "inference.nms": 0.4}) == NOTHING
