"""Overview figure: for each axis a row with its differences to the centre beside the noise floor, and mAP by value.

Each row has its words above and below two panels, so that the figure is readable on a phone as well as in a paper.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tal_dashboards import style
from tal_search.results.axis_effects import EXTREMES
from tal_search.results.overview import Overview, reach
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import written, written_axis

Row = Mapping[Hashable, Any]  # of `Overview.ranking`
Range = tuple[float, float]

MOST_ROWS = 12  # drawn; the table has all
ROW, HEAD, FOOT = 88, 8, 46  # pixels: a row, above the first row, below the last
PANEL, TITLE = 48, 22  # pixels of a row: its panels, and the words above them
BARS, VALUES = (0.0, 0.57), (0.65, 1.0)  # left and right end of the panels, as shares of the width
TICK_LETTERS = 22  # that fit below a small multiple on a phone; with more, only the ends and the centre have ticks
MOST_LETTERS = 34  # of a name in the line above a row
BAND = style.translucent(style.GREY, 0.22)
PLAIN = {"zeroline": False, "showgrid": False, "linecolor": style.GRID, "fixedrange": True, "ticks": ""}
LOWEST, HIGHEST = EXTREMES  # columns of `Overview.ranking`: the differences of the worst and the best value


def overview_figure(overview: Overview) -> go.Figure:
    """Left: differences of the worst and the best value, with corrected intervals. Right: mean mAP by value."""
    rows = overview.ranking.head(MOST_ROWS).to_dict("records")
    inner = ROW * max(1, len(rows))
    drawn = style.figure("", "", height=HEAD + inner + FOOT)
    drawn.update_layout(margin={"l": 12, "r": 12, "t": HEAD, "b": FOOT}, showlegend=False)
    drawn.layout.xaxis, drawn.layout.yaxis = {}, {}
    limits, means = reach(overview), _range_of_means(overview)
    for place, row in enumerate(rows):
        top = 1 - (ROW * place + TITLE) / inner
        _row(drawn, overview, row, place, (top - PANEL / inner, top))
        _set_axes(drawn, place, (top - PANEL / inner, top), limits, means, last=place == len(rows) - 1)
    _axis_titles(drawn, overview, len(rows))
    return drawn


def _set_axes(drawn: go.Figure, place: int, domain: Range, limits: Range, means: Range, *, last: bool) -> None:
    """The axes of both panels of a row; all rows share a scale of differences and one of means."""
    (x, y), (x_value, y_value) = (_names(2 * place + panel) for panel in (1, 2))
    drawn.layout[f"xaxis{x[1:]}"] = {
        **PLAIN, "domain": list(BARS), "anchor": y, "range": list(limits), "nticks": 7, "showticklabels": last,
        "showgrid": True, "gridcolor": style.GRID, "ticklabelstandoff": 14, "tickfont": {"size": 11},
    }  # fmt: skip
    drawn.layout[f"yaxis{y[1:]}"] = {
        **PLAIN, "domain": list(domain), "anchor": x, "range": [-1, 1], "showticklabels": False,
    }  # fmt: skip
    drawn.layout[f"yaxis{y_value[1:]}"] = {
        **PLAIN, "domain": list(domain), "anchor": x_value, "range": list(means), "nticks": 3, "showgrid": True,
        "gridcolor": style.GRID, "tickfont": {"size": 10},
    }  # fmt: skip


def _row(drawn: go.Figure, overview: Overview, row: Row, place: int, domain: Range) -> None:
    lines = ((_title(row), 13, domain[1], "bottom"), (_ends(overview, row), 11, domain[0], "top"))
    for words, size, at, anchor in lines:
        drawn.add_annotation(
            text=words, x=0, y=at, xref="paper", yref="paper", xanchor="left", yanchor=anchor, showarrow=False,
            align="left", font={"size": size}, xshift=-3,
        )  # fmt: skip
    _draw_bars(drawn, overview, row, 2 * place + 1)
    _draw_values(drawn, overview, row, 2 * place + 2)


def _title(row: Row) -> str:
    """The line above a row: name and verdict."""
    name = style.text(_shortened(str(row["name"]), MOST_LETTERS))
    symbol = f"<b>{style.text(row['symbol'])}</b> {name}" if row["symbol"] else f"<b>{name}</b>"
    return f"{symbol}: {row['verdict']}{', ' if row['needs'] else ''}{row['needs']}"


def _shortened(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


def _ends(overview: Overview, row: Row) -> str:
    """The line below a row: the differences that its bars show."""
    if overview.rows == "case":
        return f"{row['effect']:+.1f}".replace("-", "−")
    values = overview.curves.loc[overview.curves["name"] == row["name"], "value"]
    words = dict(zip(map(written, values), written_axis(values), strict=True))
    ends = " to ".join(f"{row[end]:+.1f} at {words[written(row[f'{end} at'])]}" for end in EXTREMES)
    return style.text(ends.replace("-", "−"))


def _draw_bars(drawn: go.Figure, overview: Overview, row: Row, number: int) -> None:
    (x, y), limits = _names(number), reach(overview)
    if not math.isnan(overview.noise):
        drawn.add_shape(
            type="rect", x0=max(-overview.noise, limits[0]), x1=min(overview.noise, limits[1]), y0=-1, y1=1,
            xref=x, yref=y, fillcolor=BAND, line={"width": 0}, layer="below",
        )  # fmt: skip
    drawn.add_shape(type="line", x0=0, x1=0, y0=-1, y1=1, xref=x, yref=y, line={"color": style.INK, "width": 1})
    bars = [(LOWEST, -0.35, style.WORSE), (HIGHEST, 0.35, style.BETTER)]
    if overview.rows == "case":  # has one difference, in both columns
        bars = [(LOWEST, 0.0, style.WORSE) if row["effect"] < 0 else (HIGHEST, 0.0, style.BETTER)]
    for end, height, ink in bars:
        interval = float(row[end + LOW]), float(row[end]), float(row[end + HIGH])
        tested = not math.isnan(float(row["p adjusted"]))
        _draw_bar(drawn, interval, height, ink if tested else style.GREY, {"xaxis": x, "yaxis": y})
        if not math.isnan(interval[0]):
            _draw_interval(drawn, interval, height, limits, {"xaxis": x, "yaxis": y})


def _draw_bar(
    drawn: go.Figure, interval: tuple[float, float, float], height: float, ink: str, axes: Mapping[str, str]
) -> None:
    """In `ink`; grey if the interval contains 0."""
    low, delta, high = interval
    drawn.add_scatter(
        x=[0, delta], y=[height, height], mode="lines", **axes, hovertemplate=f"{delta:+.2f} points<extra></extra>",
        line={"color": ink if low > 0 or high < 0 else style.GREY, "width": 9},
    )  # fmt: skip


def _draw_interval(
    drawn: go.Figure, interval: tuple[float, float, float], height: float, limits: Range, axes: Mapping[str, str]
) -> None:
    """A whisker; an end beyond the limits is an arrow."""
    low, delta, high = interval
    symbols = ["triangle-left" if low < limits[0] else "line-ns-open"]
    symbols.append("triangle-right" if high > limits[1] else "line-ns-open")
    drawn.add_scatter(
        x=[max(low, limits[0]), min(high, limits[1])], y=[height, height], mode="lines+markers", **axes,
        line={"color": style.INK, "width": 1.4}, marker={"symbol": symbols, "size": 7, "color": style.INK},
        hovertemplate=f"{delta:+.2f}, 95 % interval {low:+.2f} to {high:+.2f} points<extra></extra>",
    )  # fmt: skip


def _draw_values(drawn: go.Figure, overview: Overview, row: Row, number: int) -> None:
    """The small multiple of a row: mean mAP by value; for a case the case beside the reference."""
    curves, (x, y) = overview.curves, _names(number)
    if overview.rows == "case":
        curve = curves[(curves["centre"] | (curves["name"] == row["name"])) & curves["mean"].notna()]
        words = ["reference" if centre else "case" for centre in curve["centre"]]
    else:
        curve = curves[(curves["name"] == row["name"]) & curves["mean"].notna()]
        words = _ticks(written_axis(curve["value"]), curve["centre"].tolist())
    drawn.layout[f"xaxis{x[1:]}"] = {
        **PLAIN, "domain": list(VALUES), "anchor": y, "range": [-0.5, len(curve) - 0.5],
        "tickvals": [*range(len(curve))], "ticktext": words, "tickangle": 0, "tickfont": {"size": 10},
    }  # fmt: skip
    if overview.centre is not None and not math.isnan(overview.noise):
        drawn.add_shape(
            type="rect", x0=-0.5, x1=len(curve) - 0.5, y0=overview.centre["mean"] - overview.noise,
            y1=overview.centre["mean"] + overview.noise, xref=x, yref=y,
            fillcolor=BAND, line={"width": 0}, layer="below",
        )  # fmt: skip
    _draw_curve(drawn, curve, overview.rows != "case", {"xaxis": x, "yaxis": y})


def _ticks(words: list[str], centre: list[bool]) -> list[str]:
    """The ticks that fit on a phone, each shortened to a third of the width."""
    last = len(words) - 1
    words = [style.text(_shortened(word, TICK_LETTERS // 3)) for word in words]
    if sum(len(word) + 1 for word in words) <= TICK_LETTERS:
        return words
    kept = {0, last}
    at = centre.index(True) if True in centre else 0
    if min(at, last - at) >= len(words) / 5:
        kept.add(at)
    return [word if place in kept else "" for place, word in enumerate(words)]


def _draw_curve(drawn: go.Figure, curve: pd.DataFrame, joined: bool, axes: Mapping[str, str]) -> None:
    high, low, places = curve["mean" + HIGH], curve["mean" + LOW], [*range(len(curve))]
    symbols = ["circle" if centre else "circle-open" for centre in curve["centre"]]
    drawn.add_scatter(
        x=places, y=curve["mean"], mode="lines+markers" if joined else "markers", **axes,
        line={"color": style.INK, "width": 1.2},
        marker={"symbol": symbols, "size": 7, "color": style.INK, "line": {"width": 1.4}},
        error_y={"array": (high - curve["mean"]).fillna(0), "arrayminus": (curve["mean"] - low).fillna(0),
                 "thickness": 1, "width": 2, "color": style.INK},
        customdata=curve["n"], hovertemplate="%{y:.1f} %, n = %{customdata}<extra>mean</extra>",
    )  # fmt: skip
    known = curve["paper"].notna().to_numpy()
    if known.any():
        drawn.add_scatter(
            x=np.flatnonzero(known), y=curve["paper"][known], mode="markers", **axes,
            marker={"symbol": "diamond-open", "size": 9, "color": style.PUBLISHED, "line": {"width": 2}},
            hovertemplate="%{y:.1f} %<extra>published</extra>",
        )  # fmt: skip


def _axis_titles(drawn: go.Figure, overview: Overview, rows: int) -> None:
    beside = "reference" if overview.rows == "case" else "centre"
    titles = (f"Δ to the {beside} (points)", f"{overview.score} (%)") if rows else ()
    for (low, high), words in zip((BARS, VALUES), titles, strict=False):
        drawn.add_annotation(
            text=words, x=(low + high) / 2, y=0, xref="paper", yref="paper", showarrow=False, xanchor="center",
            yanchor="top", yshift=-FOOT / 2 + 4, font={"size": 12},
        )  # fmt: skip


def _range_of_means(overview: Overview) -> Range:
    """The y range of all small multiples: means, published numbers, the noise floor, and intervals up to half a range
    beyond those.
    """
    known = pd.concat([overview.curves["mean"], overview.curves["paper"]]).dropna().astype(float)
    if known.empty:
        return 0.0, 1.0
    noise = 0.0 if math.isnan(overview.noise) else overview.noise
    middle = overview.centre["mean"] if overview.centre else float(known.iloc[0])
    low, high = min(known.min(), middle - noise), max(known.max(), middle + noise)
    half = (high - low) / 2
    ends = (
        pd.concat([overview.curves["mean" + LOW], overview.curves["mean" + HIGH]])
        .dropna()
        .clip(low - half, high + half)
    )
    low, high = min([low, *ends]), max([high, *ends])
    room = 0.12 * (high - low) or 1.0
    return max(low - room, -room), high + room


def _names(number: int) -> tuple[str, str]:
    """Plotly's names of the axes of a panel: "x", "y" for number 1, then "x2", "y2"."""
    suffix = "" if number == 1 else str(number)
    return f"x{suffix}", f"y{suffix}"
