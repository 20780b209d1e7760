"""LaTeX table of a whole study for a paper: each value of each axis, with intervals, verdicts and published numbers."""

from __future__ import annotations

import math
import re

import pandas as pd

from tal_dashboards.data.study_data import StudyData
from tal_dashboards.export.captions import table_heading
from tal_dashboards.export.latex import Table, escaped, in_math, written_table
from tal_dashboards.style import number
from tal_search.results.overview import Overview
from tal_search.results.published import BEST_ON_TEST, MARK
from tal_search.results.search.marginal_effects import METHOD
from tal_search.results.statistics import HIGH, LOW
from tal_search.text.words import around
from tal_search.types import written_axis

MARKS = {"better": r"$\uparrow$", "worse": r"$\downarrow$", "within noise": r"$\approx$", "needs repeats": "?"}


def study_latex(data: StudyData, results: Overview) -> str | None:
    """The table of `results.curves`; None if it is empty."""
    curves = results.curves
    if curves.empty:
        return None
    cases = results.rows == "case"
    curves = curves.assign(word=curves.groupby("name", sort=False)["value"].transform(written_axis))
    shows = {name: bool(curves[name].notna().any()) for name in ("n", "paper")}
    shows["verdict"] = bool(curves["verdict"].isin([*MARKS]).any())
    rows: list[list[str]] = []
    gaps, before = set(), None
    for _, row in curves.iterrows():
        first = row["name"] != before
        if first and not cases and rows:
            gaps.add(len(rows))
        rows.append(_row(data, row, cases=cases, first=first or cases, shows=shows))
        before = row["name"]
    head = [
        results.rows.replace("marginal", "axis"), *([] if cases else ["value"]), *(["$n$"] if shows["n"] else []),
        escaped(results.score), r"$\Delta$", *([""] if shows["verdict"] else []),
        *(["paper"] if shows["paper"] else []),
    ]  # fmt: skip
    columns = (
        ("l" if cases else "lr")
        + ("r" if shows["n"] else "")
        + "rr"
        + ("c" if shows["verdict"] else "")
        + ("r" if shows["paper"] else "")
    )
    caption = escaped(_caption(data, results, curves))
    for verdict, mark in MARKS.items():
        caption = caption.replace(f"@{verdict}@", mark)
    return written_table(Table(columns, head, rows, caption, f"{data.name}-study", frozenset(gaps)))


def _row(data: StudyData, row: pd.Series, *, cases: bool, first: bool, shows: dict[str, bool]) -> list[str]:
    name, symbol = str(row["name"]), data.axes.get(row["name"], "")
    axis = f"{in_math(symbol)} ({escaped(name)})" if symbol not in ("", name) else escaped(name)
    value = escaped(name) if cases else escaped(re.sub(r"^-(?=\d)", "−", row["word"]))
    value = rf"\textbf{{{value}}}" if row["centre"] else value
    mean = number(row["mean"]) + around(row["mean"], row["mean" + LOW], row["mean" + HIGH])
    delta = number(row["delta"], 1, "+") + around(row["delta"], row["delta" + LOW], row["delta" + HIGH])
    paper = "" if math.isnan(row["paper"]) else number(row["paper"])
    dagger = f" {MARK}" if paper and row["paper selection"] == BEST_ON_TEST else ""
    return [
        *([] if cases else [axis if first else ""]), value,
        *([f"{row['n']:.0f}" if pd.notna(row["n"]) else "--"] if shows["n"] else []), escaped(mean),
        "" if row["centre"] else escaped(delta.replace("-", "−")),
        *([MARKS.get(row["verdict"], "")] if shows["verdict"] else []),
        *([escaped(paper + dagger)] if shows["paper"] else []),
    ]  # fmt: skip


def _caption(data: StudyData, results: Overview, curves: pd.DataFrame) -> str:
    """The caption, with @VERDICT@ in place of the marks of verdicts."""
    reference = "the reference (bold)" if results.rows == "case" else "the centre (bold)"
    noise = "" if math.isnan(results.noise) else f" Noise floor: {results.noise:.1f} points."
    verdicts = [verdict for verdict in MARKS if verdict in set(curves["verdict"])]
    words = "; ".join(f"@{name}@ {name}" for name in verdicts)
    paper = f" Paper: published on I3D features{_mark_note(curves)}." if curves["paper"].notna().any() else ""
    if results.rows == "marginal":
        return (
            f"{table_heading(data, results.score)} Marginal effects: {METHOD}; Δ: difference to {reference} in points."
        )
    return (
        f"{table_heading(data, results.score)} Means ± half their 95 % intervals ([low, high] if cut at 0 or 100); "
        f"Δ: difference to {reference} in points, with 95 % intervals corrected for all cells of the study"
        f"{f' ({words})' if words else ''}.{noise}{paper}"
    )


def _mark_note(curves: pd.DataFrame) -> str:
    best = (curves["paper selection"] == BEST_ON_TEST) & curves["paper"].notna()
    return f"; {MARK}: {BEST_ON_TEST}" if best.any() else ""
