"""Figures of a sampler study: marginal effect of each axis, and the ablation path from the centre to the best cell."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tal_dashboards import style
from tal_dashboards.figures.axis_figures import MEAN, add_ticks
from tal_dashboards.figures.axis_lines import MARGIN, is_numeric, labels, scale
from tal_search.results.search.ablation_path import MEASURED, PREDICTED

HATCH = {MEASURED: "", PREDICTED: "/"}
LEAST_RANGE = 2.0  # least range of the y axis of marginal effects, in points, so that tiny effects look tiny


def marginal_range(effects: pd.DataFrame) -> tuple[float, float]:
    """The y range that all marginal effects of a study share."""
    ends = effects[["mean", "low", "high"]].to_numpy(np.float64)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = max(MARGIN * (high - low), (LEAST_RANGE - (high - low)) / 2)
    return max(low - room, 0.0), high + room


def marginal_figure(effects: pd.DataFrame, score: str, limits: tuple[float, float] | None) -> go.Figure:
    """The effect of one axis: a line with its band, or marks with error bars if the values are categories."""
    values = effects["value"].infer_objects()
    name, numeric = effects["name"].iloc[0], is_numeric(values)
    x = labels(values)
    drawn = style.figure(f"{effects['symbol'].iloc[0]} ({name})", f"{score} (%)", height=280)
    low, high = (effects[end].fillna(effects["mean"]) for end in ("low", "high"))
    if numeric:
        drawn.add_scatter(
            x=x + x[::-1], y=low.tolist() + high.tolist()[::-1], fill="toself", mode="none", hoverinfo="skip",
            fillcolor=style.translucent(MEAN), showlegend=False,
        )  # fmt: skip
    bars = {"array": high - effects["mean"], "arrayminus": effects["mean"] - low, "thickness": 1.5}
    drawn.add_scatter(
        x=x, y=effects["mean"], mode="lines" if numeric else "markers", showlegend=False, customdata=effects["delta"],
        hovertemplate="%{x}: %{y:.1f} %, %{customdata:+.1f} to the centre<extra></extra>",
        line={"color": MEAN, "width": 2}, marker={"size": 9}, error_y=None if numeric else bars,
    )  # fmt: skip
    drawn.update_xaxes(type=scale(values))
    drawn.update_yaxes(range=limits)
    add_ticks(drawn, values)
    centre = effects.loc[effects["centre"], "value"]
    if numeric and len(centre):
        drawn.add_vline(float(centre.iloc[0]), line={"color": style.INK, "dash": "dash", "width": 1})
    return drawn


def path_figure(path: pd.DataFrame, score: str) -> go.Figure:
    """A waterfall: a bar for each axis from the mean before it to the mean after it, hatched if predicted.

    Where a measured mean follows a predicted one, or the other way round, the error of the prediction is not counted as
    the axis' gain; it is a thin grey bar in the same row.
    """
    names = [style.text(_words(row)) for row in path.to_dict("records")]
    drawn = style.figure(f"{score} (%)", "", height=150 + 44 * len(path))
    before = path["mean"].shift()
    for source, hatch in HATCH.items():
        mine = path.iloc[1:][(path["gain by"] == source).iloc[1:]]
        drawn.add_bar(
            y=[names[step] for step in mine["step"]], x=mine["gain"], base=before[mine.index] + mine["offset"],
            orientation="h", name=f"gain, {source}", width=0.6, showlegend=len(mine) > 0,
            marker={"color": style.translucent(MEAN, 0.75), "pattern": {"shape": hatch, "size": 6}},
            hovertemplate="%{y}: %{x:+.2f} points<extra></extra>",
        )  # fmt: skip
    off = path[path["offset"].abs() > 0.005]
    drawn.add_bar(
        y=[names[step] for step in off["step"]], x=off["offset"], base=before[off.index], orientation="h", width=0.15,
        name="measured − predicted", marker={"color": style.GREY}, showlegend=len(off) > 0,
        hovertemplate="%{x:+.1f} points between measured and predicted<extra></extra>",
    )  # fmt: skip
    drawn.add_scatter(
        x=path["mean"], y=names, mode="markers", name="mean (hollow: predicted)",
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        marker={"color": style.INK, "size": 9, "line": {"width": 2, "color": style.INK},
                "symbol": ["circle" if source == MEASURED else "circle-open" for source in path["source"]]},
    )  # fmt: skip
    ends = np.r_[path["mean"], (path["mean"] - path["gain"]).dropna()]
    room = 0.15 * float(np.ptp(ends)) or 1.0
    drawn.update_xaxes(range=[max(0.0, ends.min() - room), ends.max() + room])
    drawn.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=names)
    return drawn.update_layout(barmode="overlay", margin={"t": 72})


def _words(row: Mapping[Hashable, object]) -> str:
    if not row["name"]:
        return "centre"
    return f"{row['symbol']}: {style.value(row['before'])} → {style.value(row['value'])} ({row['gain']:+.1f})"
