"""Published numbers, shown beside ours for reference. Does not import pandas."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real
from pathlib import Path
from typing import NamedTuple

from tal_search.data.definition import DatasetDefinition, PublishedSystem

CELLS = Path(__file__).with_name("published.csv")
NOT_AVAILABLE = "not available"  # in tables, if nothing is published
# How the epoch of a published number was chosen, by `selection` in `published` of a dataset's file and in CELLS.
BEST_ON_TEST = "best epoch on the test split"
SELECTIONS = {
    "test": BEST_ON_TEST, "last": "last epoch", "holdout": "best epoch on held-out videos", "": "not stated",
}  # fmt: skip
MARK = "†"  # marks BEST_ON_TEST in text tables
MARK_NOTE = f"{MARK}: {BEST_ON_TEST}, as the released code of its authors chooses it."


class Published(NamedTuple):
    """Published numbers of one cell or case: mAP in percent by tIoU or range, the source, and the choice of the epoch.

    The texts are NOT_AVAILABLE if nothing is published.
    """

    mAP: dict[str, float]
    source: str
    selection: str


NOTHING = Published({}, NOT_AVAILABLE, NOT_AVAILABLE)


def marked(mAP: float, selection: str) -> str:
    """A published number in a text table; NOT_AVAILABLE for NaN."""
    return NOT_AVAILABLE if math.isnan(mAP) else f"{mAP:.1f}{f' {MARK}' if selection == BEST_ON_TEST else ''}"


def published_systems(dataset: DatasetDefinition) -> dict[str, PublishedSystem]:
    """Every published system on a dataset, by name."""
    return {system.system: system for system in dataset.published}


@dataclass(frozen=True, kw_only=True)
class PublishedCell:
    """A published mAP in percent at one value of the hyperparameter `axis`, others at the paper's operating point."""

    axis: str
    value: float
    tiou: str
    mAP: float
    source: str
    selection: str


@cache
def published_cells(method: str, dataset: str) -> tuple[PublishedCell, ...]:
    """Every published cell of a method on a dataset."""
    with CELLS.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if (row["method"], row["dataset"]) == (method, dataset)]
    return tuple(
        PublishedCell(
            axis=row["axis"],
            value=float(row["value"]),
            tiou=row["tiou"],
            mAP=float(row["mAP"]),
            source=row["source"],
            selection=SELECTIONS[row["selection"]],
        )
        for row in rows
    )


def _is(value: object, published: float) -> bool:
    return isinstance(value, Real) and math.isclose(float(value), published)


def paper_cell(
    method: str, dataset: str, hyperparameters: Mapping[str, object], axes: Iterable[str]
) -> PublishedCell | None:
    """The published cell of complete hyperparameters, of the axis in `axes` if exactly one of them is published.

    None unless every published hyperparameter is at the paper's operating point.
    """
    cells = published_cells(method, dataset)
    if not cells or not all(_is(hyperparameters[cell.axis], cell.value) for cell in cells):
        return None
    published = {cell.axis for cell in cells}
    varied = [axis for axis in axes if axis in published]
    return next(cell for cell in cells if len(varied) != 1 or cell.axis == varied[0])
