"""Cost view: mAP against annotation cost in seconds per minute of video, ours and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from tal_dashboards.app import components
from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.numbers import whole
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.figures.cost_figure import NAMED, SECONDS, cost_figure
from tal_dashboards.views.parts.trial_panel import ClickData, clicked_query, trial_query
from tal_search.errors import InputError
from tal_search.results.cell_table import cells, numbered, repeats
from tal_search.results.next_runs import run_command
from tal_search.results.published import published_systems
from tal_search.results.ranking import cost_front
from tal_search.results.statistics import HIGH, LOW, around
from tal_search.types import canonical_json

TITLE = "Cost and performance"
DRAWN = 300  # cells in the figure, the best; exported tables have all
OURS = "Our cells, the highest mean first; a name opens its first repeat"
TABLE_ROW = "Table "  # begins the names of rows of papers' ablation tables, which are no separate systems
VERDICTS = {
    "centre": "it is the centre itself", "better": "better than the centre", "worse": "worse than the centre",
    "within noise": "within the noise of the centre", "reference": "it is the reference itself",
}  # fmt: skip


class CostInfo(NamedTuple):
    """ours: one row for each cell with a finished trial: `cell`, `method`, `n`, SECONDS, `score` with LOW and HIGH,
    `front` (on the Pareto front), `verdict` and `needs` against the centre, `key` of its first repeat, `line` (a name
    for cells that differ in their click budgets only, else ""), `named` (in the figure). published: `system`,
    `supervision`, SECONDS, `score`, `selection` (of the epoch), `source`. budgets: annotation costs to choose from,
    s/min; budget: the chosen one. best: the row of ours with an interval and the highest mean within the budget, or
    None; words: the same as a sentence.
    """

    score: str
    ours: pd.DataFrame
    published: pd.DataFrame
    budgets: tuple[float, ...]
    budget: float
    best: pd.Series | None
    words: str
    simulated: bool


def info(data: StudyData, selection: Selection) -> CostInfo:
    """Selection: `cost-budget`, the index of the budget in `budgets`."""
    ours, published = _ours(data), _published(data)
    budgets = tuple(sorted({*ours[SECONDS], *published[SECONDS]}))
    place = whole(selection.get("cost-budget", ""))
    chosen = place if place is not None and place < len(budgets) else len(budgets) - 1
    budget = budgets[chosen] if budgets else 0.0
    within = ours[ours[SECONDS] <= budget]
    repeated = within[within[data.score + LOW].notna()]
    best = repeated.nlargest(1, data.score).iloc[0] if len(repeated) else None
    words = f"Within {budget:.3g} s per minute: {_words(within, best, data.score)}"
    return CostInfo(data.score, ours, published, budgets, budget, best, words, data.simulated)


def _words(within: pd.DataFrame, best: pd.Series | None, score: str) -> str:
    """No cell is called best without an interval, nor without its verdict."""
    if best is None:
        if not len(within):
            return "no cell of this study."
        most = int(within["n"].max())
        return f"{'one repeat' if most == 1 else f'{most} repeats at most'}: no best can be named."
    interval = around(best[score], best[score + LOW], best[score + HIGH])
    needs = f"its difference to the centre needs repeats ({best['needs'] or 'of the centre too'})"
    return (
        f"the cell {best['cell']} has the highest mean, {score} {best[score]:.1f}{interval} % (95 % interval, "
        f"n = {best['n']}) at {best[SECONDS]:.3g} s/min; {VERDICTS.get(best['verdict'], needs)}."
    )


def _ours(data: StudyData) -> pd.DataFrame:
    known = cells(data)
    first_keys = repeats(numbered(data)[1]).groupby("cell")["key"].first()
    table = known.assign(cell=names_of(data, known), key=first_keys)[known["n"] > 0]
    table = table.rename(columns={"annotation_seconds": SECONDS})
    table["front"] = cost_front(table[SECONDS], table[data.score])
    table["method"], table["line"] = _methods(data, table) if data.plan == "cases" else (data.method, "")
    centre = table["centre"] if data.plan != "cases" else False
    table["named"] = True if len(table) <= NAMED else table["front"] | centre
    ends = [data.score, data.score + LOW, data.score + HIGH]
    columns = ["cell", "method", "n", SECONDS, *ends, "front", "verdict", "needs", "key", "line", "named"]
    return table[columns].reset_index(drop=True)


def _methods(data: StudyData, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """`method` and `line` of each case, from the specification of its fit."""
    rows = []
    for key in table["key"]:
        try:
            spec = data.spec(key)
        except InputError:  # its folder is gone
            rows.append(("", "", ""))
            continue
        clicks = f"{spec.dataset.clicks_fraction} {spec.dataset.clicks_per_minute}"
        rows.append((spec.method, canonical_json({**spec.hyperparameters, "method": spec.method}), clicks))
    cases = pd.DataFrame(rows, columns=["method", "settings", "clicks"], index=table.index)
    several = cases.groupby("settings")["clicks"].transform("nunique") > 1
    number = pd.Series(pd.factorize(cases["settings"])[0], index=cases.index)  # of the settings, clicks aside
    return cases["method"], (cases["method"] + " " + number.astype(str)).where(several, "")


def _published(data: StudyData) -> pd.DataFrame:
    threshold = data.score.removeprefix("mAP@")
    rows = [
        {"system": name, "supervision": system.supervision, SECONDS: system.seconds, data.score: system.mAP[threshold],
         "selection": system.selection, "source": system.source}
        for name, system in published_systems(data.dataset).items()
        if system.seconds is not None and threshold in system.mAP and not name.startswith(TABLE_ROW)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["system", "supervision", SECONDS, data.score, "selection", "source"])


def figures(info: CostInfo) -> dict[str, go.Figure]:
    shown = info.ours.nlargest(DRAWN, info.score).sort_index()
    budget = info.budget if info.budget < max(info.budgets, default=0) else None
    return {"cost": cost_figure(shown, info.published, info.score, budget, info.simulated)}


def tables(info: CostInfo) -> dict[str, pd.DataFrame]:
    ours = info.ours.sort_values(info.score, ascending=False, kind="stable", ignore_index=True)
    return {"our cells": ours.drop(columns=["key", "line", "named"]), "published systems": info.published}


def layout(data: StudyData, selection: Selection) -> Component:
    shown = info(data, selection)
    if not len(shown.ours):
        return components.empty("No trial of this study is finished yet.", run_command(data))
    keys = shown.ours.sort_values(shown.score, ascending=False, kind="stable")["key"].head(components.SHOWN_ROWS)
    slider = dcc.Slider(
        0, len(shown.budgets) - 1, 1, value=shown.budgets.index(shown.budget), id=components.name_of("cost-budget"),
        marks={place: f"{budget:.3g}" for place, budget in enumerate(shown.budgets)}, allow_direct_input=False,
    )  # fmt: skip
    remark = "The published points are on I3D features. Costs are from BackTAL, Fig. 8 and Sec. 4."
    remark += " Ours are on simulated data and are no evidence about video." if data.simulated else ""
    opens = [trial_query(selection, key) for key in keys]
    return html.Section([
        html.Div(components.chosen("Budget: annotation seconds per minute of video", slider), className="wide"),
        html.Div(_drawn(shown), id="cost-drawn"),
        html.P(remark, className="quiet"),
        components.table(tables(shown)["our cells"], OURS, "cost-our-cells", opens=opens),
        components.table(shown.published, "Published systems", "cost-published-systems"),
    ])  # fmt: skip


def _drawn(shown: CostInfo) -> list[Component]:
    caption = "mAP against annotation cost; bars: 95 % intervals over at least three repeats."
    caption += " A line joins the click budgets of one method." if (shown.ours["line"] != "").any() else ""
    more = "" if shown.ours["named"].all() else f" Of {len(shown.ours)} cells the front and the centre are named."
    graph = components.graph(
        "cost-graph", figures(shown)["cost"], f"{caption}{more} Click one of our cells to open its first repeat."
    )
    return [html.P(shown.words, id="cost-best", **components.announced()), graph]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """A budget updates the best cell and the figure; a click on a cell of ours opens its first repeat in the panel."""

    @app.callback(
        Output("cost-drawn", "children"), Input(components.name_of("cost-budget"), "value"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def budget(place: int | None, search: str) -> list[Component]:
        return _drawn(info(open_study(), {**selection_of(search), "cost-budget": "" if place is None else str(place)}))

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input("cost-graph", "clickData"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def clicked(click: ClickData | None, search: str) -> str:
        return clicked_query(selection_of(search), click)
