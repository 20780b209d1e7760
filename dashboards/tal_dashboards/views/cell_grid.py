"""The grid of a study's cells: one table for all axes, differences to the centre coloured, grey within the noise."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pandas as pd
from dash import html

from tal_dashboards.app.grid import Cell, Grid, Row, searchable
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.style import number, shown
from tal_search.results.published import BEST_ON_TEST, MARK
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import written, written_axis

NAME = "tables-cells"
CAPTION = "Every cell beside the centre"
DEEPEST = 55  # % of the colour in the cell of the greatest difference, on which text is still read
DECIDED = ("worse", "better")  # verdicts
PAPERS = {f"mAP@{tiou:g}" for tiou in (0.3, 0.4, 0.5, 0.6, 0.7)}


def shade(delta: float, verdict: str, noise: float, most: float) -> Cell:
    """The look of a difference, all in points: its colour is the deeper the greater it is.

    Filled where it is told apart from the centre (a mean of repeats may be, within the noise of one run), outlined
    where it is beyond the noise alone, grey within. Where the noise is unknown, nothing is coloured. most: the greatest
    difference of the study.
    """
    if math.isnan(delta) or (verdict not in DECIDED and not abs(delta) > noise):
        return Cell(look="number delta" if math.isnan(delta) else "number delta within")
    unsure = "" if verdict in DECIDED else " unsure"
    look = f"number delta {'better' if delta > 0 else 'worse'}{unsure}"
    return Cell(look=look, share=f"{DEEPEST * min(1.0, abs(delta) / most):.0f}%")


def scale(cells: pd.DataFrame, score: str, noise: float) -> html.P:
    """The legend of the colours."""
    most = float(cells[f"Δ {score}"].abs().max())
    if math.isnan(noise) or not most > 0:
        return html.P(f"Δ {score} is not coloured: the noise floor is not known.", className="scale", id="tables-scale")
    worse, better = (
        [_sample(sign * one, shade(sign * one, word, noise, most)) for one in (most, most / 2)]
        for sign, word in zip((-1, 1), DECIDED, strict=True)
    )
    return html.P([
        html.Span(f"Δ {score} in points: worse"), *worse, html.Span("0", className="delta"), *reversed(better),
        html.Span("better than the centre;"), html.Span("outlined", className="delta unsure"),
        html.Span(f"beyond the noise (± {number(noise)}), not told apart yet;"),
        html.Span("grey", className="delta within"), html.Span("within the noise"),
    ], className="scale", id="tables-scale")  # fmt: skip


def _sample(delta: float, cell: Cell) -> html.Span:
    return html.Span(number(delta, 1, "+"), className=cell["look"], style={"--share": cell["share"]})


def grid(data: StudyData, cells: pd.DataFrame, noise: float) -> Grid:
    """Of `TablesInfo.together`; what a reader decides by stands first, then what it is made of."""
    delta, paper = f"Δ {data.score}", f"paper {data.score}"
    names = [str(name) for name in cells if not str(name).endswith((LOW, HIGH)) and name != "paper selection"]
    first = names[: names.index("n")]
    scores = [name for name in names if name.startswith("mAP@")]
    left_out = (
        set(scores) - PAPERS if set(scores) >= PAPERS else set()
    )  # thresholds that THUMOS14's papers do not print
    ordered = [
        *first,
        delta,
        "verdict",
        "needs",
        "n",
        *(name for name in names if name.startswith(("mAP@", "average"))),
    ]
    ordered += [name for name in ("holdout",) if name in names]
    ordered += [paper] if cells[paper].notna().any() else []
    heads = {name: _head(data, name) for name in ordered if name not in left_out}
    heads = {name: words for name, words in heads.items() if name != "needs" or cells["needs"].any()}
    most = float(cells[delta].abs().max())
    words = {name: _in_words(cells, name) for name in first}

    def draw(page: pd.DataFrame) -> list[Row]:
        text = shown(page)
        for name in first:
            text[name] = words[name][page.index]
        text[paper] = [
            _published(*row) for row in zip(page[paper], page.get("paper selection", page[paper]), strict=True)
        ]
        looks = [shade(*one, noise, most) for one in zip(page[delta], page["verdict"], strict=True)]
        return _rows(text[list(heads)], looks, list(page["verdict"].isin(["centre", "reference"])))

    hint = f"{list(data.axes)[-1]}, worse" if "axis" in cells else "better"
    return Grid(CAPTION, hint, cells, heads, lambda: _text(data, cells, first), draw)


def _in_words(cells: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A column of values as a study file has them, fractions beside fractions of the same axis."""
    if name == "value":
        return cells.groupby("axis", sort=False)[name].transform(written_axis)
    return pd.Series(written_axis(cells[name]), index=cells.index, dtype=object)


def _head(data: StudyData, name: str) -> str:
    symbol = data.axes.get(name, name)
    return name if symbol == name else f"{symbol} ({name})"


def _published(mAP: float, selection: Any) -> str:
    return number(mAP) + (f" {MARK}" if selection == BEST_ON_TEST else "")


def _text(data: StudyData, cells: pd.DataFrame, first: list[str]) -> pd.DataFrame:
    """What a cell is found by: its axis, its values, its verdict and what it needs."""
    words, values, shown_words = [], [], {name: _in_words(cells, name) for name in first if name != "axis"}
    for place, row in zip(cells.index, cells.to_dict("records"), strict=True):
        axis = str(row.get("axis", ""))
        named = [(name, "value") for name in ("value", *axis.removesuffix(")").split(" ("))] if axis else []
        named += [(name, one) for one in first if one in data.axes for name in (one, data.axes[one])]
        both = [f"{name}={text}" for name, one in named for text in {written(row[one]), shown_words[one][place]}]
        values.append(searchable(f" {' '.join(sorted(both))} "))
        words.append(searchable(f" {axis} {row['verdict']} {row['needs']}") + values[-1])
    return pd.DataFrame({"words": words, "values": values}, index=cells.index, dtype=str)


def _rows(text: pd.DataFrame, looks: list[Cell], centre: list[bool]) -> list[Row]:
    """Equal neighbours in a column `axis` are one cell."""
    drawn = []
    spans = _spans(text["axis"].tolist()) if "axis" in text else [0] * len(text)
    for place, cells in enumerate(text.itertuples(index=False)):
        items: list[str | Cell] = []
        for name, content in zip((str(name) for name in text), cells, strict=True):
            if name.startswith("Δ"):
                items.append(Cell(text=content, **looks[place]))
            elif name != "axis":
                first = name == "value" or (not items and not spans[place])
                items.append(Cell(text=content, scope="row") if first else content)
            elif spans[place]:
                symbol, _, axis = content.removesuffix(")").partition(" (")
                items.append(Cell(text=symbol, scope="rowgroup", small=axis, rows=spans[place]))
        kinds = {"marked": centre[place], "begins": spans[place] > 0}
        drawn.append(Row(items, " ".join(name for name, there in kinds.items() if there)))
    return drawn


def _spans(column: list[str]) -> list[int]:
    """How many rows the entry of each row stands for: of equal neighbours, all stand with the first."""
    spans: list[int] = []
    for _, group in itertools.groupby(column):
        count = len(list(group))
        spans += [count] + [0] * (count - 1)
    return spans
