"""View 3: what every axis does to mAP on one scale, two axes against one another, all at once, and how they combine."""

from __future__ import annotations

import math
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
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.figures.axis_figures import contour_figure, heat_figure, line_figure
from tal_dashboards.figures.axis_lines import (
    AxisLine,
    axis_line,
    heat_of,
    score_words,
    scores,
    shared_range,
)
from tal_dashboards.views.plot_parts import kept, late
from tal_dashboards.views.plot_parts.kept import KEEP, Parallel, parallel_of
from tal_dashboards.views.plot_parts.late import LateInfo, late_info
from tal_dashboards.views.trial_panel import trial_query
from tal_search.results.noise import Reference, reference
from tal_search.results.published import MARK_NOTE
from tal_search.results.ranking import selected_by

TITLE = "Sensitivity plots"
SCALES = {"shared": "the same for all axes", "free": "free, each plot its own"}


class PlotsInfo(NamedTuple):
    """score: the column drawn, mAP in percent; axes: symbols by name. reference: the centre, with its noise.

    limits: of the y axis that all lines share; None where each has its own. heat: mean by the values of `pair` (columns
    of the first axis, rows of the second), None without a grid. late: None where it was not asked for.
    """

    score: str
    axes: dict[str, str]
    lines: list[AxisLine]
    reference: Reference
    limits: tuple[float, float] | None
    pair: tuple[str, str] | None
    heat: pd.DataFrame | None
    parallel: Parallel | None
    late: LateInfo | None
    late_score: str
    simulated: bool


def info(data: StudyData, selection: Selection) -> PlotsInfo:
    """Selected by `plots-score` (a column of mAP), `plots-x` and `plots-y` (axes of the heat map), `plots-scale`
    ("free": a y axis for each plot), and `plots-keep-AXIS` (a range of an axis, or of the score).
    """
    found = charts(data, selection)
    later = late_info(data, found.score, found.pair) if len(data.done) else None
    return found._replace(parallel=parallel_of(data, found.score, selection), late=later)


def charts(data: StudyData, selection: Selection) -> PlotsInfo:
    """The same without parallel coordinates and without what takes seconds."""
    found = _charts(data, selected_score(data, selection), _pair(data, selection))
    return found._replace(limits=None) if selection.get("plots-scale") == "free" else found


@lru_cache(maxsize=4)  # the first figure and the rest are asked for one after the other
def _charts(data: StudyData, score: str, pair: tuple[str, str] | None) -> PlotsInfo:
    done = data.done[data.done[score].notna()]
    lines, beside = [axis_line(data, done, axis, score) for axis in data.axes], reference(data, score)
    return PlotsInfo(
        score=score, axes=data.axes, lines=lines, reference=beside, pair=pair,
        limits=shared_range(lines, beside, papers=not data.simulated) if len(done) and lines else None,
        heat=heat_of(data, done, pair, score) if pair else None,
        parallel=None, late=None, late_score=data.score, simulated=data.simulated,
    )  # fmt: skip


def selected_score(data: StudyData, selection: Selection) -> str:
    """The chosen one; else what the study selects by, which for a sampler is what it searched for."""
    score = selection.get("plots-score", "")
    return score if score in scores(data) else selected_by(data) if data.plan == "sampler" else data.score


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
    """One figure an axis, by its name; the others where there is something."""
    words = score_words(info.score)
    drawn = {
        f"axis {line.axis}": line_figure(words, line, info.reference, info.limits)
        for line in info.lines
        if len(line.line)
    }
    if info.heat is not None:
        titles = [f"{info.axes[axis]} ({axis})" for axis in info.pair or ()]
        drawn["heat map"] = heat_figure(info.heat, titles, words, info.reference)
        contours = contour_figure(info.heat, titles, words, info.reference)
        drawn |= {"contours": contours} if contours is not None else {}
    if info.parallel is not None:
        drawn["parallel coordinates"] = kept.figure_of(info.parallel)
    if info.late is not None:
        drawn |= late.late_figures(info.late, info.late_score, info.axes, info.pair)
    return drawn


def tables(info: PlotsInfo) -> dict[str, pd.DataFrame]:
    """The lines of all axes as one table each, the heat map, and what follows."""
    found = {f"axis {line.axis}": line.line.rename(columns={"value": line.axis}) for line in info.lines}
    if info.heat is not None:
        found["heat map"] = info.heat.rename(columns=style.value).reset_index()
    return found | (late.late_tables(info.late) if info.late is not None else {})


def layout(data: StudyData, selection: Selection) -> Any:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    found = charts(data, selection)
    drawn = [html.Div(_graphs(_first(found)), id="plots-first"), html.Div(id="plots-rest")]
    return html.Section([
        html.Div(_controls(data, found), className="controls"),
        html.P(_words(found), className="quiet"),
        html.Div(drawn, id="plots-charts", className="figures" if len(found.axes) < 2 else "figures several"),
        kept.controls(data, found.score, selection),
        html.Div(id="plots-parallel"),
        dcc.Loading(html.Div(id="plots-late")),
    ])  # fmt: skip


def _controls(data: StudyData, found: PlotsInfo) -> list[Any]:
    controls = [
        components.select(
            "plots-score", "score", {name: f"{score_words(name)} (%)" for name in scores(data)}, found.score
        )
    ]
    if len(found.axes) > 1:
        scale = "shared" if found.limits else "free"
        controls.append(components.select("plots-scale", "y axis of the plots", SCALES, scale))
    if found.heat is not None and found.pair is not None:
        for name, label, axis in zip(("plots-x", "plots-y"), ("columns", "rows"), found.pair, strict=True):
            words = {one: f"{symbol} ({one})" for one, symbol in data.axes.items()}
            controls.append(components.select(name, f"heat map: {label}", words, axis))
    return controls


def _words(found: PlotsInfo) -> str:
    """What all plots of axes have in common."""
    words = ["Dashed: the centre. A click on a trial opens it."]
    if any("paper" in line.line for line in found.lines):
        words += ["The paper's number is of real videos."] if found.simulated else []
        words += [MARK_NOTE]
    if math.isnan(found.reference.noise):
        words.append("The noise floor is unknown: the centre has fewer than two finished repeats.")
    else:
        words.append(
            f"Grey band: noise floor, the centre's mean {found.reference.mean:.1f} % ± {found.reference.noise:.1f} "
            "points; two single runs of the centre differ by less 95 times in 100."
        )
    return " ".join(words)


def _first(info: PlotsInfo) -> PlotsInfo:
    """What is drawn at once; the rest follows."""
    return info._replace(lines=info.lines[:1], heat=None)


def _rest(info: PlotsInfo) -> PlotsInfo:
    return info._replace(lines=info.lines[1:])


def _graphs(info: PlotsInfo) -> list[Any]:
    words = {
        "heat map": "Mean over repeats by two axes; the others at the centre where the grid has it. Colour: difference "
        f"to {info.reference.words}, grey inside the noise.",
        "contours": "The same, interpolated between the cells, each axis to its scale.",
    }
    captions = {f"axis {line.axis}": f"{line.symbol}: {line.band}." for line in info.lines} | words
    return [
        components.graph({"type": "plots-graph", "name": name}, drawn, captions[name])
        for name, drawn in figures(info).items()
    ]


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """Choices draw the charts anew, the first one first, what takes seconds last; a click on a trial opens it."""

    def parallel(selection: Selection) -> Any:
        data = open_study()
        return kept.part(data, selected_score(data, selection), selection)

    def later(selection: Selection) -> Any:
        data = open_study()
        return late.part(data, selected_score(data, selection), _pair(data, selection))

    redrawn(app, "plots-first", lambda selection: _graphs(_first(charts(open_study(), selection))), but=KEEP)
    redrawn(
        app, "plots-rest", lambda selection: _graphs(_rest(charts(open_study(), selection))), at_first=True, but=KEEP
    )
    redrawn(app, "plots-parallel", parallel, at_first=True)
    redrawn(app, "plots-late", later, at_first=True, but=KEEP)
    kept.register(app, open_study, lambda data, search: selected_score(data, selection_of(search)))

    @app.callback(
        Output("url", "search", allow_duplicate=True), Input({"type": "plots-graph", "name": ALL}, "clickData"),
        State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def clicked(_: list[Any], search: str) -> str:
        points = (ctx.triggered[0]["value"] or {}).get("points", [{}]) if ctx.triggered else [{}]
        about = points[0].get("customdata") if points else None
        if not isinstance(about, list):  # of the mean, or of nothing
            raise PreventUpdate
        return trial_query(selection_of(search), str(about[2]))
