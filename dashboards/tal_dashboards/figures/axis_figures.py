"""Figures of view 3, each from a table: what an axis does, two axes, all of them at once, and which matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tal_dashboards import style
from tal_dashboards.data.importance import ESTIMATES
from tal_dashboards.figures.axis_lines import AT_CENTRE, AxisLine, is_numeric, positions, scale
from tal_dashboards.figures.difference_colours import bar, colour_scale, reach
from tal_search.results.noise import Reference
from tal_search.results.published import BEST_ON_TEST, MARK, marked
from tal_search.types import Floats, written, written_axis

MEAN = style.COLOURS[2]  # of means and their bands: none of the colours of differences
RESIDUALS = (style.COLOURS[3], style.COLOURS[7])  # less and more than the sum of both effects
MOST_TICKS, FEW_TICKS = 8, 5  # of an axis whose values are few enough to be its ticks; of others
WHO = "seed %{customdata[0]}, annotator %{customdata[1]}<br>trial %{customdata[2]}<extra></extra>"


def line_figure(
    score: str, line: AxisLine, reference: Reference, limits: tuple[float, float] | None = None
) -> go.Figure:
    """The mean with its band over the trials behind it; the noise around the centre's mean is a band, the centre's
    value a dashed line, a published value a hollow mark. limits: of the y axis, by the data where there are none.
    """
    drawn = style.figure(f"{line.symbol} ({line.axis})", f"{score} (%)", height=340)
    numeric, known = is_numeric(line.line["value"]), line.line[line.line["low"].notna()]
    at = _words(known["value"])
    drawn.add_scatter(
        x=at + at[::-1], y=known["low"].tolist() + known["high"].tolist()[::-1], fill="toself", mode="none",
        fillcolor=style.translucent(MEAN), hoverinfo="skip", showlegend=len(known) > 0,
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
        line={"color": MEAN, "width": 2}, marker={"size": 7},
    )  # fmt: skip
    _add_noise(drawn, reference)
    _add_paper(drawn, line, limits)
    drawn.update_xaxes(type=scale(line.line["value"]))
    drawn.update_yaxes(range=limits)
    add_ticks(drawn, line.line["value"])
    if numeric and is_numeric(pd.Series([line.centre])):
        drawn.add_vline(line.centre, line={"color": style.INK, "dash": "dash", "width": 1})
    return drawn


def add_ticks(drawn: go.Figure, values: pd.Series[Any], axis: str = "xaxis") -> None:
    """The values of a numeric axis as an author writes them; of many on a logarithmic axis, a few between its ends."""
    if not is_numeric(values):
        return
    if len(values) <= MOST_TICKS:
        drawn.layout[axis].update(tickvals=values.tolist(), ticktext=written_axis(map(float, values)))
    elif scale(values) == "log":
        few = [float(f"{one:.2g}") for one in np.geomspace(values.min(), values.max(), FEW_TICKS)]
        drawn.layout[axis].update(tickvals=few, ticktext=[written(one) for one in few])


def _add_noise(drawn: go.Figure, reference: Reference) -> None:
    """The band behind everything: as far from the centre's mean as two runs of it differ, 95 times in 100."""
    if math.isnan(reference.noise):
        return
    drawn.add_hrect(
        reference.mean - reference.noise, reference.mean + reference.noise, layer="below", line_width=0,
        fillcolor=style.translucent(style.GREY, 0.15),
    )  # fmt: skip


def _add_paper(drawn: go.Figure, line: AxisLine, limits: tuple[float, float] | None) -> None:
    """Hollow marks; one that lies off the y axis is an arrow at its edge."""
    if "paper" not in line.line:
        return
    known = line.line[line.line["paper"].notna()]
    low, high = limits or (-math.inf, math.inf)
    dagger = known["paper selection"] == BEST_ON_TEST
    words = [f"paper: {marked(*one)}" for one in zip(known["paper"], known["paper selection"], strict=True)]
    off = np.select([known["paper"] < low, known["paper"] > high], ["triangle-down-open", "triangle-up-open"], "")
    drawn.add_scatter(
        x=_words(known["value"]), y=known["paper"].clip(low, high), customdata=words, cliponaxis=False,
        mode="markers", hovertemplate="%{customdata} %<extra></extra>",
        name=f"paper{f' {MARK}' if dagger.any() else ''}" + (f": {known['paper'].iloc[0]:.1f}" if off[0] else ""),
        marker={"size": 11, "color": style.INK, "symbol": [one or "diamond-open" for one in off], "line": {"width": 2}},
    )  # fmt: skip


def _words(values: pd.Series[Any]) -> list[Any]:
    """Numbers, or words as text."""
    return [one if isinstance(one, int | float) else style.text(one) for one in positions(values).tolist()]


def who(trials: pd.DataFrame) -> np.ndarray:
    """What a pointer shows of each trial: seed, annotator and the key of its fit."""
    return trials[["seed", "annotator", "key"]].map(style.text).to_numpy(object)


def heat_figure(heat: pd.DataFrame, titles: Sequence[str], score: str, reference: Reference) -> go.Figure:
    """A cell's mean, written into it, coloured by its difference to the centre; values at equal distances.

    titles: of columns and rows.
    """
    columns, rows = (_ticks(values) for values in (heat.columns, heat.index))
    difference = heat.to_numpy(float) - reference.mean
    drawn = style.figure(*titles)
    drawn.add_heatmap(
        x=columns, y=rows, z=difference, text=heat.map(style.number).to_numpy(), texttemplate="%{text}",
        hovertemplate="%{x}, %{y}: %{text} %, %{z:+.2f}<extra></extra>", xgap=2, ygap=2,
        **_colours(difference, score, reference),
    )  # fmt: skip
    drawn.update_xaxes(type="category", showgrid=False)
    drawn.update_yaxes(type="category", showgrid=False)
    drawn.update_layout(margin={"t": 64})
    return drawn


def _ticks(values: pd.Index[Any]) -> list[str]:
    return [style.text(written(one) if isinstance(one, float) else style.value(one)) for one in values.tolist()]


def _colours(difference: Floats, score: str, reference: Reference) -> dict[str, Any]:
    """Of a trace whose z are differences to the centre."""
    end = reach(float(np.nanmax(np.abs(difference), initial=0.0)), reference.noise)
    return {
        "zmin": -end, "zmax": end, "colorscale": colour_scale(end, reference.noise),
        "colorbar": bar(f"Δ {score}"),
    }  # fmt: skip


def contour_figure(heat: pd.DataFrame, titles: Sequence[str], score: str, reference: Reference) -> go.Figure | None:
    """The same over both axes as numbers, between cells interpolated; None of axes that have no order, or two values.

    Means of neighbouring cells that differ by chance alone draw contours too.
    """
    both = [pd.Series(values) for values in (heat.columns, heat.index)]
    if min(heat.shape) < 3 or not all(is_numeric(values) for values in both):
        return None
    difference = heat.to_numpy(float) - reference.mean
    drawn = style.figure(*titles)
    drawn.add_contour(
        x=both[0], y=both[1], z=difference, customdata=heat.to_numpy(float), line={"color": style.GREY, "width": 0.5},
        contours={"coloring": "heatmap"},
        hovertemplate="%{x}, %{y}: %{customdata:.2f} %, %{z:+.2f}<extra></extra>",
        **_colours(difference, score, reference),
    )  # fmt: skip
    for axis, values in zip(("xaxis", "yaxis"), both, strict=True):
        drawn.layout[axis].type = scale(values)
        add_ticks(drawn, values, axis)
    drawn.update_layout(margin={"t": 64})
    return drawn


def residual_figure(residuals: pd.DataFrame, titles: Sequence[str], score: str, noise: float) -> go.Figure:
    """What an additive model of two axes leaves over, written into its cells: 0 everywhere without an interaction.

    Grey inside the noise; in other colours than differences to the centre.
    """
    columns, rows = (_ticks(values) for values in (residuals.columns, residuals.index))
    left = residuals.to_numpy(float)
    end = reach(float(np.abs(left).max()), noise)
    drawn = style.figure(*titles)
    drawn.add_heatmap(
        x=columns, y=rows, z=left, text=[[f"{one:+.1f}" for one in row] for row in left], texttemplate="%{text}",
        hovertemplate="%{x}, %{y}: %{z:+.2f} points<extra></extra>", xgap=2, ygap=2, zmin=-end, zmax=end,
        colorscale=colour_scale(end, noise, RESIDUALS),
        colorbar=bar(f"residual of {score}"),
    )  # fmt: skip
    drawn.update_xaxes(type="category", showgrid=False)
    drawn.update_yaxes(type="category", showgrid=False)
    drawn.update_layout(margin={"t": 64})
    return drawn


def importance_figure(importance: pd.DataFrame, axes: Mapping[str, str]) -> go.Figure:
    """Both estimates of an axis beside one another, the most important axis on top."""
    names = [style.text(f"{axes[axis]} ({axis})") for axis in importance["axis"]]
    drawn = style.figure("importance (share)", "", height=140 + 48 * len(names))
    for estimate, colour in zip(ESTIMATES, (style.INK, style.GREY), strict=True):
        drawn.add_bar(
            x=importance[estimate], y=names, orientation="h", name=estimate, marker={"color": colour},
            hovertemplate="%{y}: %{x:.3f}",
        )  # fmt: skip
    drawn.update_yaxes(autorange="reversed", type="category")
    return drawn
