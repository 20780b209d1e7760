"""Ranking of a sampler's cells by the study's objectives, with the test score beside them, and Pareto fronts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.cell_table import cells
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.types import Floats

COLUMNS = {
    "mAP": "holdout", "annotation_seconds": "annotation_seconds", "annotation_total": "annotation_total",
    "parameters": "parameters",
    "training_seconds": "seconds",
}  # fmt: skip
"""Objective → column in the table of cells."""


class Ranking(NamedTuple):
    """Columns of `rows`: the axes, `best`, `n` repeats, each objective and `test`, each with its LOW and HIGH.

    best: on the Pareto front of the objectives (the best cell, for one objective). mAP in percent, on held-out training
    videos; test: mAP in percent on the test split, computed once per trial, not used by the search. `tiou`: of both.
    """

    axes: tuple[str, ...]
    objectives: dict[str, str]
    tiou: str
    rows: pd.DataFrame


def ranking(data: StudyFrame) -> Ranking:
    """Every cell whose repeats are all finished, the best first."""
    table, axes, objectives = cells(data), tuple(data.axes), data.objectives
    whole = table[table["n"] == table["trials"]]
    rows = whole[[*axes]].assign(best=False, n=whole["n"])
    for name, column in [*((name, COLUMNS[name]) for name in objectives), ("test", data.score)]:
        for ending in ("", LOW, HIGH):
            rows[name + ending] = whole[column + ending]
    signs = [1 if direction == "maximize" else -1 for direction in objectives.values()]
    rows["best"] = pareto_front(rows[list(objectives)].to_numpy(dtype=float) * signs)
    first = next(iter(objectives))
    rows = rows.sort_values(["best", first], ascending=[False, objectives[first] == "minimize"], kind="stable")
    return Ranking(axes, objectives, data.threshold, rows.reset_index(drop=True))


def pareto_front(points: Floats) -> list[bool]:
    """For each point [N, objectives]: whether no other point is at least as high in all and higher in one objective.

    A point with a NaN is never on the front.
    """
    known = points[~np.isnan(points).any(axis=1)]

    def beaten(point: Floats) -> bool:
        return bool(np.any(np.all(known >= point, axis=1) & np.any(known > point, axis=1)))

    return [not (np.isnan(point).any() or beaten(point)) for point in points]


def cost_front(cost: pd.Series[float], score: pd.Series[float]) -> pd.Series[bool]:
    """Pareto front of low cost and high score, fast enough for ten thousand cells."""
    peak = score.groupby(cost).max()
    cheaper = cost.map(peak.cummax().shift())
    return (score == cost.map(peak)) & ~(cheaper >= score)


def selected_by(data: StudyFrame) -> str:
    """The column that selects the best cell: mAP on held-out training videos if any trial has it, else the score."""
    return "holdout" if data.done["holdout"].notna().any() else data.score


def best_first(data: StudyFrame) -> list[int]:
    """Index in `cells` of the cells with a score, the best by `selected_by` first."""
    ranked = cells(data)[selected_by(data)].dropna().sort_values(ascending=False, kind="stable")
    return [int(place) for place in ranked.index]
