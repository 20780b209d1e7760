"""View 3: what every axis does to mAP, two axes against one another, all at once, and which of them matter."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboards.data import Selection, StudyData
from dashboards.importance import ESTIMATES, importances
from tal_search.paired import interval

TITLE = "Sensitivity plots"
MOST_DRAWN = 2000  # trials in one figure; lines are of all of them
MOST_VALUES = 24  # of an axis; more are drawn together in as many bins of equal count
AT_CENTRE = "the other axes at the centre: mean and 95 % interval over repeats"
OVER_ALL = "over all trials: mean and middle half of them"


class AxisLine(NamedTuple):
    """One axis. line: `value`, `mean`, `low`, `high`, `n`, by value; band: what low and high are.

    points: the trials behind it, with `value`, `score` and what a pointer shows of them.
    """

    axis: str
    symbol: str
    centre: Any
    band: str
    line: pd.DataFrame
    points: pd.DataFrame


class PlotsInfo(NamedTuple):
    """score: the column drawn, mAP in percent. heat: mean by value of `pair` (first: columns), None without a grid.

    trials: what parallel coordinates draw, best last (on top). finished: how many trials there are of it.
    """

    score: str
    lines: list[AxisLine]
    pair: tuple[str, str] | None
    heat: pd.DataFrame | None
    trials: pd.DataFrame
    axes: dict[str, str]
    importance: pd.DataFrame
    finished: int


def info(data: StudyData, selection: Selection) -> PlotsInfo:
    """Selected by `plots-score` (a column of mAP) and by `plots-x` and `plots-y` (axes of the heat map)."""
    score = selection.get("plots-score", data.score)
    score = score if score in scores(data) else data.score
    done = data.done[data.done[score].notna()]
    pair = _pair(data, selection)
    return PlotsInfo(
        score=score,
        lines=[axis_line(data, done, axis, score) for axis in data.axes],
        pair=pair,
        heat=heat_of(data, done, pair, score) if pair else None,
        trials=thinned(done, score).sort_values(score, kind="stable"),
        axes=data.axes,
        importance=importances(done, tuple(data.axes), score),
        finished=len(done),
    )


def scores(data: StudyData) -> list[str]:
    """Columns that may be drawn."""
    named = [f"mAP@{tiou:g}" for tiou in data.tiou] + ["average", "holdout"]
    return [name for name in named if data.trials.get(name, pd.Series(dtype=float)).notna().any()]


def axis_line(data: StudyData, done: pd.DataFrame, axis: str, score: str) -> AxisLine:
    """The line through the centre where two values of the axis were run there; else over all trials."""
    there = _held(data, done, (axis,))
    at_centre = bool(done.loc[there, axis].map(repr).nunique() > 1)
    rows = done[there] if at_centre else done
    groups = _groups(rows, axis)
    line = [{"value": value, **_band(rows.loc[index, score], at_centre)} for value, index in groups]
    points = thinned(rows, score)
    return AxisLine(
        axis=axis,
        symbol=data.axes[axis],
        centre=data.centre[axis],
        band=AT_CENTRE if at_centre else OVER_ALL,
        line=pd.DataFrame(line, columns=["value", "mean", "low", "high", "n"]),
        points=points.assign(value=points[axis], score=points[score]),
    )


def _held(data: StudyData, rows: pd.DataFrame, free: tuple[str, ...]) -> pd.Series[bool]:
    """Whether all axes but the free ones are at the centre."""
    there = pd.Series(True, index=rows.index)
    for axis in data.axes:
        if axis not in free:
            centre = data.centre[axis]
            there &= rows[axis].isna() if centre is None else rows[axis] == centre
    return there


def _groups(rows: pd.DataFrame, axis: str) -> list[tuple[Any, pd.Index[Any]]]:
    """Rows by value of the axis, in order; a numeric axis of many values in bins, each at its median."""
    values = rows[axis]
    if is_numeric(values) and values.nunique() > MOST_VALUES:
        bins = pd.qcut(values.astype(float), MOST_VALUES, duplicates="drop")
        found = values.groupby(bins, observed=True)
        return [(float(part.median()), part.index) for _, part in found]
    shown = values if is_numeric(values) else values.map(str)
    return [(value, part.index) for value, part in shown.groupby(shown, sort=True)]


def _band(values: pd.Series[float], repeats: bool) -> dict[str, float]:
    """Without bounds where there is one value alone: the interval of one repeat is not known."""
    found = interval(values) if repeats else None
    low, high = (found.low, found.high) if found else values.quantile([0.25, 0.75])
    known = len(values) > 1
    return {
        "mean": float(values.mean()),
        "low": float(low) if known else math.nan,
        "high": float(high) if known else math.nan,
        "n": len(values),
    }


def is_numeric(values: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def thinned(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """At most MOST_DRAWN of the rows, evenly taken, the best always among them; in their order."""
    if len(rows) <= MOST_DRAWN:
        return rows
    kept = np.unique(np.linspace(0, len(rows) - 1, MOST_DRAWN - 1).round().astype(int))
    return rows.iloc[np.union1d(kept, [int(rows[score].to_numpy().argmax())])]


def _pair(data: StudyData, selection: Selection) -> tuple[str, str] | None:
    """The chosen two axes, or the first two."""
    axes = list(data.axes)
    if len(axes) < 2:
        return None
    first = selection.get("plots-x", axes[0])
    first = first if first in axes else axes[0]
    rest = [axis for axis in axes if axis != first]
    second = selection.get("plots-y", rest[0])
    return first, second if second in rest else rest[0]


def heat_of(data: StudyData, done: pd.DataFrame, pair: tuple[str, str], score: str) -> pd.DataFrame | None:
    """Mean by the values of two axes of a grid: the others at the centre where the grid has it, else over all."""
    if data.plan != "grid":
        return None
    there = _held(data, done, pair)
    rows = done[there] if there.any() else done
    first, second = (rows[axis] if is_numeric(rows[axis]) else rows[axis].map(str) for axis in pair)
    return rows[score].groupby([second, first]).mean().unstack()


def figures(info: PlotsInfo) -> dict[str, go.Figure]:
    """One figure an axis, by its name; `heat map`, `parallel coordinates`, `importance` where there is something."""
    drawn = {f"axis {line.axis}": line_figure(info, line) for line in info.lines}
    if info.heat is not None:
        drawn["heat map"] = heat_figure(info)
    if len(info.axes) > 1 and len(info.trials):
        drawn["parallel coordinates"] = parallel_figure(info)
    if len(info.importance):
        drawn["importance"] = importance_figure(info)
    return drawn


def line_figure(info: PlotsInfo, line: AxisLine) -> go.Figure:
    """The mean with its band over the trials behind it; the centre's value is a dashed line."""
    drawn = style.figure(f"{line.symbol} ({line.axis})", f"{info.score} (%)", height=320)
    numeric = is_numeric(line.line["value"])
    at = line.line["value"] if numeric else line.line["value"].map(style.text)
    known = line.line["low"].notna()
    bounds = pd.concat([line.line["low"][known], line.line["high"][known][::-1]])
    drawn.add_scatter(
        x=pd.concat([at[known], at[known][::-1]]), y=bounds, fill="toself", mode="none", hoverinfo="skip",
        fillcolor=style.translucent(style.COLOURS[0]), name=line.band, showlegend=bool(known.any()),
    )  # fmt: skip
    values = line.points["value"]
    drawn.add_scatter(
        x=values if is_numeric(values) else values.map(str).map(style.text), y=line.points["score"].round(3),
        mode="markers", name="trials", customdata=who(line.points), hovertemplate=f"%{{y:.2f}} %<br>{WHO}",
        marker={"size": 5, "color": style.GREY, "opacity": 0.5},
    )  # fmt: skip
    drawn.add_scatter(
        x=at, y=line.line["mean"], mode="lines+markers", name="mean", customdata=line.line["n"],
        line={"color": style.COLOURS[0], "width": 2}, marker={"size": 7},
        hovertemplate="%{y:.2f} %, n = %{customdata}<extra>mean</extra>",
    )  # fmt: skip
    drawn.update_xaxes(**axis_scale(line.line["value"]))
    if numeric and is_numeric(pd.Series([line.centre])):
        drawn.add_vline(line.centre, line={"color": style.INK, "dash": "dash", "width": 1})
    return drawn


WHO = "seed %{customdata[0]}, annotator %{customdata[1]}<br>trial %{customdata[2]}<extra></extra>"


def who(trials: pd.DataFrame) -> np.ndarray:
    """What a pointer shows of each trial: seed, annotator, key (which a click opens)."""
    return trials[["seed", "annotator", "key"]].map(style.text).to_numpy(object)


def axis_scale(values: pd.Series[Any]) -> dict[str, Any]:
    """Logarithmic over a factor of ten, as the search has it; categories in their order."""
    if not is_numeric(values):
        return {"type": "category"}
    log = len(values) > 0 and values.min() > 0 and values.max() / values.min() >= LOGARITHMIC_FROM
    return {"type": "log"} if log else {"type": "linear"}


def heat_figure(info: PlotsInfo) -> go.Figure:
    """A cell's mean, written into it; values of both axes at equal distances."""
    assert info.heat is not None
    assert info.pair is not None
    columns, rows = ([style.text(style.value(value)) for value in index] for index in (info.heat.columns, info.heat.index))
    first, second = (f"{info.axes[axis]} ({axis})" for axis in info.pair)
    drawn = style.figure(first, second)
    drawn.add_heatmap(
        x=columns, y=rows, z=info.heat.to_numpy(float), colorscale=style.SEQUENTIAL, texttemplate="%{z:.1f}",
        colorbar={"title": {"text": f"{info.score} (%)"}}, hovertemplate="%{x}, %{y}: %{z:.2f} %<extra></extra>",
    )  # fmt: skip
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(type="category")
    return drawn


def parallel_figure(info: PlotsInfo) -> go.Figure:
    """One line a trial over all axes, each scaled to its own range; darker lines are worse, the best lie on top.

    Drawn in SVG: Plotly's own parallel coordinates need WebGL. Trials of one colour are one trace, with gaps.
    """
    trials = info.trials.tail(1) if len(info.trials) < 2 else info.trials
    heights = {axis: scaled(trials[axis]) for axis in info.axes}
    names = [style.text(symbol) for symbol in info.axes.values()] + [info.score]
    height_NA = np.column_stack([*(height for height, _ in heights.values()), scaled(trials[info.score])[0]])
    drawn = style.figure("", "share of an axis' range")
    colours = sample_colorscale(style.SEQUENTIAL, np.linspace(0, 1, SHADES).tolist())
    for shade, rows in enumerate(np.array_split(np.arange(len(trials)), SHADES)):
        if not len(rows):
            continue
        gaps = np.full((len(rows), 1), np.nan)
        shown = np.repeat(who(trials.iloc[rows]), len(names) + 1, axis=0)
        low, high = trials[info.score].iloc[[rows[0], rows[-1]]]
        drawn.add_scatter(
            x=np.tile([*names, ""], len(rows)), y=np.hstack([height_NA[rows], gaps]).ravel().round(4), mode="lines",
            line={"color": colours[shade], "width": 1}, opacity=0.6, name=f"{low:.1f} to {high:.1f} %",
            customdata=shown, hovertemplate=WHO, connectgaps=False,
        )  # fmt: skip
    for place, (axis, (_, ends)) in enumerate(heights.items()):
        _mark(drawn, place, ends, info.axes[axis])
    _mark(drawn, len(heights), scaled(trials[info.score])[1], info.score)
    drawn.update_xaxes(type="category", categoryarray=names, range=[-0.3, len(names) - 0.7])
    drawn.update_yaxes(range=[-0.12, 1.12])
    return drawn
