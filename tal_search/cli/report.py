"""Result files of a study (CSV, Markdown, JSON), and the same tables for the terminal."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from tal_search.cli.overview_text import verdict_words
from tal_search.cli.text_table import TextTable, compact, markdown, spread
from tal_search.files.atomic import write_atomically
from tal_search.plan.plan import Plan
from tal_search.plan.plan_frame import symbols
from tal_search.plan.preset_words import preset_words, sampling_words
from tal_search.record.description import scored_by
from tal_search.results.axis_effects import MATTERS
from tal_search.results.axis_effects import METHOD as OF_AXES
from tal_search.results.case_comparison import Comparison
from tal_search.results.folds.pooling import folds_json, method_of, spread_of
from tal_search.results.overview import as_json, overview, ranking_table
from tal_search.results.published import MARK, MARK_NOTE, NOT_AVAILABLE, marked
from tal_search.results.ranking import Ranking
from tal_search.results.sensitivity import AxisTable, csv_columns
from tal_search.results.statistics import HIGH, LOW
from tal_search.results.trials import StudyFrame
from tal_search.text.csv_text import csv_text
from tal_search.text.words import time_words
from tal_search.types import CASE, criterion, written

PAPER_NOTES = {
    ("backtal", "thumos14", "lambda_sep"): "The paper says that lowering λ costs 0.5 mAP, without naming the value.",
    ("backtal", "thumos14", "kernel_size"): "The paper finds h = 3 best of 3 to 9.",
    ("backtal", "thumos14", "embedding_dim"): "The paper finds D_emb = 32 best.",
}
SHOWN_TIOU = (0.3, 0.5, 0.7)
SHOWN_CELLS = 10  # of a ranking, in a terminal
SHOWN_ROWS = 40  # of a sensitivity table, in a terminal
DIGITS = {"mAP": 1, "annotation_seconds": 1, "annotation_total": 0, "parameters": 0, "training_seconds": 1}
COSTS = {"s/min": "annotation_seconds", "total": "annotation_total"}  # columns of annotation cost
UNITS = {
    "mAP": "holdout mAP@{tiou}", "annotation_seconds": "annotation s/min", "annotation_total": "annotation s",
    "parameters": "parameters",
    "training_seconds": "training s",
}  # fmt: skip


def write_overview(data: StudyFrame, folder: Path) -> Path:
    """Write `overview.json`, the overview as plain values with unrounded numbers; returns its path."""
    path = folder / "overview.json"
    text = json.dumps(as_json(overview(data)) | folds_json(data), allow_nan=False, indent=1, ensure_ascii=False)
    write_atomically(path, lambda stream: stream.write(text.encode()))
    return path


def write_overview_figure(data: StudyFrame, folder: Path) -> None:
    """Write `overview.html`, the figure as a page, if Plotly is installed and there is anything to draw."""
    info = overview(data)
    if find_spec("plotly") is None or not len(info.ranking):
        return
    from tal_dashboards.figures.overview_figure import overview_figure

    page = overview_figure(info).to_html(include_plotlyjs=True, config={"displaylogo": False, "responsive": True})
    write_atomically(folder / "overview.html", lambda stream: stream.write(page.encode()))


def write_tables(
    plan: Plan, data: StudyFrame, tables: list[AxisTable], folder: Path, remark: str = ""
) -> tuple[Path, Path]:
    """Write `sensitivity.csv` (all numbers) and `sensitivity.md` (rounded) into `folder`; returns both paths.

    remark, here and below: `plateau.speed_note`.
    """
    columns = csv_columns(data)
    frames = [table.rows[list(columns)].rename(columns=columns).assign(table=table.title) for table in tables]
    content = pd.concat(frames)
    axes = axes_text(data)
    texts = [*([axes] if axes else []), *[axis_text(plan, table) for table in tables]]
    texts[-1] = texts[-1]._replace(remark=f"{texts[-1].remark} {mark_note(texts)}".strip())
    return _write(
        plan, folder, "sensitivity", ["table", *plan.axes], content, texts, remark, below_heading(tables, data.subjects)
    )


def axes_text(data: StudyFrame) -> TextTable | None:
    """The table of axes that matter; None if there is nothing to compare."""
    table = ranking_table(overview(data))
    if table.empty:
        return None
    rows = [[str(row["axis"]), *[_cell(name, row[name]) for name in table.columns[1:]]] for _, row in table.iterrows()]
    left = ("axis", "verdict", "needs")
    matters = tuple(table["verdict"] == MATTERS)
    return TextTable("Which axes matter", list(table.columns), rows, left, matters, f"{OF_AXES}.")


def _cell(name: str, value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return "–" if math.isnan(value) else f"{value:.3f}" if name == "p" else f"{value:.1f}"


def below_heading(tables: list[AxisTable], subjects: int = 0) -> str:
    """The note on noise and verdicts above sensitivity tables; subjects: of folds."""
    return f"{tables[0].noise} Δ: mean difference to the centre over common repeats; {method_of(subjects)}."


def write_ranking(plan: Plan, ranked: Ranking, folder: Path, remark: str = "") -> tuple[Path, Path]:
    """Write `cells.csv` (all numbers) and `cells.md` (rounded) into `folder`; returns both paths."""
    table = ranking_text(plan, ranked, len(ranked.rows))
    return _write(plan, folder, "cells", list(plan.axes), ranked.rows, [table], remark)


def write_comparison(plan: Plan, compared: Comparison, folder: Path, remark: str = "") -> tuple[Path, Path]:
    """Write `cases.csv` (all numbers) and `cases.md` (rounded) into `folder`; returns both paths."""
    content = compared.rows.rename(columns={"average": f"average {compared.average_over}"})
    return _write(plan, folder, "cases", [CASE], content, [comparison_text(compared, subjects_of(plan))], remark)


def _write(
    plan: Plan,
    folder: Path,
    name: str,
    first: list[str],
    content: pd.DataFrame,
    tables: list[TextTable],
    remark: str,
    note: str = "",
) -> tuple[Path, Path]:
    csv, text = folder / f"{name}.csv", folder / f"{name}.md"
    content = content.assign(source=plan.dataset.source, dataset=plan.dataset.description, remark=remark)
    if plan.dataset.folds:
        content = content.assign(intervals=method_of(subjects_of(plan)))
    content = content[[*first, *[column for column in content.columns if column not in first]]]
    write_atomically(csv, lambda stream: stream.write(csv_text(content).encode()))
    page = "\n".join([heading(plan, remark), "", *([note, ""] if note else []), *[markdown(table) for table in tables]])
    write_atomically(text, lambda stream: stream.write(page.encode()))
    return csv, text


def subjects_of(plan: Plan) -> int:
    """The subjects of the plan's folds, 0 without folds."""
    return len(plan.dataset.folds.get("subjects", ()))


def heading(plan: Plan, remark: str) -> str:
    """The heading of a Markdown file: unit, data, selection and scores; remark: see `plateau.speed_note`."""
    return (
        f"# {plan.study.name}: mAP in %, {spread_of(subjects_of(plan))}\n\n"
        f"{remark}{' ' if remark else ''}Data: {plan.dataset.description}. Source: {plan.dataset.source}. "
        + " ".join(filter(None, [preset_words(plan), sampling_words(plan)]))
        + f" Selection: {plan.protocol['selection']}. Scores: {scored_by(plan)}. "
        "Paper column: published numbers, on their own features."
    )


def common_need(tables: list[AxisTable]) -> str:
    """What the undecided cells need, if it is the same for several of them; else empty."""
    needs = [need for table in tables for need in table.rows.loc[~table.rows["centre"].astype(bool), "needs"] if need]
    return str(needs[0]) if len(needs) > 1 and len(set(needs)) == 1 else ""


def axis_text(plan: Plan, table: AxisTable, most: int | None = None, need: str = "") -> TextTable:
    """A sensitivity table as text, at most the first `most` rows; the others are counted below it.

    need: the result of `common_need`, which the table replaces by a dash.
    """
    shown = [f"mAP@{tiou:g}" for tiou in SHOWN_TIOU if f"mAP@{tiou:g}" in table.rows]
    tiou = criterion(plan.protocol["tiou"])
    cost = [name for name, column in COSTS.items() if table.rows[column].nunique() > 1]
    heads = [*table.axes, *cost, "n", *shown, f"average {table.average_over}", f"Δ @{tiou}", "verdict", "paper @0.5"]
    rows = []
    for _, row in table.rows.head(most or len(table.rows)).iterrows():
        values = [f"{written(row[axis])}{' (centre)' if row['centre'] else ''}" for axis in table.axes]
        spreads = [_compact(row, name) for name in (*shown, "average")]
        delta = "" if row["centre"] or math.isnan(row["delta"]) else _compact(row, "delta", "+")
        verdict = "" if row["centre"] else "–" if need and row["needs"] == need else verdict_words(row)
        paper = marked(row["paper"], row["paper selection"])
        seconds = [_cost(row[COSTS[name]], name) for name in cost]
        rows.append([*values, *seconds, str(row["n"]), *spreads, delta, verdict, paper])
    more = f"... and {len(table.rows) - len(rows)} more rows in the file below." if len(table.rows) > len(rows) else ""
    remark = " ".join(PAPER_NOTES.get((plan.study.method, plan.dataset.name, axis), "") for axis in table.axes).strip()
    left = (*table.axes, "verdict")
    remarks = " ".join(filter(None, [more, remark]))
    optional = (heads[-4], *(name for name in reversed(shown) if name != f"mAP@{tiou}"), *cost, heads[-1])
    return TextTable(table.title, heads, rows, left, tuple(table.rows["centre"]), remarks, optional)


def mark_note(tables: list[TextTable]) -> str:
    """The meaning of the mark on published numbers; empty if no last column has one."""
    marks = any(row[-1].endswith(MARK) for table in tables for row in table.rows)
    return MARK_NOTE if marks else ""


def ranking_text(plan: Plan, ranked: Ranking, most: int = SHOWN_CELLS) -> TextTable:
    """The best cells of a sampler's study as text, always with the whole Pareto front; axes by their symbols."""
    axes = tuple(symbols(plan)[axis] for axis in ranked.axes)
    several = len(ranked.objectives) > 1
    kept = ranked.rows.head(max(most, int(ranked.rows["best"].sum()) if len(ranked.rows) else 0))
    names = {name: UNITS[name].format(tiou=ranked.tiou) for name in ranked.objectives}
    front = ["front"] if several else []
    heads = [*axes, *front, "n", *names.values(), f"test mAP@{ranked.tiou}"]
    rows = []
    for _, row in kept.iterrows():
        objectives = [_spread(row, name, DIGITS[name]) for name in ranked.objectives]
        mark = ["yes" if row["best"] else ""] if several else []
        test = _spread(row, "test")
        rows.append([*[written(row[axis]) for axis in ranked.axes], *mark, str(row["n"]), *objectives, test])
    wanted = ", ".join(f"{direction} {name}" for name, direction in ranked.objectives.items())
    remark = "The search used held-out training videos only; test scores are shown for comparison."
    title, bold = f"Best of {len(ranked.rows)} cells ({wanted})", tuple(kept.get("best", ()))
    return TextTable(title, heads, rows, axes, bold, remark, ("n",))


def comparison_text(compared: Comparison, subjects: int = 0) -> TextTable:
    """The cases of a study as text, with differences to the reference; subjects: of folds."""
    shown = [f"mAP@{tiou:g}" for tiou in SHOWN_TIOU if f"mAP@{tiou:g}" in compared.rows]
    named = {**{name: name for name in shown}, "average": f"average {compared.average_over}"}
    cost = ["s/min", *(["total"] if compared.rows["annotation_total"].nunique() > 1 else [])]
    heads = [CASE, "labels", *cost, "n", *named.values(), f"Δ @{compared.tiou}", "verdict", f"paper @{compared.tiou}"]
    rows = []
    for _, row in compared.rows.iterrows():
        values = [_compact(row, name) for name in named]
        delta = "" if row[CASE] == compared.reference else _compact(row, "delta", "+")
        published = marked(row.get(f"paper@{compared.tiou}", math.nan), row["paper selection"])
        costs = [_cost(row["seconds" if name == "s/min" else COSTS[name]], name) for name in cost]
        head = [row[CASE], row["supervision"], *costs, str(row["n"])]
        rows.append([*head, *values, delta, verdict_words(row), published])
    sources = [source for source in dict.fromkeys(compared.rows["paper source"]) if source != NOT_AVAILABLE]
    remark = f"Δ: mean difference to the reference over common repeats; {method_of(subjects)}."
    left = (CASE, "labels", "verdict")
    bold = tuple(compared.rows[CASE] == compared.reference)
    optional = (heads[-4], *(name for name in reversed(shown) if name != f"mAP@{compared.tiou}"), *cost, "labels")
    table = TextTable(f"Cases beside {compared.reference}", heads, rows, left, bold, remark, optional)
    if sources:
        remark += f" Paper: {'; '.join(sources)}. {mark_note([table])}".rstrip()
    return table._replace(remark=remark)


def _cost(seconds: float, name: str) -> str:
    return f"{seconds:.1f}" if name == "s/min" else time_words(seconds)


def _compact(row: pd.Series, name: str, sign: str = "") -> str:
    return compact(row[name], row[name + LOW], row[name + HIGH], sign)


def _spread(row: pd.Series, name: str, digits: int = 1) -> str:
    return spread(row[name], row[name + LOW], row[name + HIGH], digits)
