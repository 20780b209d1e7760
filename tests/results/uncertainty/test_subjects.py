"""The bootstrap over subjects: agrees with the plain formula, covers, and rarely finds what is not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tal_search.metrics.comparison import RESAMPLES, draws
from tal_search.results.statistics import HIGH, LOW, differences, means, repeat_columns
from tal_search.results.uncertainty.subjects import (
    COLUMN,
    Draws,
    combined,
    covariance,
    drawn_scores,
    shared_part,
    shares_fits,
    words,
)
from tal_search.types import Floats

SCORE = "mAP@0.5"
REPEATED = 150  # studies; the standard error of a share of 0.05 is 0.018


def study(
    random: np.random.Generator, cells: int, subjects: int, folds: int, seeds: int, effect: float = 0.0
) -> pd.DataFrame:
    """Runs whose score is a mean over subjects: what all cells share, a part of the cell, and noise of each fit.

    effect: what the last cell adds.
    """
    common, own = 8 * random.normal(size=subjects), 2 * random.normal(size=(cells, subjects))
    weights_SB = draws(subjects)[:-1]
    rows = []
    for cell in range(cells):
        for seed in range(seeds):
            score_S = 50 + common + own[cell] + 3 * random.normal(size=folds)[np.arange(subjects) % folds]
            score_S = score_S + effect * (cell == cells - 1)
            drawn_B = score_S @ weights_SB / weights_SB.sum(0)
            kept = Draws(mAP=drawn_B[:, None], tiou=(0.5,), averaged=(0.5, 0.5), subjects=subjects, folds=folds)
            rows.append({"cell": cell, "seed": seed, "annotator": "none", SCORE: score_S.mean(), COLUMN: kept})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("subjects", "folds", "seeds"), [(30, 30, 1), (30, 30, 3), (30, 5, 3), (8, 8, 1)])
def test_intervals_cover_and_false_verdicts_are_rare(subjects: int, folds: int, seeds: int) -> None:
    random = np.random.default_rng(0)
    false = covered = 0
    for _ in range(REPEATED):
        rows = study(random, 3, subjects, folds, seeds)
        false += differences(rows, SCORE, 0)["verdict"].isin(["better", "worse"]).any()
        table = means(rows[[SCORE]], rows["cell"], repeat_columns(rows), (SCORE,))
        covered += int(((table[SCORE + LOW] < 50) & (table[SCORE + HIGH] > 50)).sum())
    assert false / REPEATED <= 0.12
    assert 0.90 <= covered / (3 * REPEATED) <= 0.99


def test_a_great_difference_is_found() -> None:
    rows = study(np.random.default_rng(1), 3, 30, 30, 1, effect=6.0)
    table = differences(rows, SCORE, 0)
    assert table["verdict"].tolist()[1:] == ["needs repeats", "better"]
    assert table["delta" + LOW].iloc[2] > 0
    assert table["needs"].tolist()[1:] == ["more subjects", ""]


def test_differences_are_paired_by_subject() -> None:
    """All cells meet the same subjects, so that what subjects add to all of them is no part of a difference."""
    rows = study(np.random.default_rng(2), 2, 30, 30, 1)
    of_mean = means(rows[[SCORE]], rows["cell"], repeat_columns(rows), (SCORE,))
    width = float((of_mean[SCORE + HIGH] - of_mean[SCORE + LOW]).iloc[0])
    table = differences(rows, SCORE, 0)
    assert float((table["delta" + HIGH] - table["delta" + LOW]).iloc[1]) < 0.9 * width


def test_a_single_seed_gives_no_verdict_where_subjects_share_fits() -> None:
    rows = study(np.random.default_rng(3), 2, 30, 3, 1, effect=50.0)
    (row,) = differences(rows, SCORE, 0).loc[[1]].to_dict("records")
    assert shares_fits(rows)
    assert (row["verdict"], row["needs"]) == ("needs repeats", "3 seeds")
    assert row["delta" + LOW] < row["delta"] < row["delta" + HIGH]


def test_the_error_of_a_mean_is_the_plain_formula() -> None:
    score_S = np.random.default_rng(4).normal(size=30)
    weights_SB = draws(30)[:-1]
    variance, degrees = covariance((score_S @ weights_SB / 30)[None], 30)
    assert degrees == 29
    assert np.sqrt(variance[0, 0]) == pytest.approx(score_S.std(ddof=1) / np.sqrt(30), rel=0.06)


def test_with_two_subjects_there_is_no_interval() -> None:
    variance, degrees = covariance(np.random.default_rng(5).normal(size=(2, 100)), 2)
    assert degrees == 0
    assert np.isnan(variance).all()


def test_draws_without_instances_are_left_out() -> None:
    drawn = np.random.default_rng(6).normal(size=(2, RESAMPLES))
    gaps = drawn.copy()
    gaps[0, ::10] = np.nan
    assert np.isfinite(covariance(gaps, 9)[0]).all()
    assert covariance(gaps, 9)[0] == pytest.approx(covariance(drawn, 9)[0], rel=0.2)


def test_degrees_of_freedom_of_a_sum() -> None:
    def of(subject: float, count: float, seed: float, degrees: float) -> tuple[float, float]:
        variance, freedom = combined(np.array([subject]), count, np.array([seed]), np.array([degrees]))
        return float(variance[0]), float(freedom[0])

    assert of(2.0, 29, 5.0, 0) == (2.0, 29.0), "an unknown part is none"
    assert of(2.0, 29, 0.0, 4) == (2.0, 29.0)
    assert of(2.0, 29, 2.0, 4) == (4.0, pytest.approx(16 / (4 / 29 + 4 / 4)))
    assert of(np.nan, 0, 2.0, 4)[1] == 0


def test_the_shared_part_is_the_mean_correlation_with_the_others() -> None:
    random = np.random.default_rng(7)
    centre: Floats = random.normal(size=4000)
    differences_CB = np.stack([np.zeros(4000), random.normal(size=4000) - centre, random.normal(size=4000) - centre])
    shared = shared_part(np.cov(differences_CB))
    assert shared[1:] == pytest.approx([0.5, 0.5], abs=0.05)


def test_scores_by_name_and_columns_without_draws() -> None:
    mAP = np.arange(6.0).reshape(2, 3)
    kept = Draws(mAP=mAP, tiou=(0.3, 0.5, 0.9), averaged=(0.3, 0.5), subjects=4, folds=2)
    assert kept.of("mAP@0.5") is not None
    np.testing.assert_array_equal(kept.of("average"), [0.5, 3.5])
    assert kept.of("holdout") is None
    rows = pd.DataFrame({"seed": [0], COLUMN: [kept]})
    assert drawn_scores(rows, "holdout") is None
    assert drawn_scores(rows.drop(columns=COLUMN), "mAP@0.5") is None
    found = drawn_scores(rows, "mAP@0.5")
    assert found is not None
    assert (found[0].shape, found[1]) == ((1, 2), 4)
    assert words(30) == "95 % bootstrap over 30 subjects; folds share training data"
