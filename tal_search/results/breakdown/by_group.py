"""Effect of an axis on each group of instances (classes or buckets of lengths): paired differences to the centre.

Every group is compared by `uncertainty.contrasts` over all cells that are given, so that its noise is estimated from
more cells than those of one axis. p values are corrected by Holm's rule over all values and groups of the table.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.cell_table import numbered
from tal_search.results.statistics import HIGH, LOW, floor, runs_of, verdicts
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.contrasts import Contrasts, bounds, contrasts, untested
from tal_search.results.uncertainty.families import SIGNIFICANT, holm
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats, Ints

CERTAIN = ("better", "worse")
UNAVAILABLE = "not available with folds"  # a verdict: the draws over subjects are those of all groups together
COLUMNS = [
    "group", "value", "centre", "n", "score", "delta", "delta" + LOW, "delta" + HIGH, "pairs", "p", "p adjusted",
    "noise", "verdict",
]  # fmt: skip
_ROW = "row of the scores"


class _Group(NamedTuple):
    """One group. runs: of the cells with scores of it; `cell` [C]: their numbers; contrast: None without the centre."""

    name: str
    cell: Ints
    runs: Runs
    contrast: Contrasts | None
    noise: float


def by_group(data: StudyFrame, axis: str, scores: pd.DataFrame) -> pd.DataFrame:
    """One row per group and value of the axis, the other axes at the centre: groups as in `scores`, values in order.

    scores: one row per trial, indexed as `data.trials`; one column per group, in percent, NaN if unknown.
    Columns: `group`, `value`, `centre`, `n` repeats, `score` (their mean), `delta` (points, mean over `pairs` common
    repeats) with its interval (LOW, HIGH), `p`, `p adjusted` over the table, `noise` (`statistics.floor`, from all
    cells that are given) and `verdict`, by `statistics.verdicts`, or "centre". Intervals have Bonferroni's level for
    the number of differences; they end at 0 if only Holm's rule is significant. NaN without anything to compare, and
    with folds, whose repeats are not independent: there `verdict` is UNAVAILABLE.
    """
    trials = data.trials.loc[scores.index].assign(**{_ROW: range(len(scores))})
    numbers, trials = numbered(replace(data, trials=trials))
    shown = _in_order(data, axis, numbers[numbers["centre"] | (numbers["varied"] == axis)])
    groups = [_group(str(name), scores[name], numbers, trials) for name in scores.columns]
    if data.subjects:
        groups = [
            group._replace(contrast=group.contrast and untested(group.contrast, "error", "degrees", "low", "high"))
            for group in groups
        ]
    if not groups:
        return pd.DataFrame(columns=COLUMNS)
    table = pd.concat([_rows(group, axis, shown) for group in groups], ignore_index=True)
    table = _corrected(table)[COLUMNS]
    return table.assign(verdict=table["verdict"].where(table["centre"], UNAVAILABLE)) if data.subjects else table


def most_affected(table: pd.DataFrame) -> list[str]:
    """The groups of a `by_group` table, the greatest effect first: groups with a significant difference come first, by
    their greatest significant difference; then the others by their greatest difference.
    """
    certain = table["verdict"].isin(CERTAIN)
    size = pd.DataFrame({
        "group": table["group"], "certain": table["delta"].abs().where(certain), "any": table["delta"].abs()
    })  # fmt: skip
    largest = size.groupby("group", sort=False).max()
    return [str(name) for name in largest.sort_values(["certain", "any"], ascending=False, kind="stable").index]


def _in_order(data: StudyFrame, axis: str, rows: pd.DataFrame) -> pd.DataFrame:
    if data.plan == "cases":
        return rows.sort_values(axis, key=lambda names: names.map(list(data.cases).index), kind="stable")
    return rows.sort_values(axis, kind="stable")


def _group(name: str, scores: pd.Series[float], numbers: pd.DataFrame, trials: pd.DataFrame) -> _Group:
    score_N = scores.to_numpy(np.float64)[trials[_ROW].to_numpy()]
    known = np.isfinite(score_N)
    rows, score_N = trials[known], score_N[known]
    code_N, cell_C = pd.factorize(rows["cell"])
    runs = runs_of(pd.Series(score_N, index=rows.index), code_N, rows)
    cell, places = np.asarray(cell_C, np.int64), np.flatnonzero(numbers.loc[cell_C, "centre"])
    if not len(places):
        return _Group(name, cell, runs, None, math.nan)
    centre = int(places[0])
    return _Group(name, cell, runs, contrasts(runs, centre), floor(runs, centre)[0])


def _rows(group: _Group, axis: str, shown: pd.DataFrame) -> pd.DataFrame:
    """The group's rows, without intervals and verdicts, which depend on all groups. `error`, `degrees`: of p."""
    count_C = group.runs.present.sum(1)
    of_cell: dict[str, Floats | Ints] = {
        "n": count_C,
        "score": np.nansum(group.runs.value, 1) / np.maximum(count_C, 1),
    }
    for name in ("delta", "error", "degrees", "p", "pairs"):
        nothing = np.full(len(group.cell), np.nan)
        of_cell[name] = nothing if group.contrast is None else getattr(group.contrast, name)
    known = pd.DataFrame(of_cell, index=group.cell).reindex(shown.index)
    known[["n", "pairs"]] = known[["n", "pairs"]].fillna(0).astype(int)
    heads = {"group": group.name, "value": shown[axis], "centre": shown["centre"], "noise": group.noise}
    return pd.DataFrame(heads, index=shown.index).join(known).reset_index(drop=True)


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    from scipy.special import stdtrit

    adjusted = np.array(holm(table["p"].astype(float).tolist()))
    tested = max(1, int(np.isfinite(adjusted).sum()))
    delta, degrees = table["delta"].to_numpy(np.float64), table["degrees"].to_numpy(np.float64)
    half = table["error"].to_numpy(np.float64) * stdtrit(degrees, 1 - SIGNIFICANT / 2 / tested)
    low, high = bounds(delta, half, adjusted)
    table = table.assign(**{"delta" + LOW: low, "delta" + HIGH: high, "p adjusted": adjusted})
    verdict = np.full(len(table), "centre", dtype=object)
    for _, rows in table.reset_index(drop=True)[~table["centre"].to_numpy()].groupby("group", sort=False):
        verdict[rows.index.to_numpy()] = verdicts(_as_contrasts(rows), float(rows["noise"].iloc[0]))
    return table.assign(verdict=verdict)


def _as_contrasts(rows: pd.DataFrame) -> Contrasts:
    columns = {
        name: rows[column].to_numpy(np.float64)
        for name, column in (
            ("delta", "delta"), ("error", "error"), ("degrees", "degrees"), ("low", "delta" + LOW),
            ("high", "delta" + HIGH), ("p", "p"), ("adjusted", "p adjusted"),
        )
    }  # fmt: skip
    return Contrasts(**columns, pairs=rows["pairs"].to_numpy(), by_annotator=np.full(len(rows), np.nan))
