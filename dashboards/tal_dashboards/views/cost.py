"""Cost view: mAP against annotation time, of the whole training set or per minute of video beside published systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from tal_dashboards.app import components
from tal_dashboards.data.numbers import whole
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.figures.budget_figure import budget_figure
from tal_dashboards.figures.cost_figure import NAMED, SECONDS, cost_figure
from tal_dashboards.views.parts.trial_panel import ClickData, clicked_query, trial_query
from tal_search.data.dataset_spec import SIMULATED_CLICKS, SIMULATED_DATA
from tal_search.results.budgets.answers import BestFor, best_for
from tal_search.results.budgets.ladder import COLUMN, Ladder, has_totals, ladder
from tal_search.results.budgets.words import answer_words, answers_table, round_budgets, spent
from tal_search.results.cell_table import cells, numbered, repeats
from tal_search.results.folds.pooling import method_of
from tal_search.results.next_runs import run_command
from tal_search.results.published import SELECTIONS
from tal_search.results.statistics import HIGH, LOW

TITLE = "Cost and performance"
DRAWN = 300  # cells in the figure, the best; exported tables have all
OURS = "Our cells, the highest mean first; a name opens its first repeat"
BY_BUDGET = "The best method from each annotation time on, with its difference to the next (points)"
TOTAL, SYSTEMS = "total", "Published systems"
FRONT = (
    "front: alone, nothing else costs as little; on, better than all that cost as little or less; below, worse than "
    "the best of them; within noise or needs repeats, not told apart from it."
)
VERDICT = (
    "verdict in the first table: of the method over all other methods within that time, alone if there is none; in the "
    "second: of the cell over the {centre}, whatever they cost."
)
TABLE_ROW = "Table "  # begins the names of rows of papers' ablation tables, which are no separate systems
UNITS = {"total": "total, for the whole training set", "minute": "per minute of video"}
BESIDE = ", beside published systems"


class CostInfo(NamedTuple):
    """ours: one row for each cell with a finished trial: `cell`, `method`, `n`, SECONDS, TOTAL (for the whole
    training set in words, "" if unknown), `score` with LOW and HIGH, `front` (on the Pareto front of the unit), `place`
    (what is known of that, see `Ladder`), `verdict` and `needs` against the centre, `key` of its first repeat,
    `line` (a name for cells that differ in one label budget only, else ""), `named` (in the figure). published:
    `system`, `supervision`, SECONDS, `score`, `selection` (of the epoch), `source`. ladder: the cells by cost in its
    unit; totals: whether there is a choice of the unit. budgets: costs to choose from; budget: the chosen one. best:
    the best method for it; words: the same as a sentence; answers: the best method for every budget. label: of
    `StudyFrame`.
    """

    score: str
    ours: pd.DataFrame
    published: pd.DataFrame
    ladder: Ladder
    totals: bool
    budgets: tuple[float, ...]
    budget: float
    best: BestFor
    words: str
    answers: pd.DataFrame
    label: str


def info(data: StudyData, selection: Selection) -> CostInfo:
    """Selection: `cost-unit`, one of UNITS, by default the total for a study with label budgets; `cost-budget`, the
    index of the budget in `budgets`.
    """
    found = ladder_of(data)
    totals = found.unit == "total"
    default = "total" if found.has_budgets else "minute"
    unit = asked if (asked := selection.get("cost-unit", default)) in UNITS else default
    if totals and unit != "total":
        found = ladder(data, data.case_specs(), "minute")
    published = _published(data)
    budgets = round_budgets(found)
    if found.unit == "minute":
        budgets = tuple(sorted({*budgets, *published[SECONDS]}))
    place = whole(selection.get("cost-budget", ""))
    chosen = place if place is not None and place < len(budgets) else len(budgets) - 1
    budget = budgets[chosen] if budgets else 0.0
    best = best_for(found, budget)
    return CostInfo(
        data.score, _ours(data, found), published, found, totals, budgets, budget, best,
        answer_words(best, data.score), answers_table(found), data.label,
    )  # fmt: skip


def ladder_of(data: StudyData) -> Ladder:
    """The ladder of a study over its whole training set, or per minute of video where that is not known."""
    return ladder(data, data.case_specs())


def _ours(data: StudyData, found: Ladder) -> pd.DataFrame:
    known, points = cells(data), found.points
    first = repeats(numbered(data)[1]).groupby("cell")
    table = known.assign(key=points["key"], method=first["method"].first()).loc[sorted(points.index)]
    joined = {cell: f"{method} {kind}" for (method, kind), line in found.lines.items() for cell in line}
    total = numbered(data)[1].groupby("cell")[COLUMN["total"]].mean().reindex(table.index)
    seconds = total if has_totals(data) else None
    table = table.assign(
        cell=points["cell"],
        front=points["highest"],
        place=points["front"],
        line=[joined.get(one, "") for one in table.index],
        **{TOTAL: "" if seconds is None else seconds.map(spent)},
    ).rename(columns={"annotation_seconds": SECONDS})
    centre = table["centre"] if data.plan != "cases" else False
    if data.plan == "cases":
        table["verdict"] = table["verdict"].replace({"centre": "reference"})
    table["named"] = True if len(table) <= NAMED else table["front"] | centre
    ends = [data.score, data.score + LOW, data.score + HIGH]
    columns = ["cell", "method", "n", SECONDS, TOTAL, *ends, "front", "place", "verdict", "needs", "key", "line"]
    return table[[*columns, "named"]].reset_index(drop=True)


def _published(data: StudyData) -> pd.DataFrame:
    threshold = data.score.removeprefix("mAP@")
    rows = [
        {"system": name, "supervision": system.supervision, SECONDS: system.seconds, data.score: system.mAP[threshold],
         "selection": SELECTIONS[system.selection], "source": system.source}
        for name, system in data.published.items()
        if system.seconds is not None and threshold in system.mAP and not name.startswith(TABLE_ROW)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["system", "supervision", SECONDS, data.score, "selection", "source"])


def figures(info: CostInfo) -> dict[str, go.Figure]:
    budget = info.budget if info.budget < max(info.budgets, default=0) else None
    if info.ladder.unit == "total":
        return {"cost": budget_figure(info.ladder, budget, info.label)}
    shown = info.ours.nlargest(DRAWN, info.score).sort_index()
    return {"cost": cost_figure(shown, info.published, info.score, budget, info.label)}


def tables(info: CostInfo) -> dict[str, pd.DataFrame]:
    ours = info.ours.sort_values(info.score, ascending=False, kind="stable", ignore_index=True)
    hidden = ["key", "line", "named", "front", *([] if info.totals else [TOTAL])]
    ours = ours.drop(columns=hidden).rename(columns={"place": "front"})
    return {"best by budget": info.answers, "our cells": ours, "published systems": info.published}


def layout(data: StudyData, selection: Selection) -> Component:
    shown = info(data, selection)
    if not len(shown.ours):
        return components.empty("No trial of this study is finished yet.", run_command(data))
    units = {name: words for name, words in UNITS.items() if name == "minute" or shown.totals}
    units["minute"] += BESIDE if len(shown.published) else ""
    unit = components.select("cost-unit", "Annotation time", units, shown.ladder.unit)
    return html.Section([
        html.Div(unit),
        html.Div(_content(shown, selection), id="cost-content"),
    ])  # fmt: skip


def _content(shown: CostInfo, selection: Selection) -> list[Component]:
    keys = shown.ours.sort_values(shown.score, ascending=False, kind="stable")["key"].head(components.SHOWN_ROWS)
    total = shown.ladder.unit == "total"
    slider = dcc.Slider(
        0, len(shown.budgets) - 1, 1, value=shown.budgets.index(shown.budget), id=components.name_of("cost-budget"),
        marks={place: spent(cost) if total else f"{cost:.3g}" for place, cost in enumerate(shown.budgets)},
        allow_direct_input=False,
    )  # fmt: skip
    label = "total annotation time" if total else "annotation seconds per minute of video"
    verdict = VERDICT.format(centre="reference" if shown.ladder.study.plan == "cases" else "centre")
    opens = [trial_query(selection, key) for key in keys]
    return [
        html.Div(components.chosen(f"Budget: {label}", slider), className="wide"),
        html.Div(_drawn(shown), id="cost-drawn"),
        *(html.P(words, className="quiet") for words in (_remark(shown), FRONT, verdict) if words),
        components.table(shown.answers, BY_BUDGET, "cost-best-by-budget"),
        components.table(tables(shown)["our cells"], OURS, "cost-our-cells", opens=opens),
        *([components.table(shown.published, SYSTEMS, "cost-published-systems")] if len(shown.published) else []),
    ]


def _remark(shown: CostInfo) -> str:
    published = ""
    if len(shown.published) and shown.ladder.unit == "minute":
        published = (
            "Published points are as their sources state them; on THUMOS14 they are on I3D features, with the costs of "
            "BackTAL, Fig. 8 and Sec. 4."
        )
    elif len(shown.published):
        published = "Published systems are known per minute of video only, and so are left out of this figure."
    ours = {
        SIMULATED_DATA: " Ours are on simulated data and are no evidence about video.",
        SIMULATED_CLICKS: " Ours are trained on simulated clicks, counted like real ones.",
    }
    return published + ours.get(shown.label, "")


def _drawn(shown: CostInfo) -> list[Component]:
    method = method_of(shown.ladder.study.subjects, "all pairs")
    caption = f"mAP against annotation cost; bars: 95 % intervals; best method and front: {method}."
    caption += " A line joins the label budgets of one method." if (shown.ours["line"] != "").any() else ""
    unnamed = shown.ladder.unit == "minute" and not shown.ours["named"].all()
    more = f" Of {len(shown.ours)} cells the front and the centre are named." if unnamed else ""
    graph = components.graph(
        "cost-graph", figures(shown)["cost"], f"{caption}{more} Click one of our cells to open its first repeat."
    )
    return [html.P(shown.words, id="cost-best", **components.announced()), graph]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """A unit redraws the view, a budget the best cell and the figure; a click on a cell opens its first repeat."""

    @app.callback(
        Output("cost-content", "children"), Input(components.name_of("cost-unit"), "value"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def unit(chosen: str, search: str) -> list[Component]:
        kept = {name: value for name, value in selection_of(search).items() if name != "cost-budget"}
        return _content(info(open_study(), {**kept, "cost-unit": chosen}), kept)

    @app.callback(
        Output("cost-drawn", "children"), Input(components.name_of("cost-budget"), "value"),
        State(components.name_of("cost-unit"), "value"), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def budget(place: int | None, unit: str, search: str) -> list[Component]:
        at = "" if place is None else str(place)
        return _drawn(info(open_study(), {**selection_of(search), "cost-unit": unit, "cost-budget": at}))

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input("cost-graph", "clickData"), State("url", "search"),
        prevent_initial_call=True,
    )  # fmt: skip
    def clicked(click: ClickData | None, search: str) -> str:
        return clicked_query(selection_of(search), click)
