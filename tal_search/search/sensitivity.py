"""What a study found, as tables: one row a cell, one table an axis, the paper's cell in its own column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from tal_search.search.about import symbols
from tal_search.search.cells import Trial
from tal_search.search.plan import Plan
from tal_search.study.published import paper_cell
from tal_search.types import TrialResult

SHOWN_TIOU = (0.3, 0.5, 0.7)
PAPER_TIOU = 0.5
LEAKY = "best epoch on test, leaky, as the released code does"


class AxisTable(NamedTuple):
    """One axis (or, for a grid, all of them): `rows` is ordered by value.

    Columns of `rows`: the axes, `centre` (bool), `n` finished repeats, `mAP@t` and `mAP@t sd` for every tIoU, `average`
    and `average sd` over `average_over`, `delta` (mean paired difference to the centre at tIoU .5), `paper`, `paper
    source` and `LEAKY`, the best mAP@.5 any epoch had on the test set. Percent; NaN where there is none.
    """

    title: str
    axes: tuple[str, ...]
    average_over: str
    rows: pd.DataFrame


def sensitivity_info(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> list[AxisTable]:
    """Every axis's table from trials and the results there are (trial id → result); unfinished cells keep n = 0."""
    cells = _cells(plan, trials, results)
    axes = tuple(plan.study.search.axes)
    average_over = average_range(plan)[2]
    if plan.study.search.plan == "grid" or not axes:
        return [AxisTable(_title(plan, axes), axes, average_over, cells)]
    tables = []
    for axis in axes:
        mine = cells[cells["centre"] | (cells["varied"] == axis)].sort_values(axis, kind="stable")
        tables.append(AxisTable(_title(plan, (axis,)), (axis,), average_over, mine.reset_index(drop=True)))
    return tables


def _title(plan: Plan, axes: tuple[str, ...]) -> str:
    """Symbols of the paper beside the names of the study."""
    named = symbols(plan)
    return " × ".join(f"{named[axis]} ({axis})" for axis in axes) or "single cell"


def _cells(plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult]) -> pd.DataFrame:
    """One row a cell, in plan order; the centre is the first cell of a one-at-a-time plan."""
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(tuple(trial.cell.items()), []).append(trial)
    centre_cell = plan.centre_cell
    centre = {t.repeat: results[t.id] for t in groups.get(tuple(centre_cell.items()), ()) if t.id in results}
    rows = []
    for cell, repeats in groups.items():
        values = dict(cell)
        varied = [axis for axis, value in values.items() if value != centre_cell[axis]]
        row: dict[str, Any] = {**values, "centre": not varied, "varied": varied[0] if len(varied) == 1 else ""}
        found = {trial.repeat: results[trial.id] for trial in repeats if trial.id in results}
        rows.append({**row, "n": len(found), **_statistics(plan, found, centre), **_paper(plan, repeats[0])})
    return pd.DataFrame(rows)


def _statistics(
    plan: Plan, found: Mapping[tuple[int, str], TrialResult], centre: Mapping[tuple[int, str], TrialResult]
) -> dict[str, float]:
    """Means and sample standard deviations over repeats, in percent."""
    low, high, _ = average_range(plan)
    tious: list[float] = plan.protocol["tiou"]
    series = {f"mAP@{tiou:g}": [100 * result.at(tiou) for result in found.values()] for tiou in tious}
    series["average"] = [100 * result.average(low, high) for result in found.values()]
    statistics: dict[str, float] = {}
    for name, values in series.items():
        column = pd.Series(values, dtype=float)
        statistics[name], statistics[f"{name} sd"] = float(column.mean()), float(column.std(ddof=1))
    best = [result.best_on_test_mAP for result in found.values()]
    leaky = pd.Series([math.nan if value is None else 100 * value for value in best], dtype=float)
    statistics[LEAKY] = float(leaky.mean())
    both = [repeat for repeat in found if repeat in centre and PAPER_TIOU in tious]
    differences = [100 * (found[repeat].at(PAPER_TIOU) - centre[repeat].at(PAPER_TIOU)) for repeat in both]
    statistics["delta"] = float(pd.Series(differences, dtype=float).mean())
    return statistics


def average_range(plan: Plan) -> tuple[float, float, str]:
    """.3:.7 is the average THUMOS14 papers print; all evaluated thresholds where a study leaves it out."""
    tious = plan.protocol["tiou"]
    if {0.3, 0.4, 0.5, 0.6, 0.7} <= set(tious):
        return 0.3, 0.7, "0.3:0.7"
    return min(tious), max(tious), f"{min(tious):g}:{max(tious):g}"


def _paper(plan: Plan, trial: Trial) -> dict[str, Any]:
    """The published cell: only where every published hyperparameter of this cell is at the paper's operating point."""
    found = None
    if trial.inference == plan.fit_inference:
        found = paper_cell(trial.spec.method, plan.dataset.name, trial.spec.hyperparameters, plan.study.search.axes)
    return {"paper": found.mAP if found else math.nan, "paper source": found.source if found else "not available"}
