"""Ablation path of a sampler study: from the centre to its best cell, one axis at a time, the greatest gain first.

C. Fawcett, H. Hoos, Journal of Heuristics 22, 2016; with a model for cells that were not run: A. Biedenkapp et al.,
AAAI 2017.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import pandas as pd

from tal_search.results.cell_table import cells
from tal_search.results.ranking import best_first, selected_by
from tal_search.results.search.forest import Forest, fitted
from tal_search.results.trials import StudyFrame, equal

MEASURED, PREDICTED = "measured", "predicted"
COLUMNS = ("step", "name", "symbol", "before", "value", "mean", "gain", "gain by", "offset", "source", "n", "predicted")

Cell = Mapping[str, object]
"""A value for each axis."""


class _Mean(NamedTuple):
    """Mean mAP of a cell, measured if it was run, else predicted by the forest; `predicted`: always the forest's."""

    mean: float
    source: str
    n: int
    predicted: float


class _Step(NamedTuple):
    name: str
    symbol: str
    before: object
    value: object
    gain: float
    gain_by: str
    offset: float
    at: _Mean


@lru_cache(maxsize=4)
def ablation_path(data: StudyFrame) -> pd.DataFrame:
    """One row per step, from the centre (`step` 0, no `name`) to the best cell; no rows without a forest, or if the
    centre is the best. Cached: do not modify it.

    Columns: the axis that changes (`name`, `symbol`), its value `before` and after (`value`); `mean` mAP there,
    percent; its `source`: measured, on `n` finished repeats, or predicted by the forest, whose prediction is always in
    `predicted`. `gain` over the previous step, points: `gain by` two measured means, else by two predictions, so that
    no axis is credited with an error of prediction; that error is `offset`, and all gains and offsets add up. The best
    cell is the highest of all, so part of its offset is luck. Means are at the score that the study selects by.
    """
    forest, ranked = fitted(data), best_first(data)
    if forest is None or not ranked:
        return pd.DataFrame(columns=list(COLUMNS))
    best: Cell = {axis: cells(data).at[ranked[0], axis] for axis in data.axes}
    cell: Cell = dict(data.centre)
    steps = [_Step("", "", math.nan, math.nan, math.nan, "", math.nan, _mean(data, forest, cell))]
    while left := [axis for axis in data.axes if _differ(cell, best, axis) and _active(forest, cell, axis)]:
        candidates = (_step(data, forest, cell, axis, best, steps[-1].at) for axis in left)
        steps.append(max(candidates, key=lambda step: step.gain))
        cell = _changed(forest, cell, steps[-1].name, best)
    rows = [{**step._asdict(), **step.at._asdict(), "gain by": step.gain_by} for step in steps]
    path = pd.DataFrame(rows).assign(step=range(len(rows))).reindex(columns=list(COLUMNS))
    return path if len(path) > 1 else path.head(0)


def _step(data: StudyFrame, forest: Forest, cell: Cell, axis: str, best: Cell, last: _Mean) -> _Step:
    mean = _mean(data, forest, _changed(forest, cell, axis, best))
    measured = mean.source == last.source == MEASURED
    gain = mean.mean - last.mean if measured else mean.predicted - last.predicted
    by, offset = MEASURED if measured else PREDICTED, mean.mean - last.mean - gain
    return _Step(axis, data.axes[axis], cell[axis], best[axis], gain, by, offset, mean)


def _mean(data: StudyFrame, forest: Forest, cell: Cell) -> _Mean:
    table, score = cells(data), selected_by(data)
    at = pd.Series(True, index=table.index)
    for name in data.axes:
        at &= equal(table[name], cell[name])
    rows = table[at & table[score].notna()]
    row = pd.DataFrame({name: pd.Series([cell[name]], dtype=forest.cells[name].dtype) for name in forest.axes})
    predicted = float(forest.predict(row)[0, 0])
    if len(rows):
        return _Mean(float(rows[score].iloc[0]), MEASURED, int(rows["n"].sum()), predicted)
    return _Mean(predicted, PREDICTED, 0, predicted)


def _changed(forest: Forest, cell: Cell, axis: str, best: Cell) -> Cell:
    """The cell with one axis as in the best; axes that become inactive go back to the centre."""
    after = {**cell, axis: best[axis]}
    inactive = [name for name in forest.silent if not _active(forest, after, name)]
    return after | {name: forest.centre[name] for name in inactive}


def _differ(cell: Cell, best: Cell, axis: str) -> bool:
    return not bool(equal(pd.Series([cell[axis]], dtype=object), best[axis]).iloc[0])


def _active(forest: Forest, cell: Cell, axis: str) -> bool:
    conditions = forest.silent.get(axis, {})
    return not any(cell[other] in values for other, values in conditions.items())
