"""How figures and tables look: colours that everyone can tell apart, units on every axis, names from data as text.

No WebGL traces (scattergl, parcoords): they compile code in the browser, which the page's Content-Security-Policy
forbids.
"""

from __future__ import annotations

import html
import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tal_search.results.statistics import HIGH, LOW, around
from tal_search.types import written

# Okabe and Ito's colours, which the common kinds of colour blindness tell apart; dashes and markers say it again.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#B8A800")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
SEQUENTIAL = "Cividis"  # of heat maps; the same to everyone, and in grey
DIVERGING = "RdBu"
BETTER, WORSE = COLOURS[0], COLOURS[1]  # of a difference that is more than noise
PUBLISHED = "#8A5A83"  # of what papers print, hollow
INK, GRID, GREY = "#222222", "#DDDDDD", "#6B6B6B"
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

# How a figure behaves; Plotly's button that sends it to Plotly's own server is left out.
GRAPH: Any = {
    "displaylogo": False, "responsive": True, "showSendToCloud": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d"],
}  # fmt: skip
PERCENT = ("mAP@", "average", "holdout", "leaky", "Δ", "paper", "best", "sd", "repeatability")


def text(name: object) -> str:
    """A name from data, for a figure: Plotly reads tags and entities in titles, labels and hovers."""
    return html.escape(str(name), quote=False)


def translucent(colour: str, opacity: float = 0.2) -> str:
    """A "#RRGGBB" colour for bands, as rgba."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def figure(x: str, y: str, *, height: int = 400) -> go.Figure:
    """An empty figure; x and y: what the axes show, with units ("mAP@0.5 (%)")."""
    axis: dict[str, Any] = {
        "gridcolor": GRID,
        "linecolor": INK,
        "ticks": "outside",
        "zeroline": False,
        "automargin": True,
    }
    return go.Figure(layout={
        "template": "none", "height": height, "colorway": COLOURS, "font": {"family": FONT, "size": 14, "color": INK},
        "paper_bgcolor": "white", "plot_bgcolor": "white", "margin": {"l": 60, "r": 16, "t": 16, "b": 56},
        "xaxis": {**axis, "title": {"text": text(x)}}, "yaxis": {**axis, "title": {"text": text(y)}},
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}, "hovermode": "closest",
        "uirevision": "kept",  # zoom and hidden traces survive a refresh
    })  # fmt: skip


def value(number: Any) -> str:
    """A hyperparameter's value in words."""
    return written(number)


def p_words(found: float) -> str:
    """Three digits are enough of a p value."""
    return "–" if math.isnan(found) else "< 0.001" if found < 0.001 else f"{found:.3f}"


def number(found: float, digits: int = 1, sign: str = "") -> str:
    """A number with fixed digits, "–" where there is none."""
    return "–" if math.isnan(found) else f"{found:{sign}.{digits}f}"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """A table of numbers as text: percents with one digit, `X` with its interval as one column, differences signed."""
    columns: dict[str, list[str]] = {}
    for name in (str(column) for column in table.columns):
        if name.endswith((LOW, HIGH)):
            continue
        found = table[name].tolist()
        if (name.startswith(PERCENT) or name.endswith("(%)")) and pd.api.types.is_float_dtype(table[name]):
            cells = [number(one, 1, "+" if name.startswith("Δ") else "") for one in found]
        else:
            cells = [p_words(one) if name == "p" else value(one) for one in found]
        if name + LOW in table.columns:
            bounds = zip(table[name + LOW].tolist(), table[name + HIGH].tolist(), strict=True)
            cells = [
                cell if math.isnan(one) else cell + around(one, *ends)
                for cell, ends, one in zip(cells, bounds, found, strict=True)
            ]
        columns[name] = cells
    return pd.DataFrame(columns, index=table.index)
