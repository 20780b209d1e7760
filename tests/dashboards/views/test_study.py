"""Study view: progress, and curves against the files of the fits."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from scipy import stats

from tal_dashboards.views import study
from tal_search.results.statistics import HIGH, LOW
from tests.support.dashboard_parts import words
from tests.support.small_dashboards import Made, scored_epochs


def test_progress_counts_what_is_left(swept: Made) -> None:
    data = swept.read()
    half = replace(data, trials=data.trials.assign(state=["done"] * 8 + ["running", "failed", "done", "stopped early"]))
    progress = study.info(half, {}).progress.set_index("state")["trials"].to_dict()
    assert progress == {"done": 9, "running": 1, "failed": 1, "stopped early": 1, "remaining": 0}
    more = replace(half, planned=24)
    assert study.info(more, {}).progress.set_index("state")["trials"]["remaining"] == 12
    assert study.seconds_left(more) is not None
    assert study.seconds_left(data) is None, "nothing runs"


def test_curves_are_means_over_the_repeats_of_a_cell(grid: Made) -> None:
    data, highest = grid.read(), 0.0
    for value, cell in ((0.5, "lambda_sep=0.5"), (1.0, "centre"), (8.0, "lambda_sep=8")):
        found = study.info(data, {"study-cell": cell})
        assert found.watched == "holdout"
        assert set(found.curves) == {"centre", cell, found.best}
        keys = data.trials[data.trials["lambda_sep"] == value]["key"].unique()
        scores = pd.concat([scored_epochs(grid, key) for key in keys], axis=1)
        curve = found.curves[cell]
        assert curve["epoch"].tolist() == scores.index.tolist() == [4, 8]
        assert curve["n"].tolist() == [3, 3]
        assert curve["mean"].tolist() == pytest.approx(scores.mean(axis=1).tolist())
        half = stats.t.ppf(0.975, 2) * scores.sem(axis=1)
        assert curve["mean" + LOW].tolist() == pytest.approx((scores.mean(axis=1) - half).clip(lower=0).tolist())
        assert curve["mean" + HIGH].tolist() == pytest.approx((scores.mean(axis=1) + half).clip(upper=100).tolist())
        highest = max(highest, curve["mean"].max())
    assert highest > 0, "the fits learned nothing, so equal zeros would show nothing"


def test_a_study_of_one_cell_has_the_curve_of_the_centre(grid: Made) -> None:
    data = grid.read()
    centre = data.trials[data.trials["lambda_sep"] == 1.0].drop(columns=list(data.axes)).reset_index(drop=True)
    alone = study.info(replace(data, axes={}, centre={}, trials=centre), {})
    pd.testing.assert_frame_equal(alone.curves["centre"], study.info(data, {}).curves["centre"])


def test_the_leaky_score_is_shown_only_where_it_differs_and_then_explained(grid: Made) -> None:
    data = grid.read()
    same = replace(data, trials=data.trials.assign(leaky=data.trials[data.score]))
    other = replace(data, trials=data.trials.assign(leaky=data.trials[data.score] + 5))
    assert "leaky" not in study.info(same, {}).compared
    assert "leaky" in study.info(other, {}).compared
    said = words(study.layout(other, {}))
    assert "Best and centre (mAP in %, ± half the 95 % interval; leaky: mAP at the epoch that is best" in said
    assert "leaky: mAP" not in words(study.layout(same, {}))
