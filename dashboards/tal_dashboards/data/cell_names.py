"""Names of cells, by which pages, files and URLs speak of them."""

from __future__ import annotations

import pandas as pd

from tal_dashboards.style import value
from tal_search.results.cell_table import records
from tal_search.results.trials import StudyFrame


def names_of(data: StudyFrame, found: pd.DataFrame) -> list[str]:
    """Each cell by what is off the centre, "centre", or the name of its case."""
    if data.plan == "cases":
        return [str(name) for name in found["case"]]
    rows = records(found, list(data.axes))
    changed = ([f"{axis}={value(one)}" for axis, one in row.items() if one != data.centre[axis]] for row in rows)
    return [" ".join(words) or "centre" for words in changed]
