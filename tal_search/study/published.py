"""Published numbers of whole systems, for the tables: references beside ours, never targets. Read without pandas."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SYSTEMS = Path(__file__).parents[1] / "published_systems.csv"


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
