"""Ladder of supervision: every cell of a study with its annotation time, its place on the Pareto front, and lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from tal_search.results.budgets.curves import CaseFit, curves, method_names
from tal_search.results.cell_table import cells, numbered, paired, records, repeats
from tal_search.results.ranking import cost_front
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.types import cell_words

Undecided = Literal["within noise", "needs repeats"]
Unit = Literal["total", "minute"]  # of costs: seconds for the whole training set, or for a minute of its video
COLUMN = {"total": "annotation_total", "minute": "annotation_seconds"}
ON, BELOW = "on", "below"  # the front, beyond the noise
ALONE = "alone"  # no other cell costs as little or less, so that it is compared with nothing
SAME = 1 + 1e-9  # costs within this ratio are equal up to rounding


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The cells of a study that have a finished trial, by their annotation cost.

    points: one row a cell, cheapest first, indexed as `cells`: `cell` (its name), `method` (equal for cells that differ
    in their label budgets only), `key` of its first repeat, `cost` in seconds (mean over its trials) of `unit`, `n`,
    the `score` with LOW and HIGH; `highest`, whether no cell that costs as little or less has a higher mean; `front`,
    what is known of that: "alone" (there is no such cell), "on" (it is better than all of these), "below" (worse than
    the best of these), else "within noise" or "needs repeats", with `needs`. Differences are paired and corrected for
    all pairs of cells. lines: the cells that a line joins, cheapest first, by method and kind of annotation.
    """

    study: StudyFrame = field(repr=False)
    unit: Unit
    score: str
    points: pd.DataFrame
    lines: Mapping[tuple[str, str], list[int]]

    @property
    def has_budgets(self) -> bool:
        """Whether any method has been run at several budgets."""
        return bool(self.lines)

    def best_known(self, cost: float) -> pd.DataFrame:
        """The cells with an interval that cost at most this, the highest mean first."""
        return self.within(cost).dropna(subset=self.score + LOW)

    def within(self, cost: float) -> pd.DataFrame:
        """The cells that cost at most this, the highest mean first."""
        mine = self.points[self.points["cost"] <= cost * SAME]
        return mine.sort_values(self.score, ascending=False, kind="stable")


def has_totals(data: StudyFrame) -> bool:
    """Whether the cost of the whole training set is known for every trial; an earlier version recorded none."""
    total = COLUMN["total"]
    return total in data.trials and len(data.trials) > 0 and bool(data.trials[total].notna().all())


def ladder(data: StudyFrame, cases: Mapping[str, CaseFit], unit: Unit = "total") -> Ladder:
    """The ladder of a study. cases: the specification of a fit of each case, by name.

    Costs are per minute of video if totals are not known.
    """
    unit = unit if has_totals(data) else "minute"
    table, trials = cells(data), numbered(data)[1]
    methods, shares = method_names(data, table, cases)
    rows = records(table, list(data.axes))
    points = table[["n", *(data.score + end for end in ("", LOW, HIGH))]].assign(
        cell=[cell_words(row, data.centre) for row in rows], method=methods,
        cost=trials.groupby("cell")[COLUMN[unit]].mean(), key=repeats(trials).groupby("cell")["key"].first(),
    )  # fmt: skip
    points = points[(table["n"] > 0) & points["cost"].notna()].sort_values("cost", kind="stable")
    points["highest"] = cost_front(points["cost"], points[data.score]).astype(bool)
    lines = {
        name: [int(cell) for cell in points.index if cell in mine]
        for name, mine in curves(methods[points.index], shares[points.index]).items()
    }
    return _with_front(Ladder(study=data, unit=unit, score=data.score, points=points, lines=lines))


@lru_cache(maxsize=32)
def against(data: StudyFrame, reference: int) -> pd.DataFrame:
    """`cell_table.paired`: the difference of every cell to this one, corrected for all pairs of cells, as the results
    choose what is compared. Do not modify it.
    """
    numbering, trials = numbered(data)
    return paired(numbering.assign(centre=numbering.index == reference), repeats(trials), data.score, "all pairs")


def undecided(rivals: pd.DataFrame) -> tuple[Undecided, str]:
    """The verdict on a cell over these rivals, rows of `against` it, of which it is not better than all; and what would
    decide it: the most that any of them needs.
    """
    left = rivals[rivals["verdict"] != "worse"]
    wanting = left[left["verdict"] != "within noise"]
    if not len(wanting):
        return "within noise", ""
    most = int(wanting[["seen", "within"]].min(axis=1).fillna(-1).to_numpy().argmax())
    return "needs repeats", str(wanting["needs"].iloc[most])


def _with_front(found: Ladder) -> Ladder:
    """The ladder with `front` and `needs` of each cell: a cell with the highest mean so far is compared with all that
    cost as little or less, any other with the one of them that has the highest mean.
    """
    points = found.points.assign(front=ON, needs="")
    highest = points[points["highest"]]
    for cell, cost in zip(highest.index, highest["cost"], strict=True):
        others = found.within(float(cost)).index.drop([cell])
        rivals = against(found.study, int(cell)).loc[others]
        if not len(others):
            points.loc[cell, "front"] = ALONE
        elif not (rivals["verdict"] == "worse").all():
            points.loc[[cell], ["front", "needs"]] = undecided(rivals)
    step = np.searchsorted(highest["cost"], points["cost"] * SAME, side="right") - 1
    for place in np.unique(step):
        mine = points.index[(step == place) & ~points["highest"]]
        rows = against(found.study, int(highest.index[place])).loc[mine]
        points.loc[mine, "front"] = rows["verdict"].replace({"worse": BELOW})
        points.loc[mine, "needs"] = rows["needs"]
    return replace(found, points=points)
