"""Sensitivity tables view: every cell in one grid, with its difference to the centre, verdict and published number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, html
from dash.development.base_component import Component

from tal_dashboards.app import components
from tal_dashboards.app import grid as grids
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.style import number
from tal_dashboards.views.parts import cell_grid
from tal_search.results.axis_effects import METHOD as OF_AXES
from tal_search.results.folds.pooling import method_of
from tal_search.results.next_runs import run_command
from tal_search.results.noise import noise, noise_floor
from tal_search.results.overview import overview, ranking_table
from tal_search.results.published import MARK_NOTE
from tal_search.results.ranking import selected_by
from tal_search.results.sensitivity import AxisTable, sensitivity_info
from tal_search.results.statistics import HIGH, LOW

TITLE = "Sensitivity tables"
AXES = "Which axes matter, the largest effect first (mAP in points)"
MOST_ROWS = 500  # of one table: a grid or a sampler may have ten thousand cells


class TablesInfo(NamedTuple):
    """axes: `results.overview.ranking_table`. tables: by title, the centre's row with "centre" in `verdict`; together:
    all their rows in one table, where one axis at a time is varied with `axis` and `value` instead of the axis. score:
    the column of the differences. noise: noise floor in points of mAP; floor: its sources of spread, one a row.
    """

    axes: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    together: pd.DataFrame
    score: str
    noise: float
    floor: pd.DataFrame


def info(data: StudyData, selection: Selection) -> TablesInfo:
    """Every table of the study; the selection has no effect."""
    del selection
    frames = {table.title: _table(data, table) for table in sensitivity_info(data)} if data.axes else {}
    axes, together = ranking_table(overview(data)), _together(data, frames)
    return TablesInfo(axes, frames, together, data.score, noise(data), noise_floor(data))


def _table(data: StudyData, source: AxisTable) -> pd.DataFrame:
    rows = _ordered(data, source.rows)
    held = ["holdout"] if rows["holdout"].notna().any() else []
    scores = [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average", *held]
    table = rows[[*source.axes, "n", *(name for score in scores for name in (score, score + LOW, score + HIGH))]].copy()
    for ending in ("", LOW, HIGH):
        table[f"Δ {data.score}{ending}"] = rows[f"delta{ending}"].mask(rows["centre"])
    table["verdict"], table["needs"] = rows["verdict"], rows["needs"]
    table[f"paper {data.score}"] = rows["paper"] if data.threshold != "average" else math.nan
    if table[f"paper {data.score}"].notna().any():
        table["paper selection"] = rows["paper selection"]
    return table.reset_index(drop=True)


def _ordered(data: StudyData, rows: pd.DataFrame) -> pd.DataFrame:
    """One axis at a time: by value; cases: in the study's order; else: the centre, then the best MOST_ROWS."""
    if data.plan == "one_at_a_time":
        return rows
    if data.plan == "cases":
        return rows.sort_values("case", key=lambda names: names.map(list(data.cases).index), kind="stable")
    return rows.sort_values(["centre", selected_by(data)], ascending=False, kind="stable").head(MOST_ROWS)


def _together(data: StudyData, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = list(frames.values())
    if data.plan == "one_at_a_time":
        rows = []
        for axis, (title, table) in zip(data.axes, frames.items(), strict=True):
            renamed = table.rename(columns={axis: "value"}).astype({"value": object})
            renamed.insert(0, "axis", title)
            rows.append(renamed)
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def figures(info: TablesInfo) -> dict[str, go.Figure]:
    """None; the sensitivity plots draw these numbers."""
    del info
    return {}


def tables(info: TablesInfo) -> dict[str, pd.DataFrame]:
    axes = {"axes": info.axes} if len(info.axes) else {}
    return {**axes, **info.tables, "noise floor": info.floor}


def grid(data: StudyData, selection: Selection) -> grids.Grid:
    """All cells of the study in one table."""
    shown = info(data, selection)
    return cell_grid.grid(data, shown.together, shown.noise)


def layout(data: StudyData, selection: Selection) -> Component:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", run_command(data))
    shown = info(data, selection)
    content: list[Component] = [html.P(_floor_words(shown), id="tables-noise")]
    if len(shown.axes):
        content.append(components.table(shown.axes, AXES, "tables-axes"))
    if len(shown.together):
        cells = cell_grid.grid(data, shown.together, shown.noise)
        content += [
            cell_grid.scale(shown.together, shown.score, shown.noise),
            grids.layout(cell_grid.NAME, cells, selection),
        ]
    legend = (
        "mAP in %, mean ± half the 95 % interval over n repeats (seed × annotator). Δ: paired difference to the "
        f"centre in points; {method_of(data.subjects)}. Axes: {OF_AXES}. –: no number, or none published. "
        f"Paper: published numbers, on their own features. {MARK_NOTE}"
    )
    content.append(html.P(legend, className="quiet"))
    spread = components.table(shown.floor, "Spread of the centre (points of mAP)", "tables-floor")
    return html.Section([*content, spread])


def _floor_words(shown: TablesInfo) -> str:
    if math.isnan(shown.noise):
        return "The noise floor is unknown: the centre has one repeat. Run more: search.repeats.seeds=[0,1,2]"
    return (
        f"Noise floor: two runs of the centre differ by at most {number(shown.noise, 2)} points of {shown.score}, 95 "
        "times in 100 (1.96 · √2 · sd)."
    )


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """Searching and sorting redraw the grid of cells."""
    grids.register(app, cell_grid.NAME, grid, open_study)
