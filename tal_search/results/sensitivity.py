"""What a study found, as tables: one row a cell, one table an axis, the paper's cell in its own column."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from tal_search.plan.adaptive_repeats import Repeat, alike
from tal_search.plan.cells import Trial
from tal_search.plan.plan import Plan
from tal_search.record.description import symbols
from tal_search.results.cell_statistics import WITHIN, average_range, noise_floor, points, statistics, within
from tal_search.results.published import paper_cell
from tal_search.results.statistics import Difference, difference, repeatability, verdicts
from tal_search.trial.trial_types import TrialResult
from tal_search.types import criterion

SHOWN_TIOU = (0.3, 0.5, 0.7)
LEAKY = "best epoch on test, leaky, as the released code does"


class AxisTable(NamedTuple):
    """One axis (or, for a grid, all of them): `rows` is ordered by value.

    Columns of `rows`: the axes, `centre` (bool), `n` finished repeats, `seconds` of annotation per minute of video,
    `mAP@t` for every tIoU, `average` over `average_over`, `delta` (mean paired difference to the centre at
    `criterion`), each with its `WITHIN`; `pairs` and `p` of that difference, `verdict` (see `paired.verdicts`),
    `paper`, `paper source` and `LEAKY`, the best mAP@.5 any epoch had on the test set. Percent; NaN where there is
    none. `noise`: how much the centre varies by itself.
    """

    title: str
    axes: tuple[str, ...]
    average_over: str
    rows: pd.DataFrame
    noise: str


def sensitivity_info(plan: Plan, trials: Collection[Trial], results: Mapping[str, TrialResult]) -> list[AxisTable]:
    """Every axis's table from trials and the results there are (trial id → result); unfinished cells keep n = 0."""
    at_centre = [trial for trial in trials if trial.cell == plan.centre_cell]
    centre = {trial.repeat: results[trial.id] for trial in at_centre if trial.id in results}
    cells = _cells(plan, trials, results, centre)
    axes = tuple(plan.study.search.axes)
    if plan.study.search.plan == "grid" or not axes:
        return [_table(plan, axes, cells, centre)]
    tables = []
    for axis in axes:
        mine = cells[cells["centre"] | (cells["varied"] == axis)].sort_values(axis, kind="stable")
        tables.append(_table(plan, (axis,), mine.reset_index(drop=True), centre))
    return tables


def _title(plan: Plan, axes: tuple[str, ...]) -> str:
    """Symbols of the paper beside the names of the study."""
    named = symbols(plan)
    return " × ".join(f"{named[axis]} ({axis})" for axis in axes) or "single cell"


def _cells(
    plan: Plan, trials: Iterable[Trial], results: Mapping[str, TrialResult], centre: Mapping[Repeat, TrialResult]
) -> pd.DataFrame:
    """One row a cell, in plan order; the centre is the first cell of a one-at-a-time plan."""
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in trials:
        groups.setdefault(tuple(trial.cell.items()), []).append(trial)
    centre_cell = plan.centre_cell
    tiou = criterion(plan.protocol["tiou"])
    rows = []
    for cell, repeats in groups.items():
        values = dict(cell)
        varied = [axis for axis, value in values.items() if value != centre_cell[axis]]
        row: dict[str, Any] = {**values, "centre": not varied, "varied": varied[0] if len(varied) == 1 else ""}
        found = {trial.repeat: results[trial.id] for trial in repeats if trial.id in results}
        beside = difference(*alike(points(tiou, found), points(tiou, centre)))
        row["seconds"] = fmean(trial.annotation_seconds for trial in repeats)
        row |= {**statistics(plan, found), LEAKY: _leaky(found.values()), **within("delta", beside)}
        rows.append({**row, "pairs": beside.n, "p": beside.p, **_paper(plan, repeats[0])})
    return pd.DataFrame(rows)


def _table(plan: Plan, axes: tuple[str, ...], rows: pd.DataFrame, centre: Mapping[Repeat, TrialResult]) -> AxisTable:
    """The table with its verdicts, corrected for all of its cells together."""
    tiou = criterion(plan.protocol["tiou"])
    alone = points(tiou, centre)
    others = rows[~rows["centre"]]
    half = others["delta" + WITHIN].fillna(math.inf)
    columns = (others["pairs"], others["delta"], others["delta"] - half, others["delta"] + half, others["p"])
    said = iter(verdicts([Difference(*values) for values in zip(*columns, strict=True)], repeatability(alone.values())))
    rows = rows.assign(verdict=["centre" if centre else next(said) for centre in rows["centre"]])
    return AxisTable(_title(plan, axes), axes, average_range(plan)[2], rows, noise_floor(tiou, alone))


def _leaky(found: Iterable[TrialResult]) -> float:
    best = [100 * result.best_on_test_mAP for result in found if result.best_on_test_mAP is not None]
    return fmean(best) if best else math.nan


def _paper(plan: Plan, trial: Trial) -> dict[str, Any]:
    """The published cell: only where every published hyperparameter of this cell is at the paper's operating point."""
    found = None
    if trial.inference == plan.fit_inference:
        found = paper_cell(trial.spec.method, plan.dataset.name, trial.spec.hyperparameters, plan.study.search.axes)
    return {"paper": found.mAP if found else math.nan, "paper source": found.source if found else "not available"}
