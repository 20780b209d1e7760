"""View 5, cost and performance: annotation seconds per minute of video against mAP, ours and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.figures.cost_figure import NAMED, SECONDS, cost_figure
from tal_dashboards.views.trial_panel import trial_query
from tal_search.errors import InputError
from tal_search.results.cell_table import cells, numbered, repeats
from tal_search.results.published import published_systems
from tal_search.results.ranking import cost_front
from tal_search.results.statistics import HIGH, LOW, around
from tal_search.types import canonical_json

TITLE = "Cost and performance"
DRAWN = 300  # cells in the figure: the best; the table of files has all
OURS = "Our cells, the highest mean first; a name opens its first repeat"
TABLE_ROW = "Table "  # begins the names of rows of a paper's own ablations, which are no systems of their own
VERDICTS = {
    "centre": "it is the centre itself", "better": "better than the centre", "worse": "worse than the centre",
    "within noise": "within the noise of the centre", "reference": "it is the reference itself",
}  # fmt: skip


class CostInfo(NamedTuple):
    """ours: one row a cell with a finished trial: `cell`, `method`, `n`, SECONDS, `score` with LOW and HIGH, `front`
    (whether no other cell is cheaper and as good), `verdict` and `needs` against the centre, `key` of its first repeat,
    `line` (its method, where cells of one method differ in their click budgets alone, else ""), `named` (in the
    figure). published: `system`, `supervision`, SECONDS, `score`, `selection` (of the epoch), `source`. budgets: what
    annotation may cost, s/min; budget: the one chosen; best: the row of ours with the highest mean within it, of those
    with enough repeats for an interval; None where there is none. words: what may be said of it.
    """

    score: str
    ours: pd.DataFrame
    published: pd.DataFrame
    budgets: tuple[float, ...]
    budget: float
    best: pd.Series[Any] | None
    words: str
    simulated: bool


def info(data: StudyData, selection: Selection) -> CostInfo:
    """Selection: `cost-budget`, the place of the budget among those there are."""
    ours, published = _ours(data), _published(data)
    budgets = tuple(sorted({*ours[SECONDS], *published[SECONDS]}))
    place = selection.get("cost-budget", "")
    chosen = int(place) if place.isdecimal() and int(place) < len(budgets) else len(budgets) - 1
    budget = budgets[chosen] if budgets else 0.0
    within = ours[ours[SECONDS] <= budget]
    repeated = within[within[data.score + LOW].notna()]
    best = repeated.nlargest(1, data.score).iloc[0] if len(repeated) else None
    words = f"Within {budget:.3g} s per minute: {_words(within, best, data.score)}"
    return CostInfo(data.score, ours, published, budgets, budget, best, words, data.simulated)


def _words(within: pd.DataFrame, best: pd.Series[Any] | None, score: str) -> str:
    """Nothing is best without an interval, and with one its verdict stands beside it."""
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
    found = cells(data)
    table = found.assign(cell=names_of(data, found))
    done = repeats(numbered(data)[1])
    table = table.assign(key=done.groupby("cell")["key"].first())[found["n"] > 0]
    table = table.rename(columns={"annotation_seconds": SECONDS})
    table["front"] = cost_front(table[SECONDS], table[data.score])
    table = table.assign(**_methods(data, table))
    centre = table["centre"] if data.plan != "cases" else False
    table["named"] = True if len(table) <= NAMED else table["front"] | centre
    ends = [data.score, data.score + LOW, data.score + HIGH]
    columns = ["cell", "method", "n", SECONDS, *ends, "front", "verdict", "needs", "key", "line", "named"]
    return table[columns].reset_index(drop=True)


def _methods(data: StudyData, table: pd.DataFrame) -> dict[str, Any]:
    """`method` of each cell, and `line`. Cases alone may differ in method or in clicks; their fits say it."""
    if data.plan != "cases":
        return {"method": data.method, "line": ""}
    rows = []
    for key in table["key"]:
        try:
            spec = data.spec(key)
        except InputError:  # its folder is gone
            rows.append(("", "", ""))
            continue
        clicks = f"{spec.dataset.clicks_fraction} {spec.dataset.clicks_per_minute}"
        rows.append((spec.method, canonical_json({**spec.hyperparameters, "method": spec.method}), clicks))
    found = pd.DataFrame(rows, columns=["method", "settings", "clicks"], index=table.index)
    several = found.groupby("settings")["clicks"].transform("nunique") > 1
    names = {one: f"{found['method'][place]} {at}" for at, (one, place) in enumerate(_firsts(found["settings"]))}
    return {"method": found["method"], "line": found["settings"].map(names).where(several, "")}


def _firsts(settings: pd.Series[str]) -> list[tuple[str, Any]]:
    first = settings.drop_duplicates()
    return list(zip(first, first.index, strict=True))


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
    shown = info.ours.nlargest(DRAWN, info.score).sort_index()
    budget = info.budget if info.budget < max(info.budgets, default=0) else None
    return {"cost": cost_figure(shown, info.published, info.score, budget, info.simulated)}


def tables(info: CostInfo) -> dict[str, pd.DataFrame]:
    ours = info.ours.sort_values(info.score, ascending=False, kind="stable", ignore_index=True)
    return {"our cells": ours.drop(columns=["key", "line", "named"]), "published systems": info.published}


def layout(data: StudyData, selection: Selection) -> Any:
    found = info(data, selection)
    if not len(found.ours):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    keys = found.ours.sort_values(found.score, ascending=False, kind="stable")["key"].head(components.SHOWN_ROWS)
    shown = tables(found)
    slider = dcc.Slider(
        0, len(found.budgets) - 1, 1, value=found.budgets.index(found.budget), id=components.name_of("cost-budget"),
        marks={place: f"{budget:.3g}" for place, budget in enumerate(found.budgets)}, allow_direct_input=False,
    )  # fmt: skip
    remark = "The published points are on I3D features. Costs are BackTAL's Fig. 8 and Sec. 4."
    remark += " Ours are on simulated data: no evidence about video." if data.simulated else ""
    opens = [trial_query(selection, key) for key in keys]
    return html.Section([
        html.Div(components.chosen("Budget: annotation seconds per minute of video", slider), className="wide"),
        html.Div(_drawn(found), id="cost-drawn"),
        html.P(remark, className="quiet"),
        components.table(shown["our cells"], OURS, "cost-our-cells", opens=opens),
        components.table(found.published, "Published systems", "cost-published-systems"),
    ])  # fmt: skip


def _drawn(found: CostInfo) -> list[Any]:
    caption = "mAP against the cost of the annotation; bars: 95 % intervals over repeats, from three repeats on."
    caption += " A line joins the click budgets of one method." if (found.ours["line"] != "").any() else ""
    more = "" if found.ours["named"].all() else f" Of {len(found.ours)} cells the front and the centre are named."
    graph = components.graph(
        "cost-graph", figures(found)["cost"], f"{caption}{more} A click on one of ours opens its first repeat."
    )
    return [html.P(found.words, id="cost-best", **components.announced()), graph]


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """A budget says what is best within it; a click on one of our cells opens its first repeat beside the page."""

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
        return trial_query(selection_of(search), str(about[2]))
