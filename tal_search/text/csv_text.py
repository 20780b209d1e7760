"""Tables as CSV that a spreadsheet opens as data: no text of a name, label or message becomes a formula.

As OWASP advises ("CSV injection"), text that begins like a formula gets an apostrophe before it, which spreadsheets do
not show. Numbers stay numbers.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")  # also the full-width signs, which some spreadsheets read alike
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]inf", re.ASCII)


def csv_text(table: pd.DataFrame) -> str:
    """The table with its heads and without its index; text that begins like a formula is quoted."""
    texts = [place for place, kind in enumerate(table.dtypes) if kind.kind == "O"]
    safe = table.copy(deep=False)
    for place in texts:
        safe.isetitem(place, [quoted(cell) for cell in table.iloc[:, place]])
    return safe.set_axis([quoted(head) for head in table.columns], axis="columns").to_csv(index=False)


def quoted(cell: Hashable) -> Hashable:
    """A cell, with an apostrophe before text that a spreadsheet would take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell
