"""Ranking of cells: those of a sampler by the study's objectives, the test split's score apart; Pareto fronts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.cell_table import cells
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.types import Floats

COLUMNS = {
    "mAP": "holdout", "annotation_seconds": "annotation_seconds", "parameters": "parameters",
    "training_seconds": "seconds",
}  # fmt: skip
"""Objective → its column in the table of cells."""


class Ranking(NamedTuple):
    """Columns of `rows`: the axes, `best`, `n` repeats, each objective and `test`, each with its LOW and HIGH.

    best: on the Pareto front of the objectives (of one objective: its best). mAP in percent, on held-out training
    videos; test: mAP in percent on the test split, computed once a trial, never read by the search. `tiou` names both.
    """

    axes: tuple[str, ...]
    objectives: dict[str, str]
    tiou: str
    rows: pd.DataFrame


def ranking(data: StudyFrame) -> Ranking:
    """Every cell whose repeats are all finished, the best first."""
    found, axes, objectives = cells(data), tuple(data.axes), data.objectives
    whole = found[found["n"] == found["trials"]]
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
    """For each point [N, objectives]: whether no other one is at least as high everywhere and higher somewhere."""
    return [not np.any(np.all(points >= point, axis=1) & np.any(points > point, axis=1)) for point in points]


def cost_front(cost: pd.Series[float], score: pd.Series[float]) -> pd.Series[bool]:
    """The same of low cost and high score, for ten thousand cells."""
    peak = score.groupby(cost).max()
    cheaper = cost.map(peak.cummax().shift())
    return (score == cost.map(peak)) & ~(cheaper >= score)


def selected_by(data: StudyFrame) -> str:
    """The column that says which cell is best: mAP on held-out training videos where there is any, else the score."""
    return "holdout" if data.done["holdout"].notna().any() else data.score


def best_first(data: StudyFrame) -> list[int]:
    """Places in `cells` of those with a score, by `selected_by`, the best first."""
    ranked = cells(data)[selected_by(data)].dropna().sort_values(ascending=False, kind="stable")
    return [int(place) for place in ranked.index]
