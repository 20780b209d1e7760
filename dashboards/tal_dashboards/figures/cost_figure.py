"""Cost figure: mAP against annotation cost, ours and published, with a broken x axis if costs lie far apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from tal_dashboards.figures.labels import FONT, Bar, Named, Place, places, wrapped
from tal_dashboards.style import COLOURS, GREY, INK, MARKERS, figure, text
from tal_search.data.dataset_spec import SIMULATED_CLICKS
from tal_search.results.published import BEST_ON_TEST
from tal_search.results.statistics import HIGH, LOW

SECONDS = "annotation s/min"
BREAK = 2.0  # ratio of neighbouring costs from which the axis is broken between them
SHARES = ((0.0, 0.7), (0.76, 1.0))  # from and to, as shares of the width: the two parts of a broken axis
BEFORE, AFTER = 0.5, 0.35  # shares of a part's range, left for names beside its first and last point
LEAST_RANGE = 4.0  # least range of a part, s/min, if costs are nearly equal
HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 560, 56, 76, 60, 12  # pixels
BELOW = 0.04  # share of the y axis below 0, so that marks at 0 are not cut
WIDTHS = (366.0, 780.0, 1352.0)  # pixels of the whole figure: on a phone, beside a trial, on a wide screen
NAMED = 12  # up to this many cells are all named; of more, those on the front and the centre


class Part(NamedTuple):
    """A part of the x axis: its name in Plotly, its range in s/min, its left and right end as shares of the width."""

    axis: str
    low: float
    high: float
    share: tuple[float, float]

    def at(self, cost: float) -> float:
        """The position of a cost as a share of the whole width."""
        left, right = self.share
        return left + (right - left) * (cost - self.low) / (self.high - self.low)

    def within(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows[SECONDS].between(self.low, self.high)]


def parts(costs: Sequence[float]) -> list[Part]:
    """One part for all costs, or two if the largest ratio of neighbouring costs is at least BREAK."""
    known = sorted(set(costs)) or [0.0]
    gaps = [after / before for before, after in itertools.pairwise(known)]
    if not gaps or max(gaps) < BREAK:
        return [_part("x", known, (0.0, 1.0))]
    cut = gaps.index(max(gaps)) + 1
    return [_part("x", known[:cut], SHARES[0]), _part("x2", known[cut:], SHARES[1])]


def _part(axis: str, known: list[float], share: tuple[float, float]) -> Part:
    spread = known[-1] - known[0]
    wide = max(spread, LEAST_RANGE)
    middle = (wide - spread) / 2
    return Part(axis, known[0] - middle - BEFORE * wide, known[-1] + middle + AFTER * wide, share)


def cost_figure(ours: pd.DataFrame, published: pd.DataFrame, score: str, budget: float | None, label: str) -> go.Figure:
    """Published systems are hollow and named; our cells are filled, by method, with a line over the click budgets.

    ours, published: as in `CostInfo`; budget: s/min, a dashed line, or None.
    """
    here = parts([*ours[SECONDS], *published[SECONDS]])
    broken = "<br>broken axis: each part has its own scale" if len(here) > 1 else ""
    drawn = figure("annotation (s per minute of video)", f"test {score} (%)", height=HEIGHT)
    top = 1.08 * float(pd.concat([ours[score + HIGH], ours[score], published[score]]).max())
    drawn.update_layout(
        margin={"t": TOP, "b": BOTTOM, "l": LEFT, "r": RIGHT}, showlegend=False,
        yaxis={"range": [-BELOW * top, top], "automargin": False, "title": {"font": {"size": 13}}},
    )  # fmt: skip
    drawn.layout.xaxis.title.text += broken
    base = drawn.layout.xaxis.to_plotly_json()
    for part in here:
        ticks = {"range": [part.low, part.high], "domain": part.share, "automargin": False, "tickangle": 0}
        few = {"nticks": 3 if part.axis == "x2" else 6, "minallowed": 0, "tickfont": {"size": 12}}
        title = {**base["title"], "font": {"size": 12}} if part.axis == "x" else None
        drawn.update_layout({f"xaxis{part.axis[1:]}": {**base, "anchor": "y", **ticks, **few, "title": title}})
        _draw_front(drawn, part, ours, score)
        _draw_published(drawn, part, published, score)
        _draw_ours(drawn, part, ours, score)
        if budget is not None and part.low <= budget <= part.high:
            drawn.add_vline(x=budget, line={"color": COLOURS[1], "dash": "dash"}, xref=part.axis)
    _draw_breaks(drawn, here)
    _draw_names(drawn, here, ours, published, score, top)
    _draw_key(drawn, ours, label, published=len(published) > 0)
    return drawn


def front_steps(front: pd.DataFrame, score: str, part: Part) -> pd.DataFrame:
    """Corners of the front's staircase within a part of the axis: `cost` and `level`, the best score up to that cost.

    front: cells on the front by rising cost.
    """
    rows: list[tuple[float, float]] = []
    level: float | None = None
    for cost, best in front[[SECONDS, score]].itertuples(index=False):
        if cost > part.high:
            break
        if cost >= part.low:
            if level is not None:
                rows += [*([] if rows else [(part.low, level)]), (cost, level)]
            rows.append((cost, best))
        level = best
    if level is not None:
        rows = rows or [(part.low, level)]
        rows.append((part.high, level))
    return pd.DataFrame(rows, columns=["cost", "level"])


def _front(ours: pd.DataFrame) -> pd.DataFrame:
    """Cells on the Pareto front by rising cost."""
    return ours[ours["front"]].drop_duplicates(SECONDS).sort_values(SECONDS)


def _draw_front(drawn: go.Figure, part: Part, ours: pd.DataFrame, score: str) -> None:
    steps = front_steps(_front(ours), score, part)
    drawn.add_scatter(
        x=steps["cost"], y=steps["level"], mode="lines", name="Pareto front", hoverinfo="skip", xaxis=part.axis,
        line={"color": GREY, "width": 1.5, "dash": "dot"},
    )  # fmt: skip


def _draw_published(drawn: go.Figure, part: Part, published: pd.DataFrame, score: str) -> None:
    mine = part.within(published)
    about = [
        [text(row.system), text(row.source) + (f"; {BEST_ON_TEST}" if row.selection == BEST_ON_TEST else "")]
        for row in mine.itertuples()
    ]
    drawn.add_scatter(
        x=mine[SECONDS], y=mine[score], mode="markers", name="published", customdata=about, xaxis=part.axis,
        marker={"symbol": "circle-open", "size": 9, "color": GREY, "line": {"width": 2}},
        hovertemplate="%{customdata[0]}: %{y:.1f} % at %{x:.3g} s/min<br>%{customdata[1]}<extra></extra>",
    )  # fmt: skip


def _draw_ours(drawn: go.Figure, part: Part, ours: pd.DataFrame, score: str) -> None:
    """A trace for each method; unnamed cells are faint and have no error bars, which would overlap."""
    for place, (method, every) in enumerate(ours.groupby("method", sort=False)):
        colour, symbol = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        for line, rows in every[every["line"] != ""].groupby("line", sort=False):
            ends = rows.sort_values(SECONDS)
            drawn.add_scatter(
                x=part.within(ends)[SECONDS], y=part.within(ends)[score], mode="lines", name=text(line),
                line={"color": colour, "width": 2}, hoverinfo="skip", xaxis=part.axis,
            )  # fmt: skip
        for named, rows in every.groupby("named", sort=True):  # named cells on top
            mine = part.within(rows)
            bars = {"array": (mine[score + HIGH] - mine[score]).fillna(0), "thickness": 1.2, "width": 4,
                    "arrayminus": (mine[score] - mine[score + LOW]).fillna(0), "visible": bool(named)}  # fmt: skip
            drawn.add_scatter(
                x=mine[SECONDS], y=mine[score], mode="markers", name=text(method), xaxis=part.axis, error_y=bars,
                marker={"symbol": symbol, "size": 10 if named else 7, "color": colour, "opacity": 1 if named else 0.45},
                customdata=[[text(row.cell), row.n, row.key] for row in mine.itertuples()],
                hovertemplate="%{customdata[0]}: %{y:.1f} %, %{x:.3g} s/min, n %{customdata[1]}",
            )  # fmt: skip


def _draw_breaks(drawn: go.Figure, here: list[Part]) -> None:
    """A slanted stroke at the end of the first part of the axis and at the start of the second."""
    for x in (here[0].share[1], here[1].share[0]) if len(here) > 1 else ():
        drawn.add_shape(
            type="line", xref="paper", yref="paper", xsizemode="pixel", ysizemode="pixel", xanchor=x, yanchor=0,
            x0=-4, x1=4, y0=-7, y1=7, line={"color": INK, "width": 1.5},
        )  # fmt: skip


class _Name(NamedTuple):
    """A name with the axis, cost and score of its point, and the colour of the letters."""

    axis: str
    cost: float
    score: float
    colour: str
    at: Named


def _draw_names(
    drawn: go.Figure, here: list[Part], ours: pd.DataFrame, published: pd.DataFrame, score: str, top: float
) -> None:
    inside = HEIGHT - TOP - BOTTOM

    def up(value: float) -> float:
        return (value / top + BELOW) / (1 + BELOW) * inside

    names, bars = [], []
    for part in here:
        named, others = part.within(ours[ours["named"]]), part.within(ours[~ours["named"]])
        for rows, column, colour in ((named, "cell", INK), (part.within(published), "system", GREY)):
            for cell, cost, mean in rows[[column, SECONDS, score]].itertuples(index=False):
                names.append(_Name(part.axis, cost, mean, colour, Named(part.at(cost), up(mean), str(cell))))
        for cost, low, high in named[[SECONDS, score + LOW, score + HIGH]].dropna().itertuples(index=False):
            bars.append(Bar(part.at(cost), part.at(cost), up(low), up(high)))
        bars += [Bar(part.at(cost), part.at(cost), up(mean), up(mean))
                 for cost, mean in others[[SECONDS, score]].itertuples(index=False)]  # fmt: skip
        steps = front_steps(_front(ours), score, part).to_numpy().tolist()
        for (left, start), (right, end) in itertools.pairwise(steps):
            bars.append(Bar(part.at(left), part.at(right), up(min(start, end)), up(max(start, end)), 1))
    at = places([name.at for name in names], bars, [width - LEFT - RIGHT for width in WIDTHS], inside)
    for name, place in zip(names, at, strict=True):
        if place is not None:
            _draw_name(drawn, name, place)


def _draw_name(drawn: go.Figure, name: _Name, place: Place) -> None:
    shifted = {"showarrow": False, "xshift": place.right, "yshift": place.up}
    with_line = {"showarrow": True, "ax": place.right, "ay": -place.up, "arrowhead": 0, "arrowwidth": 0.8,
                 "arrowcolor": GREY, "standoff": 6}  # fmt: skip
    drawn.add_annotation(
        x=name.cost, y=name.score, xref=name.axis, yref="y", text="<br>".join(map(text, wrapped(name.at.name))),
        font={"size": FONT, "color": name.colour}, xanchor="center", yanchor="middle", borderpad=0,
        **(shifted if place.near else with_line),
    )  # fmt: skip


def _draw_key(drawn: go.Figure, ours: pd.DataFrame, label: str, *, published: bool) -> None:
    """The legend above the plot, where there is room on a phone too."""
    real = "real clicks" if label == SIMULATED_CLICKS else "video"
    single = _front(ours)["n"] == 1
    few = " (n = 1)" if single.all() else " (some n = 1)" if single.any() else ""
    others = f"; published: {real}" if published else ""
    lines = [(f"ours: {label}{others}", COLOURS[1])] if label else []
    lines.append((f"{'○ published   ' if published else ''}● ours   ┄┄ Pareto front{few}", INK))
    for place, (line, colour) in enumerate(lines):
        drawn.add_annotation(
            text=line, x=0, y=1, xref="paper", yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
            yshift=4 + 18 * place, font={"size": 12, "color": colour},
        )  # fmt: skip
