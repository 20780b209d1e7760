"""From the centre of a sampler study to its best cell, one axis after the other, the greatest gain first.

C. Fawcett, H. Hoos, Journal of Heuristics 22, 2016; with a model where a cell was not run: A. Biedenkapp et al.,
AAAI 2017.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import pandas as pd

from tal_search.results.cell_table import cells
from tal_search.results.ranking import best_first, selected_by
from tal_search.results.search.forest import Forest, fitted
from tal_search.results.trials import StudyFrame, equal

MEASURED, PREDICTED = "measured", "predicted"
COLUMNS = ("step", "name", "symbol", "before", "value", "mean", "gain", "gain by", "offset", "source", "n", "predicted")


@lru_cache(maxsize=4)
def ablation_path(data: StudyFrame) -> pd.DataFrame:
    """One row a step, the centre first (`step` 0, no `name`), the best cell last; no row where there is no forest, or
    where the centre is the best. Do not write to it.

    Columns: the axis that changes (`name`, `symbol`), its value `before` and then (`value`); `mean` mAP there, percent;
    `source` of it: measured, on `n` finished repeats, or predicted by the forest, whose word is always in `predicted`.
    `gain` over the step before, points: `gain by` two measured means, else by two predictions, so that no axis is given
    what a prediction is off; that is `offset`, and all gains and offsets add up. The best cell is the highest of
    all, so part of its offset is luck. Means are of what the study selects by.
    """
    forest, ranked = fitted(data), best_first(data)
    if forest is None or not ranked:
        return pd.DataFrame(columns=list(COLUMNS))
    table = cells(data)
    best = {axis: table.at[ranked[0], axis] for axis in data.axes}
    state = dict(data.centre)
    rows = [
        _cell(data, forest, state) | {"name": "", "symbol": "", "gain": math.nan, "gain by": "", "offset": math.nan}
    ]
    while left := [axis for axis in data.axes if _differ(state, best, axis) and _heard(forest, state, axis)]:
        rows.append(
            max((_step(data, forest, state, axis, best, rows[-1]) for axis in left), key=lambda one: one["gain"])
        )
        state = _changed(forest, state, rows[-1]["name"], best)
    found = pd.DataFrame(rows).assign(step=range(len(rows))).reindex(columns=list(COLUMNS))
    return found if len(found) > 1 else found.head(0)


def _step(
    data: StudyFrame, forest: Forest, state: dict[str, Any], axis: str, best: dict[str, Any], last: dict[str, Any]
) -> dict[str, Any]:
    there = _cell(data, forest, _changed(forest, state, axis, best))
    both = there["source"] == last["source"] == MEASURED
    by = "mean" if both else "predicted"
    gain = there[by] - last[by]
    return there | {
        "name": axis, "symbol": data.axes[axis], "before": state[axis], "value": best[axis], "gain": gain,
        "gain by": MEASURED if both else PREDICTED, "offset": there["mean"] - last["mean"] - gain,
    }  # fmt: skip


def _cell(data: StudyFrame, forest: Forest, state: dict[str, Any]) -> dict[str, Any]:
    """By its measured mean where it has one."""
    table, score = cells(data), selected_by(data)
    at = pd.Series(True, index=table.index)
    for name in data.axes:
        at &= equal(table[name], state[name])
    mine = table[at & table[score].notna()]
    row = pd.DataFrame({name: pd.Series([state[name]], dtype=forest.cells[name].dtype) for name in forest.axes})
    predicted = float(forest.predict(row)[0, 0])
    mean = float(mine[score].iloc[0]) if len(mine) else predicted
    source = MEASURED if len(mine) else PREDICTED
    return {"mean": mean, "source": source, "n": int(mine["n"].sum()), "predicted": predicted}


def _changed(forest: Forest, state: dict[str, Any], axis: str, best: dict[str, Any]) -> dict[str, Any]:
    """The cell with one axis as in the best; those that have no say then are back at the centre."""
    after = {**state, axis: best[axis]}
    silenced = [name for name in forest.silent if not _heard(forest, after, name)]
    return after | {name: forest.centre[name] for name in silenced}


def _differ(state: dict[str, Any], best: dict[str, Any], axis: str) -> bool:
    return not bool(equal(pd.Series([state[axis]], dtype=object), best[axis]).iloc[0])


def _heard(forest: Forest, state: dict[str, Any], axis: str) -> bool:
    conditions = forest.silent.get(axis, {})
    return not any(state[other] in values for other, values in conditions.items())
