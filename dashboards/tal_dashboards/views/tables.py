"""View 2, sensitivity tables: every cell in one grid, with its difference to the centre, a verdict, and the paper's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html

from tal_dashboards.app import components
from tal_dashboards.app import grid as grids
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.style import number
from tal_dashboards.views import cell_grid
from tal_search.results.axis_effects import METHOD as OF_AXES
from tal_search.results.noise import noise, noise_floor
from tal_search.results.overview import overview, ranking_table
from tal_search.results.published import MARK_NOTE
from tal_search.results.ranking import selected_by
from tal_search.results.sensitivity import AxisTable, sensitivity_info
from tal_search.results.statistics import HIGH, LOW, METHOD

TITLE = "Sensitivity tables"
AXES = "Which axes matter, the greatest effect first (mAP in points)"
MOST_ROWS = 500  # of one table: a grid or a sampler may have ten thousand cells


class TablesInfo(NamedTuple):
    """axes: `results.axis_effects`. tables: by title, the centre's row marked by "centre" in `verdict`; together: their
    rows under one head, `axis` and `value` in the place of the axis where each table has its own; score: what
    differences are of; noise: the centre's repeatability in points of mAP; floor: where that comes from, one row a
    source of spread.
    """

    axes: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    together: pd.DataFrame
    score: str
    noise: float
    floor: pd.DataFrame


def info(data: StudyData, selection: Selection) -> TablesInfo:
    """Every table of the study; nothing is chosen here."""
    del selection
    found = {table.title: _table(data, table) for table in sensitivity_info(data)} if data.axes else {}
    axes, together = ranking_table(overview(data)), _together(data, found)
    return TablesInfo(axes, found, together, data.score, noise(data), noise_floor(data))


def _table(data: StudyData, found: AxisTable) -> pd.DataFrame:
    mine = _ordered(data, found.rows)
    held = ["holdout"] if mine["holdout"].notna().any() else []
    scores = [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average", *held]
    table = mine[[*found.axes, "n", *(name for score in scores for name in (score, score + LOW, score + HIGH))]].copy()
    for ending in ("", LOW, HIGH):
        table[f"Δ {data.score}{ending}"] = mine[f"delta{ending}"].mask(mine["centre"])
    table["verdict"], table["needs"] = mine["verdict"], mine["needs"]
    table[f"paper {data.score}"] = mine["paper"] if data.threshold != "average" else math.nan
    if table[f"paper {data.score}"].notna().any():
        table["paper selection"] = mine["paper selection"]
    return table.reset_index(drop=True)


def _ordered(data: StudyData, rows: pd.DataFrame) -> pd.DataFrame:
    """As they are, by the value of one axis; else the centre and the best, or the cases in the study's order."""
    if data.plan == "one_at_a_time":
        return rows
    if data.plan == "cases":
        return rows.sort_values("case", key=lambda names: names.map(list(data.cases).index), kind="stable")
    return rows.sort_values(["centre", selected_by(data)], ascending=False, kind="stable").head(MOST_ROWS)


def _together(data: StudyData, found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    if data.plan != "one_at_a_time":
        return pd.concat(found.values(), ignore_index=True) if found else pd.DataFrame()
    renamed = []
    for axis, (title, table) in zip(data.axes, found.items(), strict=True):
        mine = table.rename(columns={axis: "value"}).astype({"value": object})
        mine.insert(0, "axis", title)
        renamed.append(mine)
    return pd.concat(renamed, ignore_index=True) if renamed else pd.DataFrame()


def figures(info: TablesInfo) -> dict[str, go.Figure]:
    """None: view 3 draws these tables."""
    del info
    return {}


def tables(info: TablesInfo) -> dict[str, pd.DataFrame]:
    axes = {"axes": info.axes} if len(info.axes) else {}
    return {**axes, **info.tables, "noise floor": info.floor}


def grid(data: StudyData, selection: Selection) -> grids.Grid:
    """All cells of the study in one table."""
    found = info(data, selection)
    return cell_grid.grid(data, found.together, found.noise)


def layout(data: StudyData, selection: Selection) -> Any:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    found = info(data, selection)
    floor = (
        f"Noise floor: two runs of the centre differ by at most {number(found.noise, 2)} points of {found.score}, 95 "
        "times in 100 (1.96 · √2 · sd)."
        if not math.isnan(found.noise)
        else "The noise floor is not known: the centre has one repeat. More: search.repeats.seeds=[0,1,2]"
    )
    content: list[Any] = [html.P(floor, id="tables-noise")]
    if len(found.axes):
        content.append(components.table(found.axes, AXES, "tables-axes"))
    if len(found.together):
        mine = cell_grid.grid(data, found.together, found.noise)
        content += [
            cell_grid.scale(found.together, found.score, found.noise),
            grids.layout(cell_grid.NAME, mine, selection),
        ]
    legend = (
        "mAP in %, mean ± half the 95 % interval over n repeats (seed × annotator). Δ: paired difference to the "
        f"centre in points; {METHOD}. Axes: {OF_AXES}. –: no number, nor a published one. Paper: published numbers, on "
        f"I3D features. {MARK_NOTE}"
    )
    content.append(html.P(legend, className="quiet"))
    spread = components.table(found.floor, "Spread of the centre (points of mAP)", "tables-floor")
    return html.Section([*content, spread])


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """Looking for cells and sorting them draws their table again."""
    grids.register(app, cell_grid.NAME, grid, open_study)
