"""Published numbers, shown beside ours for reference. Does not import pandas."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from numbers import Real
from pathlib import Path
from typing import NamedTuple

SYSTEMS = Path(__file__).with_name("published_systems.csv")
CELLS = SYSTEMS.with_name("published.csv")
NOT_AVAILABLE = "not available"  # in tables, if nothing is published
# How the epoch of a published number was chosen, by the column `selection` of the two files.
BEST_ON_TEST = "best epoch on the test split"
SELECTIONS = {"test": BEST_ON_TEST, "": "not stated"}
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


@dataclass(frozen=True, kw_only=True)
class PublishedSystem:
    """Numbers its authors report on one dataset. mAP: percent by tIoU threshold ("0.5") or range ("0.3:0.7").

    supervision and seconds (of annotation, per minute of video) are empty and None if the source gives none.
    selection: a value of SELECTIONS.
    """

    supervision: str
    seconds: float | None
    source: str
    selection: str
    mAP: dict[str, float] = field(default_factory=dict)


@cache
def published_systems(dataset: str) -> dict[str, PublishedSystem]:
    """Every published system on a dataset, by name."""
    systems: dict[str, PublishedSystem] = {}
    with SYSTEMS.open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["dataset"] == dataset:
                seconds = float(row["seconds"]) if row["seconds"] else None
                chosen = SELECTIONS[row["selection"]]
                system = PublishedSystem(
                    supervision=row["supervision"], seconds=seconds, source=row["source"], selection=chosen
                )
                systems.setdefault(row["system"], system).mAP[row["tiou"]] = float(row["mAP"])
    return systems


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
