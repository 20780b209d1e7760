"""Published numbers for the tables: references beside ours, never targets. Read without pandas."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SYSTEMS = Path(__file__).with_name("published_systems.csv")
CELLS = SYSTEMS.with_name("published.csv")
NOT_AVAILABLE = "not available"  # in tables, where nothing is published


@dataclass(frozen=True, kw_only=True)
class PublishedSystem:
    """What its authors report on one dataset. mAP: percent by tIoU threshold ("0.5") or range ("0.3:0.7").

    supervision and seconds (of annotation, per minute of video) are empty and None where the source gives none.
    """

    supervision: str
    seconds: float | None
    source: str
    mAP: dict[str, float] = field(default_factory=dict)


@cache
def published_systems(dataset: str) -> dict[str, PublishedSystem]:
    """Every published system on a dataset, by name."""
    found: dict[str, PublishedSystem] = {}
    with SYSTEMS.open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["dataset"] == dataset:
                seconds = float(row["seconds"]) if row["seconds"] else None
                system = PublishedSystem(supervision=row["supervision"], seconds=seconds, source=row["source"])
                found.setdefault(row["system"], system).mAP[row["tiou"]] = float(row["mAP"])
    return found


@dataclass(frozen=True, kw_only=True)
class PublishedCell:
    """A published value of one hyperparameter, `axis`, all others at the paper's operating point; mAP in percent."""

    axis: str
    value: float
    tiou: str
    mAP: float
    source: str


@cache
def published_cells(method: str, dataset: str) -> tuple[PublishedCell, ...]:
    """Every published cell of a method on a dataset."""
    with CELLS.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if (row["method"], row["dataset"]) == (method, dataset)]
    return tuple(
        PublishedCell(
            axis=row["axis"], value=float(row["value"]), tiou=row["tiou"], mAP=float(row["mAP"]), source=row["source"]
        )
        for row in rows
    )


def paper_cell(
    method: str, dataset: str, hyperparameters: Mapping[str, Any], axes: Iterable[str]
) -> PublishedCell | None:
    """The published cell of complete hyperparameters, of one of `axes` if they name just one that has any.

    None unless every published hyperparameter is at the paper's operating point.
    """
    mine = published_cells(method, dataset)
    if not mine or not all(math.isclose(float(hyperparameters[cell.axis]), cell.value) for cell in mine):
        return None
    published = {cell.axis for cell in mine}
    varied = [axis for axis in axes if axis in published]
    return next(cell for cell in mine if len(varied) != 1 or cell.axis == varied[0])
