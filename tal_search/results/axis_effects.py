"""What each axis does: the difference of each of its values to the centre, and by them whether the axis matters.

One at a time, the difference of a value is that of its cell (`cell_table.cells`). In a grid it is the value's main
effect: least squares within blocks, between cells that differ in nothing else.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tal_search.results.breakdown.main_effects import main_effects
from tal_search.results.cell_table import cells
from tal_search.results.ranking import selected_by
from tal_search.results.statistics import HIGH, LOW, need_words
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.contrasts import LEAST_REPEATS

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
    """One row a value of an axis, by axis and value. A sampler's cells share no block: no rows. Do not write to it.

    Columns: `axis`, `value`, `centre`, `n` finished repeats, `mean` at `data.score` over them (in a grid over the
    blocks too) with its interval, `delta` to the centre's value with its corrected interval (where a grid leaves out
    the centre: to the mean of the axis' values), `p`, `p adjusted`, `verdict`; `chosen by`: the mean of what says which
    is best (`ranking.selected_by`); `seen` and `within`: seeds at which `delta` would be seen, or be within the noise.
    mAP in percent.
    """
    tables = {"one_at_a_time": _of_cells, "grid": main_effects}.get(data.plan, lambda _: [])(data)
    found = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=VALUES)
    return found[VALUES]


@lru_cache(maxsize=4)
def axis_effects(data: StudyFrame) -> pd.DataFrame:
    """One row an axis, the greatest effect first. Do not write to it.

    Columns: `axis`, `symbol`, `values` (how many), `best` (by `ranking.selected_by`), `effect`: the range of mean mAP
    at `data.score` over the values, in points; `lowest` and `highest`: the worst and the best value's difference to the
    centre, each with its corrected interval and ` at`, the value; `p` and `p adjusted` of the surest value; `verdict`
    (matters, within noise, needs repeats) and `needs`, what would decide it; `seeds`, the same as a number.
    """
    found = value_effects(data)
    rows = [_row(data, str(axis), table) for axis, table in found.groupby("axis", sort=False)]
    columns = ["axis", "symbol", "values", "best", "effect", *ENDS, "p", "p adjusted", "verdict", "needs", "seeds"]
    table = pd.DataFrame([row for row in rows if row], columns=columns)
    return table.sort_values("effect", ascending=False, kind="stable").reset_index(drop=True)


def _row(data: StudyFrame, axis: str, table: pd.DataFrame) -> dict[str, Any]:
    """One axis of `axis_effects`; empty where fewer than two values have a finished run."""
    known = table.dropna(subset="delta").reset_index(drop=True)
    if len(known) < 2:
        return {}
    place = {"lowest": int(known["delta"].argmin()), "highest": int(known["delta"].argmax())}
    ends = {
        **{end + suffix: known["delta" + suffix][at] for end, at in place.items() for suffix in ("", LOW, HIGH)},
        **{f"{end} at": known["value"][at] for end, at in place.items()},
    }
    off = known[~known["centre"]]
    verdict, seeds = _verdict(off), math.nan
    if verdict == NEEDS_REPEATS:
        seeds = LEAST_REPEATS if off["p"].isna().any() else min(off["seen"].min(), off["within"].max())
    best = known["chosen by"].fillna(-math.inf).argmax()
    return {
        "axis": axis, "symbol": data.axes[axis], "values": len(known), "best": known["value"][int(best)],
        "effect": float(np.ptp(known["delta"])), **ends, "p": off["p"].min(), "p adjusted": off["p adjusted"].min(),
        "verdict": verdict, "needs": need_words(seeds), "seeds": seeds,
    }  # fmt: skip


def _verdict(off: pd.DataFrame) -> str:
    """Of an axis, by those of its values that are off the centre."""
    if off["verdict"].isin(["better", "worse"]).any():
        return MATTERS
    return WITHIN_NOISE if len(off) and (off["verdict"] == "within noise").all() else NEEDS_REPEATS


def _of_cells(data: StudyFrame) -> list[pd.DataFrame]:
    """Of a study that varies one axis at a time: its cells, and the centre in every axis."""
    table = cells(data)
    columns = {data.score + ending: "mean" + ending for ending in ("", LOW, HIGH)}
    table = table.assign(**{name: table[source] for source, name in columns.items()})
    table["delta"] = table["delta"].mask(table["centre"] & (table["n"] > 0), 0.0)
    table["chosen by"] = table[selected_by(data)]
    found = []
    for axis in data.axes:
        mine = table[table["centre"] | (table["varied"] == axis)].sort_values(axis, kind="stable")
        found.append(mine.assign(axis=axis, value=mine[axis].astype(object))[VALUES])
    return found
