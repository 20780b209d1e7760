"""Ranking of the axes of a sampler study by their marginal effects in a random forest, the greatest first."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from tal_search.results.axis_effects import ENDS, EXTREMES
from tal_search.results.search.marginal_effects import marginal_effects
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame

LIKELY, UNCLEAR = "likely matters", "unclear"
COLUMNS = ["name", "symbol", "values", "effect", *ENDS, "best", "p", "p adjusted", "verdict", "needs", "seeds"]


def marginal_ranking(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`ranking` and `curves` of `overview.Overview`, from a forest instead of comparisons of cells.

    An axis "likely matters" if the intervals of its worst and best value do not overlap, which is not a test.
    """
    names = {"low": "mean" + LOW, "high": "mean" + HIGH}
    curves = marginal_effects(data).rename(columns=names)
    curves = curves.assign(n=math.nan, verdict="", paper=math.nan, **{"paper selection": ""})
    rows = [_marginal(str(name), table) for name, table in curves.groupby("name", sort=False)]
    ranking = pd.DataFrame(rows, columns=COLUMNS)
    return ranking.sort_values("effect", ascending=False, kind="stable").reset_index(drop=True), curves


def _marginal(name: str, table: pd.DataFrame) -> dict[str, object]:
    """A row of the ranking; relative to the centre's value, or to the mean of the curve if that was not tried."""
    table = table.reset_index(drop=True)
    base = table["mean"].mean() if table["delta"].isna().all() else math.nan
    delta = table["delta"].fillna(table["mean"] - base)
    low = table["delta" + LOW].fillna(table["mean" + LOW] - base)
    high = table["delta" + HIGH].fillna(table["mean" + HIGH] - base)
    place = {"lowest": int(delta.argmin()), "highest": int(delta.argmax())}
    ends = {end: (delta[at], low[at], high[at], table["value"][at]) for end, at in place.items()}
    apart = table["mean" + LOW][place["highest"]] > table["mean" + HIGH][place["lowest"]]
    return {
        "name": name, "symbol": table["symbol"][0], "values": len(table), "effect": float(np.ptp(delta)),
        **dict(zip(ENDS, [number for end in EXTREMES for number in ends[end]], strict=True)),
        "best": table["value"][place["highest"]], "p": math.nan, "p adjusted": math.nan,
        "verdict": LIKELY if apart else UNCLEAR, "needs": "", "seeds": math.nan,
    }  # fmt: skip
