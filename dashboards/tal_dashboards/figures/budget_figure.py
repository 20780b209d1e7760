"""Budget figure: mAP against the annotation time of the whole training set, one line a method, and the front."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from tal_dashboards.figures.labels import FONT, Bar, Named, Place, places, wrapped
from tal_dashboards.style import COLOURS, DASHES, GREY, INK, MARKERS, figure, text, translucent
from tal_search.results.budgets.answers import BestFor, answers
from tal_search.results.budgets.ladder import ALONE, BELOW, ON, Ladder
from tal_search.results.budgets.words import ROUND, spent
from tal_search.results.statistics import HIGH, LOW

HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 616, 112, 66, 60, 12  # pixels
WIDTHS = (780.0, 1352.0)  # pixels of the whole figure: beside a trial, on a wide screen
AROUND = (0.04, 0.12)  # shares of the axis left free before the cheapest and after the most expensive cell, for names
RIBBON = (1.05, 1.1)  # of the plot's height: the strip of the best method for each time; narrow names are below it
LETTER = 7.2  # pixels
TICKS = 7  # at most
PIECES = 6  # obstacles that stand for one stretch of a line
MOST = 8  # names of methods without a line
LEAST = 1e-9  # seconds: a cost of nothing has no place on a logarithmic axis
SURE = "better"


def budget_figure(found: Ladder, budget: float | None, label: str) -> go.Figure:
    """Lines join the budgets of one method; filled markers are on the front beyond the noise; bars: 95 % intervals.

    budget: seconds, a dashed line; None for no line. The ladder's costs are those of the whole training set.
    """
    points, score = found.points, found.score
    drawn = figure("total annotation time (log scale)", f"test {score} (%)", height=HEIGHT)
    low, high = _ends(points)
    top = 1.06 * float(pd.concat([points[score + HIGH], points[score]]).max()) or 1.0
    times = _ticks(10**low, 10**high)
    drawn.update_layout(
        margin={"t": TOP, "b": BOTTOM, "l": LEFT, "r": RIGHT}, showlegend=False,
        xaxis={"type": "log", "range": [low, high], "tickvals": times, "ticktext": [*map(spent, times)]},
        yaxis={"range": [0, top], "automargin": False},
    )  # fmt: skip
    _draw_front(drawn, found, high)
    colours = {str(method): place for place, method in enumerate(points["method"].unique())}
    for method, place in colours.items():
        _draw_method(drawn, found, method, place)
    _draw_names(drawn, found, colours, (low, high), top)
    _draw_ribbon(drawn, found, colours, high)
    if budget is not None:
        drawn.add_vline(x=budget, line={"color": COLOURS[1], "dash": "dash"})
    _draw_key(drawn, label)
    return drawn


def _ends(points: pd.DataFrame) -> tuple[float, float]:
    """The ends of the axis, as powers of ten."""
    known = points["cost"][points["cost"] > 0]
    first, last = (math.log10(known.min()), math.log10(known.max())) if len(known) else (0.0, 0.0)
    wide = max(last - first, 0.3)
    return first - AROUND[0] * wide, last + AROUND[1] * wide


def _ticks(low: float, high: float) -> list[float]:
    """Round times, at most TICKS of them, evenly thinned."""
    times = [float(time) for time in ROUND if low <= time <= high]
    return times[:: math.ceil(len(times) / TICKS)] if times else [low, high]


def _draw_front(drawn: go.Figure, found: Ladder, end: float) -> None:
    front = found.points[found.points["highest"]].drop_duplicates("cost")
    times = [*front["cost"], 10**end]
    drawn.add_scatter(
        x=times, y=[*front[found.score], *front[found.score].tail(1)], mode="lines", name="front", hoverinfo="skip",
        line={"color": translucent(GREY, 0.35), "width": 7, "shape": "hv"},
    )  # fmt: skip


def _draw_method(drawn: go.Figure, found: Ladder, method: str, place: int) -> None:
    """The lines of a method, and its cells."""
    colour, score = COLOURS[place % len(COLOURS)], found.score
    lines = [cells for (name, _), cells in found.lines.items() if name == method]
    for number, cells in enumerate(lines):
        rows = found.points.loc[cells]
        drawn.add_scatter(
            x=rows["cost"], y=rows[score], mode="lines", name=text(method), hoverinfo="skip",
            line={"color": colour, "width": 2, "dash": DASHES[number % len(DASHES)]},
        )  # fmt: skip
    mine = found.points[found.points["method"] == method]
    fills = [colour if front == ON else "white" for front in mine["front"]]
    about = zip(mine["cell"], mine["n"], mine["key"], mine["cost"], mine["front"], mine["needs"], strict=True)
    drawn.add_scatter(
        x=mine["cost"], y=mine[score], mode="markers", name=text(method),
        marker={"symbol": MARKERS[place % len(MARKERS)], "size": 9, "color": fills,
                "line": {"color": colour, "width": 2}},
        error_y={"array": (mine[score + HIGH] - mine[score]).fillna(0), "thickness": 1.2, "width": 3, "color": colour,
                 "arrayminus": (mine[score] - mine[score + LOW]).fillna(0)},
        customdata=[[text(cell), n, key, spent(cost), text(_where(front, needs))]
                    for cell, n, key, cost, front, needs in about],
        hovertemplate="%{customdata[0]}: %{y:.1f} %, %{customdata[3]}, n %{customdata[1]}<br>"
                      "%{customdata[4]}<extra></extra>",
    )  # fmt: skip


def _where(front: str, needs: str) -> str:
    words = {
        ALONE: "nothing else costs as little", ON: "on the front", BELOW: "below the front",
        "within noise": "within the noise of the front",
    }  # fmt: skip
    return words.get(front, f"perhaps on the front: needs {needs}" if needs else "perhaps on the front")


class _Name(NamedTuple):
    method: str
    words: str
    cell: int


def _names(found: Ladder) -> list[_Name]:
    """The name of each line, at its most expensive cell, or where several lines of a method meet there at its
    cheapest; and those of methods without a line.
    """
    several = pd.Series([method for method, _ in found.lines], dtype=object).duplicated(keep=False).tolist()
    names = [
        _Name(method, f"{method}: {kind}" if more else method, cells[0] if more else cells[-1])
        for ((method, kind), cells), more in zip(found.lines.items(), several, strict=True)
    ]
    alone = found.points[~found.points["method"].isin([name.method for name in names])].nlargest(MOST, found.score)
    return names + [
        _Name(str(name), str(name), int(cell)) for cell, name in zip(alone.index, alone["method"], strict=True)
    ]


def _draw_names(
    drawn: go.Figure, found: Ladder, colours: Mapping[str, int], ends: tuple[float, float], top: float
) -> None:
    """The name of each line beside one of its cells, where nothing obstructs it."""
    inside, (low, high) = HEIGHT - TOP - BOTTOM, ends
    points = zip(found.points.index, found.points["cost"], found.points[found.score], strict=True)
    spots = {int(cell): (math.log10(max(cost, LEAST)), float(score)) for cell, cost, score in points}
    at = {cell: ((x - low) / (high - low), y / top * inside) for cell, (x, y) in spots.items()}
    bars = [Bar(x, x, y, y) for x, y in at.values()]
    for cells in found.lines.values():
        for (left, start), (right, end) in itertools.pairwise(at[cell] for cell in cells):
            for piece in range(PIECES):
                share = (piece + 0.5) / PIECES
                x, y = left + share * (right - left), start + share * (end - start)
                bars.append(Bar(x, x, y, y, 4))
    names = _names(found)
    named = [Named(*at[name.cell], name.words) for name in names]
    for name, place in zip(names, places(named, bars, [width - LEFT - RIGHT for width in WIDTHS], inside), strict=True):
        if place is not None:
            _draw_name(drawn, name.words, place, spots[name.cell], COLOURS[colours[name.method] % len(COLOURS)])


def _draw_name(drawn: go.Figure, words: str, place: Place, spot: tuple[float, float], colour: str) -> None:
    lined = {"ax": place.right, "ay": -place.up, "arrowhead": 0, "arrowwidth": 0.8, "arrowcolor": GREY, "standoff": 6}
    near = {"xshift": place.right, "yshift": place.up}
    drawn.add_annotation(
        x=spot[0], y=spot[1], text="<br>".join(map(text, wrapped(words))), xanchor="center", yanchor="middle",
        font={"size": FONT + 1, "color": colour}, borderpad=0, showarrow=not place.near,
        **(near if place.near else lined),
    )  # fmt: skip


def _draw_ribbon(drawn: go.Figure, found: Ladder, colours: Mapping[str, int], end: float) -> None:
    """A strip above the plot, names of narrow stretches below it: the method with the highest mean from each time on,
    pale unless it is better than every other.
    """
    known = [answer for answer in answers(found) if answer.method]
    stretches = [
        (list(same), key) for key, same in itertools.groupby(known, lambda one: (one.method, one.verdict == SURE))
    ]
    starts = [stretch[0].seconds for stretch, _ in stretches]
    low, used = _ends(found.points)[0], -math.inf
    width = (WIDTHS[0] - LEFT - RIGHT) / (end - low)  # pixels of a factor of ten
    for (stretch, (method, sure)), start, stop in zip(stretches, starts, [*starts[1:], 10**end], strict=True):
        colour = COLOURS[colours[method] % len(COLOURS)]
        drawn.add_shape(
            type="rect", x0=start, x1=stop, y0=RIBBON[0], y1=RIBBON[1], xref="x", yref="paper", layer="below",
            fillcolor=colour if sure else translucent(colour, 0.25), line={"width": 0},
        )  # fmt: skip
        left, right, letters = math.log10(max(start, LEAST)), math.log10(stop), (LETTER * len(method) + 8) / width
        if right - left > letters:
            place = {"x": (left + right) / 2, "y": sum(RIBBON) / 2, "yanchor": "middle"}
            _draw_method_name(drawn, stretch[0], place, "white" if sure else INK)
        elif left >= used:
            place, used = {"x": left, "y": RIBBON[0], "yanchor": "top", "xanchor": "left"}, left + letters
            _draw_method_name(drawn, stretch[0], place, colour)


def _draw_method_name(drawn: go.Figure, answer: BestFor, place: Mapping[str, object], colour: str) -> None:
    drawn.add_annotation(
        **place, yref="paper", text=text(answer.method), showarrow=False, borderpad=0,
        font={"size": FONT, "color": colour},
    )  # fmt: skip


def _draw_key(drawn: go.Figure, label: str) -> None:
    lines = [(label, COLOURS[1])] if label else []
    lines.append(("● on the front   ○ not on it for certain   ▬ front", INK))
    lines.append(("The strip: highest mean from each time on; pale unless better than every other", INK))
    for place, (line, colour) in enumerate(reversed(lines)):
        drawn.add_annotation(
            text=line, x=0, y=RIBBON[1], xref="paper", yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
            yshift=3 + 17 * place, font={"size": 12, "color": colour},
        )  # fmt: skip
