"""Figures of a sampler study: range of marginal effects, bands and bars, and the waterfall of the path."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from tal_dashboards.figures.search_figures import LEAST_RANGE, marginal_figure, marginal_range, path_figure
from tal_search.results.search.ablation_path import MEASURED, PREDICTED


def effects(values: list[object]) -> pd.DataFrame:
    return pd.DataFrame({
        "name": "a", "symbol": "α", "value": pd.Series(values, dtype=object), "mean": [40.0, 41.0, 40.5],
        "low": [39.9, 40.9, math.nan], "high": [40.1, 41.1, math.nan], "delta": [0.0, 1.0, 0.5],
        "centre": [True, False, False],
    })  # fmt: skip


def test_small_effects_keep_a_range_of_two_points() -> None:
    low, high = marginal_range(effects([1.0, 2.0, 3.0]))
    assert high - low == pytest.approx(LEAST_RANGE)
    assert (low + high) / 2 == pytest.approx(40.5)
    wide = effects([1.0, 2.0, 3.0]).assign(high=[60.0, 41.1, 41.0])
    assert marginal_range(wide)[1] > 60


def test_numbers_have_a_line_with_a_band_and_categories_marks_with_bars() -> None:
    band, line = marginal_figure(effects([1.0, 2.0, 30.0]), "held-out mAP", (39.0, 42.0)).data
    assert (band.fill, line.mode) == ("toself", "lines")
    drawn = marginal_figure(effects(["relu", "gelu", "<b>"]), "held-out mAP", (39.0, 42.0))
    (marks,) = drawn.data
    assert list(marks.x) == ["relu", "gelu", "&lt;b&gt;"]
    assert list(marks.error_y.array) == pytest.approx([0.1, 0.1, 0.0])
    assert (drawn.layout.xaxis.type, drawn.layout.yaxis.range) == ("category", (39.0, 42.0))


def test_bars_of_the_path_lead_from_mean_to_mean_and_errors_of_predictions_are_apart() -> None:
    path = pd.DataFrame({
        "step": [0, 1, 2], "name": ["", "a", "b"], "symbol": ["", "α", "β"], "before": [None, 1.0, False],
        "value": [None, 1 / 12, True], "mean": [40.0, 42.0, 45.0], "gain": [math.nan, 2.0, 2.5],
        "gain by": ["", MEASURED, PREDICTED], "offset": [math.nan, 0.0, 0.5],
        "source": [MEASURED, MEASURED, PREDICTED],
    })  # fmt: skip
    drawn = path_figure(path, "held-out mAP")
    measured, predicted, off, means = drawn.data
    assert (list(measured.base), list(measured.x)) == ([40.0], [2.0])
    assert (list(predicted.base), list(predicted.x)) == ([42.5], [2.5])
    assert (list(off.base), list(off.x)) == ([42.0], [0.5])
    assert list(means.y) == ["centre", "α: 1 → 1/12 (+2.0)", "β: no → yes (+2.5)"]
    assert list(means.marker.symbol) == ["circle", "circle", "circle-open"]
