"""Tables behind the sensitivity plots: kinds of axes, bins, thinning, and the shared range."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.axis_lines import axis_line, is_numeric, labels, scale, scores, shared_range, thinned
from tal_search.results.noise import Reference


def test_an_axis_is_logarithmic_from_a_ratio_of_ten_and_a_category_with_anything_but_numbers() -> None:
    assert scale(pd.Series([1.0, 9.9])) == "linear"
    assert scale(pd.Series([1.0, 10.0])) == "log"
    assert scale(pd.Series([0.0, 10.0])) == "linear", "0 has no logarithm"
    for values in ([True, False], ["a", "b"], [1.0, None]):
        assert not is_numeric(pd.Series(values))
        assert scale(pd.Series(values)) == "category"
    assert labels(pd.Series(["<b>", "a"])) == ["&lt;b&gt;", "a"]
    assert labels(pd.Series([1, 2])) == [1, 2]


def test_thinning_keeps_the_best_row_and_the_order() -> None:
    rows = pd.DataFrame({"score": [float(place == 37) for place in range(100)]})
    kept = thinned(rows, "score", 10)
    assert len(kept) <= 10
    assert 37 in kept.index
    assert kept.index.is_monotonic_increasing
    assert thinned(rows, "score", 100) is rows


def test_the_shared_range_holds_lines_trials_noise_and_on_request_published_numbers(small_study: StudyData) -> None:
    line = axis_line(small_study, small_study.done, "lambda_sep", "mAP@0.5")
    centre = Reference(1.0, 0.5, "the centre")
    low, high = shared_range([line], centre, papers=False)
    assert low < min(0.5, line.points["score"].min())
    assert high > max(1.5, line.points["score"].max())
    published = line._replace(line=line.line.assign(paper=[math.nan, 80.0, math.nan]))
    assert shared_range([published], centre, papers=False) == pytest.approx((low, high))
    assert shared_range([published], centre, papers=True)[1] > 80


def test_scores_without_a_number_are_not_offered(small_study: StudyData) -> None:
    assert "holdout" in scores(small_study)
    assert set(scores(small_study)) <= set(small_study.trials)
    assert all(small_study.trials[name].notna().any() for name in scores(small_study))
