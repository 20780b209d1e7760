"""View 3: what every axis does to mAP, two axes against one another, all at once, and which of them matter."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboards.data import Selection, StudyData
from dashboards.importance import ESTIMATES, importances
from tal_search.paired import interval

TITLE = "Sensitivity plots"
MOST_DRAWN = 2000  # trials in one figure; lines are of all of them
MOST_VALUES = 24  # of an axis; more are drawn together in as many bins of equal count
AT_CENTRE = "the other axes at the centre: mean and 95 % interval over repeats"
OVER_ALL = "over all trials: mean and middle half of them"


class AxisLine(NamedTuple):
    """One axis. line: `value`, `mean`, `low`, `high`, `n`, by value; band: what low and high are.

    points: the trials behind it, with `value`, `score` and what a pointer shows of them.
    """

    axis: str
    symbol: str
    centre: Any
    band: str
    line: pd.DataFrame
    points: pd.DataFrame


class PlotsInfo(NamedTuple):
    """score: the column drawn, mAP in percent. heat: mean by value of `pair` (first: columns), None without a grid.

    trials: what parallel coordinates draw, best last (on top). finished: how many trials there are of it.
    """

    score: str
    lines: list[AxisLine]
    pair: tuple[str, str] | None
    heat: pd.DataFrame | None
    trials: pd.DataFrame
    axes: dict[str, str]
    importance: pd.DataFrame
    finished: int


def info(data: StudyData, selection: Selection) -> PlotsInfo:
    """Selected by `plots-score` (a column of mAP) and by `plots-x` and `plots-y` (axes of the heat map)."""
    score = selection.get("plots-score", data.score)
    score = score if score in scores(data) else data.score
    done = data.done[data.done[score].notna()]
    pair = _pair(data, selection)
    return PlotsInfo(
        score=score,
        lines=[axis_line(data, done, axis, score) for axis in data.axes],
        pair=pair,
        heat=heat_of(data, done, pair, score) if pair else None,
        trials=thinned(done, score).sort_values(score, kind="stable"),
        axes=data.axes,
        importance=importances(done, tuple(data.axes), score),
        finished=len(done),
    )


def scores(data: StudyData) -> list[str]:
    """Columns that may be drawn."""
    named = [f"mAP@{tiou:g}" for tiou in data.tiou] + ["average", "holdout"]
    return [name for name in named if data.trials.get(name, pd.Series(dtype=float)).notna().any()]


def axis_line(data: StudyData, done: pd.DataFrame, axis: str, score: str) -> AxisLine:
    """The line through the centre where two values of the axis were run there; else over all trials."""
    there = _held(data, done, (axis,))
    at_centre = bool(done.loc[there, axis].map(repr).nunique() > 1)
    rows = done[there] if at_centre else done
    groups = _groups(rows, axis)
    line = [{"value": value, **_band(rows.loc[index, score], at_centre)} for value, index in groups]
    points = thinned(rows, score)
    return AxisLine(
        axis=axis,
        symbol=data.axes[axis],
        centre=data.centre[axis],
        band=AT_CENTRE if at_centre else OVER_ALL,
        line=pd.DataFrame(line, columns=["value", "mean", "low", "high", "n"]),
        points=points.assign(value=points[axis], score=points[score]),
    )


def _held(data: StudyData, rows: pd.DataFrame, free: tuple[str, ...]) -> pd.Series[bool]:
    """Whether all axes but the free ones are at the centre."""
    there = pd.Series(True, index=rows.index)
    for axis in data.axes:
        if axis not in free:
            centre = data.centre[axis]
            there &= rows[axis].isna() if centre is None else rows[axis] == centre
    return there


def _groups(rows: pd.DataFrame, axis: str) -> list[tuple[Any, pd.Index[Any]]]:
    """Rows by value of the axis, in order; a numeric axis of many values in bins, each at its median."""
    values = rows[axis]
    if is_numeric(values) and values.nunique() > MOST_VALUES:
        bins = pd.qcut(values.astype(float), MOST_VALUES, duplicates="drop")
        found = values.groupby(bins, observed=True)
        return [(float(part.median()), part.index) for _, part in found]
    shown = values if is_numeric(values) else values.map(str)
    return [(value, part.index) for value, part in shown.groupby(shown, sort=True)]


def _band(values: pd.Series[float], repeats: bool) -> dict[str, float]:
    """Without bounds where there is one value alone: the interval of one repeat is not known."""
    found = interval(values) if repeats else None
    low, high = (found.low, found.high) if found else values.quantile([0.25, 0.75])
    known = len(values) > 1
    return {
        "mean": float(values.mean()),
        "low": float(low) if known else math.nan,
        "high": float(high) if known else math.nan,
        "n": len(values),
    }


def is_numeric(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def thinned(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """At most MOST_DRAWN of the rows, evenly taken, the best always among them; in their order."""
    if len(rows) <= MOST_DRAWN:
        return rows
    kept = np.unique(np.linspace(0, len(rows) - 1, MOST_DRAWN - 1).round().astype(int))
    return rows.iloc[np.union1d(kept, [int(rows[score].to_numpy().argmax())])]


def _pair(data: StudyData, selection: Selection) -> tuple[str, str] | None:
    """The chosen two axes, or the first two."""
    axes = list(data.axes)
    if len(axes) < 2:
        return None
    first = selection.get("plots-x", axes[0])
    first = first if first in axes else axes[0]
    rest = [axis for axis in axes if axis != first]
    second = selection.get("plots-y", rest[0])
    return first, second if second in rest else rest[0]


def heat_of(data: StudyData, done: pd.DataFrame, pair: tuple[str, str], score: str) -> pd.DataFrame | None:
    """Mean by the values of two axes of a grid: the others at the centre where the grid has it, else over all."""
    if data.plan != "grid":
        return None
    there = _held(data, done, pair)
    rows = done[there] if there.any() else done
    first, second = (rows[axis] if is_numeric(rows[axis]) else rows[axis].map(str) for axis in pair)
    return rows[score].groupby([second, first]).mean().unstack()
