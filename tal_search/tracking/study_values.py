"""Summary of a study for its MLflow run: best cell, centre and ranking as metrics, tags and a Markdown table."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from tal_search.results.cell_table import cells, records
from tal_search.results.overview import overview
from tal_search.results.ranking import best_first
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.types import cell_words, written

PROGRESS = "progress/"  # prefix of the metrics of a study's run that are not part of its summary
TAGS = ("best", "verdict", "needs")  # columns of a ranking that become tags
WORDS = (*TAGS, "lowest at", "highest at")  # values of axes, some of which are numbers
ROWS = 20  # of the ranking, in the note
NOTE_MARK = "All mAP in percent"
REFUSED = re.compile(r"[^\w\-. :/]", re.ASCII)  # characters that MLflow refuses in names of metrics and tags


class StudyValues(NamedTuple):
    """Metrics (mAP in percent, not rounded), tags, the ranking, and the Markdown for the note."""

    metrics: dict[str, float]
    tags: dict[str, str]
    ranking: pd.DataFrame
    table: str


def study_values(data: StudyFrame) -> StudyValues:
    """The summary of the finished trials. Metrics: `trials`, their number; `best/mAP/0.5` and `centre/...`, with
    intervals; `noise/mAP/0.5`, the noise floor; `COLUMN/AXIS` for each numeric column of the ranking; `rank/AXIS`.
    """
    summary, metrics, tags = overview(data), dict[str, float](), dict[str, str]()
    ranking = summary.ranking
    numbers = [str(column) for column in ranking.columns if ranking[column].dtype.kind in "iuf" and column not in WORDS]
    for name, place in {"best": next(iter(best_first(data)), None), "centre": _centre(data)}.items():
        if place is not None:
            (cell,) = records(cells(data).loc[[place]], list(cells(data).columns))
            metrics |= {f"{name}/{measure}": float(cell[column]) for column, measure in _measures(data)}
            tags[f"{name}/cell"] = cell_words({axis: cell[axis] for axis in data.axes}, data.centre)
    metrics["trials"] = float(len(data.done))
    metrics[f"noise/{_measure(data, data.score)}"] = summary.noise
    unique = _names(ranking["name"])
    for place, row in enumerate(records(ranking, list(ranking.columns)), 1):
        name = unique[place - 1]
        metrics |= {f"{column.replace(' ', '_')}/{name}": float(row[column]) for column in numbers}
        metrics[f"rank/{name}"] = float(place)
        tags |= {f"{column}/{name}": written(row[column]) for column in TAGS if row.get(column) not in ("", None)}
    known = {name: value for name, value in metrics.items() if not math.isnan(value)}
    return StudyValues(known, tags, ranking, _markdown(data, ranking, metrics, tags))


def note(description: str, link: str, summary: str = "") -> str:
    """Markdown for the page of a study's run, most important first: MLflow folds all but the first lines."""
    shown = f"[Dashboards]({link})" if "://" in link else "Dashboards: `tal-search dashboard`"
    unit = f"{NOTE_MARK}; the files of trials hold fractions. {shown}"
    return "\n\n".join(part for part in (summary, description, unit) if part)


def same(old: float | None, new: float) -> bool:
    return old is not None and (old == new or (math.isnan(old) and math.isnan(new)))


def _centre(data: StudyFrame) -> int | None:
    table = cells(data)
    return next((int(place) for place in table.index[table["centre"] & (table["n"] > 0)]), None)


def _measures(data: StudyFrame) -> Iterator[tuple[str, str]]:
    """Columns of the table of cells, each with the name of its metric."""
    yield "n", "n"
    for column in (*(f"mAP@{tiou:g}" for tiou in data.tiou), "average", "holdout"):
        for ending in ("", LOW, HIGH) if column == data.score else ("",):
            yield column + ending, _measure(data, column) + ending.replace(" ", "_")


def _measure(data: StudyFrame, column: str) -> str:
    """The metric's name in the runs of trials."""
    if column == "holdout":
        return f"selected_holdout_mAP/{data.threshold}"
    return f"mAP/average/{data.average_over.replace(':', '-')}" if column == "average" else column.replace("@", "/")


def _names(given: pd.Series[str]) -> list[str]:
    """Names without the characters that MLflow refuses, made unique."""
    names: list[str] = []
    for original in given:
        name = plain = REFUSED.sub("_", str(original)).replace("/", "_").strip(" .") or "_"
        count = 1
        while name in names:
            name = f"{plain} {(count := count + 1)}"
        names.append(name)
    return names


def _markdown(data: StudyFrame, ranking: pd.DataFrame, metrics: dict[str, float], tags: dict[str, str]) -> str:
    """Best and centre, the axes by verdict, and the first rows of the ranking."""
    measure = _measure(data, data.score)
    cell = {name: f"{_text(tags[f'{name}/cell'])} {metrics[f'{name}/{measure}']:.1f} %"
            for name in ("best", "centre") if f"{name}/cell" in tags}  # fmt: skip
    lines = [f"{data.score}: best {cell['best']}, centre {cell.get('centre', '–')}."] if "best" in cell else []
    if ranking.empty:
        return "\n\n".join(lines)
    for verdict, names in ranking.groupby("verdict", sort=False)["name"]:
        lines.append(f"{str(verdict).capitalize()}: {', '.join(map(_text, names[:ROWS]))}.")
    heads = ["case" if data.plan == "cases" else "axis", "effect (points)", "p", "verdict"]
    rows = [
        [_text(row["name"]), _number(row["effect"], ".1f"), _number(row["p adjusted"], ".3f"), _verdict(row)]
        for row in ranking.head(ROWS).to_dict("records")
    ]
    table = [f"| {' | '.join(words)} |" for words in (heads, ["---"] * len(heads), *rows)]
    more = [f"... and {len(ranking) - ROWS} more in ranking.csv."] if len(ranking) > ROWS else []
    return "\n\n".join([" ".join(lines), "\n".join(table), *more])


def _verdict(row: Mapping[Hashable, object]) -> str:
    return f"needs {row['needs']}" if row["needs"] else str(row["verdict"])


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


def _text(words: object) -> str:
    """Escape Markdown's special characters."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~])", r"\\\1", str(words))
