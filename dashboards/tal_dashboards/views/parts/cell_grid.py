"""Grid of a study's cells: one table for all axes, with differences to the centre coloured outside the noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import pandas as pd
from dash import html

from tal_dashboards.app.grid import Cell, Grid, Row, searchable
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.style import number, shown
from tal_search.results.published import BEST_ON_TEST, MARK
from tal_search.types import written, written_axis

NAME = "tables-cells"
CAPTION = "Every cell beside the centre"
DEEPEST = 55  # % of the full colour for the largest difference; text on it stays readable
WORSE, BETTER = DECIDED = ("worse", "better")  # verdicts
PAPERS = {f"mAP@{tiou:g}" for tiou in (0.3, 0.4, 0.5, 0.6, 0.7)}  # thresholds that THUMOS14 papers print


def shade(delta: float, verdict: str, noise: float, largest: float) -> Cell:
    """The look of a difference (points): the larger the difference, the deeper the colour.

    Filled if the verdict is decided (a mean of repeats can be within the noise of one run), outlined if only the
    difference exceeds the noise, grey otherwise and wherever the noise is unknown. largest: of the study's differences.
    """
    if math.isnan(delta) or (verdict not in DECIDED and not abs(delta) > noise):
        return Cell(look="number delta" if math.isnan(delta) else "number delta within")
    unsure = "" if verdict in DECIDED else " unsure"
    look = f"number delta {BETTER if delta > 0 else WORSE}{unsure}"
    return Cell(look=look, share=f"{DEEPEST * min(1.0, abs(delta) / largest):.0f}%")


def scale(cells: pd.DataFrame, score: str, noise: float) -> html.P:
    """The legend of the colours."""
    largest = float(cells[f"Δ {score}"].abs().max())
    if math.isnan(noise) or not largest > 0:
        return html.P(f"Δ {score} has no colours: the noise floor is unknown.", className="scale", id="tables-scale")
    worse, better = (
        [_sample(sign * size, shade(sign * size, verdict, noise, largest)) for size in (largest, largest / 2)]
        for sign, verdict in ((-1, WORSE), (1, BETTER))
    )
    return html.P([
        html.Span(f"Δ {score} in points: worse"), *worse, html.Span("0", className="delta"), *reversed(better),
        html.Span("better than the centre;"), html.Span("outlined", className="delta unsure"),
        html.Span(f"beyond the noise (± {number(noise)}), but needs repeats;"),
        html.Span("grey", className="delta within"), html.Span("within the noise"),
    ], className="scale", id="tables-scale")  # fmt: skip


def _sample(delta: float, cell: Cell) -> html.Span:
    return html.Span(number(delta, 1, "+"), className=cell["look"], style={"--share": cell["share"]})


def grid(data: StudyData, cells: pd.DataFrame, noise: float) -> Grid:
    """The grid of `TablesInfo.together`: the cell, its difference and verdict, then the numbers behind them."""
    delta, paper = f"Δ {data.score}", f"paper {data.score}"
    first = ["axis", "value"] if "axis" in cells else list(data.axes)
    heads = {name: _head(data, name) for name in _columns(data, cells, first)}
    largest = float(cells[delta].abs().max())
    values = {name: _in_words(cells, name) for name in first}

    def draw(page: pd.DataFrame) -> list[Row]:
        text = shown(page)
        for name in first:
            text[name] = values[name][page.index]
        selection = page.get("paper selection", page[paper])
        text[paper] = [_published(*row) for row in zip(page[paper], selection, strict=True)]
        looks = [shade(*row, noise, largest) for row in zip(page[delta], page["verdict"], strict=True)]
        return _rows(text[list(heads)], delta, looks, list(page["verdict"].isin(["centre", "reference"])))

    hint = f"{list(data.axes)[-1]}, worse" if "axis" in cells else "better"
    return Grid(CAPTION, hint, cells, heads, lambda: _text(data, cells, values), draw)


def _columns(data: StudyData, cells: pd.DataFrame, first: Sequence[str]) -> list[str]:
    """Names in order; without thresholds that papers do not print, and without columns that have no entry."""
    paper = f"paper {data.score}"
    scores = [f"mAP@{tiou:g}" for tiou in data.tiou]
    scores = [name for name in scores if name in PAPERS] if {*scores} >= PAPERS else scores
    return [
        *first, f"Δ {data.score}", "verdict", *(["needs"] if cells["needs"].any() else []), "n", *scores, "average",
        *(["holdout"] if "holdout" in cells else []), *([paper] if cells[paper].notna().any() else []),
    ]  # fmt: skip


def _in_words(cells: pd.DataFrame, name: str) -> pd.Series:
    """A column of values as a study file writes them; if one value of an axis is a fraction, all are."""
    if name == "value":
        return cells.groupby("axis", sort=False)[name].transform(written_axis)
    return pd.Series(written_axis(cells[name]), index=cells.index, dtype=object)


def _head(data: StudyData, name: str) -> str:
    symbol = data.axes.get(name, name)
    return name if symbol == name else f"{symbol} ({name})"


def _published(mAP: float, selection: str | float) -> str:
    return number(mAP) + (f" {MARK}" if selection == BEST_ON_TEST else "")


def _text(data: StudyData, cells: pd.DataFrame, in_words: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The text that a search for cells looks in: axis, values, verdict and needs; see `grid.matching`.

    in_words: values by column, as a study file writes them.
    """
    words, values = [], []
    for place, row in zip(cells.index, cells.to_dict("records"), strict=True):
        axis = str(row.get("axis", ""))
        named = [(name, "value") for name in ("value", *axis.removesuffix(")").split(" ("))] if axis else []
        named += [(name, column) for column in in_words if column in data.axes for name in (column, data.axes[column])]
        both = [f"{name}={text}" for name, column in named for text in {written(row[column]), in_words[column][place]}]
        values.append(searchable(f" {' '.join(sorted(both))} "))
        words.append(searchable(f" {axis} {row['verdict']} {row['needs']}") + values[-1])
    return pd.DataFrame({"words": words, "values": values}, index=cells.index, dtype=str)


def _rows(text: pd.DataFrame, delta: str, looks: list[Cell], centre: list[bool]) -> list[Row]:
    """Equal neighbours in the column `axis` share one cell."""
    rows = []
    spans = _spans(text["axis"].tolist()) if "axis" in text else [0] * len(text)
    for place, cells in enumerate(text.itertuples(index=False)):
        items: list[str | Cell] = []
        for name, content in zip((str(name) for name in text), cells, strict=True):
            if name == delta:
                items.append(Cell(text=content, **looks[place]))
            elif name != "axis":
                first = name == "value" or (not items and not spans[place])
                items.append(Cell(text=content, scope="row") if first else content)
            elif spans[place]:
                symbol, _, axis = content.removesuffix(")").partition(" (")
                items.append(Cell(text=symbol, scope="rowgroup", small=axis, rows=spans[place]))
        looks_of_row = {"marked": centre[place], "begins": spans[place] > 0}
        rows.append(Row(items, " ".join(look for look, applies in looks_of_row.items() if applies)))
    return rows


def _spans(column: list[str]) -> list[int]:
    """For each row the number of rows that its cell spans: the first of equal neighbours spans all, the others 0."""
    spans: list[int] = []
    for _, group in itertools.groupby(column):
        count = len(list(group))
        spans += [count] + [0] * (count - 1)
    return spans
