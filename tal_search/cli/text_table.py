"""Tables of text cells, drawn for a terminal or written as Markdown."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Literal, NamedTuple

from tal_search.cli.output import plain
from tal_search.text.printable import printable, shown_line
from tal_search.text.words import around

if TYPE_CHECKING:
    from rich.table import Table


UNKNOWN = "not available"  # results.published.NOT_AVAILABLE, which light commands do not import
KEPT_WHOLE = 14  # longest cell without a line break, such as "needs 25 seeds"


class TextTable(NamedTuple):
    """Title, heads and rows. left: heads of left-aligned columns; bold: of each row; remark: shown below the table.

    optional: columns that a narrow terminal leaves out, in this order.
    """

    title: str
    heads: list[str]
    rows: list[list[str]]
    left: tuple[str, ...] = ()
    bold: tuple[bool, ...] = ()
    remark: str = ""
    optional: tuple[str, ...] = ()


def fitted(table: TextTable, width: int) -> TextTable:
    """The table without the optional columns that do not fit; the remark names them."""
    left_out = list[str]()
    while sum(1 + least for least, _ in _columns(table)) - 1 > width and len(left_out) < len(table.optional):
        left_out.append(table.optional[len(left_out)])
        place = table.heads.index(left_out[-1])
        rows = [[*row[:place], *row[place + 1 :]] for row in table.rows]
        table = table._replace(heads=[head for head in table.heads if head != left_out[-1]], rows=rows)
    if not left_out:
        return table
    remark = f"Columns only in the file, because the terminal is narrow: {', '.join(left_out)}."
    return table._replace(remark=f"{table.remark} {remark}".strip())


def _columns(table: TextTable) -> list[tuple[int, int]]:
    """Least and full width of each column; heads and long left-aligned cells can break at spaces."""
    from rich.cells import cell_len

    widths = []
    for head, *cells in zip(table.heads, *table.rows, strict=True):
        broken = [cell for cell in cells if head in table.left and len(cell) > KEPT_WHOLE]
        parts = [*head.split(), *" ".join(broken).split(), *(cell for cell in cells if cell not in broken)]
        widths.append((max(map(cell_len, parts)), max(map(cell_len, [head, *cells]))))
    return widths


def _dashed(table: TextTable) -> TextTable:
    """The table with a dash for UNKNOWN, explained in the remark."""
    if not any(UNKNOWN in row for row in table.rows):
        return table
    rows = [["–" if cell == UNKNOWN else cell for cell in row] for row in table.rows]
    return table._replace(rows=rows, remark=f"{table.remark} –: {UNKNOWN}.".strip())


def legible(text: str) -> str:
    """A cell as this terminal can show it; converted before columns are measured, as its width may change."""
    return plain(shown_line(text), getattr(sys.stdout, "encoding", None) or "utf-8")


def _legible(table: TextTable) -> TextTable:
    heads, rows = [*map(legible, table.heads)], [[*map(legible, row)] for row in table.rows]
    left, optional = (tuple(map(legible, names)) for names in (table.left, table.optional))
    return table._replace(heads=heads, rows=rows, left=left, optional=optional, remark=legible(table.remark))


def _widths(table: TextTable, room: int) -> list[int]:
    """Column widths within `room`: the least widths; spare room goes to the columns that need the least more."""
    columns = _columns(table)
    widths = [least for least, _ in columns]
    spare = room - sum(widths)
    for place in sorted(range(len(columns)), key=lambda place: columns[place][1] - columns[place][0]):
        more = max(0, min(spare, columns[place][1] - columns[place][0]))
        widths[place] += more
        spare -= more
    if spare < 0:  # a name is too long; it is folded
        widest = widths.index(max(widths))
        widths[widest] = max(1, widths[widest] + spare)
    return widths


def drawn(table: TextTable, subtitle: str, width: int | None = None) -> Table:
    """The table for a terminal of `width` columns."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = _legible(_dashed(table))
    table = table if width is None else fitted(table, width)
    gaps = len(table.heads) - 1
    gap = 1 if width is not None and sum(least for least, _ in _columns(table)) + 2 * gaps > width else 2
    widths = _widths(table, (width or sys.maxsize) - gap * gaps)
    shown = Table(
        title=Text(f"\n{shown_line(f'{table.title} — {subtitle}')}"),
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
    lines += ["| " + " | ".join(map(_in_markdown, row)) + " |" for row in table.rows]
    return "\n".join([*lines, "", *([table.remark, ""] if table.remark else [])])


def _in_markdown(cell: str) -> str:
    """A cell that stays one cell of text: no tags, links or pictures of a name."""
    return re.sub(r"\||<(?=[A-Za-z/!?])|(?<=\])(?=[(\[])", r"\\\g<0>", printable(cell))


def spread(mean: float, low: float, high: float, digits: int = 1, sign: str = "") -> str:
    """The mean ± half its interval, as far as they exist. sign: "+" to show the sign of a positive mean."""
    return "–" if math.isnan(mean) else f"{mean:{sign}.{digits}f}{around(mean, low, high, digits)}"


def compact(mean: float, low: float, high: float, sign: str = "") -> str:
    """The same without spaces, so that a terminal does not break it."""
    return spread(mean, low, high, sign=sign).replace(" ", "")
