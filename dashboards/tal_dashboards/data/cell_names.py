"""Names of cells in pages, files and URLs."""

from __future__ import annotations

import pandas as pd

from tal_search.results.cell_table import records
from tal_search.results.trials import StudyFrame
from tal_search.types import cell_words


def names_of(data: StudyFrame, rows: pd.DataFrame) -> list[str]:
    """The name of each row's cell: its settings that differ from the centre, "centre", or the name of its case."""
    return [cell_words(row, data.centre) for row in records(rows, list(data.axes))]
