"""Effects of the axes: the difference of each value to the centre, and whether the axis matters.

With one axis varied at a time, the difference of a value is that of its cell (`cell_table.cells`). In a grid it is the
value's main effect: least squares within blocks, between cells that differ in no other axis.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pandas as pd

from tal_search.results.breakdown.main_effects import main_effects
from tal_search.results.cell_table import cells
from tal_search.results.ranking import selected_by
from tal_search.results.statistics import HIGH, LOW, MORE_ANNOTATORS, MORE_SUBJECTS, need_words
from tal_search.results.trials import StudyFrame

MATTERS, WITHIN_NOISE, NEEDS_REPEATS = "matters", "within noise", "needs repeats"
METHOD = "an axis matters where a value of it differs from the centre after Dunnett's correction over the study"
VALUES = [
    "axis", "value", "centre", "n", "mean", "mean" + LOW, "mean" + HIGH, "delta", "delta" + LOW, "delta" + HIGH,
    "p", "p adjusted", "verdict", "chosen by", "seen", "within",
]  # fmt: skip
EXTREMES = ("lowest", "highest")
ENDS = [end + suffix for end in EXTREMES for suffix in ("", LOW, HIGH, " at")]


@lru_cache(maxsize=4)
def value_effects(data: StudyFrame) -> pd.DataFrame:
    """One row per value of an axis, by axis and value; none for a sampler, whose cells share no block. Cached: do not
    modify it.

    Columns: `axis`, `value`, `centre`, `n` finished repeats, `mean` at `data.score` over them (in a grid over blocks
    too) with its interval, `delta` to the centre's value with its corrected interval (in a grid without the centre: to
    the mean of the axis' values), `p`, `p adjusted`, `verdict`; `chosen by`: the mean of the column that selects the
    best cell (`ranking.selected_by`); `seen` and `within`: seeds at which `delta` would be significant, or be within
    the noise. mAP in percent.
    """
    tables = {"one_at_a_time": _of_cells, "grid": main_effects}.get(data.plan, lambda _: [])(data)
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=VALUES)
    return table[VALUES]


@lru_cache(maxsize=4)
def axis_effects(data: StudyFrame) -> pd.DataFrame:
    """One row per axis, the greatest effect first. Cached: do not modify it.

    Columns: `axis`, `symbol`, `values` (their number), `best` (by `ranking.selected_by`), `effect`: the range of mean
    mAP at `data.score` over the values, in points; `lowest` and `highest`: the difference of the worst and the best
    value to the centre, each with its corrected interval and ` at`, the value; the lowest `p` and `p adjusted` of the
    values; `verdict` (matters, within noise, needs repeats) and `needs`, what would decide it; `seeds`, the same as a
    number.
    """
    rows = [_row(data, str(axis), table) for axis, table in value_effects(data).groupby("axis", sort=False)]
    columns = ["axis", "symbol", "values", "best", "effect", *ENDS, "p", "p adjusted", "verdict", "needs", "seeds"]
    table = pd.DataFrame([row for row in rows if row], columns=columns)
    return table.sort_values("effect", ascending=False, kind="stable").reset_index(drop=True)


def _row(data: StudyFrame, axis: str, table: pd.DataFrame) -> dict[str, object]:
    """One axis of `axis_effects`; empty if fewer than two values have a finished run."""
    known = table.dropna(subset="delta").reset_index(drop=True)
    if len(known) < 2:
        return {}
    place = {"lowest": int(known["delta"].argmin()), "highest": int(known["delta"].argmax())}
    ends = {
        **{end + suffix: known["delta" + suffix][at] for end, at in place.items() for suffix in ("", LOW, HIGH)},
        **{f"{end} at": known["value"][at] for end, at in place.items()},
    }
    off = known[~known["centre"]]
    verdict, seeds, beyond = _verdict(off), math.nan, MORE_SUBJECTS if data.subjects else MORE_ANNOTATORS
    if verdict == NEEDS_REPEATS:
        seeds = data.least_seeds if off["p"].isna().any() else min(off["seen"].min(), off["within"].max())
        seeds = max(seeds, data.seeds_floor)
    best = known["chosen by"].fillna(-math.inf).argmax()
    return {
        "axis": axis, "symbol": data.axes[axis], "values": len(known), "best": known["value"][int(best)],
        "effect": float(np.ptp(known["delta"])), **ends, "p": off["p"].min(), "p adjusted": off["p adjusted"].min(),
        "verdict": verdict, "needs": need_words(seeds, beyond), "seeds": seeds,
    }  # fmt: skip


def _verdict(off: pd.DataFrame) -> str:
    """The verdict on an axis from those on its values off the centre."""
    if off["verdict"].isin(["better", "worse"]).any():
        return MATTERS
    return WITHIN_NOISE if len(off) and (off["verdict"] == "within noise").all() else NEEDS_REPEATS


def _of_cells(data: StudyFrame) -> list[pd.DataFrame]:
    """The values of a study that varies one axis at a time: its cells, with the centre in every axis."""
    table = cells(data)
    columns = {data.score + ending: "mean" + ending for ending in ("", LOW, HIGH)}
    table = table.assign(**{name: table[source] for source, name in columns.items()})
    table["delta"] = table["delta"].mask(table["centre"] & (table["n"] > 0), 0.0)
    table["chosen by"] = table[selected_by(data)]
    tables = []
    for axis in data.axes:
        rows = table[table["centre"] | (table["varied"] == axis)].sort_values(axis, kind="stable")
        tables.append(rows.assign(axis=axis, value=rows[axis].astype(object))[VALUES])
    return tables
