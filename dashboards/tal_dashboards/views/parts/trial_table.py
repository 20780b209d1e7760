"""Grid of all trials of a study, each with its differences from the centre; searched, sorted and paged."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from tal_dashboards.app.grid import Cell, Grid, Row, searchable
from tal_dashboards.data.fits import same
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.style import shown
from tal_dashboards.views.parts.trial_panel import trial_query
from tal_search.results.cell_table import records
from tal_search.types import CASE, Ints, written

NAME = "study-trials"
CAPTION = "Trials, the newest first; a number opens its trial"


@lru_cache(maxsize=2)
def listed(data: StudyData) -> pd.DataFrame:
    """Trials, the newest first, without empty columns; `differs`: from the centre. Shared: do not write to it."""
    scores = ["epoch", data.score, "average", "holdout", "seconds"]
    rows, (code_N, cells) = data.every.iloc[::-1], _cells(data)
    rows = rows.assign(differs=_spread([_differs(data, cell) for cell in cells], code_N))
    fold = ["fold"] if "fold" in rows else []
    table = rows[
        ["number", "state", "differs", "seed", "annotator", *fold, *scores, "reason", *data.axes, "key", "mlflow"]
    ]
    empty = [name for name in table if table[name].isna().all()]
    return table.drop(columns=[*empty, *([] if rows["reason"].any() else ["reason"])])


def _cells(data: StudyData) -> tuple[Ints, list[dict[str, Hashable]]]:
    """For each trial, the newest first, the number of its cell; and the cells by number."""
    rows, code_N = data.every.iloc[::-1], np.zeros(len(data.every), dtype=np.int64)
    for axis in data.axes:
        code, values = pd.factorize(rows[axis], use_na_sentinel=False)
        code_N = np.unique(code_N * len(values) + code, return_inverse=True)[1]  # compact: no overflow with many axes
    first = np.unique(code_N, return_index=True)[1]
    return code_N, records(rows.iloc[first], list(data.axes))


def _spread(words: list[str], code_N: Ints) -> list[str]:
    """For each trial the words of its cell."""
    return [words[code] for code in code_N.tolist()]


def _differs(data: StudyData, cell: Mapping[str, Hashable]) -> str:
    """A cell's differences from the centre, "h = 1, λ = 4"; in a study of cases the name of the case."""
    if CASE in data.axes:
        return str(cell[CASE])
    return ", ".join(f"{data.axes[axis]} = {written(cell[axis])}" for axis in off_centre(data, cell)) or "centre"


def off_centre(data: StudyData, cell: Mapping[str, Hashable]) -> list[str]:
    """Axes in which a cell differs from the centre."""
    return [axis for axis, value in cell.items() if not same(value, data.centre[axis])]


@lru_cache(maxsize=2)
def _text(data: StudyData) -> pd.DataFrame:
    """The text that a search for trials looks in: number, key, state, reason, seed, annotator, values off the centre
    (`words`), and every value (`values`); see `grid.matching`.
    """
    rows, (code_N, cells) = data.every.iloc[::-1], _cells(data)
    off, every = [], []
    for cell in cells:
        named = {axis: _named(axis, data.axes[axis], value) for axis, value in cell.items()}
        every.append("".join(named.values()))
        differing = cell if CASE in cell else off_centre(data, cell)
        off.append("".join(named[axis] for axis in differing) or " centre")
    off, every = _spread(off, code_N), _spread(every, code_N)
    seeds = [f" seed={seed} " for seed in rows["seed"].tolist()]
    if "fold" in rows:
        seeds = [f"{seed}fold={fold} " for seed, fold in zip(seeds, rows["fold"].tolist(), strict=True)]
    ends = zip(*(rows[name].tolist() for name in ("annotator", "state", "reason")), strict=True)
    others = (rows["number"].tolist(), rows["key"].tolist(), map(_ending, ends))
    words = [
        f" {number} {key}{cell}{seed}{ending} "
        for cell, seed, number, key, ending in zip(off, seeds, *others, strict=True)
    ]
    values = [cell + seed for cell, seed in zip(every, seeds, strict=True)]
    return pd.DataFrame({"words": words, "values": values}, index=rows.index, dtype=str)


@lru_cache(maxsize=4096)
def _ending(words: tuple[str, ...]) -> str:
    return searchable(" ".join(map(str, words)))


@lru_cache(maxsize=4096, typed=True)
def _named(axis: str, symbol: str, value: Hashable) -> str:
    return "".join(f" {searchable(f'{name}={written(value)}')}" for name in dict.fromkeys((symbol, axis)))


def grid(data: StudyData, selection: Selection) -> Grid:
    """Each row links to its trial and keeps the rest of the selection."""
    trials = listed(data)
    heads = {str(name): str(name) for name in trials if name not in {*data.axes, "key", "mlflow"}}
    heads |= {"differs": "case"} if CASE in data.axes else {"differs": "differs from the centre"}
    linked = {"mlflow": "MLflow"} if "mlflow" in trials else {}

    def draw(page: pd.DataFrame) -> list[Row]:
        text, rows = shown(page[list(heads)]), []
        urls = page["mlflow"].tolist() if linked else [None] * len(page)
        for key, url, (number, *cells) in zip(page["key"], urls, text.itertuples(index=False), strict=True):
            first = Cell(text=number, scope="row", href=trial_query(selection, key))
            run: list[str | Cell] = [Cell(text="run", href=url) if url else ""] if linked else []
            rows.append(Row([first, *cells, *run]))
        return rows

    return Grid(CAPTION, "seed 0, failed, or a key", trials, {**heads, **linked}, lambda: _text(data), draw)
