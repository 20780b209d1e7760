"""Marginal effect of each axis of a sampler study: partial dependence of a random forest, with its spread.

The partial dependence (Friedman, Annals of Statistics 29, 2001) at a value is the forest's mean prediction over the
study's cells with that value set in all of them. It predicts the mAP that the study selects by, on held-out videos if
there are any.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pandas as pd

from tal_search.results.search.forest import SEED, Forest, fitted, is_number, values_of
from tal_search.results.trials import StudyFrame, equal
from tal_search.types import Floats

MOST_VALUES = 12  # values per axis; with more, this many are spaced evenly over its range
MOST_BACKGROUND = 100  # cells that a prediction is averaged over, evenly selected
LOGARITHMIC_FROM = 10.0  # ratio of an axis' ends from which on it is logarithmic, as in the search
SPREAD = 1.96  # standard deviations of the refits on each side
METHOD = "partial dependence of a random forest; ± 1.96 standard deviations over 30 refits on resampled cells"
COLUMNS = (
    "name", "symbol", "value", "centre", "mean", "low", "high", "delta", "delta low", "delta high",
)  # fmt: skip


@lru_cache(maxsize=4)
def marginal_effects(data: StudyFrame) -> pd.DataFrame:
    """One row per value of an axis, by axis in the study's order; none without a forest. Cached: do not modify it.

    Columns: `name`, `symbol`, `value`, `centre` (whether it is the centre's), `mean` (percent) with `low` and `high`;
    and `delta` to the centre's value of the same axis, points, with `delta low` and `delta high`, all three NaN if the
    centre is outside the range that was tried. Intervals (METHOD) are for the curve, not for a new run. An axis that is
    active only at some values of another axis is averaged over the cells where it is active.
    """
    forest = fitted(data)
    if forest is None:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat([_of_axis(forest, axis, data.axes[axis]) for axis in forest.axes], ignore_index=True)


def _of_axis(forest: Forest, axis: str, symbol: str) -> pd.DataFrame:
    values, centre = grid(forest.cells[axis], forest.centre.get(axis))
    background = _evenly(forest.cells[forest.active(axis, forest.cells)], MOST_BACKGROUND)
    rows = pd.concat([_with(forest, background, axis, value) for value in values], ignore_index=True)
    mean_MV = forest.predict(rows).reshape(-1, len(values), len(background)).mean(2)
    delta_MV = mean_MV - (mean_MV[:, [centre]] if centre is not None else math.nan)
    mean, low, high = _spread(mean_MV)
    delta, delta_low, delta_high = _spread(delta_MV)
    at_centre = np.arange(len(values)) == (-1 if centre is None else centre)
    table = pd.DataFrame({"value": pd.Series(values, dtype=object)}).assign(
        name=axis, symbol=symbol, centre=at_centre, mean=mean, low=np.maximum(low, 0.0), high=np.minimum(high, 100.0),
        delta=delta, **{"delta low": delta_low, "delta high": delta_high},
    )  # fmt: skip
    return table[list(COLUMNS)]


def grid(column: pd.Series, centre: object) -> tuple[list[object], int | None]:
    """The values of an axis to predict at, and the index of the centre's among them; None if it is out of range."""
    values = values_of(column)
    if is_number(column) and len(values) > MOST_VALUES:
        low, high = float(column.min()), float(column.max())
        spaced = np.geomspace if low > 0 and high / low >= LOGARITHMIC_FROM else np.linspace
        evenly = spaced(low, high, MOST_VALUES)
        whole = pd.api.types.is_integer_dtype(column)
        inside = [centre] if isinstance(centre, int | float) and low <= centre <= high else []
        values = [*sorted({*(round(value) if whole else float(value) for value in evenly), *inside})]
    same = equal(pd.Series(values, dtype=object), centre).to_numpy()
    return values, int(same.argmax()) if same.any() else None


def _with(forest: Forest, rows: pd.DataFrame, axis: str, value: object) -> pd.DataFrame:
    """The rows with another value of an axis.

    Axes that become inactive go to the centre; those that become active take values of cells where they are active.
    """
    changed = rows.assign(**{axis: pd.Series([value] * len(rows), index=rows.index, dtype=rows[axis].dtype)})
    random = np.random.default_rng(SEED)
    for other in (name for name, conditions in forest.silent.items() if axis in conditions):
        before, after = forest.active(other, rows), forest.active(other, changed)
        tried = forest.cells.loc[forest.active(other, forest.cells), other]
        drawn = tried.iloc[random.integers(0, len(tried), len(rows))].set_axis(rows.index)
        changed[other] = rows[other].where(before | ~after, drawn).where(after, forest.centre.get(other))
    return changed


def _evenly(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    return rows.iloc[np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(int)]


def _spread(mean_MV: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean of the forest (the first row), low and high by the spread of its refits; NaN without any spread."""
    half_V = SPREAD * mean_MV[1:].std(axis=0, ddof=1)
    half_V = np.where(half_V > 0, half_V, math.nan)
    return mean_MV[0], mean_MV[0] - half_V, mean_MV[0] + half_V
