"""The ranking of a sampler's axes by their marginal effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tal_search.results.search.marginal_effects import marginal_effects
from tal_search.results.search.marginal_ranking import COLUMNS, LIKELY, UNCLEAR, marginal_ranking
from tests.support.sampled_study import sampled


def test_axes_are_ranked_by_the_range_of_their_curves() -> None:
    study = sampled()
    ranking, curves = marginal_ranking(study)
    assert list(ranking) == COLUMNS
    effects = marginal_effects(study).groupby("name")["mean"].agg(np.ptp).sort_values(ascending=False)
    assert ranking["name"].tolist() == effects.index.tolist()
    np.testing.assert_allclose(ranking["effect"].astype(float), effects)
    verdict = dict(zip(ranking["name"], ranking["verdict"], strict=True))
    assert (verdict["strong"], verdict["idle"]) == (LIKELY, UNCLEAR)
    best = dict(zip(ranking["name"], ranking["best"], strict=True))
    top = curves.loc[curves[curves["name"] == "strong"]["mean"].idxmax(), "value"]
    assert best["strong"] == top > 0.5


def test_where_the_centre_was_not_tried_differences_are_to_the_mean_of_the_curve() -> None:
    study = sampled()
    ranking, curves = marginal_ranking(replace(study, centre={**study.centre, "strong": 7.0}))
    row = ranking.set_index("name").loc["strong"]
    mean = curves.loc[curves["name"] == "strong", "mean"]
    np.testing.assert_allclose((row["lowest"], row["highest"]), (mean.min() - mean.mean(), mean.max() - mean.mean()))


def test_without_a_forest_there_are_no_rows() -> None:
    study = sampled()
    ranking, curves = marginal_ranking(replace(study, trials=study.trials.head(4)))
    assert ranking.empty
    assert curves.empty
