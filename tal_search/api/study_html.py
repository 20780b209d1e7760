"""Notebook output of `StudyResults`: one line of text, and HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from tal_dashboards.data.study_data import StudyData
from tal_search.results.axis_effects import MATTERS
from tal_search.results.folds.pooling import folds_note
from tal_search.results.overview import Overview, answer
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import written

STATES = ("running", "failed", "stopped early")
HEADS = ("", "effect (points)", "best", "best − centre (points)", "worst − centre (points)", "verdict", "needs")
RIGHT, LEFT = 'style="text-align: right; white-space: nowrap"', 'style="text-align: left; white-space: nowrap"'


def study_line(data: StudyData, info: Overview) -> str:
    """One line: method, data, progress, best cell and centre."""
    best = [f"best {_cell(info.best)}"] if info.best else []
    centre = [f"centre {_mean(info.centre)}"] if info.centre and info.centre != info.best else []
    about = ", ".join([_progress(data), *best, *centre])
    return f"<StudyResults {data.name}: {data.method} on {_source(data)}, {about}, {info.score}>"


def study_html(data: StudyData, info: Overview) -> str:
    """A heading, the ranking, the noise, and what to run next."""
    badge = f" <strong>({data.label})</strong>" if data.label else ""
    parts = [f"<h4>{html.escape(data.name)}{badge}</h4>", _paragraph(data.description), _paragraph(_progress(data))]
    parts.append(_paragraph(" ".join([*filter(None, [folds_note(data)]), *answer(info), _noise(info.noise)])))
    if len(info.ranking):
        parts.append(_table(info.ranking))
    parts += [_paragraph(f"{words}: {command}" if command else f"{words}.") for words, command in info.steps]
    return "".join(parts)


def _source(data: StudyData) -> str:
    where = "simulated" if data.simulated else data.label
    return f"{data.dataset} ({where})" if where else data.dataset


def _progress(data: StudyData) -> str:
    states = data.every["state"]
    done, planned = int((states == "done").sum()), data.planned
    others = [f"{count} {state}" for state in STATES if (count := int((states == state).sum()))]
    return ", ".join([f"{done}{'' if planned is None else f' of {planned}'} trials done", *others])


def _cell(cell: Mapping[str, Any]) -> str:
    """ "kernel_size=1: 12.9 % [10.1, 15.8], n = 3"."""
    return f"{cell['cell']}: {_mean(cell)}"


def _mean(cell: Mapping[str, Any]) -> str:
    around = "" if math.isnan(cell["low"]) else f" [{cell['low']:.1f}, {cell['high']:.1f}]"
    return f"{cell['mean']:.1f} %{around}, n = {cell['n']}"


def _noise(noise: float) -> str:
    if math.isnan(noise):
        return "The noise floor is unknown: too few repeats."
    return f"Noise floor: two single runs differ by less than {noise:.1f} points 95 times in 100."


def _table(ranking: pd.DataFrame) -> str:
    rows = "".join(_row(row) for _, row in ranking.iterrows())
    head = "".join(f'<th scope="col" {LEFT if not name else RIGHT}>{html.escape(name)}</th>' for name in HEADS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(row: pd.Series) -> str:
    name = row["name"] if row["symbol"] in ("", row["name"]) else f"{row['symbol']} ({row['name']})"
    best, verdict = written(row["best"]), str(row["verdict"])
    ends = [_difference(row, end) for end in ("highest", "lowest")]
    texts = [_points(row["effect"]), best, *ends, verdict, str(row["needs"])]
    weight = ' style="font-weight: bold"' if verdict == MATTERS else ""
    return f'<tr{weight}><th scope="row" {LEFT}>{html.escape(name)}</th>{_cells(texts)}</tr>'


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"<td {RIGHT}>{html.escape(text)}</td>" for text in texts)


def _difference(row: pd.Series, name: str) -> str:
    """ "+2.4 [0.1, 4.6]"."""
    low, high = row[name + LOW], row[name + HIGH]
    return _points(row[name], "+") + ("" if math.isnan(low) else f" [{low:+.1f}, {high:+.1f}]")


def _points(number: float, sign: str = "") -> str:
    return "–" if math.isnan(number) else f"{number:{sign}.1f}"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"
