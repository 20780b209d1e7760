"""Differences between cells that share their repeats: paired intervals, and a verdict that names its corrections.

Two cells are compared over the repeats (seed and annotator) that both have, so what a repeat adds to both drops out.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
METHOD = "paired t, 95 % intervals, Holm's correction over the cells of a table"

Repeat = TypeVar("Repeat", bound=Hashable)
Verdict = Literal["better", "worse", "within noise", "needs repeats"]


@dataclass(frozen=True)
class Interval:
    """A mean of n values and its t interval; both bounds infinite where n < 2, all NaN where n = 0."""

    n: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference(Interval):
    """A cell minus the centre over their common repeats; p: of the two-sided paired t test, NaN where n < 2."""

    p: float


def interval(values: Iterable[float], confidence: float = CONFIDENCE) -> Interval:
    """Mean and t interval of a sample."""
    sample = np.array(list(values), np.float64)
    n = len(sample)
    mean = float(sample.mean()) if n else math.nan
    if n < 2:
        return Interval(n, mean, -math.inf if n else math.nan, math.inf if n else math.nan)
    half = float(half_width(sample.std(ddof=1), n, confidence))
    return Interval(n, mean, mean - half, mean + half)


def difference(
    cell: Mapping[Repeat, float], centre: Mapping[Repeat, float], confidence: float = CONFIDENCE
) -> Difference:
    """Cell minus centre, values by repeat, over the repeats that both have."""
    sample = np.array([value - centre[repeat] for repeat, value in cell.items() if repeat in centre], np.float64)
    found = interval(sample, confidence)
    p = float(p_value(found.mean, sample.std(ddof=1), found.n)) if found.n > 1 else math.nan
    return Difference(found.n, found.mean, found.low, found.high, p)


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted by Holm's step-down rule over all that are numbers; NaN stays NaN."""
    known = [index for index, value in enumerate(p) if not math.isnan(value)]
    adjusted = [math.nan] * len(p)
    highest = 0.0
    for rank, index in enumerate(sorted(known, key=lambda index: p[index])):
        highest = max(highest, min(1.0, (len(known) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def repeatability(values: Iterable[float]) -> float:
    """How far apart two runs of one cell are at most, 95 times in 100: 1.96 · √2 · sd (ISO 5725); NaN where n < 2."""
    sample = np.array(list(values), np.float64)
    return 1.96 * math.sqrt(2) * float(sample.std(ddof=1)) if len(sample) > 1 else math.nan


def verdicts(differences: Sequence[Difference], noise: float) -> list[Verdict]:
    """One for each cell of a table.

    `better` or `worse` where the adjusted p is below 0.05; `within noise` where the whole interval lies inside the
    centre's own repeatability `noise`; `needs repeats` where neither is known.
    """
    found: list[Verdict] = []
    for one, p in zip(differences, holm([one.p for one in differences]), strict=True):
        if p < 1 - CONFIDENCE:
            found.append("better" if one.mean > 0 else "worse")
        elif max(abs(one.low), abs(one.high)) <= noise:
            found.append("within noise")
        else:
            found.append("needs repeats")
    return found


def half_width(deviation: npt.ArrayLike, n: npt.ArrayLike, confidence: float = CONFIDENCE) -> npt.NDArray[np.float64]:
    """Half the t interval of means of n values each with this sample standard deviation; NaN where n < 2."""
    from scipy.special import stdtrit

    deviation, n = np.asarray(deviation, np.float64), np.asarray(n, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, stdtrit(n - 1, (1 + confidence) / 2) * (deviation / np.sqrt(n)), np.nan)


def p_value(mean: npt.ArrayLike, deviation: npt.ArrayLike, n: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Of the two-sided t test of means of n differences with this sample standard deviation; NaN where n < 2.

    Equal differences are certain: 0, or 1 where they are nothing.
    """
    from scipy.special import stdtr

    mean, deviation, n = (np.asarray(values, np.float64) for values in (mean, deviation, n))
    with np.errstate(invalid="ignore", divide="ignore"):
        tested = 2 * stdtr(n - 1, -np.abs(mean / (deviation / np.sqrt(n))))
    certain = np.where(mean == 0, 1.0, 0.0)
    return np.where(n < 2, np.nan, np.where(deviation == 0, certain, tested))
