"""Made-up runs of a grid of two axes, and the row of an axis in a table of effects."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd

from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats

GRID = [dict(zip(("a", "b"), pair, strict=True)) for pair in itertools.product((0.0, 1.0, 2.0), (0.0, 1.0, 2.0, 3.0))]


def shifted(runs: Runs, points: Floats) -> Runs:
    """With what each cell's settings add to it."""
    return Runs(value=runs.value + points[:, None], seed=runs.seed, annotator=runs.annotator, single=runs.single)


def of(found: pd.DataFrame, axis: str) -> dict[str, Any]:
    """An axis' row of `axis_effects`."""
    (row,) = found[found["axis"] == axis].to_dict("records")
    return {str(name): value for name, value in row.items()}
