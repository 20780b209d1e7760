"""Figures of the comparison: one per study, with the same rows and scales so that they can be read across."""

from __future__ import annotations

import math
from typing import TypedDict

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tal_dashboards import style
from tal_dashboards.home.comparison import ABSENT, Comparison
from tal_dashboards.style import BETTER, WORSE
from tal_search.results.axis_effects import EXTREMES
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import INFERENCE, SUPERVISION

KNOWN = ("matters", "better", "worse")  # verdicts of effects beyond the noise
ROW, CURVE, ENDING = 62, 150, 66  # pixels: height of a row of bars, of a small multiple, and of the space below them
LONGEST = 24  # letters of a name in a figure; the table shows all
MOST_PLACES = 9  # values of an axis drawn as categories; with more, numbers get a numeric scale
SMALL = 12  # font size in pixels


class Place(TypedDict, total=False):
    """The subplot that a shape or trace is drawn in."""

    row: int
    col: int


def bars_figure(info: Comparison, study: str) -> go.Figure:
    """One row per axis: differences of its worst and best value to the study's own centre, with intervals."""
    rows = info.axes[info.axes["study"] == study].reset_index(drop=True)
    drawn = style.figure(f"Δ {info.scores[study]} to the centre (points)", "", height=ROW * len(rows) + ENDING)
    _noise_band(drawn, info.noise[study], {})
    for at, (_, row) in enumerate(rows.iterrows()):
        _bar(drawn, -at, row)
        _row_words(drawn, -at, row)
    drawn.update_xaxes(
        range=_padded(info.span), zeroline=True, zerolinecolor=style.INK, zerolinewidth=1, title_font_size=SMALL + 1
    )
    drawn.update_yaxes(range=[0.5 - len(rows), 0.75], visible=False, fixedrange=True)
    drawn.update_layout(showlegend=False, margin={"l": 12, "r": 12, "t": 4, "b": ENDING - 12}, barmode="overlay")
    return drawn


def _padded(span: tuple[float, float]) -> list[float]:
    room = 0.04 * (span[1] - span[0] or 1.0)
    return [span[0] - room, span[1] + room]


def _noise_band(drawn: go.Figure, noise: float, at: Place, *, across: bool = False) -> None:
    """The range of differences between two runs of the same cell; across: along the x axis, as a horizontal band."""
    if math.isnan(noise):
        return
    add = drawn.add_hrect if across else drawn.add_vrect
    ends = {"y0": -noise, "y1": noise} if across else {"x0": -noise, "x1": noise}
    add(**ends, **at, fillcolor=style.translucent(style.GREY, 0.14), line_width=0, layer="below")


def colour(verdict: str, delta: float) -> str:
    """Colour of a difference: grey within the noise, else by its sign."""
    return style.GREY if verdict not in KNOWN else WORSE if delta < 0 else BETTER


def _end_colour(row: pd.Series, end: str) -> str:
    """Colour of one end of a bar; also grey if its interval is unknown or contains the centre."""
    known = row[end + LOW] > 0 or row[end + HIGH] < 0
    return colour(str(row["verdict"]) if known else "", row[end])


def _bar(drawn: go.Figure, y: int, row: pd.Series) -> None:
    known = [end for end in EXTREMES if not math.isnan(row[end])]
    for end in dict.fromkeys(known):
        shade = _end_colour(row, end)
        drawn.add_bar(
            x=[row[end]], y=[y - 0.12], orientation="h", width=0.26, hoverinfo="skip",
            marker={"color": style.translucent(shade, 0.45 if shade == style.GREY else 0.8), "line": {"width": 0}},
        )  # fmt: skip
    drawn.add_scatter(
        x=[row[end] for end in known], y=[y - 0.12] * len(known), mode="markers",
        marker={"color": [_end_colour(row, end) for end in known], "size": 8,
                "line": {"color": style.INK, "width": 1}},
        error_x={"array": [row[end + HIGH] - row[end] for end in known], "symmetric": False, "thickness": 1.2,
                 "arrayminus": [row[end] - row[end + LOW] for end in known], "color": style.INK, "width": 4},
        customdata=[[end, _value(row, end), row["needs"] or ABSENT] for end in known],
        hovertemplate="%{customdata[0]}: %{x:+.1f} points, at %{customdata[1]}"
                      f"<br>{style.text(row['verdict'])}, needs: %{{customdata[2]}}<extra></extra>",
    )  # fmt: skip


def _value(row: pd.Series, end: str) -> str:
    return style.text(style.value(row[f"{end} at"]))


def _row_words(drawn: go.Figure, y: int, row: pd.Series) -> None:
    """Write the axis and its verdict above the bar, left and right."""
    ends = " … ".join(dict.fromkeys(style.number(row[end], 1, "+") for end in EXTREMES if not math.isnan(row[end])))
    known = str(row["verdict"]) in KNOWN
    verdict = style.text(row["verdict"])
    right = f"{ends}  {f'<b>{verdict}</b>' if known else verdict}" if row["there"] else f"{ABSENT} not in this study"
    name, present = short_name(row["axis"], row["symbol"]), row["there"]
    for x, anchor, words, ink in ((0, "left", name, style.INK if present else style.GREY),
                                  (1, "right", right, style.INK if known else style.GREY)):  # fmt: skip
        drawn.add_annotation(
            x=x, xref="paper", y=y + 0.3, yref="y", xanchor=anchor, yanchor="middle", showarrow=False, text=words,
            font={"size": SMALL, "color": ink},
        )  # fmt: skip


def short_name(axis: str, symbol: str) -> str:
    """An axis in a figure: its symbol in bold and its name, cut after LONGEST letters."""
    name = axis.removeprefix(INFERENCE).removeprefix(SUPERVISION)
    name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return f"<b>{style.text(symbol)}</b> {style.text(name)}" if symbol and symbol != name else style.text(name)


def curves_figure(info: Comparison, study: str) -> go.Figure | None:
    """Means by value of each axis, as differences to the study's own centre on one scale; None without axes."""
    axes = drawn_axes(info)
    if not axes:
        return None
    height = CURVE * len(axes) + 40
    empty = style.figure("", "", height=height)
    drawn = make_subplots(rows=len(axes), cols=1, vertical_spacing=64 / height, figure=empty)
    symbols = dict(zip(info.axes["axis"], info.axes["symbol"], strict=True))
    for row, axis in enumerate(axes, 1):
        _curve(drawn, info, study, axis, row)
        name = short_name(axis, str(symbols[axis]))
        _words_in(drawn, row, name, x=0, y=1, xanchor="left", yanchor="bottom", yshift=2)
    drawn.update_yaxes(
        range=_padded(info.span), zeroline=True, zerolinecolor=style.INK, zerolinewidth=1, gridcolor=style.GRID,
        nticks=5, ticks="outside", tickfont={"size": SMALL}, automargin=True,
    )  # fmt: skip
    drawn.update_xaxes(gridcolor=style.GRID, ticks="outside", tickfont={"size": SMALL}, automargin=True, showline=False)
    drawn.update_layout(showlegend=False, margin={"l": 44, "r": 12, "t": 28, "b": 36})
    return drawn


def _words_in(drawn: go.Figure, row: int, words: str, **at: float | str) -> None:
    """Write words into a small multiple; x and y are fractions of its size."""
    number = "" if row == 1 else row
    font = {"size": SMALL, "color": style.INK}
    drawn.add_annotation(
        text=words, xref=f"x{number} domain", yref=f"y{number} domain", showarrow=False, font=font, **at
    )


def drawn_axes(info: Comparison) -> list[str]:
    """Axes with a curve in any study, in the order of the rows."""
    there = set(info.curves["axis"])
    return [axis for axis in dict.fromkeys(info.axes["axis"]) if axis in there]


def _curve(drawn: go.Figure, info: Comparison, study: str, axis: str, row: int) -> None:
    at: Place = {"row": row, "col": 1}
    every = info.curves[info.curves["axis"] == axis]
    mine = every[(every["study"] == study) & every["delta"].notna()]
    side_by_side, places = value_places(every["value"])
    if side_by_side:
        drawn.update_xaxes(type="category", categoryorder="array", categoryarray=places, **at)
        drawn.update_xaxes(range=[-0.5, len(places) - 0.5], **at)
    x = [style.value(value) for value in mine["value"]] if side_by_side else mine["value"].tolist()
    if mine.empty:
        drawn.add_scatter(x=places[:1] if side_by_side else [0], y=[None], **at)
        _words_in(drawn, row, f"{ABSENT} not in this study", x=0.5, y=0.5, yshift=12)
        return
    points = zip(mine["centre"], mine["verdict"], mine["delta"], strict=True)
    shades = [style.INK if centre else colour(verdict, delta) for centre, verdict, delta in points]
    drawn.add_scatter(
        x=x, y=mine["delta"], mode="lines+markers", connectgaps=True, line={"color": style.GREY, "width": 1.5},
        marker={"color": shades, "size": 8, "line": {"color": style.INK, "width": 1},
                "symbol": ["diamond" if centre else "circle" for centre in mine["centre"]]},
        error_y={"array": mine["delta" + HIGH] - mine["delta"], "arrayminus": mine["delta"] - mine["delta" + LOW],
                 "symmetric": False, "thickness": 1.2, "width": 3, "color": style.INK},
        customdata=mine[["n", "verdict"]],
        hovertemplate="%{x}: %{y:+.1f} points, n = %{customdata[0]}, %{customdata[1]}<extra></extra>", **at,
    )  # fmt: skip
    _noise_band(drawn, info.noise[study], at, across=True)  # last, as Plotly omits shapes of subplots without a trace


def value_places(values: pd.Series) -> tuple[bool, list[str]]:
    """Whether the values of an axis are drawn as categories, and these in order: numbers sorted, then the others."""
    several = list(dict.fromkeys(values))
    numeric = [
        value for value in several if isinstance(value, int | float) and not isinstance(value, bool) and value == value
    ]
    if len(numeric) == len(several) > MOST_PLACES:
        return False, []
    ordered = [*sorted(numeric), *(value for value in several if value not in numeric)]
    return True, list(dict.fromkeys(map(style.value, ordered)))


def figure_words(info: Comparison) -> str:
    """Caption of the bars of all studies."""
    unknown = [name for name, noise in info.noise.items() if math.isnan(noise)]
    lacking = f" Noise unknown for {', '.join(unknown)}." if unknown else ""
    return (
        "Difference of the worst and the best value of each axis to the study's own centre, with corrected 95 % "
        "intervals; the grey band is the noise between two runs. All studies share one scale. Grey bars: not shown to "
        "exceed the noise." + lacking
    )
