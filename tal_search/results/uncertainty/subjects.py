"""Uncertainty of studies with folds: a bootstrap over subjects, paired across cells.

Folds share training data, so they are no independent repeats. The detections of all folds are pooled and scored once,
and the score's spread is that over draws of the subjects with replacement (B. Efron and R. Tibshirani, An Introduction
to the Bootstrap, 1993, chapters 6 and 12): the error of a mean is the standard deviation over draws, times
√(S / (S − 1)) for S subjects, and intervals use Student's t with S − 1 degrees of freedom. All cells and repeats use
the same draws; the repeats of a cell are averaged in each. With several seeds the variance over seeds is added: it is
counted twice as far as subjects have fits of their own, so that intervals are rather too wide than too narrow.

Shapes: V videos, S subjects, B draws, T thresholds, N runs, C cells, R repeats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tal_search.types import Floats, Ints

LEAST_SUBJECTS = 3  # with fewer subjects no interval is given
COLUMN = "draws"  # of a frame of runs: a `Draws` for each finished run


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """mAP of one run's pooled detections on each draw: float64 [B, T] percent, NaN without instances.

    subjects, folds: their numbers; with fewer folds than subjects, some subjects share a fit.
    """

    mAP: Floats
    tiou: tuple[float, ...]
    averaged: tuple[float, float]
    subjects: int
    folds: int

    def of(self, score: str) -> Floats | None:
        """The column of a score, [B]; None if it is not one of the test split."""
        low, high = self.averaged
        if score == "average":
            inside = [low - 1e-9 <= threshold <= high + 1e-9 for threshold in self.tiou]
            return np.asarray(self.mAP[:, inside].mean(axis=1))
        named = {f"mAP@{threshold:g}": place for place, threshold in enumerate(self.tiou)}
        return self.mAP[:, named[score]] if score in named else None


def shares_fits(rows: pd.DataFrame) -> bool:
    """Whether subjects share fits, so that only several seeds tell the noise of training."""
    return COLUMN in rows and any(draws is not None and draws.folds < draws.subjects for draws in rows[COLUMN].head(1))


def drawn_scores(rows: pd.DataFrame, score: str) -> tuple[Floats, int] | None:
    """A score on each draw, [N, B], and the number of subjects; None if these runs have no draws of it."""
    if COLUMN not in rows or not len(rows) or rows[COLUMN].isna().any():
        return None
    columns = [draws.of(score) for draws in rows[COLUMN]]
    known = [column for column in columns if column is not None]
    return (np.stack(known), rows[COLUMN].iloc[0].subjects) if len(known) == len(columns) else None


def covariance(mean_CB: Floats, subjects: int) -> tuple[Floats, float]:
    """Covariance [C, C] of means over draws, and its degrees of freedom, 0 with too few subjects.

    Draws without an instance are left out.
    """
    kept = mean_CB[:, np.isfinite(mean_CB).all(axis=0)]
    if subjects < LEAST_SUBJECTS or kept.shape[1] < 2:
        return np.full((len(mean_CB), len(mean_CB)), np.nan), 0.0
    return np.atleast_2d(np.cov(kept)) * subjects / (subjects - 1), float(subjects - 1)


def combined(subject_C: Floats, count: float, seed_C: Floats, seed_degrees_C: Floats) -> tuple[Floats, Floats]:
    """Variance and degrees of freedom [C] of a mean over subjects and over seeds; 0 degrees: that part is unknown.

    The spread over subjects is that of the fits at hand: fits of other seeds would differ as well, and by how much,
    only several seeds tell. Degrees of freedom by Satterthwaite's rule.
    """
    other_C = np.where(seed_degrees_C > 0, np.nan_to_num(seed_C), 0.0)
    variance_C = subject_C + other_C
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = subject_C**2 / count + np.where(other_C > 0, other_C**2 / np.maximum(seed_degrees_C, 1e-9), 0.0)
        degrees_C = np.where(spread > 0, variance_C**2 / spread, count)
    return variance_C, np.where(np.isfinite(variance_C) & (count > 0), degrees_C, 0.0)


def group_means(draws_NB: Floats, code_N: Ints) -> Floats:
    """Mean of the draws of each group's runs, [C, B]."""
    share_CN = (code_N == np.arange(int(code_N.max()) + 1)[:, None]).astype(np.float64)
    mean_CB: Floats = (share_CN / share_CN.sum(1, keepdims=True)) @ draws_NB
    return mean_CB


def of_means(code_N: Ints, draws_NB: Floats, count: int) -> tuple[Floats, float]:
    """Variance [C] of the means of groups of runs, and its degrees of freedom."""
    covariance_CC, degrees = covariance(group_means(draws_NB, code_N), count)
    return np.diag(covariance_CC).copy(), degrees


def shared_part(covariance_CC: Floats) -> Floats:
    """Share [C] of each difference's variance that it has in common with the others.

    Differences to one centre are correlated; with equal shares s their correlation is s, here the mean over the others.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_C = np.sqrt(np.diag(covariance_CC))
        correlation = np.nan_to_num(covariance_CC / np.outer(spread_C, spread_C))
    known = spread_C > 0
    others = max(1, int(known.sum()) - 1)
    shared_C: Floats = np.clip((correlation[:, known].sum(1) - known) / others, 0.0, 0.99)
    return shared_C


def words(subjects: int) -> str:
    """The method of the intervals, for tables and captions."""
    return f"95 % bootstrap over {subjects} subjects; folds share training data"
