"""Sensitivity plots: score by the values of an axis, heat map and contours of two axes, residuals, importance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tal_dashboards import style
from tal_dashboards.data.importance import ESTIMATES
from tal_dashboards.figures.axis_lines import AT_CENTRE, AxisLine, is_numeric, labels, scale
from tal_dashboards.figures.difference_colours import Settings, bar, colour_scale, reach
from tal_search.results.noise import Reference
from tal_search.results.published import BEST_ON_TEST, MARK, marked
from tal_search.types import Floats, written, written_axis

MEAN = style.COLOURS[2]  # of means and their bands; not one of the colours of differences
RESIDUALS = (style.COLOURS[3], style.COLOURS[7])  # below and above the sum of both effects
MOST_TICKS, FEW_TICKS = 8, 5  # up to MOST_TICKS values each have a tick; a logarithmic axis with more has FEW_TICKS
WHO = "seed %{customdata[0]}, annotator %{customdata[1]}<br>trial %{customdata[2]}<extra></extra>"


def line_figure(
    score: str, line: AxisLine, reference: Reference, limits: tuple[float, float] | None = None
) -> go.Figure:
    """The mean with its band and the trials behind it; the noise around the centre's mean as a grey band, the centre as
    a dashed line, published numbers as hollow marks. limits: of the y axis; None: as the data need.
    """
    drawn = style.figure(f"{line.symbol} ({line.axis})", f"{score} (%)", height=340)
    numeric, known = is_numeric(line.line["value"]), line.line[line.line["low"].notna()]
    at = labels(known["value"])
    drawn.add_scatter(
        x=at + at[::-1], y=known["low"].tolist() + known["high"].tolist()[::-1], fill="toself", mode="none",
        fillcolor=style.translucent(MEAN), hoverinfo="skip", showlegend=len(known) > 0,
        name="95 % interval" if line.band == AT_CENTRE else "middle half",
    )  # fmt: skip
    drawn.add_scatter(
        x=labels(line.points["value"]), y=line.points["score"].round(3), mode="markers", name="trials",
        customdata=who(line.points), hovertemplate=f"%{{x}}: %{{y:.2f}} %<br>{WHO}",
        marker={"size": 5, "color": style.GREY, "opacity": 0.5},
    )  # fmt: skip
    drawn.add_scatter(
        x=labels(line.line["value"]), y=line.line["mean"], mode="lines+markers", name="mean",
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


def add_ticks(drawn: go.Figure, values: pd.Series, axis: str = "xaxis") -> None:
    """Ticks of a numeric axis, written as in a study file: its values, or a few of a logarithmic axis with many."""
    if not is_numeric(values):
        return
    if len(values) <= MOST_TICKS:
        drawn.layout[axis].update(tickvals=values.tolist(), ticktext=written_axis(map(float, values)))
    elif scale(values) == "log":
        few = [float(f"{tick:.2g}") for tick in np.geomspace(values.min(), values.max(), FEW_TICKS)]
        drawn.layout[axis].update(tickvals=few, ticktext=[written(tick) for tick in few])


def _add_noise(drawn: go.Figure, reference: Reference) -> None:
    """A band behind everything: the centre's mean ± the noise."""
    if math.isnan(reference.noise):
        return
    drawn.add_hrect(
        reference.mean - reference.noise, reference.mean + reference.noise, layer="below", line_width=0,
        fillcolor=style.translucent(style.GREY, 0.15),
    )  # fmt: skip


def _add_paper(drawn: go.Figure, line: AxisLine, limits: tuple[float, float] | None) -> None:
    """Published numbers as hollow marks; an arrow at the edge if the number lies beyond the y axis."""
    if "paper" not in line.line:
        return
    known = line.line[line.line["paper"].notna()]
    low, high = limits or (-math.inf, math.inf)
    dagger = known["paper selection"] == BEST_ON_TEST
    words = [f"paper: {marked(*row)}" for row in zip(known["paper"], known["paper selection"], strict=True)]
    off = np.select([known["paper"] < low, known["paper"] > high], ["triangle-down-open", "triangle-up-open"], "")
    drawn.add_scatter(
        x=labels(known["value"]), y=known["paper"].clip(low, high), customdata=words, cliponaxis=False,
        mode="markers", hovertemplate="%{customdata} %<extra></extra>",
        name=f"paper{f' {MARK}' if dagger.any() else ''}" + (f": {known['paper'].iloc[0]:.1f}" if off[0] else ""),
        marker={"size": 11, "color": style.INK, "symbol": [arrow or "diamond-open" for arrow in off],
                "line": {"width": 2}},
    )  # fmt: skip


def who(trials: pd.DataFrame) -> np.ndarray:
    """The `customdata` of trials, see WHO: seed, annotator and the key of the fit."""
    return trials[["seed", "annotator", "key"]].map(style.text).to_numpy(object)


def heat_figure(heat: pd.DataFrame, titles: Sequence[str], score: str, reference: Reference) -> go.Figure:
    """Means written into their cells, coloured by the difference to the centre; values are evenly spaced.

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


def _ticks(values: pd.Index) -> list[str]:
    return [style.text(style.value(value)) for value in values.tolist()]


def _colours(difference: Floats, score: str, reference: Reference) -> Settings:
    """Colours of a trace whose z are differences to the centre."""
    end = reach(float(np.nanmax(np.abs(difference), initial=0.0)), reference.noise)
    return {
        "zmin": -end, "zmax": end, "colorscale": colour_scale(end, reference.noise),
        "colorbar": bar(f"Δ {score}"),
    }  # fmt: skip


def contour_figure(heat: pd.DataFrame, titles: Sequence[str], score: str, reference: Reference) -> go.Figure | None:
    """The heat map interpolated between its cells, both axes to scale; None unless both have three numbers or more.

    Contours also appear where means of neighbouring cells differ by chance only.
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
    """Residuals of the additive model of two axes, written into their cells: 0 everywhere without an interaction.

    Grey within the noise; the colours are not those of differences to the centre.
    """
    columns, rows = (_ticks(values) for values in (residuals.columns, residuals.index))
    left = residuals.to_numpy(float)
    end = reach(float(np.abs(left).max()), noise)
    drawn = style.figure(*titles)
    drawn.add_heatmap(
        x=columns, y=rows, z=left, text=[[f"{value:+.1f}" for value in row] for row in left], texttemplate="%{text}",
        hovertemplate="%{x}, %{y}: %{z:+.2f} points<extra></extra>", xgap=2, ygap=2, zmin=-end, zmax=end,
        colorscale=colour_scale(end, noise, RESIDUALS),
        colorbar=bar(f"residual of {score}"),
    )  # fmt: skip
    drawn.update_xaxes(type="category", showgrid=False)
    drawn.update_yaxes(type="category", showgrid=False)
    drawn.update_layout(margin={"t": 64})
    return drawn


def importance_figure(importance: pd.DataFrame, axes: Mapping[str, str]) -> go.Figure:
    """Both estimates for each axis, the most important axis on top."""
    names = [style.text(f"{axes[axis]} ({axis})") for axis in importance["axis"]]
    drawn = style.figure("importance (share)", "", height=140 + 48 * len(names))
    for estimate, colour in zip(ESTIMATES, (style.INK, style.GREY), strict=True):
        drawn.add_bar(
            x=importance[estimate], y=names, orientation="h", name=estimate, marker={"color": colour},
            hovertemplate="%{y}: %{x:.3f}",
        )  # fmt: skip
    drawn.update_yaxes(autorange="reversed", type="category")
    return drawn
