"""Parallel coordinates of the sensitivity plots, with ranges to keep trials by: dragged along an axis or written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from numpy.typing import NDArray

from tal_dashboards.app import components
from tal_dashboards.app.callbacks import ANY
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.figures.axis_lines import score_words, thinned
from tal_dashboards.figures.parallel import OR, ParallelAxis, parallel_axis, parallel_figure
from tal_search.results.noise import Reference, reference
from tal_search.results.search.kept_trials import KeptTrials, kept_trials

MOST_LINES = 500  # of parallel coordinates
KEEP, SCORE = "plots-keep-", "score"  # of the names of ranges in the URL: their beginning; the end of the score's
GRAPH = {"type": "plots-graph", "name": "parallel coordinates"}


class Parallel(NamedTuple):
    """axes: the score is the last. trials: those drawn; kept_N: which of them are kept. ranges: as text, by column.

    summary: of all finished trials. unread: sentences on ranges that cannot be read.
    """

    axes: list[ParallelAxis]
    trials: pd.DataFrame
    kept_N: NDArray[np.bool_]
    ranges: dict[str, str]
    reference: Reference
    summary: KeptTrials
    unread: list[str]


class Box(TypedDict):
    """A dragged box: its two ends on both axes of the figure."""

    x: list[float]
    y: list[float]


class Dragged(TypedDict, total=False):
    """`selectedData` of a graph."""

    range: Box


def parallel_of(data: StudyData, score: str, selection: Selection) -> Parallel | None:
    """Of all finished trials with the score; None if the study has no such trial or fewer than two axes."""
    axes, done = axes_of(data, score), data.done.dropna(subset=score)
    if not axes:
        return None
    kept, unread = pd.Series(True, index=done.index), []
    ranges: dict[str, str] = {}
    for axis in axes:
        text = selection.get(_control(axis.name, score), "").strip()
        try:
            kept &= axis.kept(done[axis.name], text) if text else True
        except ValueError:
            unread.append(f"{axis.symbol}: “{text}” is not a range of this axis; write it as {hint(axis)}.")
            continue
        ranges |= {axis.name: text} if text else {}
    drawn = thinned(done, score, MOST_LINES)
    summary = kept_trials(data, kept.to_numpy(np.bool_), score)
    inside = kept.loc[drawn.index].to_numpy(np.bool_)
    return Parallel(axes, drawn, inside, ranges, reference(data, score), summary, unread)


def _control(column: str, score: str) -> str:
    """The name of the control that holds the range of a column; the score's does not depend on the score."""
    return KEEP + (SCORE if column == score else column)


@lru_cache(maxsize=4)
def axes_of(data: StudyData, score: str) -> list[ParallelAxis]:
    """The axes and the score, over all finished trials; none if the study has one axis. Shared: do not write to it."""
    done = data.done.dropna(subset=score)
    if len(data.axes) < 2 or not len(done):
        return []
    columns = {**data.axes, score: score_words(score)}
    return [parallel_axis(name, symbol, done[name]) for name, symbol in columns.items()]


def hint(axis: ParallelAxis) -> str:
    """The range of all values as text, an example of the notation."""
    return f" {OR} ".join(axis.names) if axis.kind == "category" else "..".join(axis.marks().values())


def figure_of(shown: Parallel) -> go.Figure:
    return parallel_figure(shown.trials, shown.axes, shown.kept_N, shown.ranges, shown.reference)


def words_of(shown: Parallel) -> str:
    """The number of trials kept, and their mean beside the reference."""
    summary, score = shown.summary, shown.axes[-1].symbol
    if not shown.ranges:
        return f"All {summary.total} finished trials; no range is set."
    symbols = {axis.name: axis.symbol for axis in shown.axes}
    by = ", ".join(f"{symbols[name]} {text.replace('..', ' to ')}" for name, text in shown.ranges.items())
    head = f"{summary.kept} of {summary.total} finished trials kept ({by})"
    if not summary.kept:
        return f"{head}."
    side = "above" if summary.difference >= 0 else "below"
    return (
        f"{head}: mean {score} {summary.mean:.1f} %, {abs(summary.difference):.1f} points {side} "
        f"{shown.reference.words}. This describes these trials and tests nothing: they differ in other axes, too."
    )


def part(data: StudyData, score: str, selection: Selection) -> list[Component]:
    """The figure, redrawn with every range, and its words."""
    shown = parallel_of(data, score, selection)
    if shown is None:
        return []
    caption = (
        f"A line for each trial, at most {MOST_LINES}, coloured by its difference to {shown.reference.words}, grey "
        "within the noise. Drag along an axis to keep a range; ranges of several axes combine. Click a line to open "
        "its trial."
    )
    alerts = [html.P(text, role="alert") for text in shown.unread]
    text = html.P(words_of(shown), id="plots-kept-words", **components.announced())
    return [components.graph(GRAPH, figure_of(shown), caption), text, *alerts]


def controls(data: StudyData, score: str, selection: Selection) -> Component | None:
    """Text fields of the ranges, for the keyboard, and a button that clears them."""
    axes = axes_of(data, score)
    if not axes:
        return None
    fields = []
    for axis in axes:
        name = _control(axis.name, score)
        field = dcc.Input(
            id=components.name_of(name), type="text", value=selection.get(name, ""), placeholder=hint(axis),
            debounce=True, className="range",
        )  # fmt: skip
        fields.append(components.chosen(axis.symbol, field))
    reset = html.Button("Keep all trials", id="plots-kept-reset", n_clicks=0, type="button")
    chosen = any(text for name, text in selection.items() if name.startswith(KEEP))
    content = [html.Summary("Ranges as text"), html.Div(fields, className="ranges")]
    return html.Div([reset, html.Details(content, open=chosen)], className="kept")


def dragged(axes: Sequence[ParallelAxis], box: Box) -> dict[str, str]:
    """The ranges that a dragged box sets, by control: of the axes inside it, else of the nearest axis."""
    (left, right), (low, high) = sorted(box["x"]), sorted(box["y"])
    inside = [place for place in range(len(axes)) if left <= place <= right]
    nearest = min(max(round((left + right) / 2), 0), len(axes) - 1)
    names = [_control(axis.name, axes[-1].name) for axis in axes]
    return {names[place]: axes[place].text_between(low, high) for place in inside or [nearest]}


def register(app: Dash, open_study: Callable[[], StudyData], score_of: Callable[[StudyData, str], str]) -> None:
    """A dragged box and the button set the ranges; score_of: the score that the page of a query shows."""

    @app.callback(
        Output(ANY, "value", allow_duplicate=True),
        Input(GRAPH, "selectedData"), State(ANY, "id"), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def drag(selected: Dragged | None, ids: list[dict[str, str]], search: str) -> list[object]:
        box = selected.get("range") if selected else None
        data = open_study()
        axes = axes_of(data, score_of(data, search))
        if not box or not {"x", "y"} <= box.keys() or not axes:
            raise PreventUpdate
        ranges: dict[str, object] = {**dragged(axes, box)}
        return [ranges.get(control["name"], no_update) for control in ids]

    @app.callback(
        Output(ANY, "value", allow_duplicate=True),
        Input("plots-kept-reset", "n_clicks"), State(ANY, "id"), prevent_initial_call=True,
    )  # fmt: skip
    def reset(clicks: int, ids: list[dict[str, str]]) -> list[object]:
        if not clicks:
            raise PreventUpdate
        return ["" if control["name"].startswith(KEEP) else no_update for control in ids]
