"""View 5, cost and performance: annotation seconds per minute of video against mAP, ours and published."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.style import COLOURS, GREY, MARKERS, figure, text
from tal_dashboards.views.trial_panel import cell_query
from tal_search.results.cell_table import cells
from tal_search.results.published import BEST_ON_TEST, published_systems
from tal_search.results.ranking import cost_front
from tal_search.results.statistics import HIGH, LOW

TITLE = "Cost and performance"
SECONDS = "annotation s/min"
DRAWN = 300  # cells in the figure: the best; the table of files has all
TICKS = (20, 30, 45, 50, 60, 80, 100, 150, 200, 300)
OURS = "Our cells; a name opens its cell"
TABLE_ROW = "Table "  # begins the names of rows of a paper's own ablations, which are no systems of their own


class CostInfo(NamedTuple):
    """ours: one row a cell with a finished trial: `cell`, `n`, SECONDS, `score` with LOW and HIGH, `front` (whether no
    other cell is cheaper and as good). published: `system`, `supervision`, SECONDS, `score`, `selection` (of the
    epoch), `source`. budgets: what annotation may cost, s/min; budget: the one chosen; best: the best row of ours
    within it, None where there is none.
    """

    score: str
    ours: pd.DataFrame
    published: pd.DataFrame
    budgets: tuple[float, ...]
    budget: float
    best: pd.Series[Any] | None


def info(data: StudyData, selection: Selection) -> CostInfo:
    """Selection: `cost-budget`, the place of the budget among those there are."""
    found = cells(data)
    ours = found.assign(cell=names_of(data, found))[found["n"] > 0]
    ours = ours[["cell", "n", "annotation_seconds", data.score, data.score + LOW, data.score + HIGH]]
    ours = ours.rename(columns={"annotation_seconds": SECONDS}).reset_index(drop=True)
    ours["front"] = cost_front(ours[SECONDS], ours[data.score])
    published = _published(data)
    budgets = tuple(sorted({*ours[SECONDS], *published[SECONDS]}))
    place = selection.get("cost-budget", "")
    chosen = int(place) if place.isdecimal() and int(place) < len(budgets) else len(budgets) - 1
    budget = budgets[chosen] if budgets else 0.0
    within = ours[ours[SECONDS] <= budget]
    best = within.nlargest(1, data.score).iloc[0] if len(within) else None
    return CostInfo(data.score, ours, published, budgets, budget, best)


def _published(data: StudyData) -> pd.DataFrame:
    threshold = data.score.removeprefix("mAP@")
    rows = [
        {"system": name, "supervision": one.supervision, SECONDS: one.seconds, data.score: one.mAP[threshold],
         "selection": one.selection, "source": one.source}
        for name, one in published_systems(data.dataset).items()
        if one.seconds is not None and threshold in one.mAP and not name.startswith(TABLE_ROW)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["system", "supervision", SECONDS, data.score, "selection", "source"])


def figures(info: CostInfo) -> dict[str, go.Figure]:
    drawn = figure("annotation (s per minute of video)", f"test {info.score} (%)", height=480)
    theirs, score = info.published, info.score
    drawn.add_scatter(x=theirs[SECONDS], y=theirs[score], mode="markers", name="published",
                      marker={"symbol": "circle-open", "size": 10, "color": GREY, "line": {"width": 2}},
                      customdata=_about(theirs),
                      hovertemplate="%{customdata[0]}: %{y:.1f} % at %{x:.3g} s/min<br>%{customdata[1]}")  # fmt: skip
    front = info.ours[info.ours["front"]].drop_duplicates(SECONDS).sort_values(SECONDS)
    drawn.add_scatter(x=front[SECONDS], y=front[score], mode="lines", name="Pareto front", showlegend=len(front) > 1,
                      line={"color": GREY, "shape": "hv", "width": 1.5, "dash": "dot"}, hoverinfo="skip")  # fmt: skip
    for name, mine, colour, symbol in _groups(info):
        drawn.add_scatter(x=mine[SECONDS], y=mine[score], mode="markers", name=text(name),
                          marker={"symbol": symbol, "size": 10, "color": colour},
                          error_y={"array": (mine[score + HIGH] - mine[score]).fillna(0), "thickness": 1.2, "width": 4,
                                   "arrayminus": (mine[score] - mine[score + LOW]).fillna(0)},
                          customdata=[[text(cell), n, cell] for cell, n in zip(mine["cell"], mine["n"], strict=True)],
                          hovertemplate="%{customdata[0]}: %{y:.1f} %, %{x:.3g} s/min, n %{customdata[1]}")  # fmt: skip
    if info.budget < max(info.budgets, default=0):
        drawn.add_vline(x=info.budget, line={"color": COLOURS[1], "dash": "dash"})
    spread = [
        math.log10(least) for least in (min(info.budgets, default=45) / 1.1, max(info.budgets, default=300) * 1.1)
    ]
    drawn.update_xaxes(type="log", range=spread, tickvals=TICKS, ticktext=[str(tick) for tick in TICKS])
    drawn.update_yaxes(rangemode="tozero", minallowed=0)
    return {"cost": drawn}


def _about(published: pd.DataFrame) -> list[list[str]]:
    """For the hover of every published system: its name; its source, and how its epoch was chosen."""
    rows = published[["system", "source", "selection"]].to_numpy().tolist()
    return [
        [text(name), text(f"{source}; {chosen}" if chosen == BEST_ON_TEST else source)] for name, source, chosen in rows
    ]


def _groups(info: CostInfo) -> list[tuple[str, pd.DataFrame, str, str]]:
    """Name, cells, colour and marker of each group in the figure: a few cells by name, more by whether on the front."""
    ours = info.ours.nlargest(DRAWN, info.score)
    if len(ours) <= len(COLOURS):
        rows = [ours.iloc[[place]] for place in range(len(ours))]
        return [(row["cell"].iloc[0], row, COLOURS[place], MARKERS[place]) for place, row in enumerate(rows)]
    front = ours["front"]
    return [("ours", ours[~front], COLOURS[4], "circle"), ("ours, front", ours[front], COLOURS[0], "diamond")]


def tables(info: CostInfo) -> dict[str, pd.DataFrame]:
    ours = info.ours.sort_values(info.score, ascending=False, kind="stable", ignore_index=True)
    return {"our cells": ours, "published systems": info.published}


def layout(data: StudyData, selection: Selection) -> Any:
    found = info(data, selection)
    ours = tables(found)["our cells"]
    opens = [cell_query(selection, cell) for cell in ours["cell"].head(components.SHOWN_ROWS)]
    if not len(ours):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    slider = dcc.Slider(
        0, len(found.budgets) - 1, 1, value=found.budgets.index(found.budget), id=components.name_of("cost-budget"),
        marks={place: f"{budget:.3g}" for place, budget in enumerate(found.budgets)}, allow_direct_input=False,
    )  # fmt: skip
    remark = "The published points are on I3D features. Costs are BackTAL's Fig. 8 and Sec. 4."
    remark += " Ours are on simulated data: no evidence about video." if data.simulated else ""
    return html.Section([
        html.Div(components.chosen("Budget: annotation seconds per minute of video", slider), className="wide"),
        html.Div(_drawn(found), id="cost-drawn"),
        html.P(remark, className="quiet"),
        components.table(ours, OURS, "cost-our-cells", opens=opens),
        components.table(found.published, "Published systems", "cost-published-systems"),
    ])  # fmt: skip


def _drawn(found: CostInfo) -> list[Any]:
    words = f"Within {found.budget:.3g} s per minute: "
    words += "no cell of this study." if found.best is None else (
        f"{found.best['cell']} is best, {found.score} {found.best[found.score]:.1f} % "
        f"at {found.best[SECONDS]:.3g} s/min."
    )  # fmt: skip
    graph = components.graph(
        "cost-graph",
        figures(found)["cost"],
        "Cost against performance; bars: 95 % intervals over repeats. A click on one of ours opens its cell.",
    )
    return [html.P(words, id="cost-best", **components.announced()), graph]


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """A budget marks the best within it; a click on one of our cells opens it."""

    @app.callback(
        Output("cost-drawn", "children"), Input(components.name_of("cost-budget"), "value"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def budget(place: int | None, search: str) -> list[Any]:
        return _drawn(info(open_study(), {**selection_of(search), "cost-budget": "" if place is None else str(place)}))

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input("cost-graph", "clickData"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def clicked(click: dict[str, Any] | None, search: str) -> str:
        about = (click or {}).get("points", [{}])[0].get("customdata", [])
        if len(about) < 3:  # of a published system, or of nothing
            raise PreventUpdate
        return cell_query(selection_of(search), str(about[2]))
