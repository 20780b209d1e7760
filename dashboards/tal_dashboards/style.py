"""Style of figures and tables: colours safe for colour-blind readers, axes with units, numbers as text, escaped names.

No WebGL traces (scattergl, parcoords): they compile code in the browser, which the page's Content-Security-Policy
forbids.
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from tal_search.results.statistics import HIGH, LOW
from tal_search.text.printable import printable, printable_lines
from tal_search.text.words import around
from tal_search.types import written

if TYPE_CHECKING:
    from dash import dcc

# Okabe and Ito's palette, safe for colour blindness; dashes and markers repeat the distinction.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#B8A800")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
SEQUENTIAL = "Cividis"  # of heat maps; also readable in grey and by the colour-blind
DIVERGING = "RdBu"
BETTER, WORSE = COLOURS[0], COLOURS[1]  # of differences beyond the noise
PUBLISHED = "#8A5A83"  # of published numbers, drawn as hollow markers
INK, GRID, GREY = "#222222", "#DDDDDD", "#6B6B6B"
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

# Plotly's configuration of every figure, without the button that uploads it to Plotly's server.
GRAPH: dcc.Graph.Config = {
    "displaylogo": False, "responsive": True, "showSendToCloud": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d"],
}  # fmt: skip
PERCENT = ("mAP@", "average", "holdout", "leaky", "Δ", "paper", "best", "sd", "repeatability")


def text(name: object) -> str:
    """Text from data, escaped for a figure: Plotly reads tags and entities in titles, labels and hover texts, and a
    picture (SVG) holds no control characters.
    """
    return html.escape(printable_lines(str(name)), quote=False)


def translucent(colour: str, opacity: float = 0.2) -> str:
    """A "#RRGGBB" colour as rgba(), for bands."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def figure(x: str, y: str, *, height: int = 400) -> go.Figure:
    """An empty figure; x, y: titles of the axes, with units ("mAP@0.5 (%)")."""
    axis = {
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


def value(number: object) -> str:
    """A value of a hyperparameter or a cell as text, see `types.written`; nothing in it turns the text around it."""
    return printable(written(number))


def p_words(p: float) -> str:
    """A p value with three digits."""
    return "–" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float, digits: int = 1, sign: str = "") -> str:
    """A number with fixed digits, "–" for NaN; sign "+" shows the sign of positive numbers too."""
    return "–" if math.isnan(value) else f"{value:{sign}.{digits}f}"


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """A table as text: percentages with one digit, differences with sign, and a column X with its interval as one."""
    columns: dict[str, list[str]] = {}
    for name in (str(column) for column in table.columns):
        if name.endswith((LOW, HIGH)):
            continue
        values = table[name].tolist()
        if (name.startswith(PERCENT) or name.endswith("(%)")) and pd.api.types.is_float_dtype(table[name]):
            cells = [number(mean, 1, "+" if name.startswith("Δ") else "") for mean in values]
        else:
            cells = [p_words(content) if name == "p" else value(content) for content in values]
        if name + LOW in table.columns:
            bounds = zip(table[name + LOW].tolist(), table[name + HIGH].tolist(), strict=True)
            cells = [
                cell if math.isnan(mean) else cell + around(mean, *ends)
                for cell, ends, mean in zip(cells, bounds, values, strict=True)
            ]
        columns[name] = cells
    return pd.DataFrame(columns, index=table.index)
