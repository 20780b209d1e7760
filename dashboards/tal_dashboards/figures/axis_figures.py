"""Figures of view 3, each from a table: what an axis does, two axes, all of them at once, and which matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from tal_dashboards import style
from tal_dashboards.data.importance import ESTIMATES
from tal_dashboards.figures.axis_lines import AT_CENTRE, AxisLine, is_numeric, positions, scale
from tal_search.types import Floats

SHADES = 8
MOST_TICKS = 8  # of an axis whose values are few enough to be its ticks
WHO = "seed %{customdata[0]}, annotator %{customdata[1]}<br>trial %{customdata[2]}<extra></extra>"


def line_figure(score: str, line: AxisLine) -> go.Figure:
    """The mean with its band over the trials behind it; the centre's value is a dashed line."""
    drawn = style.figure(f"{line.symbol} ({line.axis})", f"{score} (%)", height=340)
    numeric, known = is_numeric(line.line["value"]), line.line[line.line["low"].notna()]
    at = _words(known["value"])
    drawn.add_scatter(
        x=at + at[::-1], y=known["low"].tolist() + known["high"].tolist()[::-1], fill="toself", mode="none",
        fillcolor=style.translucent(style.COLOURS[0]), hoverinfo="skip", showlegend=len(known) > 0,
        name="95 % interval" if line.band == AT_CENTRE else "middle half",
    )  # fmt: skip
    drawn.add_scatter(
        x=_words(line.points["value"]), y=line.points["score"].round(3), mode="markers", name="trials",
        customdata=who(line.points), hovertemplate=f"%{{x}}: %{{y:.2f}} %<br>{WHO}",
        marker={"size": 5, "color": style.GREY, "opacity": 0.5},
    )  # fmt: skip
    drawn.add_scatter(
        x=_words(line.line["value"]), y=line.line["mean"], mode="lines+markers", name="mean",
        customdata=line.line["n"], hovertemplate="%{x}: %{y:.2f} %, n = %{customdata}<extra>mean</extra>",
        line={"color": style.COLOURS[0], "width": 2}, marker={"size": 7},
    )  # fmt: skip
    drawn.update_xaxes(type=scale(line.line["value"]))
    if numeric and len(line.line) <= MOST_TICKS:
        values = line.line["value"].tolist()
        drawn.update_xaxes(tickvals=values, ticktext=[style.value(float(one)) for one in values])
    if numeric and is_numeric(pd.Series([line.centre])):
        drawn.add_vline(line.centre, line={"color": style.INK, "dash": "dash", "width": 1})
    return drawn


def _words(values: pd.Series[Any]) -> list[Any]:
    """Numbers, or words as text."""
    return [one if isinstance(one, int | float) else style.text(one) for one in positions(values).tolist()]


def who(trials: pd.DataFrame) -> np.ndarray:
    """What a pointer shows of each trial: seed, annotator and the key of its fit."""
    return trials[["seed", "annotator", "key"]].map(style.text).to_numpy(object)


def heat_figure(heat: pd.DataFrame, titles: Sequence[str], score: str) -> go.Figure:
    """A cell's mean, written into it; the values of both axes at equal distances. titles: of columns and rows."""
    columns, rows = ([style.text(style.value(one)) for one in values] for values in (heat.columns, heat.index))
    drawn = style.figure(*titles)
    drawn.add_heatmap(
        x=columns, y=rows, z=heat.to_numpy(float), colorscale=style.SEQUENTIAL, texttemplate="%{z:.1f}",
        colorbar={"title": {"text": f"{score} (%)"}}, hovertemplate="%{x}, %{y}: %{z:.2f} %<extra></extra>",
    )  # fmt: skip
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(type="category")
    return drawn


def contour_figure(heat: pd.DataFrame, titles: Sequence[str], score: str) -> go.Figure | None:
    """The same over both axes as numbers, between cells interpolated; None of axes that have no order, or two values.

    Means of neighbouring cells that differ by chance alone draw contours too.
    """
    both = [pd.Series(values) for values in (heat.columns, heat.index)]
    if min(heat.shape) < 3 or not all(is_numeric(values) for values in both):
        return None
    drawn = style.figure(*titles)
    drawn.add_contour(
        x=both[0], y=both[1], z=heat.to_numpy(float), colorscale=style.SEQUENTIAL,
        colorbar={"title": {"text": f"{score} (%)"}}, hovertemplate="%{x}, %{y}: %{z:.2f} %<extra></extra>",
    )  # fmt: skip
    drawn.update_xaxes(type=scale(both[0]))
    drawn.update_yaxes(type=scale(both[1]))
    return drawn


def parallel_figure(trials: pd.DataFrame, axes: Mapping[str, str], score: str) -> go.Figure:
    """One line a trial over all axes, each scaled to its own range; darker lines are better and lie on top.

    trials: by rising score. Those of neighbouring scores share a colour and are one trace, with gaps between them. In
    SVG: Plotly's own parallel coordinates need WebGL, and have no hover.
    """
    columns = [trials[name] for name in (*axes, score)]
    height_NA = np.column_stack([_heights(column)[0] for column in columns])
    drawn = style.figure("", "from the lowest to the highest value", height=460)
    colours = sample_colorscale(style.SEQUENTIAL, np.linspace(0.95, 0, SHADES).tolist())
    for colour, rows in zip(colours, np.array_split(np.arange(len(trials)), SHADES), strict=True):
        if not len(rows):
            continue
        drawn.add_scatter(
            x=np.tile([*range(len(columns)), np.nan], len(rows)), mode="lines",
            y=np.hstack([height_NA[rows], np.full((len(rows), 1), np.nan)]).ravel().round(4),
            customdata=np.repeat(who(trials.iloc[rows]), len(columns) + 1, axis=0), hovertemplate=WHO,
            line={"color": colour, "width": 1.5}, opacity=0.7, showlegend=False,
        )  # fmt: skip
    for place, column in enumerate(columns):
        drawn.add_vline(place, line={"color": style.INK, "width": 1})
        for height, words in _heights(column)[1].items():
            drawn.add_annotation(
                x=place, y=height, text=style.text(words), showarrow=False, font={"size": 12},
                bgcolor="rgba(255,255,255,0.85)",
            )  # fmt: skip
    names = [style.text(name) for name in (*axes.values(), score)]
    drawn.update_xaxes(tickvals=[*range(len(names))], ticktext=names, range=[-0.4, len(names) - 0.6], showgrid=False)
    drawn.update_yaxes(range=[-0.06, 1.06], showticklabels=False, ticks="", showgrid=False)
    return drawn


def _heights(values: pd.Series[Any]) -> tuple[Floats, dict[float, str]]:
    """Places from 0 to 1 of an axis' values, and words at some: both ends of numbers, every category."""
    if is_numeric(values):
        numbers = values.to_numpy(np.float64)
        along = np.log(numbers) if scale(values) == "log" else numbers
        low, high = float(along.min()), float(along.max())
        if high > low:
            height_N: Floats = (along - low) / (high - low)
            return height_N, {0.0: style.value(values.min()), 1.0: style.value(values.max())}
    codes, names = pd.factorize(values.map(style.value), sort=True)
    step = 1 / max(1, len(names) - 1)
    return np.asarray(codes * step, np.float64), {place * step: name for place, name in enumerate(names)}


def importance_figure(importance: pd.DataFrame, axes: Mapping[str, str]) -> go.Figure:
    """Both estimates of an axis beside one another, the most important axis on top."""
    names = [style.text(f"{axes[axis]} ({axis})") for axis in importance["axis"]]
    drawn = style.figure("importance (share)", "", height=140 + 48 * len(names))
    for estimate, colour in zip(ESTIMATES, style.COLOURS, strict=False):
        drawn.add_bar(
            x=importance[estimate], y=names, orientation="h", name=estimate, marker={"color": colour},
            hovertemplate="%{y}: %{x:.3f}",
        )  # fmt: skip
    drawn.update_yaxes(autorange="reversed", type="category")
    return drawn
