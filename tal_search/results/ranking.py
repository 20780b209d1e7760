"""What a sampler found: one row a cell, ordered by the study's objectives, with the test split's score apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.proposers.objectives import Observation, observe
from tal_search.trial.trial_types import TrialResult
from tal_search.types import Floats, criterion


class Ranking(NamedTuple):
    """Columns of `rows`: the axes, `best`, `n` repeats, each objective and `OBJECTIVE sd`, `test` and `test sd`.

    best: on the Pareto front of the objectives (of one objective: its best). mAP in percent, on held-out training
    videos; test: mAP in percent on the test split, computed once a trial, never read by the search. `tiou` names both.
    """

    axes: tuple[str, ...]
    objectives: dict[str, str]
    tiou: str
    rows: pd.DataFrame


def ranking(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> Ranking:
    """Every cell whose repeats are all finished, the best first."""
    objectives = plan.study.search.objectives
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(tuple(trial.cell.items()), []).append(trial)
    whole = [cell for cell in groups.values() if all(trial.id in results for trial in cell)]
    rows = pd.DataFrame([_row(plan, cell, [results[trial.id] for trial in cell]) for cell in whole])
    tiou = criterion(plan.protocol["tiou"])
    if rows.empty:
        return Ranking(plan.axes, objectives, tiou, rows)
    signs = [1 if direction == "maximize" else -1 for direction in objectives.values()]
    rows.insert(len(plan.axes), "best", pareto_front(rows[list(objectives)].to_numpy(dtype=float) * signs))
    first = next(iter(objectives))
    rows = rows.sort_values(["best", first], ascending=[False, objectives[first] == "minimize"], kind="stable")
    return Ranking(plan.axes, objectives, tiou, rows.reset_index(drop=True))


def pareto_front(points: Floats) -> list[bool]:
    """For each point [N, objectives]: whether no other one is at least as high everywhere and higher somewhere."""
    return [not np.any(np.all(points >= point, axis=1) & np.any(points > point, axis=1)) for point in points]


def _row(plan: Plan, trials: Sequence[Trial], results: Sequence[TrialResult]) -> dict[str, Any]:
    seen: list[Observation] = [observe(trial, result) for trial, result in zip(trials, results, strict=True)]
    row: dict[str, Any] = {**trials[0].cell, "n": len(trials)}
    for name in plan.study.search.objectives:
        row |= _spread(name, [getattr(one, name) * (100 if name == "mAP" else 1) for one in seen])
    tiou = criterion(plan.protocol["tiou"])
    test = [100 * (sum(r.mAP) / len(r.mAP) if tiou == "average" else r.at(float(tiou))) for r in results]
    return row | _spread("test", test)


def _spread(name: str, column: Sequence[float]) -> dict[str, float]:
    return {name: fmean(column), f"{name} sd": stdev(column) if len(column) > 1 else math.nan}
