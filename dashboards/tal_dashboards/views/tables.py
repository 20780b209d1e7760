"""View 2, sensitivity tables: one an axis, with intervals, paired differences, the paper's cell and a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html

from tal_dashboards.app import components
from tal_dashboards.data import cell_table
from tal_dashboards.data.cell_table import cells, judged, noise, published, records
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.style import WITHIN, number
from tal_search.results.statistics import METHOD

TITLE = "Sensitivity tables"
MOST_ROWS = 500  # of one table: a grid or a sampler may have ten thousand cells


class TablesInfo(NamedTuple):
    """tables: by title, the centre's row marked by "centre" in `verdict`; score: what differences are of; noise: the
    centre's repeatability in points of mAP; floor: where that comes from, one row a source of spread.
    """

    tables: dict[str, pd.DataFrame]
    score: str
    noise: float
    floor: pd.DataFrame


def info(data: StudyData, selection: Selection) -> TablesInfo:
    """Every table of the study; nothing is chosen here."""
    del selection
    found = cells(data)
    titles = {axis: f"{symbol} ({axis})" for axis, symbol in data.axes.items()}
    tables = {}
    if data.plan == "one_at_a_time":
        for axis in data.axes:
            mine = found[found["centre"] | (found["varied"] == axis)].sort_values(axis, kind="stable")
            tables[titles[axis]] = _table(data, mine, [axis])
    else:
        ordered = found
        if data.plan == "cases":
            order = list(data.cases)
            ordered = found.sort_values("case", key=lambda names: names.map(order.index), kind="stable")
        else:
            by = "holdout" if found["holdout"].notna().any() else data.score
            ordered = found.sort_values(["centre", by], ascending=False, kind="stable").head(MOST_ROWS)
        tables[" × ".join(titles.values())] = _table(data, ordered, list(data.axes))
    return TablesInfo(tables, data.score, noise(data), _floor(data))


def _table(data: StudyData, mine: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    scores = cell_table.measures(data)[: len(data.tiou) + 1]
    held = ["holdout"] if mine["holdout"].notna().any() else []
    columns = [name for score in (*scores, *held) for name in (score, score + WITHIN)]
    table = mine[[*axes, "n", *columns]].reset_index(drop=True)
    difference = f"Δ {data.score}"
    table[difference] = mine["delta"].to_numpy()
    table[difference + WITHIN] = mine[f"delta{WITHIN}"].to_numpy()
    table["verdict"] = judged(data, mine)
    threshold = data.score.removeprefix("mAP@")
    papers = [published(data, cell)[0] for cell in records(mine, list(data.axes))]
    table[f"paper {data.score}"] = [found.get(threshold, math.nan) for found in papers]
    return table


def _floor(data: StudyData) -> pd.DataFrame:
    """Spread of the centre over seeds, over annotators, and over both: sample standard deviations, points of mAP."""
    centre = data.done[data.is_centre(data.done)]
    rows = []
    for source, fixed in (("seeds", "annotator"), ("annotators", "seed")):
        groups = centre.groupby(fixed)[data.score]
        pooled = math.sqrt(groups.var().mean()) if (groups.count() > 1).any() else math.nan
        rows.append({"spread over": source, "n": int(groups.count().max()) if len(centre) else 0, "sd": pooled})
    rows.append({"spread over": "all repeats", "n": len(centre), "sd": float(centre[data.score].std())})
    return pd.DataFrame(rows)


def figures(info: TablesInfo) -> dict[str, go.Figure]:
    """None: view 3 draws these tables."""
    del info
    return {}


def tables(info: TablesInfo) -> dict[str, pd.DataFrame]:
    return {**info.tables, "noise floor": info.floor}


def layout(data: StudyData, selection: Selection) -> Any:
    found = info(data, selection)
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    floor = (
        f"Noise floor: two runs of the centre differ by at most {number(found.noise, 2)} points of {found.score}, 95 "
        "times in 100 (1.96 · √2 · sd)."
        if not math.isnan(found.noise)
        else "The noise floor is not known: the centre has one repeat. More: search.repeats.seeds=[0,1,2]"
    )
    content = [
        components.table(_narrow(table), title, f"tables-{place}", bold=table["verdict"] == "centre")
        for place, (title, table) in enumerate(found.tables.items())
    ]
    legend = (
        "mAP in %, mean ± half the 95 % interval over n repeats (seed × annotator). Δ: paired difference to the "
        f"centre; {METHOD}. Paper: published numbers, on I3D features."
    )
    spread = components.table(found.floor, "Spread of the centre (points of mAP)", "tables-floor")
    return html.Section([html.P(floor, id="tables-noise"), spread, *content, html.P(legend, className="quiet")])


def _narrow(table: pd.DataFrame) -> pd.DataFrame:
    """Without the thresholds that THUMOS14 papers leave out, where those that they print are there."""
    papers = {f"mAP@{tiou:g}" for tiou in (0.3, 0.4, 0.5, 0.6, 0.7)}
    scores = {name for name in table if str(name).startswith("mAP@") and WITHIN not in str(name)}
    left_out = scores - papers if papers <= scores else set()
    return table.drop(columns=[name for score in left_out for name in (score, f"{score}{WITHIN}")])


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """No callbacks."""
