"""Names of cells, by which pages, files and URLs speak of them."""

from __future__ import annotations

import pandas as pd

from tal_search.results.cell_table import records
from tal_search.results.trials import StudyFrame
from tal_search.types import cell_words


def names_of(data: StudyFrame, found: pd.DataFrame) -> list[str]:
    """Each cell by what is off the centre, "centre", or the name of its case."""
    return [cell_words(row, data.centre) for row in records(found, list(data.axes))]
