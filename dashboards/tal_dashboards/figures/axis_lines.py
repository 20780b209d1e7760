"""Tables behind the sensitivity plots: a score by the values of one axis, and by those of two. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_dashboards import style
from tal_dashboards.data.study_data import StudyData
from tal_search.results.cell_table import published
from tal_search.results.noise import Reference
from tal_search.results.published import published_cells
from tal_search.results.statistics import HIGH, LOW, means, means_by_two, middle_halves, repeat_columns
from tal_search.types import INFERENCE

MOST_DRAWN = 1000  # trials drawn in one figure; lines are computed from all of them
MOST_VALUES = 24  # of an axis; more are grouped into this many bins of equal count
LOGARITHMIC_FROM = 10.0  # ratio of an axis' ends from which it is logarithmic, as in the search
AT_CENTRE = "mean and 95 % interval over repeats, the other axes at the centre"
MARGIN = 0.05  # of the range of a shared y axis, left above and below
OVER_ALL = "mean and middle half of all trials"


class AxisLine(NamedTuple):
    """One axis. line: `value`, `mean`, `low`, `high`, `n`, by value; if any value has a published number, also `paper`
    in percent and `paper selection` of its epoch. band: the meaning of low and high, in words.

    points: the trials behind the line, with `value`, `score` and the columns that the hover shows.
    """

    axis: str
    symbol: str
    centre: Hashable
    band: str
    line: pd.DataFrame
    points: pd.DataFrame


def scores(data: StudyData) -> list[str]:
    """Columns of scores with any number."""
    named = [f"mAP@{tiou:g}" for tiou in data.tiou] + ["average", "holdout"]
    return [name for name in named if data.trials.get(name, pd.Series(dtype=float)).notna().any()]


def score_words(score: str) -> str:
    """The name of a column of scores in figures."""
    return {"holdout": "held-out mAP", "average": "average mAP"}.get(score, score)


def axis_line(data: StudyData, done: pd.DataFrame, axis: str, score: str) -> AxisLine:
    """The line with the other axes at the centre, if two values of the axis are planned there; else over all trials."""
    beside = data.is_centre(done, free=(axis,))
    at_centre = data.plan != "sampler" and done.loc[beside, axis].map(style.value).nunique() > 1
    rows = done[beside] if at_centre else done
    by = _places(rows[axis]).rename("value")
    line = _means(rows, score, by) if at_centre else middle_halves(rows[score], by)
    line = line.sort_index() if is_numeric(rows[axis]) else line
    points = thinned(rows, score, MOST_DRAWN)
    line = line.reset_index()[["value", "mean", "low", "high", "n"]]
    return AxisLine(
        axis=axis,
        symbol=data.axes[axis],
        centre=data.centre[axis],
        band=AT_CENTRE if at_centre else OVER_ALL,
        line=_with_paper(data, line, axis, score) if at_centre else line,
        points=points.assign(value=points[axis], score=points[score]),
    )


def _with_paper(data: StudyData, line: pd.DataFrame, axis: str, score: str) -> pd.DataFrame:
    """The line with published numbers of this score at its values, if there are any."""
    of_axes = {cell.axis for cell in published_cells(data.method, data.dataset)}
    if axis not in of_axes and data.plan != "cases" and not axis.startswith(INFERENCE):
        return line
    papers = [published(data, {**data.centre, axis: value}) for value in line["value"]]
    numbers = [paper.mAP.get(score.removeprefix("mAP@"), np.nan) for paper in papers]
    if np.isnan(numbers).all():
        return line
    return line.assign(paper=numbers, **{"paper selection": [paper.selection for paper in papers]})


def shared_range(lines: Sequence[AxisLine], reference: Reference, *, papers: bool) -> tuple[float, float]:
    """A y range, in percent, that holds all lines with their bands and trials, and the noise.

    papers: include published numbers, which are of real videos and would flatten the lines of a simulated study.
    """
    ends = [reference.mean, *(reference.mean + side * np.nan_to_num(reference.noise) for side in (-1, 1))]
    for line in lines:
        ends += [*line.line[["mean", "low", "high"]].to_numpy(np.float64).ravel(), *line.points["score"]]
        ends += [*line.line["paper"]] if papers and "paper" in line.line else []
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = MARGIN * (high - low) or 1.0
    return max(low - room, -room), high + room


def _means(rows: pd.DataFrame, score: str, by: pd.Series) -> pd.DataFrame:
    table = means(rows[[score]], by, repeat_columns(rows), (score,))
    return table.rename(columns={score: "mean", score + LOW: "low", score + HIGH: "high"})


def _places(values: pd.Series) -> pd.Series:
    """The position of each trial's value on the axis; with many numeric values, the median of its bin."""
    if is_numeric(values) and values.nunique() > MOST_VALUES:
        bins = pd.qcut(values.astype(float), MOST_VALUES, duplicates="drop")
        return values.astype(float).groupby(bins, observed=True).transform("median")
    return positions(values)


def is_numeric(values: pd.Series) -> bool:
    """Whether all values of an axis are numbers; with a None among them they are categories."""
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return bool(numbers and values.notna().all())


def positions(values: pd.Series) -> pd.Series:
    """Numbers as they are, anything else in words."""
    return values if is_numeric(values) else values.map(style.value)


def labels(values: pd.Series) -> list[float | str]:
    """`positions` for Plotly: numbers, or text in which markup is escaped."""
    return [value if isinstance(value, int | float) else style.text(value) for value in positions(values).tolist()]


def scale(values: pd.Series) -> str:
    """Plotly's type of the axis: logarithmic from a ratio of LOGARITHMIC_FROM."""
    if not is_numeric(values):
        return "category"
    return "log" if values.min() > 0 and values.max() / values.min() >= LOGARITHMIC_FROM else "linear"


def thinned(rows: pd.DataFrame, score: str, most: int) -> pd.DataFrame:
    """At most `most` rows, evenly spaced and with the best of them, in their order."""
    if len(rows) <= most:
        return rows
    kept = np.linspace(0, len(rows) - 1, most - 1).round().astype(int)
    return rows.iloc[np.union1d(kept, [int(rows[score].to_numpy().argmax())])]


def heat_of(data: StudyData, done: pd.DataFrame, pair: tuple[str, str], score: str) -> pd.DataFrame | None:
    """Mean by the values of two axes of a grid; the others at the centre if the grid has it, else over all values.

    None if the study is no grid or has no finished trial.
    """
    if data.plan != "grid" or done.empty:
        return None
    beside = data.is_centre(done, free=pair)
    rows = done[beside] if beside.any() else done
    first, second = (positions(rows[axis]) for axis in pair)
    return means_by_two(rows[score], second, first)
