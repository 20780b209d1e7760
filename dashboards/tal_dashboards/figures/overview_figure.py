"""The figure of the overview: a row an axis, its differences to the centre against the noise floor, and its values.

Each row has its words above and below two panels, so that the figure is as readable on a telephone as in a paper.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tal_dashboards import style
from tal_search.results.overview import Overview, reach
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import written, written_axis

MOST_ROWS = 12  # drawn; the table has all
ROW, HEAD, FOOT = 88, 8, 46  # pixels: of a row, above the first, below the last
PANEL, TITLE = 48, 22  # pixels of a row: its panels, and the words above them
BARS, VALUES = [0.0, 0.57], [0.65, 1.0]  # of the width
TICK_SIGNS = 22  # under a small multiple on a telephone; where there are more, only its ends and the centre are named
MOST_SIGNS = 34  # of a name in the line above
BAND = style.translucent(style.GREY, 0.22)
PLAIN: dict[str, Any] = {"zeroline": False, "showgrid": False, "linecolor": style.GRID, "fixedrange": True, "ticks": ""}
Range = tuple[float, float]


def overview_figure(found: Overview) -> go.Figure:
    """Left: from the worst to the best value's difference, with corrected intervals; right: mean against value."""
    rows = found.ranking.head(MOST_ROWS).to_dict("records")
    inner = ROW * max(1, len(rows))
    drawn = style.figure("", "", height=HEAD + inner + FOOT)
    drawn.update_layout(margin={"l": 12, "r": 12, "t": HEAD, "b": FOOT}, showlegend=False)
    drawn.layout.xaxis, drawn.layout.yaxis = {}, {}
    limits, means = reach(found), _range_of_means(found)
    for place, row in enumerate(rows):
        top = 1 - (ROW * place + TITLE) / inner
        _row(drawn, found, row, place, (top - PANEL / inner, top))
        _set_axes(drawn, place, (top - PANEL / inner, top), limits, means, last=place == len(rows) - 1)
    _axis_titles(drawn, found, len(rows))
    return drawn


def _set_axes(drawn: go.Figure, place: int, domain: Range, limits: Range, means: Range, *, last: bool) -> None:
    """Of both panels of a row: one scale of differences, and one of means, for all rows."""
    (x, y), (x_value, y_value) = (_names(2 * place + one) for one in (1, 2))
    drawn.layout[f"xaxis{x[1:]}"] = {
        **PLAIN, "domain": BARS, "anchor": y, "range": list(limits), "nticks": 7, "showticklabels": last,
        "showgrid": True, "gridcolor": style.GRID, "ticklabelstandoff": 14, "tickfont": {"size": 11},
    }  # fmt: skip
    drawn.layout[f"yaxis{y[1:]}"] = {
        **PLAIN, "domain": list(domain), "anchor": x, "range": [-1, 1], "showticklabels": False,
    }  # fmt: skip
    drawn.layout[f"yaxis{y_value[1:]}"] = {
        **PLAIN, "domain": list(domain), "anchor": x_value, "range": list(means), "nticks": 3, "showgrid": True,
        "gridcolor": style.GRID, "tickfont": {"size": 10},
    }  # fmt: skip


def _row(drawn: go.Figure, found: Overview, row: dict[Any, Any], place: int, domain: Range) -> None:
    lines = ((_title(row), 13, domain[1], "bottom"), (_ends(found, row), 11, domain[0], "top"))
    for words, size, at, anchor in lines:
        drawn.add_annotation(
            text=words, x=0, y=at, xref="paper", yref="paper", xanchor="left", yanchor=anchor, showarrow=False,
            align="left", font={"size": size}, xshift=-3,
        )  # fmt: skip
    _draw_bars(drawn, found, row, 2 * place + 1)
    _draw_values(drawn, found, row, 2 * place + 2)


def _title(row: dict[Any, Any]) -> str:
    """The line above a row: name and verdict."""
    name = str(row["name"])
    name = style.text(name if len(name) <= MOST_SIGNS else f"{name[: MOST_SIGNS - 1]}…")
    symbol = f"<b>{style.text(row['symbol'])}</b> {name}" if row["symbol"] else f"<b>{name}</b>"
    verdict = "undecided" if row["verdict"] == "needs repeats" else str(row["verdict"])
    return f"{symbol}: {verdict}{', ' if row['needs'] else ''}{row['needs']}"


def _ends(found: Overview, row: dict[Any, Any]) -> str:
    """The line below it: the differences that the bars draw."""
    if found.rows == "case":
        return f"{row['effect']:+.1f}".replace("-", "−")
    values = found.curves.loc[found.curves["name"] == row["name"], "value"]
    words = dict(zip(map(written, values), written_axis(values), strict=True))
    ends = " to ".join(f"{row[end]:+.1f} at {words[written(row[f'{end} at'])]}" for end in ("lowest", "highest"))
    return style.text(ends.replace("-", "−"))


def _draw_bars(drawn: go.Figure, found: Overview, row: dict[Any, Any], number: int) -> None:
    (x, y), limits = _names(number), reach(found)
    if not math.isnan(found.noise):
        drawn.add_shape(
            type="rect", x0=max(-found.noise, limits[0]), x1=min(found.noise, limits[1]), y0=-1, y1=1, xref=x, yref=y,
            fillcolor=BAND, line={"width": 0}, layer="below",
        )  # fmt: skip
    drawn.add_shape(type="line", x0=0, x1=0, y0=-1, y1=1, xref=x, yref=y, line={"color": style.INK, "width": 1})
    bars = [("lowest", -0.35, style.WORSE), ("highest", 0.35, style.BETTER)]
    if found.rows == "case":  # one difference, drawn once
        bars = [(end, 0.0, ink) for end, _, ink in bars if (end == "lowest") == (row["effect"] < 0)]
    for end, height, ink in bars:
        interval = float(row[end + LOW]), float(row[end]), float(row[end + HIGH])
        _draw_bar(drawn, interval, height, ink, {"xaxis": x, "yaxis": y})
        if not math.isnan(interval[0]):
            _draw_interval(drawn, interval, height, limits, {"xaxis": x, "yaxis": y})


def _draw_bar(drawn: go.Figure, interval: tuple[float, float, float], height: float, ink: str, axes: Any) -> None:
    """Muted where the interval holds 0."""
    low, delta, high = interval
    drawn.add_scatter(
        x=[0, delta], y=[height, height], mode="lines", **axes, hovertemplate=f"{delta:+.2f} points<extra></extra>",
        line={"color": ink if low > 0 or high < 0 else style.GREY, "width": 9},
    )  # fmt: skip


def _draw_interval(
    drawn: go.Figure, interval: tuple[float, float, float], height: float, limits: Range, axes: Any
) -> None:
    """A whisker; an end that is cut has an arrow."""
    low, delta, high = interval
    symbols = ["triangle-left" if low < limits[0] else "line-ns-open"]
    symbols.append("triangle-right" if high > limits[1] else "line-ns-open")
    drawn.add_scatter(
        x=[max(low, limits[0]), min(high, limits[1])], y=[height, height], mode="lines+markers", **axes,
        line={"color": style.INK, "width": 1.4}, marker={"symbol": symbols, "size": 7, "color": style.INK},
        hovertemplate=f"{delta:+.2f}, 95 % interval {low:+.2f} to {high:+.2f} points<extra></extra>",
    )  # fmt: skip


def _draw_values(drawn: go.Figure, found: Overview, row: dict[Any, Any], number: int) -> None:
    """The small multiple: mean mAP against value; of cases the case beside the reference."""
    curves, (x, y) = found.curves, _names(number)
    if found.rows == "case":
        curve = curves[(curves["centre"] | (curves["name"] == row["name"])) & curves["mean"].notna()]
        words = ["reference" if centre else "case" for centre in curve["centre"]]
    else:
        curve = curves[(curves["name"] == row["name"]) & curves["mean"].notna()]
        words = _ticks(written_axis(curve["value"]), curve["centre"].tolist())
    drawn.layout[f"xaxis{x[1:]}"] = {
        **PLAIN, "domain": VALUES, "anchor": y, "range": [-0.5, len(curve) - 0.5], "tickvals": [*range(len(curve))],
        "ticktext": words, "tickangle": 0, "tickfont": {"size": 10},
    }  # fmt: skip
    if found.centre is not None and not math.isnan(found.noise):
        drawn.add_shape(
            type="rect", x0=-0.5, x1=len(curve) - 0.5, y0=found.centre["mean"] - found.noise,
            y1=found.centre["mean"] + found.noise, xref=x, yref=y, fillcolor=BAND, line={"width": 0}, layer="below",
        )  # fmt: skip
    _draw_curve(drawn, curve, found.rows != "case", {"xaxis": x, "yaxis": y})


def _ticks(words: list[str], centre: list[bool]) -> list[str]:
    """Those that there is room for on a telephone, each in a third of it at most."""
    most, last = TICK_SIGNS // 3, len(words) - 1
    words = [style.text(word if len(word) <= most else f"{word[: most - 1]}…") for word in words]
    if sum(len(word) + 1 for word in words) <= TICK_SIGNS:
        return words
    kept = {0, last}
    at = centre.index(True) if True in centre else 0
    if min(at, last - at) >= len(words) / 5:
        kept.add(at)
    return [word if place in kept else "" for place, word in enumerate(words)]


def _draw_curve(drawn: go.Figure, curve: pd.DataFrame, joined: bool, axes: Any) -> None:
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


def _axis_titles(drawn: go.Figure, found: Overview, rows: int) -> None:
    beside = "reference" if found.rows == "case" else "centre"
    titles = (f"Δ to the {beside} (points)", f"{found.score} (%)") if rows else ()
    for (low, high), words in zip((BARS, VALUES), titles, strict=False):
        drawn.add_annotation(
            text=words, x=(low + high) / 2, y=0, xref="paper", yref="paper", showarrow=False, xanchor="center",
            yanchor="top", yshift=-FOOT / 2 + 4, font={"size": 12},
        )  # fmt: skip


def _range_of_means(found: Overview) -> Range:
    """Of all small multiples: means, published numbers, the noise floor; intervals as far as half of that beyond."""
    known = pd.concat([found.curves["mean"], found.curves["paper"]]).dropna().astype(float)
    if known.empty:
        return 0.0, 1.0
    noise = 0.0 if math.isnan(found.noise) else found.noise
    about = found.centre["mean"] if found.centre else float(known.iloc[0])
    low, high = min(known.min(), about - noise), max(known.max(), about + noise)
    half = (high - low) / 2
    ends = pd.concat([found.curves["mean" + LOW], found.curves["mean" + HIGH]]).dropna().clip(low - half, high + half)
    low, high = min([low, *ends]), max([high, *ends])
    room = 0.12 * (high - low) or 1.0
    return max(low - room, -room), high + room


def _names(number: int) -> tuple[str, str]:
    """Plotly's names of a panel's axes; the first has no number."""
    shown = "" if number == 1 else str(number)
    return f"x{shown}", f"y{shown}"
