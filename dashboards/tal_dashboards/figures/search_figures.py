"""Figures of a sampler study: what each axis does by itself, and the way from the centre to the best cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tal_dashboards import style
from tal_dashboards.figures.axis_figures import MEAN, add_ticks
from tal_dashboards.figures.axis_lines import MARGIN, is_numeric, positions, scale
from tal_search.results.search.ablation_path import MEASURED, PREDICTED
from tal_search.types import written

HATCH = {MEASURED: "", PREDICTED: "/"}
LEAST_RANGE = 2.0  # points that the y axis of marginal effects spans at least, so that nothing looks like something


def marginal_range(effects: pd.DataFrame) -> tuple[float, float]:
    """The y axis that all marginal effects of a study share."""
    ends = effects[["mean", "low", "high"]].to_numpy(np.float64)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    room = max(MARGIN * (high - low), (LEAST_RANGE - (high - low)) / 2)
    return max(low - room, 0.0), high + room


def marginal_figure(effects: pd.DataFrame, score: str, limits: tuple[float, float] | None) -> go.Figure:
    """Of one axis: a line with its band, or marks with bars where the values have no order."""
    values = effects["value"].infer_objects()
    name, numeric = effects["name"].iloc[0], is_numeric(values)
    x = [one if isinstance(one, int | float) else style.text(one) for one in positions(values).tolist()]
    drawn = style.figure(f"{effects['symbol'].iloc[0]} ({name})", f"{score} (%)", height=280)
    low, high = (effects[end].fillna(effects["mean"]) for end in ("low", "high"))
    if numeric:
        drawn.add_scatter(
            x=x + x[::-1], y=low.tolist() + high.tolist()[::-1], fill="toself", mode="none", hoverinfo="skip",
            fillcolor=style.translucent(MEAN), showlegend=False,
        )  # fmt: skip
    bars: dict[str, Any] = {"array": high - effects["mean"], "arrayminus": effects["mean"] - low, "thickness": 1.5}
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
    """A waterfall: a bar for each axis from the mean before it to the mean after it, hatched where it is predicted.

    What predictions are off, where a measured mean follows a predicted one or the other way round, is no axis' gain: it
    is a thin grey bar in the same row.
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
                "symbol": ["circle" if one == MEASURED else "circle-open" for one in path["source"]]},
    )  # fmt: skip
    ends = np.r_[path["mean"], (path["mean"] - path["gain"]).dropna()]
    room = 0.15 * float(np.ptp(ends)) or 1.0
    drawn.update_xaxes(range=[max(0.0, ends.min() - room), ends.max() + room])
    drawn.update_yaxes(autorange="reversed", type="category", categoryorder="array", categoryarray=names)
    return drawn.update_layout(barmode="overlay", margin={"t": 72})


def _words(row: dict[Any, Any]) -> str:
    if not row["name"]:
        return "centre"
    before, after = (
        written(one) if isinstance(one, float) else style.value(one) for one in (row["before"], row["value"])
    )
    return f"{row['symbol']}: {before} → {after} ({row['gain']:+.1f})"
