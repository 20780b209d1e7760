"""Sensitivity plots view: mAP by the values of each axis, heat map of two axes, parallel coordinates, interactions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component, ComponentType

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
from tal_dashboards.views.parts import kept, late
from tal_dashboards.views.parts.kept import KEEP, Parallel, parallel_of
from tal_dashboards.views.parts.late import LateInfo, late_info
from tal_dashboards.views.parts.trial_panel import ClickData, clicked_query
from tal_search.results.next_runs import run_command
from tal_search.results.noise import Reference, reference
from tal_search.results.published import MARK_NOTE
from tal_search.results.ranking import selected_by

TITLE = "Sensitivity plots"
SCALES = {"shared": "the same for all axes", "free": "free, each plot its own"}


class PlotsInfo(NamedTuple):
    """score: the column drawn, mAP in percent. axes: symbols by name. reference: the centre, with its noise.

    limits: the y range that all lines share, None if each has its own. heat: mean by the values of `pair` (columns:
    first axis, rows: second axis), None unless the study is a grid. parallel, late: None if not computed.
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
    """Selection: `plots-score` (a column of mAP), `plots-x` and `plots-y` (axes of the heat map), `plots-scale`
    ("free": a y axis for each plot), and `plots-keep-AXIS` (a range of an axis, or of the score).
    """
    shown = charts(data, selection)
    later = late_info(data, shown.score, shown.pair) if len(data.done) else None
    return shown._replace(parallel=parallel_of(data, shown.score, selection), late=later)


def charts(data: StudyData, selection: Selection) -> PlotsInfo:
    """`info` without parallel coordinates and without the parts that take seconds."""
    shown = _charts(data, selected_score(data, selection), _pair(data, selection))
    return shown._replace(limits=None) if selection.get("plots-scale") == "free" else shown


@lru_cache(maxsize=4)  # the first figure and the rest are requested one after the other
def _charts(data: StudyData, score: str, pair: tuple[str, str] | None) -> PlotsInfo:
    done = data.done[data.done[score].notna()]
    lines, centre = [axis_line(data, done, axis, score) for axis in data.axes], reference(data, score)
    return PlotsInfo(
        score=score, axes=data.axes, lines=lines, reference=centre, pair=pair,
        limits=shared_range(lines, centre, papers=not data.simulated) if len(done) and lines else None,
        heat=heat_of(data, done, pair, score) if pair else None,
        parallel=None, late=None, late_score=data.score, simulated=data.simulated,
    )  # fmt: skip


def selected_score(data: StudyData, selection: Selection) -> str:
    """The chosen score; else the study's score, or for a sampler the score that it selects by."""
    score = selection.get("plots-score", "")
    if score in scores(data):
        return score
    return selected_by(data) if data.plan == "sampler" else data.score


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
    """A figure for each axis, "axis NAME", and the others if there is something to draw."""
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
    """The line of each axis, the heat map, and the tables of `late`."""
    frames = {f"axis {line.axis}": line.line.rename(columns={"value": line.axis}) for line in info.lines}
    if info.heat is not None:
        frames["heat map"] = info.heat.rename(columns=style.value).reset_index()
    return frames | (late.late_tables(info.late) if info.late is not None else {})


def layout(data: StudyData, selection: Selection) -> Component:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", run_command(data))
    shown = charts(data, selection)
    drawn = [html.Div(_graphs(_first(shown)), id="plots-first"), html.Div(id="plots-rest")]
    return html.Section([
        html.Div(_controls(data, shown), className="controls"),
        html.P(_words(shown), className="quiet"),
        html.Div(drawn, id="plots-charts", className="figures" if len(shown.axes) < 2 else "figures several"),
        kept.controls(data, shown.score, selection),
        html.Div(id="plots-parallel"),
        dcc.Loading(html.Div(id="plots-late")),
    ])  # fmt: skip


def _controls(data: StudyData, shown: PlotsInfo) -> list[Component]:
    named = {name: f"{score_words(name)} (%)" for name in scores(data)}
    controls: list[Component] = [components.select("plots-score", "score", named, shown.score)]
    if len(shown.axes) > 1:
        scale = "shared" if shown.limits else "free"
        controls.append(components.select("plots-scale", "y axis of the plots", SCALES, scale))
    if shown.heat is not None and shown.pair is not None:
        axes = {name: f"{symbol} ({name})" for name, symbol in data.axes.items()}
        for name, label, axis in zip(("plots-x", "plots-y"), ("columns", "rows"), shown.pair, strict=True):
            controls.append(components.select(name, f"heat map: {label}", axes, axis))
    return controls


def _words(shown: PlotsInfo) -> str:
    """The legend that the plots of all axes share."""
    words = ["Dashed: the centre. Click a trial to open it."]
    if any("paper" in line.line for line in shown.lines):
        words += ["The paper's number is measured on real videos."] if shown.simulated else []
        words += [MARK_NOTE]
    if math.isnan(shown.reference.noise):
        words.append("The noise floor is unknown: the centre has fewer than two finished repeats.")
    else:
        words.append(
            f"Grey band: noise floor, the centre's mean {shown.reference.mean:.1f} % ± {shown.reference.noise:.1f} "
            "points; two single runs of the centre differ by less 95 times in 100."
        )
    return " ".join(words)


def _first(info: PlotsInfo) -> PlotsInfo:
    """The part of the charts that the page opens with; `_rest` follows."""
    return info._replace(lines=info.lines[:1], heat=None)


def _rest(info: PlotsInfo) -> PlotsInfo:
    return info._replace(lines=info.lines[1:])


def _graphs(info: PlotsInfo) -> list[Component]:
    words = {
        "heat map": "Mean over repeats by two axes; other axes at the centre where the grid has it. Colour: difference "
        f"to {info.reference.words}, grey within the noise.",
        "contours": "The heat map interpolated between its cells, with both axes to scale.",
    }
    captions = {f"axis {line.axis}": f"{line.symbol}: {line.band}." for line in info.lines} | words
    return [
        components.graph({"type": "plots-graph", "name": name}, drawn, captions[name])
        for name, drawn in figures(info).items()
    ]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """A choice redraws the charts, the first one first and the slow ones last; a click on a trial opens it."""

    def parallel(selection: Selection) -> ComponentType:
        data = open_study()
        return kept.part(data, selected_score(data, selection), selection)

    def later(selection: Selection) -> ComponentType:
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
    def clicked(_: list[ClickData | None], search: str) -> str:
        return clicked_query(selection_of(search), ctx.triggered[0]["value"] if ctx.triggered else None)
