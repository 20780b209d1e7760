"""Parallel coordinates of view 3, with the ranges that a reader keeps: dragged along an axis, or written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate
from numpy.typing import NDArray

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.app.callbacks import ANY
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.figures.axis_lines import score_words, thinned
from tal_dashboards.figures.parallel import OR, ParallelAxis, parallel_axis, parallel_figure
from tal_search.results.noise import Reference, reference
from tal_search.results.search.kept_trials import KeptTrials, kept_trials

MOST_LINES = 500  # of parallel coordinates
KEEP, SCORE = "plots-keep-", "score"  # begin the names of ranges in the URL; the score's, whichever it is
GRAPH = {"type": "plots-graph", "name": "parallel coordinates"}


class Parallel(NamedTuple):
    """axes: the score's is the last. trials: those drawn; kept_N: of these; ranges: what is kept, by column.

    summary: of all finished trials. unread: of ranges that are none, a sentence each.
    """

    axes: list[ParallelAxis]
    trials: pd.DataFrame
    kept_N: NDArray[np.bool_]
    ranges: dict[str, str]
    reference: Reference
    summary: KeptTrials
    unread: list[str]


def parallel_of(data: StudyData, score: str, selection: Selection) -> Parallel | None:
    """Of all finished trials with the score; None where there is nothing to draw."""
    axes, done = axes_of(data, score), data.done.dropna(subset=score)
    if not axes:
        return None
    kept, unread = pd.Series(True, index=done.index), []
    ranges: dict[str, str] = {}
    for axis in axes:
        text = selection.get(KEEP + (SCORE if axis.name == score else axis.name), "").strip()
        try:
            kept &= axis.kept(done[axis.name], text) if text else True
        except (ValueError, ZeroDivisionError):
            unread.append(f"{axis.symbol}: “{text}” is no range of it; write {hint(axis)}.")
            continue
        ranges |= {axis.name: text} if text else {}
    drawn = thinned(done, score, MOST_LINES)
    summary = kept_trials(data, kept.to_numpy(np.bool_), score)
    inside = kept.loc[drawn.index].to_numpy(np.bool_)
    return Parallel(axes, drawn, inside, ranges, reference(data, score), summary, unread)


@lru_cache(maxsize=4)
def axes_of(data: StudyData, score: str) -> list[ParallelAxis]:
    """The axes and the score, over all finished trials; none of a study of one axis. Do not write to it."""
    done = data.done.dropna(subset=score)
    if len(data.axes) < 2 or not len(done):
        return []
    columns = {**data.axes, score: score_words(score)}
    return [parallel_axis(name, symbol, done[name]) for name, symbol in columns.items()]


def hint(axis: ParallelAxis) -> str:
    """A range of everything, as it is written."""
    return f" {OR} ".join(axis.names) if axis.kind == "category" else "..".join(axis.marks().values())


def figure_of(found: Parallel) -> go.Figure:
    return parallel_figure(found.trials, found.axes, found.kept_N, found.ranges, found.reference)


def words_of(found: Parallel) -> str:
    """How many trials are kept, and how their mean lies."""
    one = found.summary
    score = found.axes[-1].symbol
    if not found.ranges:
        return f"All {one.total} finished trials; nothing is kept apart."
    symbols = {axis.name: axis.symbol for axis in found.axes}
    by = ", ".join(f"{symbols[name]} {text.replace('..', ' to ')}" for name, text in found.ranges.items())
    head = f"{one.kept} of {one.total} finished trials kept ({by})"
    if not one.kept:
        return f"{head}."
    side = "above" if one.difference >= 0 else "below"
    return (
        f"{head}: mean {score} {one.mean:.1f} %, {abs(one.difference):.1f} points {side} {found.reference.words}. This "
        "describes these trials and tests nothing: they differ in other axes, too."
    )


def part(data: StudyData, score: str, selection: Selection) -> list[Any]:
    """The figure and its words, drawn anew with every range."""
    found = parallel_of(data, score, selection)
    if found is None:
        return []
    caption = (
        f"A line a trial, at most {MOST_LINES}, coloured by its difference to {found.reference.words}, grey inside the "
        "noise. Drag along an axis to keep a range, along several to combine them. A click opens a trial."
    )
    alerts = [html.P(text, role="alert") for text in found.unread]
    text = html.P(words_of(found), id="plots-kept-words", **components.announced())
    return [components.graph(GRAPH, figure_of(found), caption), text, *alerts]


def controls(data: StudyData, score: str, selection: Selection) -> Any:
    """The ranges as text, for the keyboard, and what takes them all back."""
    axes = axes_of(data, score)
    if not axes:
        return None
    fields = []
    for axis in axes:
        name = KEEP + (SCORE if axis.name == score else axis.name)
        field = dcc.Input(
            id=components.name_of(name), type="text", value=selection.get(name, ""), placeholder=hint(axis),
            debounce=True, className="range",
        )  # fmt: skip
        fields.append(components.chosen(axis.symbol, field))
    reset = html.Button("Keep all trials", id="plots-kept-reset", n_clicks=0, type="button")
    chosen = any(text for name, text in selection.items() if name.startswith(KEEP))
    content = [html.Summary("Ranges as text"), html.Div(fields, className="ranges")]
    return html.Div([reset, html.Details(content, open=chosen)], className="kept")


def dragged(axes: Sequence[ParallelAxis], box: Mapping[str, list[float]]) -> dict[str, str]:
    """What a dragged box keeps, by the name of its control: of the axes inside it, else of the nearest."""
    (left, right), (low, high) = sorted(box["x"]), sorted(box["y"])
    inside = [place for place in range(len(axes)) if left <= place <= right]
    nearest = min(max(round((left + right) / 2), 0), len(axes) - 1)
    names = [*(KEEP + axis.name for axis in axes[:-1]), KEEP + SCORE]
    return {names[place]: axes[place].text_between(low, high) for place in inside or [nearest]}


def register(app: Any, open_study: Callable[[], StudyData], score_of: Callable[[StudyData, str], str]) -> None:
    """A dragged box and the button write the ranges; score_of: the score that a page of this query shows."""

    @app.callback(
        Output(ANY, "value", allow_duplicate=True),
        Input(GRAPH, "selectedData"), State(ANY, "id"), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def drag(selected: Any, ids: list[dict[str, str]], search: str) -> list[Any]:
        box = (selected or {}).get("range")
        data = open_study()
        axes = axes_of(data, score_of(data, search))
        if not box or not {"x", "y"} <= box.keys() or not axes:
            raise PreventUpdate
        new = dragged(axes, box)
        return [new.get(one["name"], no_update) for one in ids]

    @app.callback(
        Output(ANY, "value", allow_duplicate=True),
        Input("plots-kept-reset", "n_clicks"), State(ANY, "id"), prevent_initial_call=True,
    )  # fmt: skip
    def reset(clicks: int, ids: list[dict[str, str]]) -> list[Any]:
        if not clicks:
            raise PreventUpdate
        return ["" if one["name"].startswith(KEEP) else no_update for one in ids]


def table(found: Parallel) -> pd.DataFrame:
    """The trials drawn, and which are kept."""
    columns = [axis.name for axis in found.axes]
    return found.trials[["seed", "annotator", *columns]].assign(kept=np.where(found.kept_N, style.value(True), "no"))
