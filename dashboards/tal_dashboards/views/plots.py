"""View 3: what every axis does to mAP, two axes against one another, all at once, and which of them matter."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import ALL, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.app.callbacks import redrawn
from tal_dashboards.data.importance import LEAST_TRIALS, MOST_FOR_FANOVA, importances
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.figures.axis_figures import (
    contour_figure,
    heat_figure,
    importance_figure,
    line_figure,
    parallel_figure,
)
from tal_dashboards.figures.axis_lines import AxisLine, axis_line, heat_of, scores, thinned
from tal_dashboards.views.trial_panel import trial_query

TITLE = "Sensitivity plots"
MOST_LINES = 500  # of parallel coordinates


class PlotsInfo(NamedTuple):
    """score: the column drawn, mAP in percent; axes: symbols by name.

    heat: mean by the values of `pair` (columns of the first axis, rows of the second), None without a grid. trials: the
    finished ones that parallel coordinates draw, by rising score.
    """

    score: str
    axes: dict[str, str]
    lines: list[AxisLine]
    pair: tuple[str, str] | None
    heat: pd.DataFrame | None
    trials: pd.DataFrame
    importance: pd.DataFrame


def info(data: StudyData, selection: Selection) -> PlotsInfo:
    """Selected by `plots-score` (a column of mAP) and by `plots-x` and `plots-y` (axes of the heat map)."""
    score = selected_score(data, selection)
    return charts(data, selection)._replace(importance=_importances(data, score))


def charts(data: StudyData, selection: Selection) -> PlotsInfo:
    """The same without importances, which take seconds."""
    return _charts(data, selected_score(data, selection), _pair(data, selection))


@lru_cache(maxsize=4)  # the first figure and the rest are asked for one after the other
def _charts(data: StudyData, score: str, pair: tuple[str, str] | None) -> PlotsInfo:
    done = data.done[data.done[score].notna()]
    return PlotsInfo(
        score=score,
        axes=data.axes,
        lines=[axis_line(data, done, axis, score) for axis in data.axes],
        pair=pair,
        heat=heat_of(data, done, pair, score) if pair else None,
        trials=thinned(done, score, MOST_LINES).sort_values(score, kind="stable"),
        importance=pd.DataFrame(),
    )


@lru_cache(maxsize=4)
def _importances(data: StudyData, score: str) -> pd.DataFrame:
    return importances(data.done, tuple(data.axes), score)


def selected_score(data: StudyData, selection: Selection) -> str:
    score = selection.get("plots-score", "")
    return score if score in scores(data) else data.score


def _pair(data: StudyData, selection: Selection) -> tuple[str, str] | None:
    """The chosen two axes, or the first two."""
    axes = list(data.axes)
    if len(axes) < 2:
        return None
    first = selection.get("plots-x", axes[0])
    first = first if first in axes else axes[0]
    rest = [axis for axis in axes if axis != first]
    second = selection.get("plots-y", rest[0])
    return first, second if second in rest else rest[0]


def figures(info: PlotsInfo) -> dict[str, go.Figure]:
    """One figure an axis, by its name; heat map, parallel coordinates and importance where there is something."""
    drawn = {f"axis {line.axis}": line_figure(info.score, line) for line in info.lines if len(line.line)}
    if info.heat is not None:
        titles = [f"{info.axes[axis]} ({axis})" for axis in info.pair or ()]
        drawn["heat map"] = heat_figure(info.heat, titles, info.score)
        contours = contour_figure(info.heat, titles, info.score)
        drawn |= {"contours": contours} if contours is not None else {}
    if len(info.axes) > 1 and len(info.trials):
        drawn["parallel coordinates"] = parallel_figure(info.trials, info.axes, info.score)
    if len(info.importance):
        drawn["importance"] = importance_figure(info.importance, info.axes)
    return drawn


def tables(info: PlotsInfo) -> dict[str, pd.DataFrame]:
    """The lines of all axes as one table each, the heat map, and importances."""
    found = {f"axis {line.axis}": line.line.rename(columns={"value": line.axis}) for line in info.lines}
    if info.heat is not None:
        found["heat map"] = info.heat.rename(columns=style.value).reset_index()
    return {**found, "importance": info.importance}


def layout(data: StudyData, selection: Selection) -> Any:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    found = charts(data, selection)
    controls = [components.select("plots-score", "score", {name: f"{name} (%)" for name in scores(data)}, found.score)]
    if found.heat is not None and found.pair is not None:
        for name, label, axis in zip(("plots-x", "plots-y"), ("columns", "rows"), found.pair, strict=True):
            words = {one: f"{symbol} ({one})" for one, symbol in data.axes.items()}
            controls.append(components.select(name, f"heat map: {label}", words, axis))
    return html.Section(
        [
            html.Div(controls, className="controls"),
            html.Div(
                [html.Div(_graphs(_first(found)), id="plots-first"), html.Div(id="plots-rest")],
                id="plots-charts",
                className="figures" if len(found.axes) < 2 else "figures several",
            ),
            dcc.Loading(html.Div(id="plots-importance")),
        ]
    )


def _first(info: PlotsInfo) -> PlotsInfo:
    """What is drawn at once; the rest follows."""
    return info._replace(lines=info.lines[:1], heat=None, trials=info.trials[:0])


def _rest(info: PlotsInfo) -> PlotsInfo:
    return info._replace(lines=info.lines[1:])


def _graphs(info: PlotsInfo) -> list[Any]:
    words = {
        "heat map": "Mean over repeats by two axes; the others at the centre where the grid has it.",
        "contours": "The same, interpolated between the cells, each axis to its scale.",
        "parallel coordinates": f"A line a trial, at most {MOST_LINES}, darker where {info.score} is higher. "
        "A click opens a trial.",
    }
    captions = {
        f"axis {line.axis}": f"{line.symbol}: {line.band}. Dashed: the centre. A click opens a trial."
        for line in info.lines
    } | words
    return [
        components.graph({"type": "plots-graph", "name": name}, drawn, captions[name])
        for name, drawn in figures(info).items()
    ]


def _importance(data: StudyData, selection: Selection) -> Any:
    score = selected_score(data, selection)
    found = _importances(data, score)
    if not len(found):
        return html.P(f"Importances need {LEAST_TRIALS} finished trials with two values of an axis.", className="quiet")
    caption = (
        f"What {score} depends on: PED-ANOVA, to be among the best tenth; fANOVA, in its variance (of at most "
        f"{MOST_FOR_FANOVA} trials, evenly taken)."
    )
    return components.graph("plots-importances", importance_figure(found, data.axes), caption)


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """Choices draw the charts anew, the first one first; importances come last; a click on a trial opens it."""
    redrawn(app, "plots-first", lambda selection: _graphs(_first(charts(open_study(), selection))))
    redrawn(app, "plots-rest", lambda selection: _graphs(_rest(charts(open_study(), selection))), at_first=True)
    redrawn(app, "plots-importance", lambda selection: _importance(open_study(), selection), at_first=True)

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input({"type": "plots-graph", "name": ALL}, "clickData"),
        State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def clicked(_: list[Any], search: str) -> str:
        points = (ctx.triggered[0]["value"] or {}).get("points", [{}]) if ctx.triggered else [{}]
        about = points[0].get("customdata")
        if not isinstance(about, list):  # of the mean, or of nothing
            raise PreventUpdate
        return trial_query(selection_of(search), str(about[2]))
