"""The result files of a study, `sensitivity.csv` and `sensitivity.md`, and the same tables for a terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tal_search.search.plan import Plan
from tal_search.search.sensitivity import SHOWN_TIOU, AxisTable
from tal_search.trial_folder import write_atomically

if TYPE_CHECKING:
    from rich.table import Table

PAPER_NOTES = {
    ("backtal", "lambda_sep"): "The paper says that lowering λ costs 0.5 mAP, without naming the value.",
    ("backtal", "kernel_size"): "The paper finds h = 3 best of 3 to 9.",
    ("backtal", "embedding_dim"): "The paper finds D_emb = 32 best.",
}


def write_tables(plan: Plan, tables: list[AxisTable], folder: Path) -> tuple[Path, Path]:
    """Write `sensitivity.csv` (every number) and `sensitivity.md` (as shown) into `folder`; returns both paths."""
    csv, markdown = folder / "sensitivity.csv", folder / "sensitivity.md"
    frames = [
        table.rows.assign(table=table.title, source=plan.dataset.source, dataset=plan.dataset.description)
        for table in tables
    ]
    content = pd.concat(frames).drop(columns="varied").rename(columns={"average": f"average {tables[0].average_over}"})
    first = ["table", *plan.study.search.axes]
    content = content[[*first, *[name for name in content.columns if name not in first]]]
    write_atomically(csv, lambda stream: stream.write(content.to_csv(index=False).encode()))
    text = "\n".join([heading(plan), "", *[_markdown(plan, table) for table in tables]])
    write_atomically(markdown, lambda stream: stream.write(text.encode()))
    return csv, markdown


def heading(plan: Plan) -> str:
    """What the numbers are and what they were obtained on."""
    return (
        f"# {plan.study.name}: mAP in %, mean ± standard deviation over repeats\n\n"
        f"Data: {plan.dataset.description}. Source: {plan.dataset.source}. "
        f"Selection: {plan.study.protocol.selection}. Paper column: published numbers, on I3D features."
    )


def shown_rows(table: AxisTable) -> tuple[list[str], list[list[str]]]:
    """Column heads and cells as text, for any kind of table."""
    shown = [f"mAP@{tiou:g}" for tiou in SHOWN_TIOU if f"mAP@{tiou:g}" in table.rows]
    heads = [*table.axes, "n", *shown, f"average {table.average_over}", "Δ centre @0.5", "paper @0.5"]
    rows = []
    for row in table.rows.to_dict("records"):
        values = [f"{_short(row[axis])}{' (centre)' if row['centre'] else ''}" for axis in table.axes]
        spreads = [_spread(row[name], row[f"{name} sd"]) for name in (*shown, "average")]
        delta = "" if row["centre"] or math.isnan(row["delta"]) else f"{row['delta']:+.1f}"
        paper = "not available" if math.isnan(row["paper"]) else f"{row['paper']:.1f}"
        rows.append([*values, str(row["n"]), *spreads, delta, paper])
    return heads, rows


def note(plan: Plan, table: AxisTable) -> str:
    """What the paper says about an axis in words, or nothing."""
    return " ".join(PAPER_NOTES.get((plan.study.method, axis), "") for axis in table.axes).strip()


def terminal_table(plan: Plan, table: AxisTable) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heads, rows = shown_rows(table)
    title = f"{table.title} — {plan.dataset.description}"
    drawn = Table(
        title=Text(title),
        caption_justify="left",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
        caption=note(plan, table),
    )
    for head in heads:
        drawn.add_column(Text(head), justify="left" if head in table.axes else "right")
    for cells, centre in zip(rows, table.rows["centre"], strict=True):
        drawn.add_row(*[Text(cell) for cell in cells], style="bold" if centre else "")
    return drawn


def _markdown(plan: Plan, table: AxisTable) -> str:
    heads, rows = shown_rows(table)
    lines = [f"## {table.title}", "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    remark = note(plan, table)
    return "\n".join([*lines, "", *([remark, ""] if remark else [])])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _spread(mean: float, deviation: float) -> str:
    if math.isnan(mean):
        return "–"
    return f"{mean:.1f}" if math.isnan(deviation) else f"{mean:.1f} ± {deviation:.1f}"
