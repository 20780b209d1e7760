"""Breakdown figure: heat map of an axis' values by class or length, coloured by the difference to the centre."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb

from tal_dashboards import style
from tal_dashboards.data.group_scores import By, Group
from tal_search.results.breakdown.by_group import CERTAIN
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import Floats

MOST_GROUPS = 30  # columns of the figure
COLUMN, WIDE_COLUMN, ROW = 46, 56, 28  # pixels: width of a class's column and of a bucket's, height of a row
ON_PALE, ON_STRONG = "#000000", "#FFFFFF"  # colours of the numbers in cells, independent of the page's
SMALL = {"size": 13}
NAME_PIXELS = 6.2  # height of a letter of a slanted name


class Breakdown(NamedTuple):
    """One axis by class or by length. table: of `results.breakdown.by_group`; groups: in the order of the columns.

    score: "AP@0.5" or "mAP_N@0.5". read, unread: number of trials with and without readable detections; finished: of
    all finished trials.
    """

    axis: str
    symbol: str
    by: By
    score: str
    table: pd.DataFrame
    groups: list[Group]
    read: int
    unread: int
    finished: int

    @property
    def shown(self) -> list[Group]:
        """The columns of the figure."""
        return self.groups[:MOST_GROUPS]

    @property
    def width(self) -> int:
        """Least width in pixels at which the numbers do not touch."""
        return 230 + (COLUMN if self.by == "class" else WIDE_COLUMN) * len(self.shown)


def breakdown_figure(part: Breakdown) -> go.Figure:
    """A row for each value, a column for each group; below, the centre's scores, the noise, and the instances.

    Only certain differences have their full colour: among so many, some exceed the noise of their group by chance.
    """
    table, names = part.table, [group.name for group in part.shown]
    rows = table[~table["centre"]]
    values = [style.value(value) for value in rows.loc[rows["group"] == names[0], "value"]]
    columns = ("delta", "delta" + LOW, "delta" + HIGH, "score", "noise", "pairs")
    of = {name: _matrix(rows, name, names) for name in columns}
    verdict_VG = _matrix(rows, "verdict", names)
    certain_VG = np.isin(verdict_VG, CERTAIN)
    delta_VG = of["delta"].astype(np.float64)
    drawn = _empty(part, values)
    largest = float(np.nanmax(np.abs(delta_VG), initial=0.0)) or 1.0
    unit, hover_VG = f"Δ {part.score} (points)", _hover(part, values, of, verdict_VG)
    for pale in (True, False):
        drawn.add_heatmap(
            z=np.where(certain_VG != pale, delta_VG, np.nan), zmin=-largest, zmax=largest, xgap=1, ygap=1,
            colorscale=scale(pale=pale), showscale=not pale, text=hover_VG, hoverongaps=False,
            hovertemplate="%{text}<extra></extra>", name="not certain" if pale else "certain",
            colorbar={"title": {"text": unit, "side": "right", "font": SMALL}, "thickness": 12, "x": 1.01},
        )  # fmt: skip
    _write_numbers(drawn, delta_VG, certain_VG, certain_VG & (np.abs(delta_VG) > largest / 2))
    _write_references(drawn, table, values, names)
    return drawn


def scale(*, pale: bool) -> list[tuple[float, str]]:
    """The colour scale from the most negative to the most positive difference; the pale one is almost white."""
    ends = sample_colorscale(style.DIVERGING, [0.06, 0.34, 0.66, 0.94])
    if pale:
        low, high = (_towards_white(colour) for colour in ends[1:3])
        return [(0.0, low), (0.5, "rgb(255,255,255)"), (1.0, high)]
    return [(0.0, ends[0]), (0.5, ends[1]), (0.5, ends[2]), (1.0, ends[3])]


def _towards_white(colour: str) -> str:
    red, green, blue = (round(255 - 0.25 * (255 - part)) for part in unlabel_rgb(colour))
    return f"rgb({red},{green},{blue})"


def _matrix(rows: pd.DataFrame, column: str, names: list[str]) -> np.ndarray:
    """A column as [values, groups]; all groups have their values in the same order."""
    place = rows.groupby("group", sort=False).cumcount()
    return rows.assign(place=place).pivot(index="place", columns="group", values=column)[names].to_numpy()


def _empty(part: Breakdown, values: list[str]) -> go.Figure:
    """The axes: names above, instances below, values at the left."""
    names = [style.text(group.name) + (f"<br>{style.text(group.limit)}" if group.limit else "") for group in part.shown]
    slanted = part.by == "class"
    above = min(150.0, NAME_PIXELS * max(map(len, names))) if slanted else 40.0
    drawn = style.figure("", f"{part.symbol} ({part.axis})", height=round(above) + ROW * (len(values) + 2) + 96)
    places, count = list(range(len(names))), [f"{group.instances}" for group in part.shown]
    common = {"range": [-0.5, len(names) - 0.5], "showgrid": False, "tickvals": places, "ticks": "", "showline": False}
    drawn.update_yaxes(title={"font": SMALL, "standoff": 12})
    drawn.update_layout(
        xaxis={**common, "side": "top", "ticktext": names, "tickangle": -60 if slanted else 0},
        xaxis2={
            **common, "overlaying": "x", "side": "bottom", "ticktext": count, "tickangle": 0, "automargin": True,
            "title": {"text": "instances in the ground truth", "font": SMALL, "standoff": 4}, "zeroline": False,
        },
        yaxis={
            "range": [len(values) + 1.5, -0.5], "showgrid": False, "ticks": "", "showline": False,
            "tickvals": list(range(len(values) + 2)),
            "ticktext": [*map(style.text, values), f"centre: {_unit(part)}", "noise (points)"],
        },
        margin={"t": 8, "b": 40, "r": 8}, showlegend=False,
    )  # fmt: skip
    return drawn


def _unit(part: Breakdown) -> str:
    return f"{part.score.partition('@')[0]} (%)"


def _write_numbers(drawn: go.Figure, delta_VG: Floats, certain_VG: np.ndarray, dark_VG: np.ndarray) -> None:
    """Every difference in its cell, certain ones in bold."""
    row_N, column_N = np.nonzero(np.isfinite(delta_VG))
    words = [style.number(delta, 1, "+") for delta in delta_VG[row_N, column_N].round(1) + 0.0]  # no "-0.0"
    bold = certain_VG[row_N, column_N]
    drawn.add_scatter(
        x=column_N, y=row_N, mode="text", xaxis="x2", hoverinfo="skip",
        text=[f"<b>{word}</b>" if certain else word for word, certain in zip(words, bold, strict=True)],
        textfont={"size": 12, "color": np.where(dark_VG[row_N, column_N], ON_STRONG, ON_PALE).tolist()},
    )  # fmt: skip


def _write_references(drawn: go.Figure, table: pd.DataFrame, values: list[str], names: list[str]) -> None:
    """The centre's score and the noise of each group, in rows below the values."""
    for place, (column, of) in enumerate((("score", table[table["centre"]]), ("noise", table))):
        known = of.groupby("group")[column].first().reindex(names)
        drawn.add_scatter(
            x=list(range(len(names))), y=[len(values) + place] * len(names), mode="text", xaxis="x2",
            text=[style.number(float(value)) for value in known], textfont={"size": 12, "color": style.GREY},
            hoverinfo="skip",
        )  # fmt: skip


def _hover(part: Breakdown, values: list[str], of: dict[str, np.ndarray], verdict_VG: np.ndarray) -> list[list[str]]:
    return [
        [_words(part, group, values[row], {name: of[name][row, column] for name in of}, str(verdict_VG[row, column]))
         for column, group in enumerate(part.shown)]
        for row in range(len(values))
    ]  # fmt: skip


def _words(part: Breakdown, group: Group, value: str, of: dict[str, float], verdict: str) -> str:
    if math.isnan(of["delta"]):
        return ""
    bounds = f" [{of['delta' + LOW]:+.1f}, {of['delta' + HIGH]:+.1f}]" if math.isfinite(of["delta" + LOW]) else ""
    return "<br>".join([
        style.text(f"{group.name}, {part.symbol} = {value}: {verdict}"),
        f"Δ {of['delta']:+.1f}{bounds} points, {of['pairs']:.0f} pairs",
        f"{part.score} {of['score']:.1f} %, noise {style.number(of['noise'])}",
    ])  # fmt: skip
