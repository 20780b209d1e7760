"""What an axis does to each group of instances, a class or a bucket of lengths: paired differences to the centre.

Every group is compared by the engine of all differences (`uncertainty.contrasts`), over all cells that are given, so
that the noise of a group is known from more cells than those of one axis. p values are corrected by Holm's rule over
all values and groups of the table.
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
from tal_search.results.uncertainty.components import Runs
from tal_search.results.uncertainty.contrasts import Contrasts, contrasts
from tal_search.results.uncertainty.families import SIGNIFICANT, holm
from tal_search.types import Floats, Ints

CERTAIN = ("better", "worse")
COLUMNS = [
    "group", "value", "centre", "n", "score", "delta", "delta" + LOW, "delta" + HIGH, "pairs", "p", "p adjusted",
    "noise", "verdict",
]  # fmt: skip
_ROW = "row of the scores"


class _Group(NamedTuple):
    """One group. runs: of the cells that have it, `cell` [C] their numbers; found: None without the centre."""

    name: str
    cell: Ints
    runs: Runs
    found: Contrasts | None
    noise: float


def by_group(data: StudyFrame, axis: str, scores: pd.DataFrame) -> pd.DataFrame:
    """One row a group and a value of the axis, the other axes at the centre: groups as in `scores`, values in order.

    scores: a row a trial, labelled as in `data.trials`; a column a group, in percent, NaN where a trial has none.
    Columns: `group`, `value`, `centre`, `n` repeats, `score` (their mean), `delta` (points, mean over `pairs` common
    repeats) with its interval (LOW, HIGH), `p`, `p adjusted` over the table, `noise` (`statistics.floor`, from all
    cells that are given) and `verdict`, by `statistics.verdicts`, or "centre". An interval has the level that
    Bonferroni's rule asks of as many differences; 0 ends it where Holm's rule finds more. NaN where there is nothing to
    compare.
    """
    trials = data.trials.loc[scores.index].assign(**{_ROW: range(len(scores))})
    found, trials = numbered(replace(data, trials=trials))
    shown = _in_order(data, axis, found[found["centre"] | (found["varied"] == axis)])
    groups = [_group(str(name), scores[name], found, trials) for name in scores.columns]
    parts = [_rows(group, axis, shown) for group in groups]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    return _corrected(table)[COLUMNS]


def most_affected(table: pd.DataFrame) -> list[str]:
    """The groups of such a table, the greatest effect first: groups with a certain difference before all others, each
    by its greatest difference, of the certain ones where there are any.
    """
    certain = table["verdict"].isin(CERTAIN)
    size = pd.DataFrame({
        "group": table["group"], "certain": table["delta"].abs().where(certain), "any": table["delta"].abs()
    })  # fmt: skip
    largest = size.groupby("group", sort=False).max()
    return [str(name) for name in largest.sort_values(["certain", "any"], ascending=False, kind="stable").index]


def _in_order(data: StudyFrame, axis: str, found: pd.DataFrame) -> pd.DataFrame:
    if data.plan == "cases":
        return found.sort_values(axis, key=lambda names: names.map(list(data.cases).index), kind="stable")
    return found.sort_values(axis, kind="stable")


def _group(name: str, scores: pd.Series[float], found: pd.DataFrame, trials: pd.DataFrame) -> _Group:
    score_N = scores.to_numpy(np.float64)[trials[_ROW].to_numpy()]
    known = np.isfinite(score_N)
    mine, score_N = trials[known], score_N[known]
    code_N, cell_C = pd.factorize(mine["cell"])
    runs = runs_of(pd.Series(score_N, index=mine.index), code_N, mine)
    cell, places = np.asarray(cell_C, np.int64), np.flatnonzero(found.loc[cell_C, "centre"])
    if not len(places):
        return _Group(name, cell, runs, None, math.nan)
    centre = int(places[0])
    return _Group(name, cell, runs, contrasts(runs, centre), floor(runs, centre)[0])


def _rows(group: _Group, axis: str, shown: pd.DataFrame) -> pd.DataFrame:
    """The cells of the table; without intervals and verdicts, which depend on all groups. `error`, `degrees`: of p."""
    count_C = group.runs.present.sum(1)
    of_cell: dict[str, Floats | Ints] = {
        "n": count_C,
        "score": np.nansum(group.runs.value, 1) / np.maximum(count_C, 1),
    }
    for name in ("delta", "error", "degrees", "p", "pairs"):
        nothing = np.full(len(group.cell), np.nan)
        of_cell[name] = nothing if group.found is None else getattr(group.found, name)
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
    found = adjusted < SIGNIFICANT
    low, high = delta - half, delta + half
    low = np.where(found & (delta > 0), np.maximum(low, 0.0), low)
    high = np.where(found & (delta < 0), np.minimum(high, 0.0), high)
    table = table.assign(**{"delta" + LOW: low, "delta" + HIGH: high, "p adjusted": adjusted})
    said = np.full(len(table), "centre", dtype=object)
    for _, rows in table.reset_index(drop=True)[~table["centre"].to_numpy()].groupby("group", sort=False):
        said[rows.index.to_numpy()] = verdicts(_as_contrasts(rows), float(rows["noise"].iloc[0]))
    return table.assign(verdict=said)


def _as_contrasts(rows: pd.DataFrame) -> Contrasts:
    columns = {
        name: rows[column].to_numpy(np.float64)
        for name, column in (
            ("delta", "delta"), ("error", "error"), ("degrees", "degrees"), ("low", "delta" + LOW),
            ("high", "delta" + HIGH), ("p", "p"), ("adjusted", "p adjusted"),
        )
    }  # fmt: skip
    return Contrasts(**columns, pairs=rows["pairs"].to_numpy(), by_annotator=np.full(len(rows), np.nan))
