"""A table of text cells, drawn for a terminal or written as Markdown."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tal_search.types import written

if TYPE_CHECKING:
    from rich.table import Table


UNKNOWN = "not available"  # results.published.NOT_AVAILABLE, which light commands do not import
KEPT_WHOLE = 14  # characters of a cell that no line break divides: "needs 25 seeds"


class TextTable(NamedTuple):
    """`left` heads are aligned to the left; `bold` rows stand out in a terminal; `remark` stands below.

    optional: columns that a narrow terminal leaves out, the first of them first.
    """

    title: str
    heads: list[str]
    rows: list[list[str]]
    left: tuple[str, ...] = ()
    bold: tuple[bool, ...] = ()
    remark: str = ""
    optional: tuple[str, ...] = ()


def fitted(table: TextTable, width: int) -> TextTable:
    """The table without as many of its optional columns as do not fit; the remark names them."""
    gone = list[str]()
    while sum(1 + least for least, _ in _columns(table)) - 1 > width and len(gone) < len(table.optional):
        gone.append(table.optional[len(gone)])
        place = table.heads.index(gone[-1])
        rows = [[*row[:place], *row[place + 1 :]] for row in table.rows]
        table = table._replace(heads=[head for head in table.heads if head != gone[-1]], rows=rows)
    if not gone:
        return table
    remark = f"Too wide for this terminal, in the file: {', '.join(gone)}."
    return table._replace(remark=f"{table.remark} {remark}".strip())


def _columns(table: TextTable) -> list[tuple[int, int]]:
    """Least and full width of each column: heads break at spaces, and so do long cells on the left."""
    from rich.cells import cell_len

    found = []
    for head, *cells in zip(table.heads, *table.rows, strict=True):
        broken = [cell for cell in cells if head in table.left and len(cell) > KEPT_WHOLE]
        parts = [*head.split(), *" ".join(broken).split(), *(cell for cell in cells if cell not in broken)]
        found.append((max(map(cell_len, parts)), max(map(cell_len, [head, *cells]))))
    return found


def _dashed(table: TextTable) -> TextTable:
    """With a dash and its meaning in the place of many words."""
    if not any(UNKNOWN in row for row in table.rows):
        return table
    rows = [["–" if cell == UNKNOWN else cell for cell in row] for row in table.rows]
    return table._replace(rows=rows, remark=f"{table.remark} –: {UNKNOWN}.".strip())


def _widths(table: TextTable, room: int) -> list[int]:
    """Of each column: what fits into `room` in all, the least widths first, then those that lack the least."""
    columns = _columns(table)
    widths = [least for least, _ in columns]
    spare = room - sum(widths)
    for place in sorted(range(len(columns)), key=lambda place: columns[place][1] - columns[place][0]):
        more = max(0, min(spare, columns[place][1] - columns[place][0]))
        widths[place] += more
        spare -= more
    if spare < 0:  # one name is too long; it is folded
        widest = widths.index(max(widths))
        widths[widest] = max(1, widths[widest] + spare)
    return widths


def drawn(table: TextTable, subtitle: str, width: int | None = None) -> Table:
    """For a terminal, of `width` columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = _dashed(table) if width is None else fitted(_dashed(table), width)
    gaps = len(table.heads) - 1
    gap = 1 if width is not None and sum(least for least, _ in _columns(table)) + 2 * gaps > width else 2
    widths = _widths(table, (width or sys.maxsize) - gap * gaps)
    shown = Table(
        title=Text(f"\n{table.title} — {subtitle}"),
        caption_justify="left",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 0, 0, gap - 1),
        pad_edge=False,
        caption=Text(table.remark) if table.remark else None,
    )
    for head, columns in zip(table.heads, widths, strict=True):
        justify: Literal["left", "right"] = "left" if head in table.left else "right"
        shown.add_column(Text(head), justify=justify, width=columns, overflow="fold")
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
