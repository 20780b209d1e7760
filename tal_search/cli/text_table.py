"""A table of text cells, drawn for a terminal or written as Markdown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from tal_search.types import written

if TYPE_CHECKING:
    from rich.table import Table


class TextTable(NamedTuple):
    """`left` heads are aligned to the left; `bold` rows stand out in a terminal; `remark` stands below."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    left: tuple[str, ...] = ()
    bold: tuple[bool, ...] = ()
    remark: str = ""


def drawn(table: TextTable, subtitle: str) -> Table:
    """For a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=Text(f"{table.title} — {subtitle}"),
        caption_justify="left",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
        caption=Text(table.remark) if table.remark else None,
    )
    for head in table.heads:
        shown.add_column(Text(head), justify="left" if head in table.left else "right")
    for number, cells in enumerate(table.rows):
        bold = bool(table.bold) and table.bold[number]
        shown.add_row(*[Text(cell) for cell in cells], style="bold" if bold else "")
    return shown


def markdown(table: TextTable) -> str:
    lines = [f"## {table.title}", "", "| " + " | ".join(table.heads) + " |", "|" + " --- |" * len(table.heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
    return "\n".join([*lines, "", *([table.remark, ""] if table.remark else [])])


def short(value: Any) -> str:
    return written(value)


def spread(mean: float, low: float, high: float, digits: int = 1, sign: str = "") -> str:
    """mean ± half its interval, as far as they exist. sign: "+" where a positive mean shows its sign."""
    from tal_search.results.statistics import around  # and with it pandas, for which light commands do not wait

    return "–" if math.isnan(mean) else f"{mean:{sign}.{digits}f}{around(mean, low, high, digits)}"


def compact(mean: float, low: float, high: float, sign: str = "") -> str:
    """The same as one word, which a terminal does not break."""
    return spread(mean, low, high, sign=sign).replace(" ", "")
