"""Means with intervals, paired t tests, and a verdict that names its corrections. On arrays and frames, any length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = 0.95
WITHIN = " ±95%"  # ends the name of a column that holds half the width of a 95 % interval of the column before it
METHOD = "paired t, 95 % intervals, Holm's correction over the cells of a table"
SPREAD = "mean ± half its 95 % interval"

Verdict = Literal["better", "worse", "within noise", "needs repeats"]


def means(values: pd.DataFrame, by: pd.Series[Any]) -> pd.DataFrame:
    """One row a group of `by`, in order of their first rows: of each column NAME its mean over the group, and
    NAME + WITHIN, half its t interval; `n`: rows of the group. NaN is no value; NaN where there is none, or one alone.
    """
    groups = values.groupby(by, sort=False)
    found = groups.size().to_frame("n")
    mean, count, deviation = groups.mean(), groups.count(), groups.std()
    for name in values.columns:
        found[name] = mean[name]
        found[name + WITHIN] = half_width(deviation[name].to_numpy(), count[name].to_numpy())
    return found


def means_within(values: pd.Series[float], by: pd.Series[Any]) -> pd.DataFrame:
    """One row a group of `by`: `n`, `mean`, and the bounds `low` and `high` of its 95 % interval; NaN where n < 2."""
    found = means(values.to_frame("mean"), by)
    half = found["mean" + WITHIN]
    return found.assign(low=found["mean"] - half, high=found["mean"] + half)


def middle_halves(values: pd.Series[float], by: pd.Series[Any]) -> pd.DataFrame:
    """One row a group of `by`: `n`, `mean`, and the quartiles `low` and `high`; without those where n < 2."""
    groups = values.groupby(by, sort=False)
    quartiles = {"low": groups.quantile(0.25), "high": groups.quantile(0.75)}
    found = groups.size().to_frame("n").assign(mean=groups.mean(), **quartiles)
    found.loc[found["n"] < 2, ["low", "high"]] = math.nan
    return found


def means_by_two(values: pd.Series[float], rows: pd.Series[Any], columns: pd.Series[Any]) -> pd.DataFrame:
    """The mean of each pair of values of `rows` and `columns`, in their order; NaN where there is none."""
    return values.groupby([rows, columns]).mean().unstack()


def differences(pairs: pd.Series[float], by: pd.Series[Any]) -> pd.DataFrame:
    """One row a group of `by`: `delta`, the mean of its paired differences, `delta` + WITHIN, `pairs`, their number.

    `p` is of the two-sided paired t test; NaN where there are fewer than two pairs.
    """
    groups = pairs.groupby(by, sort=False)
    mean, n, deviation = groups.mean(), groups.count(), groups.std()
    found = mean.to_frame("delta")
    found["delta" + WITHIN] = half_width(deviation.to_numpy(), n.to_numpy())
    return found.assign(pairs=n, p=p_value(mean.to_numpy(), deviation.to_numpy(), n.to_numpy()))


def repeatability(values: pd.Series[float]) -> float:
    """How far apart two runs of one cell are at most, 95 times in 100: 1.96 · √2 · sd (ISO 5725); NaN where n < 2."""
    return 1.96 * math.sqrt(2) * deviation(values)


def deviation(values: pd.Series[float]) -> float:
    """The sample standard deviation; NaN where n < 2."""
    return float(values.std())


def pooled_deviation(values: pd.Series[float], by: pd.Series[Any]) -> float:
    """Within the groups of `by`: the root of the mean variance of those with two values or more, NaN without any."""
    variances = values.groupby(by).var().dropna()
    return math.sqrt(variances.mean()) if len(variances) else math.nan


def verdicts(table: pd.DataFrame, noise: float) -> list[Verdict]:
    """One for each row of a table of `differences`, the family that is corrected for.

    `better` or `worse` where the adjusted p is below 0.05; `within noise` where the whole interval lies inside the
    centre's own repeatability `noise`; `needs repeats` where neither is known.
    """
    found: list[Verdict] = []
    delta, half, p = (table[name].tolist() for name in ("delta", "delta" + WITHIN, "p"))
    for mean, within, adjusted in zip(delta, half, holm(p), strict=True):
        if adjusted < 1 - CONFIDENCE:
            found.append("better" if mean > 0 else "worse")
        elif abs(mean) + within <= noise:  # NaN, of fewer than two pairs, is not
            found.append("within noise")
        else:
            found.append("needs repeats")
    return found


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted by Holm's step-down rule over all that are numbers; NaN stays NaN."""
    known = [index for index, value in enumerate(p) if not math.isnan(value)]
    adjusted = [math.nan] * len(p)
    highest = 0.0
    for rank, index in enumerate(sorted(known, key=lambda index: p[index])):
        highest = max(highest, min(1.0, (len(known) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def half_width(deviation: npt.ArrayLike, n: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Half the t interval of means of n values each with this sample standard deviation; NaN where n < 2."""
    from scipy.special import stdtrit

    deviation, n = np.asarray(deviation, np.float64), np.asarray(n, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, stdtrit(n - 1, (1 + CONFIDENCE) / 2) * (deviation / np.sqrt(n)), np.nan)


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
