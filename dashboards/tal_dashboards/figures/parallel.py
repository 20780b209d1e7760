"""Parallel coordinates in SVG: a line for each trial over all axes; trials outside the kept ranges fade."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from tal_dashboards import style
from tal_dashboards.data.numbers import real
from tal_dashboards.figures.axis_figures import WHO, who
from tal_dashboards.figures.axis_lines import is_numeric, scale
from tal_dashboards.figures.difference_colours import Settings, bar, colour_of, colour_scale, reach
from tal_search.results.noise import Reference
from tal_search.types import Floats, written

SHADES = 4  # of worse, and of better; trials within the noise are grey
FADED, MUTED, BRIGHT = 0.1, 0.45, 0.75  # opacity of lines that are not kept, within the noise, and beyond it
BETWEEN = re.compile(r"\s*(?:\.\.|–|\bto\b)\s*")  # separators between the ends of a range
OR = "|"  # separates the categories of a range


class ParallelAxis(NamedTuple):
    """One vertical axis. kind: "linear", "log" or "category"; low and high: of numbers; names: of categories."""

    name: str
    symbol: str
    kind: str
    low: float
    high: float
    names: tuple[str, ...]

    def heights(self, values: pd.Series) -> Floats:
        """Positions on the axis from 0 to 1."""
        if self.kind == "category":
            places = {name: place for place, name in enumerate(self.names)}
            place_N = values.map(style.value).map(places).to_numpy(np.float64)
            return place_N / max(1, len(self.names) - 1)
        low, high = self._along(np.array([self.low, self.high]))
        height_N: Floats = (self._along(values.to_numpy(np.float64)) - low) / ((high - low) or 1.0)
        return height_N

    def marks(self) -> dict[float, str]:
        """Tick labels by height: both ends of numbers, every category."""
        if self.kind != "category":
            return {0.0: shown(self.low), 1.0: shown(self.high)}
        return {place / max(1, len(self.names) - 1): name for place, name in enumerate(self.names)}

    def text_between(self, low: float, high: float) -> str:
        """The range between two heights as text for `kept`; "" for the whole axis."""
        if low <= 0 and high >= 1:
            return ""
        if self.kind == "category":
            inside = [name for height, name in self.marks().items() if low <= height <= high]
            nearest = min(self.marks().items(), key=lambda mark: abs(mark[0] - (low + high) / 2))[1]
            return f" {OR} ".join(inside or [nearest])
        ends = [self._value(min(max(height, 0.0), 1.0)) for height in (low, high)]
        return "..".join(f"{end:.4g}" for end in ends)

    def kept(self, values: pd.Series, text: str) -> NDArray[np.bool_]:
        """Which values lie within a range ("0.5..2", "1/16 to 1/8", "3") or have one of the names ("yes | no").

        Raises ValueError: the text is no range of this axis.
        """
        if self.kind == "category":
            names = {name.strip() for name in text.split(OR)}
            if not names <= {*self.names}:
                raise ValueError(text)
            return values.map(style.value).isin(names).to_numpy(np.bool_)
        low, high = self.ends(text)
        number_N = values.to_numpy(np.float64)
        inside: NDArray[np.bool_] = (number_N >= low - 1e-9 * abs(low)) & (number_N <= high + 1e-9 * abs(high))
        return inside

    def ends(self, text: str) -> tuple[float, float]:
        """Both ends of a range of numbers; see `kept`."""
        ends = [real(end) for end in BETWEEN.split(text.strip())]
        if len(ends) not in (1, 2):
            raise ValueError(text)
        return min(ends), max(ends)

    def brushed(self, text: str) -> list[tuple[float, float]]:
        """From and to, as heights, of each stretch of the axis that a range keeps."""
        if self.kind == "category":
            names = {name.strip() for name in text.split(OR)}
            return [(height, height) for height, name in self.marks().items() if name in names]
        low, high = self.heights(pd.Series(np.clip(self.ends(text), self.low, self.high)))
        return [(float(low), float(high))]

    def _along(self, values: Floats) -> Floats:
        return np.log(values) if self.kind == "log" else values

    def _value(self, height: float) -> float:
        if self.kind == "log":
            return float(self.low * (self.high / self.low) ** height)
        return self.low + height * (self.high - self.low)


def shown(number: float) -> str:
    """As a fraction if it is one, else with three digits."""
    return written(number) if "/" in written(number) else f"{number:.3g}"


def parallel_axis(name: str, symbol: str, values: pd.Series) -> ParallelAxis:
    """The axis of a column of trials. A single number is a category, as is everything that is no number."""
    if is_numeric(values) and values.min() < values.max():
        return ParallelAxis(name, symbol, scale(values), float(values.min()), float(values.max()), ())
    return ParallelAxis(name, symbol, "category", math.nan, math.nan, tuple(sorted({*values.map(style.value)})))


def parallel_figure(
    trials: pd.DataFrame, axes: Sequence[ParallelAxis], kept_N: NDArray[np.bool_], ranges: Mapping[str, str],
    reference: Reference,
) -> go.Figure:  # fmt: skip
    """Lines coloured by their score's difference to the centre, the largest differences on top; trials not kept fade.
    The last axis is the score. In SVG, as Plotly's parallel coordinates need WebGL and have no hover.
    """
    score = axes[-1].name
    difference_N = trials[score].to_numpy(np.float64) - reference.mean
    end = reach(float(np.abs(difference_N).max(initial=0.0)), reference.noise)
    height_NA = np.column_stack([axis.heights(trials[axis.name]) for axis in axes])
    drawn = style.figure("", "", height=460)
    for colour, opacity, rows in _shades(difference_N, kept_N, end, reference.noise):
        drawn.add_scatter(
            x=np.tile([*range(len(axes)), np.nan], len(rows)), mode="lines",
            y=np.hstack([height_NA[rows], np.full((len(rows), 1), np.nan)]).ravel().round(4),
            customdata=np.repeat(who(trials.iloc[rows]), len(axes) + 1, axis=0), hovertemplate=WHO,
            line={"color": colour, "width": 1.5}, opacity=opacity, showlegend=False,
        )  # fmt: skip
    _add_colour_bar(drawn, axes[-1].symbol, reference, end)
    for place, axis in enumerate(axes):
        _add_axis(drawn, place, axis, ranges.get(axis.name, ""))
    names = [style.text(axis.symbol) for axis in axes]
    drawn.update_xaxes(tickvals=[*range(len(names))], ticktext=names, range=[-0.4, len(names) - 0.6], showgrid=False)
    drawn.update_yaxes(range=[-0.08, 1.08], showticklabels=False, ticks="", showgrid=False, showline=False)
    return drawn.update_layout(
        dragmode="select", selectdirection="d", selectionrevision=str(ranges), margin={"t": 64, "l": 16, "r": 40},
        xaxis_fixedrange=True, yaxis_fixedrange=True,
    )  # fmt: skip


def _shades(
    difference_N: Floats, kept_N: NDArray[np.bool_], end: float, noise: float
) -> list[tuple[str, float, NDArray[np.intp]]]:
    """Colour, opacity and trials of each trace, the lowest one first."""
    quiet = 0.0 if math.isnan(noise) else noise
    step = (end - quiet) / SHADES
    place_N = np.ceil((np.abs(difference_N) - quiet) / step - 1e-9).clip(0, SHADES).astype(int)
    signed_N = np.sign(difference_N).astype(int) * place_N
    traces = [
        (style.GREY, FADED, np.flatnonzero(~kept_N)),
        (style.GREY, MUTED, np.flatnonzero(kept_N & (place_N == 0))),
    ]
    for place in (sign * place for place in range(1, SHADES + 1) for sign in (-1, 1)):
        at = float(np.sign(place)) * (quiet + (abs(place) - 0.5) * step)
        traces.append((colour_of(at, end, noise), BRIGHT, np.flatnonzero(kept_N & (signed_N == place))))
    return [(colour, opacity, rows) for colour, opacity, rows in traces if len(rows)]


def _add_colour_bar(drawn: go.Figure, score: str, reference: Reference, end: float) -> None:
    drawn.add_scatter(
        x=[None], y=[None], mode="markers", showlegend=False, hoverinfo="skip",
        marker={"color": [0], "cmin": -end, "cmax": end, "showscale": True,
                "colorscale": colour_scale(end, reference.noise), "colorbar": bar(f"Δ {score}")},
    )  # fmt: skip


def _add_axis(drawn: go.Figure, place: int, axis: ParallelAxis, text: str) -> None:
    """The line of the axis, its tick labels, and a box around each kept stretch."""
    drawn.add_vline(place, line={"color": style.INK, "width": 1})
    for low, high in axis.brushed(text) if text else ():
        drawn.add_shape(
            type="rect", x0=place - 0.07, x1=place + 0.07, y0=low - 0.01, y1=high + 0.01,
            line={"color": style.INK, "width": 2}, fillcolor=style.translucent(style.INK, 0.15),
        )  # fmt: skip
    for height, words in axis.marks().items():
        drawn.add_annotation(
            x=place, y=height, text=style.text(words), showarrow=False, font={"size": 12},
            bgcolor="rgba(255,255,255,0.85)", **_outside(axis, height),
        )  # fmt: skip


def _outside(axis: ParallelAxis, height: float) -> Settings:
    """Labels of a numeric axis stand beyond its ends, where no line crosses them."""
    if axis.kind == "category":
        return {}
    return {"yanchor": "bottom" if height else "top", "yshift": 4 if height else -4}
