"""What each axis of a sampler study does by itself: partial dependence of a random forest, with its spread.

Partial dependence (Friedman, Annals of Statistics 29, 2001) of a value is the forest's mean prediction over the study's
cells, all of them given that value. It is of the mAP that the study selects by, of held-out videos where there are any.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tal_search.results.search.forest import SEED, Forest, fitted, is_number, values_of
from tal_search.results.trials import StudyFrame, equal
from tal_search.types import Floats

MOST_VALUES = 12  # of an axis; of more, as many are taken evenly over its range
MOST_BACKGROUND = 100  # cells that a prediction is averaged over, evenly taken
LOGARITHMIC_FROM = 10.0  # factor between an axis' ends from which it is logarithmic, as in the search
SPREAD = 1.96  # standard deviations of the refits to each side
METHOD = "partial dependence of a random forest; ± 1.96 standard deviations over 30 refits on resampled cells"
COLUMNS = (
    "name", "symbol", "value", "centre", "mean", "low", "high", "delta", "delta low", "delta high",
)  # fmt: skip


@lru_cache(maxsize=4)
def marginal_effects(data: StudyFrame) -> pd.DataFrame:
    """One row a value of an axis, by axis in the study's order; no row where `forest.unfitted` says why. Do not write.

    Columns: `name`, `symbol`, `value`, `centre` (whether it is the centre's), `mean` (percent) with `low` and `high`;
    and `delta` to the centre's value of the same axis, points, with `delta low` and `delta high`, all three NaN where
    the centre lies outside what was tried. Intervals are METHOD's: of the curve, not of a new run. An axis that has a
    say only at some values of another one is averaged over the cells where it has.
    """
    forest = fitted(data)
    if forest is None:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat([_of_axis(forest, axis, data.axes[axis]) for axis in forest.axes], ignore_index=True)


def _of_axis(forest: Forest, axis: str, symbol: str) -> pd.DataFrame:
    values, centre = grid(forest.cells[axis], forest.centre.get(axis))
    background = _evenly(forest.cells[forest.has_say(axis, forest.cells)], MOST_BACKGROUND)
    rows = pd.concat([_with(forest, background, axis, value) for value in values], ignore_index=True)
    found_MV = forest.predict(rows).reshape(-1, len(values), len(background)).mean(2)
    delta_MV = found_MV - (found_MV[:, [centre]] if centre is not None else math.nan)
    mean, low, high = _spread(found_MV)
    delta, delta_low, delta_high = _spread(delta_MV)
    at_centre = np.arange(len(values)) == (-1 if centre is None else centre)
    table = pd.DataFrame({"value": pd.Series(values, dtype=object)}).assign(
        name=axis, symbol=symbol, centre=at_centre, mean=mean, low=np.maximum(low, 0.0), high=np.minimum(high, 100.0),
        delta=delta, **{"delta low": delta_low, "delta high": delta_high},
    )  # fmt: skip
    return table[list(COLUMNS)]


def grid(column: pd.Series[Any], centre: Any) -> tuple[list[Any], int | None]:
    """The values of an axis to predict at, and the place of the centre's among them; None where it was not in reach."""
    values = values_of(column)
    if is_number(column) and len(values) > MOST_VALUES:
        low, high = float(values[0]), float(values[-1])
        spaced = np.geomspace if low > 0 and high / low >= LOGARITHMIC_FROM else np.linspace
        evenly = spaced(low, high, MOST_VALUES)
        whole = pd.api.types.is_integer_dtype(column)
        inside = [centre] if isinstance(centre, int | float) and low <= centre <= high else []
        values = sorted({*(round(one) if whole else float(one) for one in evenly), *inside})
    same = equal(pd.Series(values, dtype=object), centre).to_numpy()
    return values, int(same.argmax()) if same.any() else None


def _with(forest: Forest, rows: pd.DataFrame, axis: str, value: Any) -> pd.DataFrame:
    """The rows with another value of an axis.

    Axes that it silences go to the centre; those it gives a say take values of the cells where they had one.
    """
    changed = rows.assign(**{axis: pd.Series([value] * len(rows), index=rows.index, dtype=rows[axis].dtype)})
    random = np.random.default_rng(SEED)
    for other in (one for one, conditions in forest.silent.items() if axis in conditions):
        before, after = forest.has_say(other, rows), forest.has_say(other, changed)
        tried = forest.cells.loc[forest.has_say(other, forest.cells), other]
        drawn = tried.iloc[random.integers(0, len(tried), len(rows))].set_axis(rows.index)
        changed[other] = rows[other].where(before | ~after, drawn).where(after, forest.centre.get(other))
    return changed


def _evenly(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    return rows.iloc[np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(int)]


def _spread(found_MV: Floats) -> tuple[Floats, Floats, Floats]:
    """Of the forest (the first row), less and more the spread over its refits; NaN where there is none at all."""
    half_V = SPREAD * found_MV[1:].std(axis=0, ddof=1)
    half_V = np.where(half_V > 0, half_V, math.nan)
    return found_MV[0], found_MV[0] - half_V, found_MV[0] + half_V
