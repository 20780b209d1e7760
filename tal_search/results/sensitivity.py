"""Sensitivity tables: one table per axis, one row per cell with its difference to the centre and the verdict."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from tal_search.results.cell_table import cells, published, records
from tal_search.results.noise import noise_sentence
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.types import CRITERION_TIOU

PAPER_TIOU = f"{CRITERION_TIOU:g}"  # tIoU of the column `paper`


class AxisTable(NamedTuple):
    """One axis, with `rows` ordered by its value; or, for other plans, all axes, with `rows` in order of first trials.

    Columns of `rows`: those of `cells`, `paper` (at tIoU 0.5), `paper source` and `paper selection` (of its epoch).
    noise: a sentence on the noise floor.
    """

    title: str
    axes: tuple[str, ...]
    average_over: str
    rows: pd.DataFrame
    noise: str


def sensitivity_info(data: StudyFrame) -> list[AxisTable]:
    """All tables of the study; a cell without a finished trial has n = 0."""
    table = cells(data)
    if data.plan != "one_at_a_time" or not data.axes:
        return [_table(data, tuple(data.axes), table)]
    tables = []
    for axis in data.axes:
        rows = table[table["centre"] | (table["varied"] == axis)].sort_values(axis, kind="stable")
        tables.append(_table(data, (axis,), rows.reset_index(drop=True)))
    return tables


def csv_columns(data: StudyFrame) -> dict[str, str]:
    """Columns of `rows` that a CSV file of these tables has, with their names there."""
    scores = [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average"]
    means = [name for score in scores for name in (score, score + LOW, score + HIGH)]
    delta = ["delta", "delta" + LOW, "delta" + HIGH, "pairs", "p", "p adjusted"]
    kept = ["centre", "annotation_seconds", "annotation_total", "n", *means, "leaky", *delta]
    names = {name: name for name in (*data.axes, *kept, "paper", "paper source", "paper selection", "verdict", "needs")}
    leaky = "best epoch on test, leaky, as the released code does"
    return {**names, "annotation_seconds": "seconds", "average": f"average {data.average_over}", "leaky": leaky}


def _table(data: StudyFrame, axes: tuple[str, ...], rows: pd.DataFrame) -> AxisTable:
    papers = [published(data, cell) for cell in records(rows, list(data.axes))]
    rows = rows.copy()
    rows["paper"] = [paper.mAP.get(PAPER_TIOU, math.nan) for paper in papers]
    rows["paper source"] = [paper.source for paper in papers]
    rows["paper selection"] = [paper.selection for paper in papers]
    title = " × ".join(f"{data.axes[axis]} ({axis})" for axis in axes) or "single cell"
    return AxisTable(title, axes, data.average_over, rows, noise_sentence(data))
